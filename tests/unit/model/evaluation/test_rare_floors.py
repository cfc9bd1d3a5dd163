"""The rare cohort is found as often as before, or it is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.evaluation.rare_floors import rare_floor
from model.explanation import Calibration
from model.scorer import Scorer
from model.severity import Severity
from tests.support.artefacts import small_model
from tests.support.cohorts import small_cohort


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_model(tmp_path_factory.mktemp("champion")).scorer


def blind(scorer: Scorer) -> Scorer:
    """The same model, with acute illness turned upside down."""
    acute = scorer.classes.index(Severity.ACUTE)
    estimator = scorer.artefact.estimator
    turned = replace(
        estimator,  # type: ignore[type-var]  # the small model is a regression
        coefficients=np.where(
            (np.arange(len(scorer.classes)) == acute)[:, None],
            -estimator.coefficients,  # type: ignore[attr-defined]  # the same
            estimator.coefficients,  # type: ignore[attr-defined]  # the same
        ),
    )
    return Scorer(replace(scorer.artefact, estimator=turned), version="2", checksum="")


def rows(cases: int) -> pd.DataFrame:
    """600 rows; the first `cases` patients with acute illness have a rare disease."""
    frame = small_cohort(600, 8)
    frame["patient_id"] = [f"p{number}" for number in range(len(frame))]
    acute = frame[frame["severity"] == "acute"].index
    frame["rare_code"] = pd.Series(pd.NA, frame.index, dtype="str")
    frame.loc[acute[:cases], "rare_code"] = "ORPHA:423"
    return frame


def test_the_sensitivity_is_that_at_the_stated_flag_rate(champion: Scorer) -> None:
    frame = rows(20)
    found = rare_floor(champion, champion, frame, flag_rate=0.1)

    # By hand: the 60 highest probabilities of acute illness among 600 rows are flagged.
    acute = champion.probabilities(frame)[:, champion.classes.index(Severity.ACUTE)]
    flagged = pd.Series(acute, frame.index).rank(ascending=False) <= 60
    expected = flagged[frame["rare_code"].notna()].mean()
    assert found.champion == found.challenger == pytest.approx(expected)
    assert 0.2 < expected < 1.0
    assert (found.cases, found.rows, found.holds) == (20, 20, True)


def test_a_challenger_that_loses_them_does_not_hold(champion: Scorer) -> None:
    found = rare_floor(champion, blind(champion), rows(20), flag_rate=0.1)
    assert found.holds is False
    assert found.champion is not None
    assert found.challenger == pytest.approx(0.0, abs=0.06)
    assert "below the champion by more than the margin of 0.05" in found.sentence
    assert rare_floor(blind(champion), champion, rows(20), flag_rate=0.1).holds is True


def test_the_margin_decides_what_is_too_much(champion: Scorer) -> None:
    found = rare_floor(champion, blind(champion), rows(20), flag_rate=0.1, margin=1.0)
    assert found.holds is True
    assert "within the margin of 1.00" in found.sentence


def test_few_cases_are_reported_and_not_judged(champion: Scorer) -> None:
    found = rare_floor(champion, blind(champion), rows(9), flag_rate=0.1)
    assert found.holds is None
    assert found.champion is not None
    assert "of 9 cases" in found.sentence
    assert "too few to judge, 10 are needed" in found.sentence


@pytest.mark.parametrize("column", ["empty", "absent"])
def test_without_cases_there_is_nothing_to_report(champion: Scorer, column: str) -> None:
    frame = rows(0)
    if column == "absent":
        frame = frame.drop(columns="rare_code")
    found = rare_floor(champion, champion, frame, flag_rate=0.1)
    assert (found.champion, found.challenger, found.holds) == (None, None, None)
    assert found.sentence == "Rare diseases: no case among these rows."


def test_a_patient_counts_once(champion: Scorer) -> None:
    frame = rows(0)
    acute = frame.index[frame["severity"] == "acute"]
    frame.loc[acute, "rare_code"] = "ORPHA:423"
    one = frame.copy()
    one.loc[acute[:-1], "patient_id"] = "the same"
    found = rare_floor(champion, champion, one, flag_rate=0.1)
    each = rare_floor(champion, champion, frame, flag_rate=0.1)
    assert found.cases == 2
    assert found.rows == each.rows == len(acute)
    assert each.cases == len(acute)

    acute_probability = champion.probabilities(frame)[:, champion.classes.index(Severity.ACUTE)]
    flagged = pd.Series(acute_probability, frame.index).rank(ascending=False) <= 60
    by_hand = (flagged[acute[:-1]].mean() + flagged[acute[-1]]) / 2
    assert found.champion == pytest.approx(by_hand)


def test_a_category_that_is_not_covered_is_never_flagged(champion: Scorer, tmp_path: Path) -> None:
    narrow = small_model(tmp_path, categories=2).scorer  # not-ill and mild
    found = rare_floor(champion, narrow, rows(20), flag_rate=0.1)
    assert found.challenger == 0.0
    assert found.holds is False


def test_equal_scores_are_flagged_in_part(champion: Scorer) -> None:
    flat = Calibration(1e9, np.zeros(len(champion.classes)))
    same = Scorer(replace(champion.artefact, calibration=flat), version="2", checksum="")
    frame = rows(20)
    frame.loc[:, ["heart_rate", "body_temperature", "systolic_bp", "diastolic_bp"]] = np.nan
    frame[["age", "sex"]] = [50.0, "female"]
    found = rare_floor(same, same, frame, flag_rate=0.1)
    assert found.champion == pytest.approx(0.1)


def test_a_flag_rate_is_a_share(champion: Scorer) -> None:
    with pytest.raises(ValueError, match="share"):
        rare_floor(champion, champion, rows(20), flag_rate=5.0)
