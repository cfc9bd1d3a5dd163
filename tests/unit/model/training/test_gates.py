"""Paired non-inferiority of a challenger, on real models changed in one respect."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.estimators import LogisticRegression
from model.explanation import Calibration
from model.scorer import Scorer
from model.severity import Severity
from model.training.gates import compare
from tests.support.artefacts import small_model
from tests.support.cohorts import small_cohort


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return small_cohort(3_000, 90)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    path = small_model(tmp_path_factory.mktemp("champion")).path
    return Scorer.load(path, version="1")


def _with(champion: Scorer, temperature: float, bias: dict[Severity, float]) -> Scorer:
    """The champion with another calibration."""
    old = champion.artefact.calibration
    added = np.array([bias.get(code, 0.0) for code in champion.classes])
    calibration = Calibration(old.temperature * temperature, old.class_bias + added)
    artefact = replace(champion.artefact, calibration=calibration)
    return Scorer(artefact, version="2", checksum="")


def test_a_model_is_not_inferior_to_itself(champion: Scorer, frame: pd.DataFrame) -> None:
    found = compare(champion, _with(champion, 1.0, {}), frame, seed=1, replicates=200)
    assert found.promote
    assert found.outcome == "promoted-ok"
    assert found.figures["log_loss_difference_upper"] == 0.0
    assert found.figures["sensitivity_difference_lower"] == 0.0
    assert found.figures["compared"] == 3_000


def test_a_worse_log_loss_is_refused_though_it_finds_as_many(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(champion, _with(champion, 0.55, {}), frame, seed=1, replicates=200)
    assert not found.promote
    assert found.outcome == "refused"
    assert found.figures["log_loss_difference_upper"] > 0.003
    assert found.figures["log_loss_challenger"] > found.figures["log_loss_champion"]
    assert f"{found.figures['log_loss_challenger']:.4f}" in found.reason


def test_a_better_model_is_promoted_over_a_worse_champion(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(_with(champion, 0.55, {}), champion, frame, seed=1, replicates=200)
    assert found.promote
    assert found.figures["log_loss_difference_upper"] < 0


def test_a_model_that_finds_fewer_acute_cases_is_refused(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    # A model that knows nothing flags everybody in the same part; the log loss is let pass.
    regression = champion.artefact.estimator
    assert isinstance(regression, LogisticRegression)
    blind = replace(regression, coefficients=np.zeros_like(regression.coefficients))
    challenger = Scorer(replace(champion.artefact, estimator=blind), version="2", checksum="")
    found = compare(champion, challenger, frame, seed=1, replicates=200, margin_log_loss=100.0)
    assert found.figures["sensitivity_challenger"] == pytest.approx(found.figures["flag_rate"])
    assert found.figures["sensitivity_difference_lower"] < -0.05
    assert (found.promote, found.outcome) == (False, "refused")


def test_sensitivity_is_compared_at_the_champions_flag_rate(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    # More confidence in acute flags more by its own threshold, but no other rows first.
    eager = _with(champion, 1.0, {Severity.ACUTE: 0.3})
    found = compare(champion, eager, frame, seed=1, replicates=200, margin_log_loss=1.0)
    threshold = champion.facts.thresholds[Severity.ACUTE]
    acute = champion.classes.index(Severity.ACUTE)
    flagged = champion.probabilities(frame)[:, acute] >= threshold
    cases = (frame["severity"] == "acute").to_numpy()
    assert found.figures["flag_rate"] == pytest.approx(flagged.mean())
    assert found.figures["sensitivity_champion"] == pytest.approx(flagged[cases].mean())
    assert found.figures["sensitivity_challenger"] == pytest.approx(flagged[cases].mean(), abs=0.01)


def test_log_loss_figures_by_hand(champion: Scorer, frame: pd.DataFrame) -> None:
    found = compare(champion, _with(champion, 1.2, {}), frame, seed=1, replicates=50)
    p = champion.probabilities(frame)
    position = {code.value: i for i, code in enumerate(champion.classes)}
    true = p[np.arange(len(frame)), [position[code] for code in frame["severity"]]]
    assert found.figures["log_loss_champion"] == pytest.approx(-np.log(true).mean())


def test_under_2000_outcomes_there_is_not_enough_to_decide(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(champion, champion, frame[:1999], seed=1)
    assert (found.promote, found.outcome) == (False, "not-enough")
    assert "1999 outcomes" in found.reason
    assert compare(champion, champion, frame[:150], seed=1, replicates=50, minimum=150).promote


def test_without_an_acute_case_there_is_not_enough(champion: Scorer, frame: pd.DataFrame) -> None:
    none = frame[frame["severity"] != "acute"]
    found = compare(champion, champion, none, seed=1, minimum=100)
    assert found.outcome == "not-enough"
    assert "no acute case" in found.reason


def test_rows_of_one_patient_widen_the_bounds(champion: Scorer, frame: pd.DataFrame) -> None:
    other = _with(champion, 1.3, {})
    bounds = []
    for copies in (1, 4):
        # The same rows four times over are no more patients.
        rows = pd.concat([frame] * copies, ignore_index=True)
        found = compare(champion, other, rows, seed=1, replicates=400)
        bounds.append(found.figures["log_loss_difference_upper"])
    assert bounds[1] == pytest.approx(bounds[0], rel=0.05)


def test_the_same_seed_gives_the_same_decision(champion: Scorer, frame: pd.DataFrame) -> None:
    other = _with(champion, 1.1, {})
    first, second = (compare(champion, other, frame, seed=5, replicates=100) for _ in range(2))
    assert first == second


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("narrow"), categories=4).path


def test_c19_a_challenger_that_loses_a_category_is_refused(
    champion: Scorer, frame: pd.DataFrame, narrow: Path
) -> None:
    challenger = Scorer.load(narrow, version="2")
    found = compare(champion, challenger, frame, seed=1, replicates=50)
    assert found.outcome == "refused"
    assert "terminal" in found.reason
    assert found.figures["lost_categories"] == ["terminal"]
    allowed = compare(
        champion, challenger, frame, seed=1, replicates=50, allow_fewer_categories=True
    )
    assert allowed.figures["compared"] == (frame["severity"] != "terminal").sum()
    assert allowed.figures["not_covered_by_both"] == (frame["severity"] == "terminal").sum()
    assert "log loss" in allowed.reason


def test_knowing_one_category_more_is_not_punished(
    champion: Scorer, frame: pd.DataFrame, narrow: Path
) -> None:
    old = Scorer.load(narrow, version="0")
    found = compare(old, champion, frame, seed=1, replicates=50)
    assert found.figures["lost_categories"] == []
    difference = found.figures["log_loss_challenger"] - found.figures["log_loss_champion"]
    assert abs(difference) < 0.03


def test_models_that_share_one_category_cannot_be_compared(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    first = Scorer.load(small_model(tmp_path, categories=2).path, version="1")
    rows = small_cohort(2_500, 3)
    rows = rows[rows["severity"].isin(["mild", "acute"])]
    second = Scorer.load(small_model(tmp_path, frame=rows).path, version="2")
    found = compare(first, second, frame, seed=1, allow_fewer_categories=True)
    assert found.outcome == "refused"
    assert "fewer than two" in found.reason


def test_without_acute_in_both_the_reason_says_so(frame: pd.DataFrame, tmp_path: Path) -> None:
    two = Scorer.load(small_model(tmp_path, categories=2).path, version="0")
    found = compare(two, two, frame, seed=1, replicates=50, minimum=100)
    assert found.promote
    assert "acute is not covered" in found.reason
