"""The way of a challenger: trained, judged, in shadow, approved, watched, kept or taken back."""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Table, select

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.alerts import Finding, raise_alert
from cds_service.services.digests import digest_text
from cds_service.services.lifecycle import NOTHING, LifecycleService
from cds_service.services.lifecycle_triggers import due
from cds_service.services.models import ModelService
from cds_service.services.releasing import ModelRuleError
from cds_service.storage import session
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.challenger_store import ChallengerStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import AUDIT_EVENTS, CHALLENGERS, EVALUATIONS, RELEASE_WATCHES
from model.severity import Severity
from model.training.run import DataDescription, train
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort
from tests.support.seen import seen
from tests.support.service import new_context
from tests.support.stored import SEEN, set_time

Artefacts = dict[str, tuple[Path, str]]
DATA = DataDescription(simulated=False, description="Invented rows.", label_version="1")


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    """A good model, another good one, and one that learnt from categories dealt out at random."""
    root = tmp_path_factory.mktemp("models")
    found: Artefacts = {}
    for name, seed in (("good", 3), ("other", 4), ("bad", 5)):
        frame = small_cohort(2_500, seed)
        if name == "bad":
            rng = np.random.default_rng(1)
            frame["severity"] = rng.permutation(frame["severity"].to_numpy())
        result = train(frame, small_settings(), artefact_root=root, data=DATA)
        found[name] = (result.path, result.checksum)
    return found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry: MLflow takes seconds to make one."""
    empty = new_context(tmp_path_factory.mktemp("registry"))
    models(empty)
    empty.engine.dispose()
    return empty.settings.data_dir / "mlflow.sqlite3"


@pytest.fixture
def context(tmp_path: Path, database_url: str, registry: Path) -> Iterator[ProcessContext]:
    shutil.copy(registry, tmp_path)
    context = new_context(
        tmp_path,
        database_url,
        minimum_held_out=100,
        shadow_outcomes=150,
        watch_outcomes=150,
        # Of so few rows chance alone is more.
        gate_category=0.2,
        gate_sensitivity=0.5,
        gate_fairness=1.0,
    )
    set_time(context, SEEN)
    yield context
    context.engine.dispose()


def add(context: ProcessContext, version: str, artefact: tuple[Path, str]) -> None:
    """Register a version of real history without the registry."""
    with context.engine.begin() as connection:
        ModelStore(connection).add_version(
            {
                "version": version,
                "location": str(artefact[0]),
                "checksum": artefact[1],
                "kind": "logistic + none",
                "simulated": False,
                "created_at": context.clock(),
                "created_by": "test",
                "note": "",
                "history_id": None,
                "history_ids": [],
                "metrics": {},
            }
        )


def models(context: ProcessContext) -> ModelService:
    return ModelService(context.engine, context.settings, context.clock)


def live(context: ProcessContext) -> str:
    champion = models(context).champion()
    assert champion is not None
    return str(champion["version"])


def rows(context: ProcessContext, table: Table) -> list[dict[str, Any]]:
    with session.reading(context.engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def open_alerts(context: ProcessContext) -> list[str]:
    with session.reading(context.engine) as connection:
        return [str(alert["kind"]) for alert in AlertStore(connection).unresolved()]


def visit(context: ProcessContext, number: int, start: datetime, *, seed: int, name: str) -> None:
    seen(
        context,
        small_cohort(number, seed),
        start=start,
        every=timedelta(minutes=15),
        prefix=name,
        version=live(context),
    )


def advance(context: ProcessContext) -> str:
    return LifecycleService(context).advance(actor="schedule")


def stage(context: ProcessContext) -> dict[str, Any]:
    (row,) = rows(context, CHALLENGERS)
    return row


def test_the_whole_way(context: ProcessContext, artefacts: Artefacts) -> None:
    add(context, "0", artefacts["bad"])
    models(context).promote("0", actor="test", reason="first")
    assert rows(context, RELEASE_WATCHES) == []  # There was none before it.
    visit(context, 900, SEEN, seed=8, name="a")
    set_time(context, SEEN + timedelta(days=45))
    service = LifecycleService(context)

    said = service.refresh(actor="schedule", with_report=False)
    assert said.startswith("Version 1 is in shadow. Not inferior")
    row = stage(context)
    assert (row["stage"], row["origin"], row["champion"]) == ("shadow", "refresh", "0")
    assert row["shadow_until"] == context.clock() + timedelta(days=14)
    assert row["detail"]["rows"] == {"history": 0, "outcomes": 900}
    assert live(context) == "0"
    assert {row["kind"] for row in rows(context, EVALUATIONS)} == {"retrain"}
    with session.reading(context.engine) as connection:
        made = ModelStore(connection).version("1")
    assert made is not None
    assert made["kind"] == "logistic + none"
    again = service.refresh(actor="schedule", asked=True)
    assert again == "Version 1 is on its way already; nothing was trained."

    # The time in shadow is not over, then its outcomes are not known yet.
    assert advance(context) == NOTHING
    visit(context, 200, context.clock() + timedelta(hours=1), seed=9, name="b")
    set_time(context, context.clock() + timedelta(days=15))
    assert advance(context) == NOTHING
    set_time(context, context.clock() + timedelta(days=30))
    assert advance(context).startswith("Version 1 is waiting for an approver. Not worse on ")
    assert stage(context)["detail"]["shadow"]["outcomes"] == 200
    assert open_alerts(context) == ["challenger_waiting"]
    assert advance(context) == NOTHING
    assert live(context) == "0"

    with pytest.raises(ModelRuleError, match="reason"):
        service.approve("1", actor="dr", reason=" ")
    service.approve("1", actor="dr", reason="seen the figures")
    assert live(context) == "1"
    row = stage(context)
    assert (row["stage"], row["decided_by"]) == ("promoted", "dr")
    assert open_alerts(context) == []
    (watch,) = rows(context, RELEASE_WATCHES)
    assert (watch["version"], watch["previous"], watch["state"]) == ("1", "0", "watching")
    with pytest.raises(ModelRuleError, match="it is promoted"):
        service.approve("1", actor="dr", reason="twice")
    with pytest.raises(ModelRuleError, match="at the end of its way"):
        service.withdraw("1", actor="dr", reason="too late")

    # It is better than the one before, so that both looks keep it.
    released = context.clock()
    visit(context, 160, released + timedelta(hours=1), seed=10, name="c")
    set_time(context, released + timedelta(days=33))
    assert advance(context).startswith("Look 1 at version 1: log loss ")
    assert advance(context) == NOTHING
    visit(context, 160, context.clock() + timedelta(hours=1), seed=11, name="d")
    set_time(context, context.clock() + timedelta(days=33))
    assert advance(context).endswith("It is kept.")
    (watch,) = rows(context, RELEASE_WATCHES)
    assert watch["state"] == "kept"
    assert [look["judged"] for look in watch["looks"]] == [True, True]
    assert watch["looks"][1]["error_spent"] == 0.025
    assert live(context) == "1"
    actions = [row["action"] for row in rows(context, AUDIT_EVENTS)]
    for action in ("register", "retrain", "advance", "promote", "look-at-release", "keep-release"):
        assert action in actions


def test_a_promotion_that_turns_out_worse_is_rolled_back(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["bad"])
    models(context).promote("1", actor="test", reason="first")
    models(context).promote("2", actor="test", reason="a mistake")
    visit(context, 150, SEEN + timedelta(hours=1), seed=8, name="a")
    assert advance(context) == NOTHING  # No window has passed.
    set_time(context, SEEN + timedelta(days=35))
    said = advance(context)
    assert said.startswith("Version 2 is taken back: log loss ")
    assert said.endswith("Version 1 is live again.")
    assert live(context) == "1"
    (watch,) = rows(context, RELEASE_WATCHES)
    assert watch["state"] == "rolled_back"
    (look,) = watch["looks"]
    assert look["statistic"] > look["limit"] > 2.5
    assert open_alerts(context) == ["rolled_back"]
    champion = models(context).champion()
    assert champion is not None
    assert champion["reason"] in said
    assert (champion["action"], champion["actor"]) == ("rollback", "schedule")
    # Not a second time, and nothing is watched any more.
    assert advance(context) == NOTHING


def test_a_worse_challenger_is_refused_in_shadow(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["bad"])
    models(context).promote("1", actor="test", reason="first")
    on_its_way(context, "2", "shadow", shadow_until=SEEN + timedelta(days=14))
    visit(context, 160, SEEN + timedelta(hours=1), seed=8, name="a")
    set_time(context, SEEN + timedelta(days=40))
    assert advance(context).startswith("Version 2 is refused. Refused on 160 outcomes of 160 ")
    assert stage(context)["decided_by"] == "schedule"
    assert live(context) == "1"


def on_its_way(context: ProcessContext, version: str, stage: str, **more: Any) -> None:
    detail = {"kind": "refresh", "data_until": SEEN.isoformat(), "histories": []}
    with context.engine.begin() as connection:
        ChallengerStore(connection).add(
            {
                "version": version,
                "origin": "refresh",
                "stage": stage,
                "champion": "1",
                "created_at": context.clock(),
                "detail": detail,
                "reason": "",
            }
            | more
        )


@pytest.fixture
def quiet(tmp_path: Path, artefacts: Artefacts, registry: Path) -> Iterator[ProcessContext]:
    """Version 1 is live, 2 is registered; on SQLite alone."""
    shutil.copy(registry, tmp_path)
    context = new_context(tmp_path, shadow_outcomes=150, watch_outcomes=150)
    set_time(context, SEEN)
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["other"])
    models(context).promote("1", actor="test", reason="first")
    yield context
    context.engine.dispose()


def test_a_process_that_was_killed_after_training_goes_on_with_the_gates(
    quiet: ProcessContext,
) -> None:
    visit(quiet, 300, SEEN - timedelta(days=60), seed=8, name="a")
    on_its_way(quiet, "2", "gate")
    assert advance(quiet).startswith("Version 2 is undecided. Not enough to decide")
    (judged,) = rows(quiet, EVALUATIONS)
    assert judged["model_version"] == "2"
    assert advance(quiet) == NOTHING
    assert len(rows(quiet, EVALUATIONS)) == 1


def test_too_few_outcomes_in_shadow_are_waited_for_and_then_given_up(
    quiet: ProcessContext,
) -> None:
    on_its_way(quiet, "2", "shadow", shadow_until=SEEN + timedelta(days=14))
    visit(quiet, 40, SEEN + timedelta(hours=1), seed=8, name="a")
    set_time(quiet, SEEN + timedelta(days=100))
    assert advance(quiet) == NOTHING
    set_time(quiet, SEEN + timedelta(days=121))
    assert "is undecided. Not enough to decide: 40 outcomes in 120 days" in advance(quiet)


def test_another_champion_withdraws_what_was_held_against_the_last(
    quiet: ProcessContext, artefacts: Artefacts
) -> None:
    add(quiet, "3", artefacts["other"])
    on_its_way(quiet, "2", "waiting")
    models(quiet).promote("3", actor="dr", reason="by hand")
    row = stage(quiet)
    assert (row["stage"], row["decided_by"]) == ("withdrawn", "dr")
    assert "Version 3 became champion" in row["reason"]
    # Going back is another champion too, and ends the watch.
    assert models(quiet).rollback(actor="dr", reason="back") == "1"
    (watch,) = rows(quiet, RELEASE_WATCHES)
    assert watch["state"] == "rolled_back"


def test_only_one_challenger_waits(quiet: ProcessContext, artefacts: Artefacts) -> None:
    add(quiet, "3", artefacts["other"])
    on_its_way(quiet, "2", "waiting")
    on_its_way(quiet, "3", "shadow", shadow_until=SEEN + timedelta(days=14))
    visit(quiet, 160, SEEN + timedelta(hours=1), seed=8, name="a")
    set_time(quiet, SEEN + timedelta(days=40))
    assert advance(quiet).startswith("Version 3 is waiting")
    stages = {row["version"]: row["stage"] for row in rows(quiet, CHALLENGERS)}
    assert stages == {"2": "withdrawn", "3": "waiting"}


def test_a_person_withdraws_with_a_reason(quiet: ProcessContext) -> None:
    on_its_way(quiet, "2", "waiting")
    service = LifecycleService(quiet)
    with pytest.raises(ModelRuleError, match="is no challenger"):
        service.withdraw("1", actor="dr", reason="r")
    with pytest.raises(ModelRuleError, match="reason is needed"):
        service.withdraw("2", actor="dr", reason="")
    service.withdraw("2", actor="dr", reason="not for us")
    assert stage(quiet)["reason"] == "not for us"


def test_faults_of_the_service_end_a_release_at_once(
    quiet: ProcessContext,
) -> None:
    models(quiet).promote("2", actor="dr", reason="r")
    for number, situation in ((400, "scored"), (4, "model_failed")):
        seen(
            quiet,
            small_cohort(number, 8),
            start=SEEN + timedelta(minutes=1),
            every=timedelta(seconds=20),
            prefix=situation,
            version="2",
            situation=situation,
        )
    assert advance(quiet) == NOTHING
    seen(
        quiet,
        small_cohort(2, 8),
        start=SEEN + timedelta(minutes=2),
        every=timedelta(seconds=20),
        prefix="more",
        version="2",
        situation="model_failed",
    )
    said = advance(quiet)
    assert said == (
        "Version 2 is taken back: It failed on 6 of 406 assessments. Version 1 is live again."
    )


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


def judged(context: ProcessContext, version: str) -> None:
    """What the gates said of a version, as far as a plan asks."""
    margins = {"log_loss": 0.003, "category": 0.03, "sensitivity": 0.05, "fairness": 0.05}
    gate = {"name": "log_loss", "passed": True, "sentence": "Fine.", "figures": {}}
    result = {"gates": [gate], "margins": margins, "champion": "1", "rows": 2_000}
    told = {"promote": True, "outcome": "promoted-ok", "reason": "Not inferior."}
    with context.engine.begin() as connection:
        ModelStore(connection).add_evaluation(
            {
                "id": version,
                "at": context.clock(),
                "kind": "retrain",
                "model_version": version,
                "result": result | told,
            }
        )


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


def test_files_that_cannot_be_read_end_a_release_at_once(
    quiet: ProcessContext, tmp_path: Path
) -> None:
    row = models(quiet).version("2")
    broken = Path(shutil.copytree(row["location"], tmp_path / "broken"))
    with quiet.engine.begin() as connection:
        ModelStore(connection).add_version(
            {name: value for name, value in row.items() if name != "live"}
            | {"version": "3", "location": str(broken)}
        )
    models(quiet).promote("3", actor="dr", reason="r")
    assert advance(quiet) == NOTHING
    (broken / "thresholds.json").unlink()
    assert "Its files cannot be read" in advance(quiet)
    assert live(quiet) == "1"


def test_a_champion_that_is_kept_is_not_taken_back_for_its_files(
    quiet: ProcessContext,
) -> None:
    with quiet.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE model_versions SET checksum = 'x' WHERE version = '1'")
    assert "is not the approved one" in advance(quiet)
    assert open_alerts(quiet) == ["champion_unreadable"]
    assert live(quiet) == "1"


def alert(context: ProcessContext, kind: str, at: datetime, version: str | None = None) -> None:
    finding = Finding(kind, f"{kind}:x", "warning", "words", version)
    with context.engine.begin() as connection:
        assert raise_alert(connection, finding, at=at)


def asked(context: ProcessContext, at: datetime) -> tuple[str, str] | None:
    with session.reading(context.engine) as connection:
        found = due(connection, at, context.settings, context.terminology.label_version)
    return (found[0].kind, found[0].origin) if found else None


def test_alerts_ask_for_a_challenger_once(quiet: ProcessContext) -> None:
    assert asked(quiet, SEEN) is None
    alert(quiet, "input_drift", SEEN)
    assert asked(quiet, SEEN + timedelta(days=13)) is None
    assert asked(quiet, SEEN + timedelta(days=14)) == ("refresh", "alert")
    alert(quiet, "prevalence_shift", SEEN)
    alert(quiet, "business_floor", SEEN)
    set_time(quiet, SEEN + timedelta(days=1))
    assert asked(quiet, quiet.clock()) == ("recalibration", "alert")
    on_its_way(quiet, "2", "refused", detail={"kind": "recalibration"})
    assert asked(quiet, quiet.clock()) is None
    # Other priors did not end it.
    assert asked(quiet, quiet.clock() + timedelta(days=14)) == ("refresh", "alert")


def test_a_rise_of_the_loss_of_the_champion_asks_for_a_refresh(quiet: ProcessContext) -> None:
    alert(quiet, "loss_rise", SEEN, version="2")
    assert asked(quiet, SEEN) is None
    with quiet.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alerts SET model_version = '1'")
    assert asked(quiet, SEEN) == ("refresh", "alert")
    set_time(quiet, SEEN + timedelta(hours=1))
    on_its_way(quiet, "2", "shadow", shadow_until=SEEN + timedelta(days=14))
    assert asked(quiet, SEEN + timedelta(days=30)) is None


def test_enough_new_outcomes_ask_for_a_refresh(quiet: ProcessContext) -> None:
    set_time(quiet, SEEN + timedelta(hours=1))
    visit(quiet, 60, SEEN + timedelta(hours=1), seed=8, name="a")
    assert asked(quiet, SEEN) is None
    few = quiet.settings.model_copy(update={"retrain_new_outcomes": 60})
    object.__setattr__(quiet, "settings", few)
    assert asked(quiet, SEEN) == ("refresh", "outcomes")
    never = quiet.settings.model_copy(update={"retrain_new_outcomes": 0})
    object.__setattr__(quiet, "settings", never)
    assert asked(quiet, SEEN) is None


def test_what_is_asked_for_is_trained(quiet: ProcessContext) -> None:
    service = LifecycleService(quiet)
    assert service.recalibrate(actor="schedule") == NOTHING
    alert(quiet, "loss_rise", SEEN)
    assert advance(quiet) == NOTHING  # It takes long, and is a job of its own.
    with pytest.raises(ServiceError, match="nothing to learn from"):
        service.recalibrate(actor="schedule")
    with pytest.raises(ServiceError, match="nothing to learn from"):
        service.recalibrate(actor="dr", asked=True)


def test_what_cannot_be_had_yet_keeps_nothing_else_from_being_trained(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "0", artefacts["good"])
    models(context).promote("0", actor="test", reason="first")
    # Enough to train on, and nothing of the last 90 days to tell today's shares by.
    visit(context, 500, SEEN - timedelta(days=200), seed=8, name="a")
    alert(context, "prevalence_shift", SEEN)
    alert(context, "loss_rise", SEEN + timedelta(hours=1))
    set_time(context, SEEN + timedelta(days=1))
    said = LifecycleService(context).recalibrate(actor="schedule", with_report=False)
    assert said.startswith("An alert of 2026-03-01 is open: loss rise. Version 1 is ")
    assert stage(context)["detail"]["kind"] == "refresh"
    # It has learnt from rows since the shift too.
    assert LifecycleService(context).recalibrate(actor="schedule") == NOTHING


def test_a_challenger_that_cannot_go_on_keeps_no_release_from_being_taken_back(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["bad"])
    models(context).promote("1", actor="test", reason="first")
    models(context).promote("2", actor="test", reason="a mistake")
    add(context, "3", artefacts["other"])
    add(context, "4", artefacts["other"])
    with context.engine.begin() as connection:
        ModelStore(connection).add_history(
            {
                "id": "gone",
                "sha256": "x",
                "location": "/nowhere",
                "label_version": context.terminology.label_version,
                "rows": 1,
                "added_at": SEEN,
                "report": {},
            }
        )
    detail = {"kind": "refresh", "data_until": SEEN.isoformat(), "histories": ["gone"]}
    on_its_way(context, "3", "gate", champion="2", detail=detail)
    on_its_way(context, "4", "shadow", champion="2", shadow_until=SEEN)
    with pytest.raises(ServiceError, match="history of the champion is missing"):
        advance(context)
    visit(context, 150, SEEN + timedelta(hours=1), seed=8, name="a")
    set_time(context, SEEN + timedelta(days=35))
    assert advance(context).startswith("Version 2 is taken back: log loss ")
    assert live(context) == "1"


def test_a_shift_of_prevalence_is_answered_by_other_priors(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "0", artefacts["good"])
    models(context).promote("0", actor="test", reason="first")
    cohort = small_cohort(6_000, 12)
    counts = {"not-ill": 700, "mild": 60, "acute": 180, "chronic": 200, "terminal": 60}
    today = pd.concat([cohort[cohort["severity"] == k].head(n) for k, n in counts.items()])
    seen(
        context,
        today.sample(frac=1.0, random_state=1),
        start=SEEN + timedelta(hours=1),
        every=timedelta(minutes=15),
        prefix="s",
        version="0",
    )
    alert(context, "prevalence_shift", SEEN + timedelta(days=40))
    set_time(context, SEEN + timedelta(days=50))
    said = LifecycleService(context).recalibrate(actor="schedule")
    assert said.startswith("An alert of 2026-04-10 is open: prevalence shift. Version 1 is in")
    row = stage(context)
    assert (row["origin"], row["detail"]["kind"]) == ("alert", "recalibration")
    made = ModelService.load(models(context).version("1"))
    before = ModelService.load(models(context).version("0"))
    assert made.facts.base_rates[Severity.NOT_ILL] == pytest.approx(7 / 12, abs=0.06)
    assert made.artefact.estimator.kind == before.artefact.estimator.kind
    # Judged on patients that nothing was fitted to: 55 of 100.
    (judged,) = rows(context, EVALUATIONS)
    assert 0.45 < judged["result"]["rows"] / 1_200 < 0.65
    # The alert is answered, and not a second time.
    assert LifecycleService(context).recalibrate(actor="schedule") == NOTHING
    assert "on its way already" in LifecycleService(context).recalibrate(actor="x", asked=True)


def test_rows_before_the_window_are_left_out(quiet: ProcessContext) -> None:
    from cds_service.services.training import TrainingService
    from cds_service.services.training_rows import training_rows

    old = SEEN - timedelta(days=1_200)
    visit(quiet, 30, old, seed=8, name="old")
    visit(quiet, 20, SEEN - timedelta(days=60), seed=9, name="new")
    training = TrainingService(quiet.engine, quiet.settings, quiet.clock)
    champion = models(quiet).champion()
    assert champion is not None
    found = training_rows(quiet, training, champion, now=SEEN)
    assert (len(found.frame), len(found.older), found.outcome_rows) == (20, 30, 20)
    assert isinstance(found.frame, pd.DataFrame)
    assert any("Rows from before 2023-03-02, which were left out: 30." in n for n in found.notes)


def test_a_schedule_without_anything_to_learn_from_says_so_and_does_not_fail(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "1", artefacts["good"])
    models(context).promote("1", actor="test", reason="first")
    said = LifecycleService(context).refresh(actor="schedule")
    assert said.startswith("Nothing was trained. There is nothing to learn from")
    with pytest.raises(ServiceError, match="nothing to learn from"):
        LifecycleService(context).refresh(actor="test", asked=True)
