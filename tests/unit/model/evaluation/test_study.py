"""The whole study of a trained model: its sections, hidden counts, the same each time."""

import json
from typing import Any

import numpy as np
import pytest

from model.evaluation.comparators import COMPARATORS
from model.evaluation.inputs import correlations, importance
from model.evaluation.study import MODEL, study
from model.evaluation.study_rows import TOO_FEW, Draws
from tests.support.studies import model_of, rows_of, studied


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return studied(tmp_path_factory.getbasetemp())


def counts(found: Any, name: str = "") -> list[int]:
    """Every count of rows, patients or cases below `found`."""
    if isinstance(found, dict):
        return [n for key, value in found.items() for n in counts(value, key)]
    if isinstance(found, list):
        return [n for value in found for n in counts(value, name)]
    named = name in ("n", "rows", "cases", "patients", "calibration_cases")
    return [found] if named and isinstance(found, int) else []


def test_the_record_is_json_with_all_sections_and_no_small_count(record: dict[str, Any]) -> None:
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    found = record["study"]
    for section in (
        *("compared", "calibration", "operating", "confusion", "coverage", "decision_curves"),
        *("missing", "correlations", "importance", "cohorts", "learning_curve", "sources"),
    ):
        assert found[section], section
    given = counts(found)
    assert len(given) > 100
    assert not [n for n in given if 0 < n < TOO_FEW]
    # Eight people of another sex, of whom some are held out, are a small cell.
    other = next(one for one in found["cohorts"] if one["level"] == "other")
    assert (other["rows"], other["too_few"]) == (None, "rows")


def test_no_patient_is_named(record: dict[str, Any]) -> None:
    text = json.dumps(record)
    assert '"p17"' not in text
    assert "patient_id" not in text


def test_comparators_stand_beside_every_figure(record: dict[str, Any]) -> None:
    found = record["study"]
    keys = {(e["metric"], e["category"]) for e in found["compared"]}
    for name in (MODEL, *COMPARATORS):
        its = [e for e in found["compared"] if e["prediction"] == name]
        assert {(e["metric"], e["category"]) for e in its} == keys
        assert all((e["difference"] is None) == (name == MODEL) for e in its)
    loss = {
        e["prediction"]: e["value"]["value"] for e in found["compared"] if e["category"] is None
    }
    assert loss[MODEL] < min(loss[name] for name in COMPARATORS)


def test_the_same_seed_gives_the_same_study() -> None:
    rows, draws = rows_of(500), Draws(20, 3)
    first = study(rows, model_of(), draws)
    assert first == study(rows, model_of(), draws)
    assert first["learning_curve"] == []
    assert first["sources"] is first["importance"] is None
    assert first["compared"] != study(rows, model_of(), Draws(20, 4))["compared"]


def test_a_study_needs_held_out_rows() -> None:
    none = np.zeros(200, dtype=bool)
    with pytest.raises(ValueError, match="no held-out row"):
        study(rows_of(200, held_out=none), model_of(), Draws(20))


def test_a_handful_of_held_out_rows_is_studied_without_figures() -> None:
    few = np.arange(300) < 6
    found = study(rows_of(300, held_out=few), model_of(), Draws(20))
    assert found["held_out"]["rows"] is None
    assert found["decision_curves"] == []
    assert {one["too_few"] for one in found["cohorts"]} == {"rows"}
    json.dumps(found, allow_nan=False)


def test_importance_is_the_mean_size_and_the_direction_follows_the_reading() -> None:
    rows = rows_of(600)

    def explain(frame: Any) -> tuple[tuple[str, ...], np.ndarray]:
        values = np.zeros((len(frame), 3, 2))
        values[:, 1, 1] = np.nan_to_num(frame["heart_rate"].to_numpy() - 85)
        values[:, :, 0] = 2.0
        return ("age", "heart_rate"), values

    found = importance(rows, model_of(explain), Draws(20))
    assert found is not None
    assert found["by_category"]["mild"] == [2.0, 0.0]
    size = np.abs(np.nan_to_num(rows.frame["heart_rate"] - 85)).mean()
    assert found["by_category"]["acute"] == pytest.approx([2.0, size])
    groups = next(e["groups"] for e in found["by_reading"] if e["reason"] == "heart_rate")
    assert len(groups) == 6
    for group in groups:
        assert group["contribution"] == pytest.approx(group["reading"] - 85)
    assert importance(rows.only(np.arange(600) < 9), model_of(explain), Draws(20)) is None


def test_correlations_are_spearmans() -> None:
    from scipy.stats import spearmanr

    frame = rows_of(300).frame
    found = correlations(frame, ("age", "heart_rate", "sex", "systolic_bp"))
    assert found["names"] == ["age", "heart_rate"]
    both = frame.dropna(subset=["heart_rate"])
    expected = spearmanr(both["age"], both["heart_rate"]).statistic
    assert found["values"][0][1] == pytest.approx(expected)
    flat = correlations(frame.assign(age=50.0), ("age", "heart_rate"))
    assert flat["values"][0][1] is None
