"""A chunk's log loss against what it was when the version was made."""

from typing import Any

import numpy as np
import pytest

from model.evaluation.loss_rise import MARGIN, LossRise, has_risen, loss_rise


def held_out(value: float | None, half: float = 0.0196) -> list[dict[str, Any]]:
    told = {"value": value, "lower": None, "upper": None}
    if value is not None:
        told |= {"lower": value - half, "upper": value + half}
    return [{"metric": "brier", "category": None} | told, {"metric": "log_loss"} | told]


def weighted(value: float | None, error: float | None = 0.04) -> dict[str, Any]:
    return {"figures": [{"metric": "log_loss", "value": value, "standard_error": error}]}


def test_the_error_is_that_of_both() -> None:
    rise = loss_rise(held_out(1.0, half=1.96 * 0.03), weighted(1.2))
    assert rise is not None
    assert rise.standard_error == 0.04
    assert rise.reference_error == pytest.approx(0.03, rel=1e-3)
    assert (rise.loss, rise.reference) == (1.2, 1.0)


def rises(*losses: float, error: float = 0.04) -> list[LossRise]:
    return [LossRise(loss, 1.0, error, 0.03) for loss in losses]


def test_it_has_risen_if_chance_and_margin_do_not_explain_it() -> None:
    # The mean of two has an error of 0.04/√2, with the reference √(0.0008 + 0.0009) = 0.0412.
    edge = 1.0 + MARGIN + 2.3263 * 0.041231
    assert has_risen(rises(edge + 0.001, edge + 0.001))
    assert not has_risen(rises(edge - 0.001, edge - 0.001))
    assert has_risen(rises(edge + 0.021, edge - 0.019))


def test_one_chunk_alone_shows_nothing() -> None:
    assert not has_risen(rises(2.0))
    assert not has_risen(rises(2.0, 1.0 + MARGIN))
    assert not has_risen(rises(1.0, 2.0, 2.0))
    # Older chunks than the two newest do not count.
    assert has_risen(rises(2.0, 2.0, 1.0))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([], weighted(1.0)),
        (held_out(None), weighted(1.0)),
        (held_out(1.0), None),
        (held_out(1.0), weighted(None, None)),
    ],
)
def test_without_a_figure_nothing_is_said(
    before: list[dict[str, Any]], now: dict[str, Any] | None
) -> None:
    assert loss_rise(before, now) is None


def test_the_error_at_the_margin_is_at_most_the_one_that_is_stated() -> None:
    rng = np.random.default_rng(1)
    told = []
    for reference in rng.normal(1.0, 0.01, 8_000):
        first, second = rng.normal(1.0 + MARGIN, 0.04, 2)
        told.append(has_risen([LossRise(x, reference, 0.04, 0.01) for x in (first, second)]))
    # A little less than 0.01, for each of the two must be above the margin by itself.
    assert 0.004 < np.mean(told) < 0.011
