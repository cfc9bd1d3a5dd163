"""The simulated cohort: plausible, hard to classify, honest about what is missing."""

import time

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.metrics import f1_score

from model.errors import TrainingError
from model.features import CORE, READINGS, is_possible
from model.severity import Severity
from model.training.rare_diseases import RARE_DISEASES
from model.training.simulation import simulate_cohort
from model.training.simulation_physiology import CORRELATION, healthy_means
from model.training.simulation_presentations import CATEGORY_SHARE, PRESENTATIONS


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return simulate_cohort(20_000, seed=7)


def test_same_seed_gives_the_same_frame_and_another_seed_does_not() -> None:
    first = simulate_cohort(500, seed=1)
    pd.testing.assert_frame_equal(first, simulate_cohort(500, seed=1))
    assert not first["heart_rate"].equals(simulate_cohort(500, seed=2)["heart_rate"])


def test_columns_and_sizes() -> None:
    frame = simulate_cohort(1, seed=0)
    assert list(frame.columns) == [
        "patient_id",
        "age",
        *READINGS,
        "sex",
        "severity",
        "rare_code",
        "source",
    ]
    assert frame["patient_id"].tolist() == ["sim-000001"]
    assert frame["source"].tolist() == ["simulated"]
    with pytest.raises(TrainingError, match="at least one row"):
        simulate_cohort(0, seed=0)


def test_thirty_thousand_rows_in_under_three_seconds() -> None:
    started = time.perf_counter()
    assert len(simulate_cohort(30_000, seed=3)) == 30_000
    assert time.perf_counter() - started < 3.0


def test_c5_every_value_is_possible(cohort: pd.DataFrame) -> None:
    for name in ("age", *READINGS):
        assert all(is_possible(name, value) for value in cohort[name].dropna().unique())
    pressures = cohort[["systolic_bp", "diastolic_bp"]].dropna()
    assert (pressures["systolic_bp"] > pressures["diastolic_bp"]).all()
    assert cohort["age"].between(18, 95).all()


def test_categories_come_in_the_stated_shares(cohort: pd.DataFrame) -> None:
    assert sum(CATEGORY_SHARE.values()) == pytest.approx(1.0)
    shares = cohort["severity"].value_counts(normalize=True)
    for severity, share in CATEGORY_SHARE.items():
        assert shares[severity.value] == pytest.approx(share, abs=0.015)
        parts = [p.share for p in PRESENTATIONS if p.severity is severity]
        assert sum(parts) == pytest.approx(1.0)


def test_some_patients_have_several_rows_with_one_age_and_sex(cohort: pd.DataFrame) -> None:
    rows = cohort.groupby("patient_id").size()
    assert 0.05 < (rows > 1).mean() < 0.25
    common = cohort[cohort["rare_code"].isna()]
    assert (common.groupby("patient_id")[["age", "sex"]].nunique() == 1).all(axis=None)


def test_five_inputs_separate_the_categories_poorly_but_better_than_chance(
    cohort: pd.DataFrame,
) -> None:
    codes = cohort["severity"].astype("category").cat.codes.to_numpy()
    train = (cohort["patient_id"].str[-1].astype(int) < 7).to_numpy()
    inputs = cohort[list(CORE)].to_numpy()
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=4, n_jobs=2, random_state=0)
    model.fit(inputs[train], codes[train])
    score = f1_score(codes[~train], model.predict(inputs[~train]), average="macro")
    assert 0.3 < score < 0.75


def test_c8_missing_is_more_frequent_in_the_sickest(cohort: pd.DataFrame) -> None:
    missing = cohort[list(READINGS)].isna().groupby(cohort["severity"]).mean()
    for sick in ("acute", "terminal"):
        for well in ("not-ill", "mild", "chronic"):
            assert (missing.loc[sick] > 1.5 * missing.loc[well]).all()


def test_c8_missing_follows_severity_within_a_category() -> None:
    acute = simulate_cohort(60_000, seed=5).query("severity == 'acute'")
    no_saturation = acute["oxygen_saturation"].isna()
    breaths = acute["respiratory_rate"].groupby(no_saturation).mean()
    assert breaths[True] - breaths[False] > 1.0


def test_both_pressures_are_missing_together(cohort: pd.DataFrame) -> None:
    assert cohort["systolic_bp"].isna().equals(cohort["diastolic_bp"].isna())


def test_vital_signs_are_correlated(cohort: pd.DataFrame) -> None:
    acute = cohort[cohort["severity"] == "acute"]
    correlation = acute[list(READINGS)].corr()
    assert correlation.loc["heart_rate", "body_temperature"] > 0.2
    assert correlation.loc["systolic_bp", "diastolic_bp"] > 0.5
    assert correlation.loc["respiratory_rate", "oxygen_saturation"] < -0.2
    assert np.linalg.eigvalsh(CORRELATION).min() > 0


def test_fever_quickens_the_heart_by_about_ten_beats(cohort: pd.DataFrame) -> None:
    """At 8.5/min per Cel (Karjalainen and Viitasalo 1986), in mild illness."""
    mild = cohort[cohort["severity"] == "mild"].dropna(subset=["body_temperature"])
    rates = mild["heart_rate"].groupby(mild["body_temperature"] >= 37.8).mean()
    assert 7 < rates[True] - rates[False] < 16


def test_healthy_means_follow_age_and_sex() -> None:
    # Columns: rate, temperature, systolic, diastolic, respiratory rate, saturation.
    means = healthy_means(np.array([45.0, 45.0, 80.0]), np.array([True, False, True]))
    assert means[0] == pytest.approx([74, 36.76, 114, 71.488, 15.5, 97.65])
    # A man of 45: 71/min, 0.15 Cel cooler, systolic 1.5 and diastolic 0.75 mm[Hg] higher.
    assert means[1] == pytest.approx([71, 36.61, 115.5, 72.238, 15.5, 97.65])
    # A woman of 80: systolic 114 + 0.33 * 35, diastolic 72 - 0.008 * 27², 30 years past 50.
    assert means[2] == pytest.approx([74, 36.69, 125.55, 66.168, 17.3, 96.6])


def test_rare_diseases_are_under_one_percent_and_half_overlap(cohort: pd.DataFrame) -> None:
    assert cohort["rare_code"].notna().mean() == pytest.approx(0.006)
    assert set(cohort["rare_code"].dropna()) == {d.code for d in RARE_DISEASES}
    overlapping = [d for d in RARE_DISEASES if d.overlaps]
    assert 2 * len(overlapping) == len(RARE_DISEASES)
    by_code = {d.code: d.severity.value for d in RARE_DISEASES}
    rare = cohort.dropna(subset=["rare_code"])
    assert (rare["rare_code"].map(by_code) == rare["severity"]).all()


@pytest.mark.parametrize("disease", RARE_DISEASES, ids=lambda d: d.name)
def test_rare_disease_looks_common_or_has_a_pattern_of_its_own(
    cohort: pd.DataFrame, disease: object
) -> None:
    """Overlapping: every mean within 1.2 SD of the category; else 1.5 SD away from each."""
    common = cohort[cohort["rare_code"].isna()].groupby("severity")[["age", *READINGS]]
    means = {name: getattr(disease, name)[0] for name in ("age", *READINGS)}
    distance = ((pd.Series(means) - common.mean()) / common.std()).abs()
    overlaps: Severity | None = disease.overlaps  # type: ignore[attr-defined] # parametrised
    if overlaps:
        assert distance.loc[overlaps.value, list(READINGS)].max() < 1.2
    else:
        assert distance.max(axis=1).min() > 1.5
