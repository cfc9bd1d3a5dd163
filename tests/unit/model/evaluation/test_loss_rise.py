"""A chunk's log loss against what it was when the version was made."""

from typing import Any

import numpy as np
import pytest

from model.evaluation.loss_rise import MARGIN, LossRise, loss_rise


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
    assert rise.standard_error == pytest.approx(0.05, rel=1e-3)
    assert (rise.loss, rise.reference) == (1.2, 1.0)


def test_it_has_risen_if_chance_and_margin_do_not_explain_it() -> None:
    edge = 1.0 + MARGIN + 1.645 * 0.05
    assert LossRise(edge + 0.001, 1.0, 0.05).risen
    assert not LossRise(edge - 0.001, 1.0, 0.05).risen
    # Not shown any more is not yet passed.
    assert not LossRise(edge - 0.001, 1.0, 0.05).passed
    assert LossRise(1.0 + MARGIN, 1.0, 0.05).passed


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


def test_the_error_at_the_margin_is_the_one_that_is_stated() -> None:
    rng = np.random.default_rng(1)
    losses = rng.normal(1.0 + MARGIN, 0.04, 5_000)
    references = rng.normal(1.0, 0.01, 5_000)
    risen = [
        LossRise(float(a), float(b), float(np.hypot(0.04, 0.01))).risen
        for a, b in zip(losses, references, strict=True)
    ]
    assert np.mean(risen) == pytest.approx(0.05, abs=0.012)
