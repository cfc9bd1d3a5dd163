"""The facts of a model card: from the artefact, never invented, and nobody to be found in them."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from model.artefact import documents, load
from model.errors import ArtefactError
from model.model_card import Registered, card_facts, rounded
from tests.support.artefacts import KEPT

CHECKSUM = load(KEPT)[1]
REGISTERED = Registered(
    version="7",
    checksum=CHECKSUM,
    chosen="xgboost + none",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    live=True,
    live_since=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.fixture
def kept() -> dict[str, Any]:
    """What the artefact of an earlier version says of itself."""
    return copy.deepcopy(documents(KEPT, CHECKSUM))


def test_an_artefact_of_an_earlier_version_has_a_card(kept: dict[str, Any]) -> None:
    facts = card_facts(REGISTERED, kept, None)

    assert facts["model"]["checksum"] == CHECKSUM
    assert facts["model"]["live_since"] == "2026-01-02T00:00:00+00:00"
    assert facts["people"] is None
    assert facts["local"] is None
    assert facts["data"]["patients"] is None
    assert facts["population"]["validated_in_pregnancy"] is False
    assert [one["name"] for one in facts["inputs"]] == [
        *("age", "heart_rate", "body_temperature", "systolic_bp", "diastolic_bp")
    ]
    assert facts["candidates"] == [
        {
            "name": "xgboost + none",
            "log_loss": kept["metrics"]["candidates"][0]["log_loss"],
            "behind": 0.0,
            "standard_error": 0.0,
            "chosen": True,
        }
    ]
    # 38 terminal rows are held out, 25 tune: as the artefact says.
    assert facts["data"]["rows_by_category"]["terminal"] == {
        "train": 155,
        "tuning": 25,
        "calibration": 32,
        "held_out": 38,
    }
    assert facts["data"]["rows"]["given"] == 2500
    assert facts["data"]["rows_in_parts"] == {
        "train": 1450,
        "tuning": 250,
        "calibration": 400,
        "held_out": 400,
    }


def test_figures_are_those_of_the_held_out_part(kept: dict[str, Any]) -> None:
    facts = card_facts(REGISTERED, kept, None)
    told = {(one["metric"], one["category"]): one for one in facts["held_out"]}

    for record in kept["metrics"]["held_out"]:
        if record["decided"] is None:
            one = told[record["metric"], record["category"]]
            assert one["value"] == record["value"]
            assert one["lower"] == record["lower"]
    assert told["log_loss", None]["n"] == 385
    assert told["auroc", "acute"]["n"] is None


def test_a_category_of_few_is_not_told_anywhere(kept: dict[str, Any]) -> None:
    kept["attributes"]["rows_by_category"]["terminal"] = {
        "train": 12,
        "tuning": 4,
        "calibration": 7,
        "held_out": 3,
    }
    for record in kept["metrics"]["held_out"]:
        if record["category"] == "terminal":
            record["n"] = 385 if record["metric"] in ("prevalence", "flag_rate") else 3
            if record["metric"] in ("prevalence", "flag_rate"):
                record["value"] = 3 / 385
    kept["prediction_sets"]["categories"]["terminal"] = {"limit": None, "cases": 7}
    kept["thresholds"]["categories"]["terminal"] |= {"cases": 4, "flag_rate": 4 / 261}
    facts = card_facts(REGISTERED, kept, None)
    told = {(one["metric"], one["category"]): one["value"] for one in facts["held_out"]}

    line = facts["data"]["rows_by_category"]["terminal"]
    assert (line["tuning"], line["calibration"], line["held_out"]) == (None, None, None)
    assert all(value is None for (_, category), value in told.items() if category == "terminal")
    # Nor by what is left of the whole: one more share is empty.
    shares = [value for (metric, _), value in told.items() if metric == "prevalence"]
    assert shares.count(None) == 2
    assert facts["guarantee"]["categories"]["terminal"] == {"demonstrable": False, "cases": None}
    assert facts["thresholds"]["terminal"]["sensitivity"] is None
    assert facts["thresholds"]["terminal"]["flag_rate"] is None
    for part in ("tuning", "calibration", "held_out"):
        column = [one[part] for one in facts["data"]["rows_by_category"].values()]
        assert column.count(None) >= 2


def test_c19_categories_that_are_not_covered_are_named(kept: dict[str, Any]) -> None:
    kept["attributes"] |= {
        "missing_categories": ["terminal"],
        "rows_of_missing_categories": {"terminal": 6},
    }
    facts = card_facts(REGISTERED, kept, None)

    assert facts["population"]["categories_not_covered"] == ["terminal"]
    assert facts["data"]["rows_of_categories_not_covered"] == {"terminal": None}


def test_a_rare_disease_is_named_where_enough_rows_have_it(kept: dict[str, Any]) -> None:
    kept["attributes"]["people"] = {
        "age_bands": {"0-17": 0, "18-39": 900, "40-64": 1200, "65-79": 395, "80+": 5},
        "sex": {"female": 1300, "male": 1200, "other": 0, "unknown": 0},
        "rare_codes": {"422": 31, "324": 9, "621": 1},
    }
    people = card_facts(REGISTERED, kept, None)["people"]

    assert people["rare_codes"] == {"422": 31}
    assert people["rare_codes_not_named"] == 2
    assert people["age_bands"] == {
        "0-17": 0,
        "18-39": 900,
        "40-64": 1200,
        "65-79": None,
        "80+": None,
    }


def test_groups_of_this_site_are_those_of_the_newest_chunk(kept: dict[str, Any]) -> None:
    value = {"value": 0.8, "lower": 0.7, "upper": 0.9, "n": 41}
    figures = {"auroc": value, "recall": None, "observed_to_expected": value}
    judged = {
        "focus": "acute",
        "cohorts": [
            {"cohort": "sex", "level": "female", "rows": 161} | figures,
            {"cohort": "disease", "level": "rare", "rows": 12} | figures,
        ],
    }
    chunk = {
        **{"started_at": datetime(2026, 1, 1, tzinfo=UTC), "rows": 503, "verified": 331},
        **{"ended_at": datetime(2026, 2, 1, tzinfo=UTC), "result": {"versions": {"7": judged}}},
    }
    groups = card_facts(REGISTERED, kept, None, chunk=chunk)["local_groups"]

    assert (groups["assessments"], groups["verified"]) == (500, 0.66)
    # One that is judged again with one outcome more must not show which it was.
    assert groups["figures"] == [
        {
            "cohort": "sex",
            "level": "female",
            "rows": 150,
            "auroc": {"value": 0.8, "lower": 0.7, "upper": 0.9},
            "recall": None,
            "observed_to_expected": {"value": 0.8, "lower": 0.7, "upper": 0.9},
        }
    ]
    judged["focus"] = None
    assert card_facts(REGISTERED, kept, None, chunk=chunk)["local_groups"] is None
    assert card_facts(REGISTERED, kept, None)["local_groups"] is None


def test_names_of_files_stay_out(kept: dict[str, Any]) -> None:
    kept["attributes"] |= {
        "sources": {"ana_gil_1959.csv": "ab" * 32},
        "description": "History file ana_gil_1959.csv.",
        "cleaning": {"file": {"name": "ana_gil_1959.csv"}},
    }
    facts = card_facts(REGISTERED, kept, None)

    assert "ana_gil" not in str(facts)
    assert facts["data"]["sources_sha256"] == ["ab" * 32]


@pytest.mark.parametrize(("count", "said"), [(0, 0), (24, 0), (25, 50), (74, 50), (71047, 71050)])
def test_totals_are_rounded(count: int, said: int) -> None:
    assert rounded(count) == said
    assert rounded(None) is None


def test_a_changed_file_has_no_card(tmp_path: Any) -> None:
    import shutil

    folder = tmp_path / "changed"
    shutil.copytree(KEPT, folder)
    (folder / "metrics.json").write_text('{"held_out": []}')
    with pytest.raises(ArtefactError, match=r"metrics\.json was changed"):
        documents(folder, CHECKSUM)
    with pytest.raises(ArtefactError, match="not the approved one"):
        documents(KEPT, "0" * 64)
