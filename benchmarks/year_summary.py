"""What all seeds of the simulated year come to."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.stats import beta, binom

from benchmarks import year_calendar as names
from benchmarks.year_promises import COVERED_AT_LEAST, Line
from model.evaluation.alarm_limits import BUDGET


def summary(lines: Sequence[Line]) -> list[Line]:
    """One line a scenario over all seeds; what is counted over all seeds is judged here."""
    found = []
    for scenario in (*names.SCENARIOS, "jobs"):
        mine = [line for line in lines if line.scenario == scenario]
        if not mine:
            continue
        if scenario == names.STABLE:
            found.append(_stable(mine))
            continue
        held = sum(bool(line.held) for line in mine)
        said = f"holds in {held} of {len(mine)} seeds"
        verdict = held == len(mine)
        if scenario == names.NEW_DISEASE:
            said += _recovered(mine)
        if scenario == names.RARE_DISEASE:
            said += f"; a head went live in {_total(mine)['heads']}, else it was said why not"
        if scenario == names.SELECTIVE:
            said, verdict = _selective(mine)
        found.append(Line(scenario, said, verdict))
    return found


def _stable(lines: Sequence[Line]) -> Line:
    """False alarms of the inputs against their budget of one in fifty chunks."""
    counts = _total(lines)
    chunks, alarms = counts["chunks"], counts["alarms"]
    # At least so many in truth, with 95 % confidence (Clopper and Pearson 1934).
    lower = float(beta.ppf(0.05, alarms, chunks - alarms + 1)) if alarms else 0.0
    said = (
        f"{alarms} false alarms of inputs in {chunks} chunks of {len(lines)} seeds "
        f"(budget {BUDGET:.0%}; at least {lower:.1%} in truth)"
    )
    return Line(names.STABLE, said, lower <= BUDGET)


def _recovered(lines: Sequence[Line]) -> str:
    shares = [line.counts["recovered"] / 1000 for line in lines if "recovered" in line.counts]
    days = [line.counts["days"] for line in lines if "days" in line.counts]
    if not shares:
        return ""
    told = sum(line.counts.get("loss_alerts", 0) > 0 for line in lines)
    return (
        f"; of the regret {np.median(shares):.0%} recovered in the median ({min(shares):.0%} to "
        f"{max(shares):.0%}); the first version that learnt of it live after {np.median(days):.0f} "
        f"days ({min(days)} to {max(days)}); the rise of the loss told by an alert in {told}"
    )


def _selective(lines: Sequence[Line]) -> tuple[str, bool]:
    counts, parts, held = _total(lines), [], True
    for metric in ("prevalence", "recall"):
        chunks, weighted = counts[f"{metric}_chunks"], counts[f"{metric}_weighted"]
        naive = counts[f"{metric}_naive"]
        if not chunks:
            return "no chunk has weighted figures", False
        parts.append(
            f"{metric}: truth in the weighted interval of {weighted / chunks:.1%} of {chunks} "
            f"chunks, in the naive one of {naive / chunks:.1%}"
        )
        held &= bool(binom.cdf(weighted, chunks, 0.95) > COVERED_AT_LEAST)
        held &= weighted > naive
    return "; ".join(parts), held


def _total(lines: Sequence[Line]) -> Counter[str]:
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.counts)
    return total
