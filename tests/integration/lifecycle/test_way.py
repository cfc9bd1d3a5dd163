"""The way of a challenger: trained, judged, in shadow, approved or withdrawn."""

from datetime import timedelta

import pytest

from cds_service.context import ProcessContext
from cds_service.services.lifecycle import NOTHING, LifecycleService
from cds_service.services.releasing import ModelRuleError
from cds_service.storage import session
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import AUDIT_EVENTS, CHALLENGERS, EVALUATIONS, RELEASE_WATCHES
from tests.support.challengers import (
    Artefacts,
    add,
    advance,
    live,
    models,
    on_its_way,
    open_alerts,
    rows,
    stage,
    visit,
)
from tests.support.stored import SEEN, set_time


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
