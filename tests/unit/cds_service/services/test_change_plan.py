"""A written change plan: read strictly, and never a word too wide."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import ConfigurationError
from cds_service.services.change_plan import read_plan, why_not
from model.scorer import Scorer
from tests.support.artefacts import small_model

PLAN: dict[str, Any] = {
    "author": "Data science",
    "approved_by": "Dr. Ana Gil",
    "date": "2026-01-01",
    "expires": "2026-12-31",
    "allowed": ["refresh", "recalibration"],
    "margins": {"log_loss": 0.003, "category": 0.03, "sensitivity": 0.05, "fairness": 0.05},
    "promotions_per_quarter": 2,
}
MARGINS = PLAN["margins"] | {"latency_ms": 50.0}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def written(folder: Path, **changes: Any) -> Path:
    content = {name: value for name, value in (PLAN | changes).items() if value is not ...}
    path = folder / "plan.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_a_plan_is_known_by_the_hash_of_its_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    signed = read_plan(path)
    assert signed.sha256 == sha256(path.read_bytes()).hexdigest()
    assert signed.actor == f"change-plan:{signed.sha256[:12]}"
    assert signed.plan.approved_by == "Dr. Ana Gil"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"approved_by": ...}, "approved_by: Field required"),
        ({"approved_by": "data science "}, "must be two people"),
        ({"expires": "2025-12-31"}, "expires must be after date"),
        ({"expires": "2027-06-01"}, "for a year at most"),
        ({"allowed": ["everything"]}, "allowed.0"),
        ({"allowed": []}, "allowed"),
        ({"population": "children"}, "population: Extra inputs"),
        ({"promotions_per_quarter": 0}, "promotions_per_quarter"),
        ({"margins": {"log_loss": 1}}, "margins.category: Field required"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_plan(written(tmp_path, **changes))
    assert words in str(error.value)
    assert "plan.json" in str(error.value)


def test_a_file_that_is_missing_or_no_json_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_plan(tmp_path / "none.json")
    path = tmp_path / "plan.json"
    path.write_text("not json")
    with pytest.raises(ConfigurationError, match="is not one: plan: Invalid JSON"):
        read_plan(path)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    found = small_model(tmp_path_factory.mktemp("plan")).scorer
    return changed(found, simulated=False)


def changed(scorer: Scorer, columns: Any = None, **attributes: Any) -> Scorer:
    artefact = replace(scorer.artefact, attributes=dict(scorer.artefact.attributes) | attributes)
    if columns is not None:
        artefact = replace(artefact, columns=columns)
    return Scorer(artefact, version="2", checksum="x")


def said(folder: Path, old: Scorer, new: Scorer, **changes: Any) -> str | None:
    chosen: dict[str, Any] = {
        "kind": "refresh",
        "margins": MARGINS,
        "now": NOW,
        "promoted_lately": 0,
        "plan": {},
    } | changes
    return why_not(
        read_plan(written(folder, **chosen["plan"])),
        {"detail": {"kind": chosen["kind"]}},
        old,
        new,
        chosen["margins"],
        now=chosen["now"],
        promoted_lately=chosen["promoted_lately"],
    )


def test_a_plan_lets_through_what_it_was_agreed_for(scorer: Scorer, tmp_path: Path) -> None:
    assert said(tmp_path, scorer, scorer) is None
    assert said(tmp_path, scorer, scorer, kind="recalibration", promoted_lately=1) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "search"}, "does not allow the kind search"),
        ({"now": datetime(2026, 12, 31, tzinfo=UTC)}, "holds from"),
        ({"now": datetime(2025, 12, 31, tzinfo=UTC)}, "holds from"),
        ({"promoted_lately": 2}, "2 promotions in 91 days"),
        ({"margins": MARGINS | {"sensitivity": 0.1}}, "margin of sensitivity wider"),
        ({"margins": {}}, "margin of log_loss wider"),
    ],
)
def test_and_nothing_else(
    scorer: Scorer, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    found = said(tmp_path, scorer, scorer, **changes)
    assert found is not None
    assert words in found


def test_what_no_plan_covers(scorer: Scorer, tmp_path: Path) -> None:
    def refused(old: Scorer, new: Scorer) -> str:
        return said(tmp_path, old, new) or ""

    assert "simulated" in refused(changed(scorer, simulated=True), scorer)
    assert "label rules" in refused(scorer, changed(scorer, label_version="9"))
    assert "population" in refused(scorer, changed(scorer, min_age=12.0))
    fewer = scorer.artefact.columns[:-1]
    assert "columns" in refused(scorer, changed(scorer, columns=fewer))
    four = small_model(tmp_path, categories=4).scorer
    lost = changed(four, columns=None, simulated=False)
    assert "loss of a category" in refused(scorer, lost)
    assert refused(lost, scorer) == ""
