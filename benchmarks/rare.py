"""Detection curves of few-shot heads for rare diseases, on simulated patients.

`python -m benchmarks.rare` prints the table of a short run (about two minutes);
`python -m benchmarks.rare --long` is the form whose figures are quoted: 40 repetitions among 1,000
common rows and 10 among 10,000. Exit status 1 if recall at 0 SD is not the flag rate within its
binomial interval, one case makes a head, or the log loss of common patients worsens by more than
0.003.
"""

import sys

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from model.training.detection_curves import Cell, as_text, detection_curves

FLAG_RATE = 0.01
LOG_LOSS = 0.003
"""nat; the most that the common categories may lose to rare cases among the rows."""
SHORT = {1_000: 8}
LONG = {1_000: 40, 10_000: 10}
"""Repetitions by number of common rows."""


def faults(cells: list[Cell]) -> list[str]:
    """What is not as promised."""
    found = []
    for cell in cells:
        name = f"{cell.common_rows} rows, {cell.separation:g} SD, {cell.cases} cases"
        if cell.cases < 3 and (cell.live or cell.recall is not None):
            found.append(f"{name}: a head of too few cases")
        if cell.separation == 0.0 and cell.recall is not None:
            # Of the rows of the disease in one repetition, and of as many common ones that set the
            # threshold. Rows of all repetitions together would promise more than they hold: those
            # of one share a category, a direction and patients.
            rows = cell.fresh_rows / cell.repetitions
            error = 1.96 * np.sqrt(2 * FLAG_RATE * (1 - FLAG_RATE) / rows)
            if abs(cell.recall - FLAG_RATE) > error:
                found.append(f"{name}: recall {cell.recall:.4f}, not the flag rate ± {error:.4f}")
        if cell.log_loss_change > LOG_LOSS:
            found.append(f"{name}: log loss of common patients {cell.log_loss_change:+.4f}")
    return found


def main() -> int:
    """Run, print the table, and say whether it holds."""
    cells = []
    for rows, repetitions in (LONG if "--long" in sys.argv[1:] else SHORT).items():
        with threadpool_limits(1):
            cells += detection_curves(
                common_rows=(rows,), repetitions=repetitions, flag_rate=FLAG_RATE
            )
    sys.stdout.write(as_text(cells) + "\n")
    wrong = faults(cells)
    sys.stdout.write("\n".join(wrong or ["All as promised."]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
