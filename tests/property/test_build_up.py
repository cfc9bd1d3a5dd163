"""What is shown of a prediction adds up to its log-odds, to the last digit that is shown."""

import math
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.routes.explanations import WORDS
from cds_service.web.explanation_page import signed
from cds_service.web.words import Words
from hooks.build_up import build_up, log_odds, probability_of
from model.assessment import Contribution
from model.features import REASONS, FeatureRow
from model.scorer import Scorer
from tests.support.artefacts import small_model

VALUES = st.floats(-30, 30, allow_nan=False)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_model(tmp_path_factory.mktemp("explained")).scorer


def shown(units: int) -> Decimal:
    """The number as a reader reads it."""
    return Decimal(signed(units, Words("en", WORDS)).replace("\u2212", "-"))


@given(baseline=VALUES, values=st.lists(VALUES, max_size=len(REASONS)))
def test_what_is_shown_adds_up_exactly(baseline: float, values: list[float]) -> None:
    given_reasons = [Contribution(REASONS[i], value) for i, value in enumerate(values)]
    found = build_up(given_reasons, baseline)
    assert shown(found.start) + sum(shown(step.units) for step in found.steps) == shown(found.end)
    assert abs(float(shown(found.end)) - (baseline + math.fsum(values))) <= 0.005 + 1e-9
    for step, one in zip(found.steps, given_reasons, strict=True):
        # At most one unit from its own rounding, and never to the other side.
        assert abs(step.units / 100 - one.value) <= 0.01 + 1e-9
        assert step.units * one.value >= 0
        assert step.after - step.before == step.units


@given(probability=st.floats(1e-12, 1 - 1e-9))
def test_log_odds_and_probability_turn_into_each_other(probability: float) -> None:
    odds = log_odds(probability)
    assert odds is not None
    assert probability_of(odds) == pytest.approx(probability, rel=1e-6)


def test_what_has_no_log_odds_is_none() -> None:
    assert log_odds(0.0) is None
    assert log_odds(1.0) is None
    assert probability_of(-1e6) == pytest.approx(0.0)
    assert probability_of(1e6) == 1.0


@given(
    age=st.floats(18, 100),
    heart_rate=st.floats(40, 180),
    temperature=st.floats(34, 41),
    pressure=st.none() | st.floats(70, 220),
)
def test_the_end_is_the_probability_of_the_model(
    scorer: Scorer, age: float, heart_rate: float, temperature: float, pressure: float | None
) -> None:
    row = FeatureRow(
        age=age, heart_rate=heart_rate, body_temperature=temperature, systolic_bp=pressure
    )
    assessment = scorer.assess(row)
    for severity, contributions in assessment.contributions.items():
        found = build_up(contributions, assessment.baseline[severity])
        odds = log_odds(assessment.probabilities[severity])
        assert odds is not None
        assert found.end / 100 == pytest.approx(odds, abs=0.0051)
        assert found.end_probability == pytest.approx(assessment.probabilities[severity], abs=1e-6)


def test_a_row_of_the_committed_model_adds_up() -> None:
    kept = Path(__file__).resolve().parents[1] / "data" / "artefact_v1"
    assessment = Scorer.load(kept, version="1").assess(FeatureRow(age=68, heart_rate=118))
    for severity, contributions in assessment.contributions.items():
        found = build_up(contributions, assessment.baseline[severity])
        total = shown(found.start) + sum(shown(step.units) for step in found.steps)
        odds = log_odds(assessment.probabilities[severity])
        assert odds is not None
        assert abs(float(total) - odds) <= 0.0051
