"""The choice among candidates: the gate, one standard error, and the reasons given."""

import numpy as np
import pytest

from model.features import FloatArray
from model.training.candidates import EXPLANATION, Tried, choose
from model.training.design import Way

SIMPLE, TREES = Way("logistic", "none"), Way("xgboost", "none")
FOREST = Way("random_forest", "none")


def _tried(way: Way, losses: FloatArray, rounds: tuple[int, ...] = ()) -> Tried:
    return Tried(way, losses, rounds, seconds=1.0)


@pytest.mark.parametrize(
    ("complex_loss", "chosen", "verdict"),
    [
        (0.990, "logistic", "chosen: simpler"),  # better by 0.01, standard error 0.02
        (0.900, "xgboost", "chosen: lowest log loss"),  # better by 0.1
        (1.100, "logistic", "chosen: lowest log loss"),
    ],
)
def test_of_equally_good_candidates_the_simpler_is_chosen(
    complex_loss: float, chosen: str, verdict: str
) -> None:
    # 100 patients; differences of plus and minus 0.2 about the mean: error 0.2/sqrt(100).
    wobble = np.tile([0.2, -0.2], 50)
    tried = [
        _tried(TREES, np.full(100, complex_loss) + wobble, (40, 60, 50)),
        _tried(SIMPLE, np.ones(100)),
    ]
    found, table = choose(tried, np.arange(100))
    assert found.estimator == chosen
    assert found.verdict.startswith(verdict)
    assert max(c.standard_error for c in table) == pytest.approx(0.02)
    assert {c.rounds for c in table} == {None, 50}
    assert [c.log_loss for c in table] == sorted(c.log_loss for c in table)


def test_the_standard_error_is_by_patient() -> None:
    losses = np.repeat([1.3, 0.9], 50)
    tried = [_tried(SIMPLE, np.ones(100)), _tried(TREES, losses)]
    by_row = choose(tried, np.arange(100))[1]
    by_patient = choose(tried, np.repeat(np.arange(10), 10))[1]
    errors = [max(c.standard_error for c in table) for table in (by_row, by_patient)]
    assert errors[1] == pytest.approx(errors[0] * np.sqrt(10))


def test_what_cannot_be_explained_is_refused_with_what_that_costs() -> None:
    tried = [
        _tried(FOREST, np.full(100, 0.5)),
        _tried(TREES, np.full(100, 0.7)),
        _tried(Way("svm", "none"), np.full(100, 0.8)),
    ]
    found, table = choose(tried, np.arange(100))
    assert found.way == TREES
    assert found.behind == 0.0
    assert table[0].verdict == (
        f"refused: 0.2000 better, but {EXPLANATION} (fitted to 40000 rows at most)"
    )
    assert table[0].behind == pytest.approx(-0.2)
    assert table[2].verdict == f"refused: 0.1000 worse, and {EXPLANATION}"


def test_of_one_way_the_better_parameters_are_taken() -> None:
    tuned = Way("xgboost", "none", (("max_depth", 2.0),))
    tried = [_tried(TREES, np.full(100, 0.7)), _tried(tuned, np.full(100, 0.6))]
    found, table = choose(tried, np.arange(100))
    assert found.way == tuned
    assert found.name == "xgboost + none, tuned"
    assert found.as_json()["parameters"] == {"max_depth": 2.0}
    assert table[1].verdict.startswith("not chosen: behind by 0.1000")


def test_a_remedy_is_less_simple_than_none() -> None:
    wobble = np.tile([0.2, -0.2], 50)
    weighted = Way("logistic", "class_weights")
    tried = [_tried(weighted, 0.99 + wobble), _tried(SIMPLE, np.ones(100))]
    assert choose(tried, np.arange(100))[0].way == SIMPLE
