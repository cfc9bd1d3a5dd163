"""A written change plan promotes; a digest says what changed."""

import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.digests import digest_text
from cds_service.services.lifecycle import NOTHING, LifecycleService
from cds_service.services.models import ModelService
from cds_service.storage.tables import AUDIT_EVENTS, RELEASE_WATCHES
from model.severity import Severity
from tests.support.challengers import (
    Artefacts,
    add,
    advance,
    judged,
    live,
    models,
    on_its_way,
    open_alerts,
    rows,
    stage,
    visit,
)
from tests.support.cohorts import small_cohort
from tests.support.stored import SEEN


def plan(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.json"
    content: dict[str, Any] = {
        "author": "Data science",
        "approved_by": "Dr. Ana Gil",
        "date": "2026-01-01",
        "expires": "2026-12-31",
        "allowed": ["refresh"],
        "margins": {"log_loss": 1, "category": 1, "sensitivity": 1, "fairness": 1},
        "promotions_per_quarter": 1,
    }
    path.write_text(json.dumps(content | changes), "utf-8")
    return path


def use_plan(context: ProcessContext, path: Path) -> None:
    changed = context.settings.model_copy(update={"change_plan": path})
    object.__setattr__(context, "settings", changed)


def test_a_change_plan_promotes_what_it_allows(
    quiet: ProcessContext, artefacts: Artefacts, tmp_path: Path
) -> None:
    on_its_way(quiet, "2", "waiting", reason="Not worse.")
    judged(quiet, "2")
    use_plan(quiet, tmp_path / "none.json")
    assert "cannot be read" in advance(quiet)
    assert open_alerts(quiet) == ["change_plan"]
    use_plan(quiet, plan(tmp_path, allowed=["search"]))
    said = advance(quiet)
    assert said == "Version 2 waits for a person: The plan does not allow the kind refresh."
    assert stage(quiet)["detail"]["plan"]["refusal"] == "The plan does not allow the kind refresh."
    assert open_alerts(quiet) == []
    assert advance(quiet) == NOTHING  # It is said once.

    use_plan(quiet, plan(tmp_path))
    digest = sha256((tmp_path / "plan.json").read_bytes()).hexdigest()
    assert advance(quiet) == f"Version 2 is live, by the change plan {digest[:12]}…."
    (event,) = [
        row
        for row in rows(quiet, AUDIT_EVENTS)
        if (row["action"], row["object_id"]) == ("promote", "2")
    ]
    assert event["actor"] == f"change-plan:{digest[:12]}"
    assert event["detail"]["change_plan"] == digest
    assert event["detail"]["run_by"] == "schedule"
    told = LifecycleService(quiet).digest("2")
    assert told["change_plan"] == digest
    assert f"Change plan: SHA-256 {digest}" in digest_text(told)

    # Not while that is watched, and not a second time in a quarter.
    add(quiet, "3", artefacts["other"])
    on_its_way(quiet, "3", "waiting", champion="2")
    judged(quiet, "3")
    assert advance(quiet) == NOTHING
    with quiet.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE release_watches SET state = 'kept'")
    assert "The plan allows 1 promotions in 91 days." in advance(quiet)
    assert live(quiet) == "2"


def test_the_digest_says_what_changed(quiet: ProcessContext) -> None:
    service = LifecycleService(quiet)
    with pytest.raises(ServiceError, match="There is no digest"):
        service.digest()
    visit(quiet, 120, SEEN - timedelta(days=30), seed=8, name="a")
    on_its_way(quiet, "2", "waiting", detail={"kind": "refresh", "rows": {"outcomes": 120}})
    judged(quiet, "2")
    service.approve("2", actor="dr", reason="good figures")
    assert advance(quiet) == NOTHING
    (watch,) = rows(quiet, RELEASE_WATCHES)
    told = watch["digest"]
    assert told == service.digest() == service.digest("2")
    old, new = (ModelService.load(models(quiet).version(name)) for name in ("1", "2"))
    frame = small_cohort(120, 8)
    decided = [scorer.decide(scorer.probabilities(frame)) for scorer in (old, new)]
    assert told["stored"]["rows"] == 120
    assert told["stored"]["changed"] == pytest.approx(np.mean(decided[0] != decided[1]))
    assert told["stored"]["flagged"]["new"] == pytest.approx(np.mean(decided[1] == "acute"))
    thresholds = {row["name"]: (row["old"], row["new"]) for row in told["thresholds"]}
    assert thresholds["acute"] == (
        old.facts.thresholds[Severity.ACUTE],
        new.facts.thresholds[Severity.ACUTE],
    )
    assert told["categories"]["old"] == told["categories"]["new"]
    assert (told["by"], told["change_plan"], told["kind"]) == ("dr", None, "refresh")
    assert told["comparison"]["gates"][0]["name"] == "log_loss"
    text = digest_text(told)
    assert "Version 2 took the place of 1 on 2026-03-01" in text
    assert "By: dr. Why: good figures" in text
    assert "On the last 120 stored charts: flagged as acute " in text
    assert "p1" not in json.dumps(told)
