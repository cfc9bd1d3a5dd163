"""Which category is chosen: acute first, then terminal, then by threshold."""

import numpy as np
import pytest

from model.operating import decide
from model.severity import SEVERITIES, Severity

THRESHOLDS = dict(zip(SEVERITIES, (0.2, 0.5, 0.08, 0.4, 0.05), strict=True))


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        # not-ill, mild, acute, chronic, terminal
        ((0.10, 0.50, 0.08, 0.26, 0.06), Severity.ACUTE),  # at the threshold, and before terminal
        ((0.10, 0.55, 0.07, 0.22, 0.06), Severity.TERMINAL),
        ((0.10, 0.50, 0.07, 0.30, 0.03), Severity.MILD),  # 0.5, 1.0, 0.75 in proportion
        ((0.30, 0.45, 0.05, 0.17, 0.03), Severity.NOT_ILL),  # 1.5, 0.9, 0.425
    ],
)
def test_choice(probabilities: tuple[float, ...], expected: Severity) -> None:
    chosen = decide(np.array([probabilities]), SEVERITIES, THRESHOLDS)
    assert SEVERITIES[chosen[0]] is expected


def test_without_acute_and_terminal_the_rest_decides() -> None:
    classes = (Severity.NOT_ILL, Severity.MILD)
    assert decide(np.array([[0.3, 0.7]]), classes, THRESHOLDS).tolist() == [0]


def test_with_only_acute_and_terminal_one_of_them_is_chosen() -> None:
    classes = (Severity.ACUTE, Severity.TERMINAL)
    limits = {Severity.ACUTE: 0.9, Severity.TERMINAL: 0.8}
    assert decide(np.array([[0.5, 0.5]]), classes, limits).tolist() == [1]
