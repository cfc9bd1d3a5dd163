"""Real history files kept beside the checkout."""

from pathlib import Path

import pandas as pd
import pytest

from model.features import FEATURE
from model.training.cleaning import CleanedHistory, clean_history
from model.training.history import RawHistory, read_history

VITALS = {
    "heart_rate": "hr",
    "body_temperature": "temp_c",
    "systolic_bp": "sbp",
    "diastolic_bp": "dbp",
    "respiratory_rate": "rr",
    "oxygen_saturation": "spo2",
}
COLUMNS = {**VITALS, "severity": "severity5"}


@pytest.fixture(scope="module")
def nhamcs(shared_data: Path) -> tuple[pd.DataFrame, RawHistory, CleanedHistory]:
    """The file as pandas reads it, as we read it, and cleaned."""
    path = shared_data / "nhamcs_ed_2015_2018.csv.gz"
    raw = read_history(path, column_map=COLUMNS, time_column="year", source="NHAMCS")
    return pd.read_csv(path), raw, clean_history(raw)


def test_nhamcs_rows_and_drops(
    nhamcs: tuple[pd.DataFrame, RawHistory, CleanedHistory],
) -> None:
    table, raw, cleaned = nhamcs
    report = cleaned.report
    assert (raw.separator, raw.encoding, raw.decimal) == (",", "utf-8", ".")
    assert report.rows_read == len(table) == 71_047
    assert report.count("dropped", "severity", "no_category") == 1_124
    labelled = table[table["severity5"].notna()]
    assert report.count("dropped", "age", "out_of_population") == (labelled["age"] < 18).sum()
    adults = labelled[labelled["age"] >= 18]
    assert report.rows_kept == len(adults)
    assert report.count("dropped") == len(table) - len(adults)
    assert cleaned.frame["row"].tolist() == (adults.index + 1).tolist()


def test_nhamcs_categories_are_the_four(
    nhamcs: tuple[pd.DataFrame, RawHistory, CleanedHistory],
) -> None:
    table, _, cleaned = nhamcs
    adults = table[table["age"] >= 18]["severity5"].value_counts()
    assert cleaned.report.categories == {
        "not-ill": adults["not_ill"],
        "mild": adults["mild"],
        "acute": adults["acute"],
        "chronic": adults["chronic"],
        "terminal": 0,
    }


def test_nhamcs_values_are_unchanged_or_missing_for_a_reason(
    nhamcs: tuple[pd.DataFrame, RawHistory, CleanedHistory],
) -> None:
    table, _, cleaned = nhamcs
    adults = table[(table["age"] >= 18) & table["severity5"].notna()].reset_index(drop=True)
    crossed = adults["sbp"] <= adults["dbp"]
    assert cleaned.report.count(
        "kept_as_missing", "systolic_bp", "systolic_not_above_diastolic"
    ) == int(crossed.sum())
    for name, column in VITALS.items():
        expected = adults[column].where(adults[column].between(*FEATURE[name].possible))
        if name in ("systolic_bp", "diastolic_bp"):
            expected = expected.mask(crossed)
        pd.testing.assert_series_equal(cleaned.frame[name], expected, check_names=False)
    years = cleaned.frame["recorded_at"].dt.year
    assert years.tolist() == adults["year"].tolist()
    assert set(cleaned.frame["sex"]) == {"female", "male"}
    assert cleaned.report.rows_without_patient_id == len(adults)


def test_physionet_reads_too(shared_data: Path) -> None:
    path = shared_data / "physionet2012_set_a.csv.gz"
    table = pd.read_csv(path)
    cleaned = clean_history(read_history(path, column_map=COLUMNS))
    assert cleaned.report.rows_read == len(table) == 3_996
    assert cleaned.report.rows_kept == (table["age"] >= 18).sum()
    assert cleaned.report.count("dropped", "age", "empty") == table["age"].isna().sum()
    assert cleaned.frame["heart_rate"].isna().mean() < 0.05
