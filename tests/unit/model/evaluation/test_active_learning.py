"""What is asked of reviewers: hand-computed."""

import math

import numpy as np
import pytest

from model.evaluation.active_learning import (
    TWINS,
    Signal,
    choose,
    cohen_kappa,
    decision_distance,
    feature_space,
    priority,
    signals,
    spread,
)
from model.operating import decide
from model.severity import SEVERITIES, Severity

THRESHOLDS = {
    Severity.NOT_ILL: 0.3,
    Severity.MILD: 0.3,
    Severity.ACUTE: 0.1,
    Severity.CHRONIC: 0.3,
    Severity.TERMINAL: 0.2,
}
PLAIN = {
    "distance": 2.0,
    "set_size": 2,
    "spread": 0.5,
    "atypicality": 0.4,
    "unusual_below": 0.01,
    "overridden": False,
    "rare": False,
}


def row(**given: float) -> list[float]:
    return [given.get(code.name.lower(), 1e-6) for code in SEVERITIES]


def test_the_distance_is_that_to_the_nearest_other_decision() -> None:
    probabilities = np.array(
        [
            row(acute=0.11, mild=0.9),  # flagged as acute, just
            row(acute=0.09, mild=0.9),  # just not
            row(acute=0.01, terminal=0.25, mild=0.7),  # terminal; far from acute
            row(acute=0.001, mild=0.45, chronic=0.44),  # the rest are close
            row(acute=0.001, terminal=0.19, mild=0.8),  # nearly terminal
        ]
    )
    expected = [
        math.log(0.11 / 0.1),
        math.log(0.1 / 0.09),
        math.log(0.25 / 0.2),
        math.log(0.45 / 0.44),
        math.log(0.2 / 0.19),
    ]
    assert decision_distance(probabilities, SEVERITIES, THRESHOLDS) == pytest.approx(expected)


def test_a_step_of_the_distance_changes_the_decision_and_a_smaller_one_does_not() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.full(5, 0.7), size=300)
    distance = decision_distance(probabilities, SEVERITIES, THRESHOLDS)
    before = decide(probabilities, SEVERITIES, THRESHOLDS)
    for factor, changes in ((1.0001, True), (0.9999, False)):
        moved = np.zeros(len(probabilities), dtype=bool)
        for column in range(5):
            for sign in (1.0, -1.0):
                other = probabilities.copy()
                other[:, column] *= np.exp(sign * distance * factor)
                moved |= decide(other, SEVERITIES, THRESHOLDS) != before
        assert moved.all() if changes else not moved.any()


def test_a_model_of_some_categories() -> None:
    classes = (Severity.MILD, Severity.ACUTE)
    found = decision_distance(np.array([[0.95, 0.05]]), classes, THRESHOLDS)
    assert found == pytest.approx([math.log(2)])
    assert np.isinf(decision_distance(np.array([[1.0]]), (Severity.MILD,), THRESHOLDS)).all()


def test_what_speaks_for_asking() -> None:
    assert signals(**PLAIN) == ()
    assert signals(**PLAIN | {"distance": 0.1}) == (Signal("threshold", 0.75),)
    assert signals(**PLAIN | {"distance": 0.2}) == ()
    assert signals(**PLAIN | {"set_size": 3}) == (Signal("wide_set", 0.25),)
    assert signals(**PLAIN | {"atypicality": 0.002}) == (Signal("atypical", 0.9),)
    every = signals(
        distance=0.0,
        set_size=5,
        spread=1.0,
        atypicality=0.0,
        unusual_below=0.01,
        overridden=True,
        rare=True,
    )
    assert [one.reason for one in every] == [
        *("threshold", "wide_set", "atypical", "overridden", "rare")
    ]
    assert priority(every) == pytest.approx(4.5)
    # A version whose files are gone, and readings too few to be called usual.
    unknown = PLAIN | {"distance": None, "set_size": None, "atypicality": None, "spread": None}
    assert signals(**unknown) == ()


def test_spread_is_the_share_of_the_largest_entropy() -> None:
    assert spread([0.25] * 4) == pytest.approx(1.0)
    assert spread([1.0, 0.0]) == 0.0
    assert spread([0.5, 0.5, 0.0, 0.0]) == pytest.approx(0.5)
    assert spread([1.0]) == 0.0


def test_places_are_robust_and_missing_is_a_place_of_its_own() -> None:
    values = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [1e9, np.nan], [np.nan, 5.0]])
    places = feature_space(values) * math.sqrt(2)
    # Median 2.5, median absolute deviation 1: 1.4826 is a standard deviation.
    assert places[0] == pytest.approx([-1.5 / 1.4826, 0, 0, 0])
    assert places[3] == pytest.approx([4.0, 0, 0, 1])
    assert places[4] == pytest.approx([0, 0, 1, 0])
    # An input that nobody measured makes nobody more alike.
    unmeasured = np.hstack([values, np.full((5, 3), np.nan)])
    assert feature_space(unmeasured) * math.sqrt(2) == pytest.approx(places)


def test_of_twins_one_is_asked_and_the_highest_priority_first() -> None:
    places = np.array([[0.0], [0.0], [0.01], [1.0], [2.0]])
    priorities = np.array([1.0, 3.0, 1.0, 1.0, 1.0])
    # The first has nothing near: priority alone. Then the farthest from it.
    assert choose(places, priorities, 5) == [1, 4, 3]
    assert choose(places, priorities, 2) == [1, 4]
    asked = np.array([False, False, False, False, True])
    # 0 and 1 are 2 from what was asked, with priorities 1 and 3.
    assert choose(places, priorities, 5, asked=asked) == [1, 3]
    assert choose(places[:0], priorities[:0], 5) == []
    # A priority that is high enough goes before a place that is far.
    assert choose(places, np.array([1.0, 3.0, 1.0, 9.0, 1.0]), 2) == [3, 1]


def test_what_is_very_far_counts_no_more_than_far() -> None:
    places = np.array([[0.0], [3.0], [1e6]])
    assert choose(places, np.array([5.0, 1.1, 1.0]), 2) == [0, 1]
    assert TWINS < 1


def test_kappa_of_a_table_by_hand() -> None:
    # 20 yes/yes, 15 no/no, 5 yes/no, 10 no/yes: p_o 0.7, p_e 0.5.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert cohen_kappa(["a", "b"], ["a", "b"]) == 1.0
    assert cohen_kappa([], []) is None
    assert cohen_kappa(["a"], ["a"]) is None
