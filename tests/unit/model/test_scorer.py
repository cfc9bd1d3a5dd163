"""Scoring of rows and frames by both kinds of model."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.features import REASONS, FeatureRow
from model.scorer import Scorer, frame_matrix
from model.severity import SEVERITIES, Severity
from tests.support.artefacts import KEPT, small_model
from tests.support.cohorts import small_cohort

SEPTIC = FeatureRow(
    age=61, heart_rate=122, body_temperature=38.9, systolic_bp=92, diastolic_bp=52, sex="male"
)


@pytest.fixture(scope="module", params=["logistic", "xgboost"])
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    path = small_model(tmp_path_factory.mktemp("models"), request.param).path
    return Scorer.load(path, version="7")


def _rows(frame: pd.DataFrame) -> list[FeatureRow]:
    names = [field.name for field in fields(FeatureRow) if field.name in frame]
    records = frame[names].astype(object).where(frame[names].notna(), None).to_dict("records")
    return [FeatureRow(**record) for record in records]


def test_an_assessment_says_everything(scorer: Scorer) -> None:
    found = scorer.assess(SEPTIC)
    assert found.category is Severity.ACUTE
    assert found.above_threshold[Severity.ACUTE]
    assert Severity.ACUTE in found.prediction_set
    assert tuple(found.probabilities) == SEVERITIES
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    assert found.atypicality is not None
    assert 0 < found.atypicality <= 1
    for code, p in found.probabilities.items():
        reasons = found.contributions[code]
        total = sum(reason.value for reason in reasons) + found.baseline[code]
        assert total == pytest.approx(np.log(p / (1 - p)), abs=1e-6)
        sizes = [abs(reason.value) for reason in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert {reason.reason for reason in reasons} <= set(REASONS)


def test_reasons_are_only_those_the_model_uses(scorer: Scorer) -> None:
    names = {reason.reason for reason in scorer.assess(SEPTIC).contributions[Severity.ACUTE]}
    assert names == {"age", "heart_rate", "body_temperature", "blood_pressure", "sex"}


def test_c8_missing_readings_are_no_normal_readings(scorer: Scorer) -> None:
    empty = scorer.assess(FeatureRow(age=61))
    normal = scorer.assess(
        FeatureRow(age=61, heart_rate=75, body_temperature=36.8, systolic_bp=122, diastolic_bp=76)
    )
    # In the test cohort, as in life, readings are missing more often in the acute.
    assert empty.probabilities[Severity.ACUTE] > normal.probabilities[Severity.ACUTE]
    assert empty.atypicality is None


def test_a_frame_is_scored_as_its_rows_are(scorer: Scorer) -> None:
    frame = small_cohort(40, 11)
    table = scorer.score_frame(frame)
    for i, row in enumerate(_rows(frame)):
        one = scorer.assess(row)
        for code in SEVERITIES:
            assert table[f"probability_{code.column}"].iloc[i] == pytest.approx(
                one.probabilities[code], abs=1e-12
            )
        assert table["category"].iloc[i] == one.category
        assert table["prediction_set"].iloc[i] == "|".join(one.prediction_set)
        given = table["atypicality"].iloc[i]
        assert np.isnan(given) if one.atypicality is None else given == one.atypicality
        first = one.contributions[one.category][0]
        assert table["reasons"].iloc[i].startswith(f"{first.reason} {first.value:+.2f}; ")
    assert set(table["model_version"]) == {"7"}


def test_fast_probabilities_are_the_explained_ones(scorer: Scorer) -> None:
    frame = small_cohort(300, 12)
    columns = [f"probability_{code.column}" for code in SEVERITIES]
    np.testing.assert_allclose(
        scorer.probabilities(frame), scorer.score_frame(frame)[columns].to_numpy(), atol=2e-6
    )
    decisions = scorer.decide(scorer.probabilities(frame))
    assert decisions.tolist() == scorer.score_frame(frame)["category"].tolist()


def test_an_empty_frame_gives_an_empty_table(scorer: Scorer) -> None:
    frame = small_cohort(5, 1).iloc[:0]
    table = scorer.score_frame(frame)
    assert len(table) == 0
    assert {"category", "prediction_set", "atypicality", "reasons"} <= set(table)
    assert scorer.probabilities(frame).shape == (0, 5)


def test_a_frame_keeps_its_index_and_may_lack_columns(scorer: Scorer) -> None:
    frame = pd.DataFrame({"age": [40.0, 80.0]}, index=[7, 3])
    assert scorer.score_frame(frame).index.tolist() == [7, 3]


def test_c4_derived_columns_of_readings_far_apart_stay_missing() -> None:
    frame = pd.DataFrame(
        {
            **{"age": [50.0] * 2, "heart_rate": [90.0] * 2, "systolic_bp": [120.0] * 2},
            **{"minutes_before_heart_rate": [5.0, 90.0], "minutes_before_systolic_bp": [5.0] * 2},
        }
    )
    from model.features import MODEL_COLUMNS

    shock = [column.name for column in MODEL_COLUMNS].index("shock_index")
    found = frame_matrix(frame)[:, shock]
    assert found[0] == pytest.approx(0.75)
    assert np.isnan(found[1])


def test_c19_a_category_without_history_has_no_probability(tmp_path: Path) -> None:
    path = small_model(tmp_path, categories=4).path
    scorer = Scorer.load(path, version="1")
    assert scorer.facts.missing_categories == (Severity.TERMINAL,)
    assert Severity.TERMINAL not in scorer.assess(SEPTIC).probabilities
    table = scorer.score_frame(small_cohort(20, 1))
    assert table["probability_terminal"].isna().all()
    assert table["probability_acute"].notna().all()


def test_the_chosen_category_is_in_every_set(scorer: Scorer) -> None:
    p = scorer.probabilities(small_cohort(2000, 13))
    sets = scorer.sets(p)
    codes = [code.value for code in scorer.classes]
    chosen = [codes.index(code) for code in scorer.decide(p)]
    assert sets[np.arange(len(p)), chosen].all()
    assert (sets >= scorer.artefact.sets.members(p)).all()


def test_facts(scorer: Scorer) -> None:
    facts = scorer.facts
    assert facts.simulated
    assert (facts.min_age, facts.max_age, facts.coverage) == (18.0, 110.0, 0.9)
    assert sum(facts.base_rates.values()) == pytest.approx(1.0)
    assert set(facts.thresholds) == set(SEVERITIES)
    assert facts.missing_categories == ()
    assert scorer.trained_through is None


def test_threads_get_the_answers_of_one_thread(scorer: Scorer) -> None:
    rows = _rows(small_cohort(60, 14)) * 4
    alone = [scorer.assess(row) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(scorer.assess, rows))
    assert together == alone


SERVE = """
import sys
from pathlib import Path
from model.features import FeatureRow
from model.scorer import Scorer
Scorer.load(Path(sys.argv[1]), version="1").assess(FeatureRow(age=50, heart_rate=80))
print(" ".join(sorted(name for name in sys.modules)))
"""


def _loaded(folder: Path) -> set[str]:
    """Modules of a process that scored one row and did nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    return set(done.stdout.split())


def _belongs(names: set[str], packages: tuple[str, ...]) -> set[str]:
    return {n for n in names if any(n == p or n.startswith(p + ".") for p in packages)}


def test_serving_a_regression_loads_numpy_alone(tmp_path: Path) -> None:
    loaded = _loaded(small_model(tmp_path).path)
    heavy = ("pandas", "sklearn", "xgboost", "scipy", "mlflow", "imblearn")
    assert not _belongs(loaded, (*heavy, "model.training", "model.evaluation"))


def test_serving_trees_loads_nothing_of_training() -> None:
    loaded = _loaded(KEPT)
    assert "xgboost" in loaded
    assert not _belongs(loaded, ("mlflow", "imblearn", "model.training", "model.evaluation"))
