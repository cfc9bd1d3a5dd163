"""What asks for a challenger, and what it learns from."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.lifecycle import NOTHING, LifecycleService
from cds_service.services.lifecycle_triggers import due
from cds_service.services.models import ModelService
from cds_service.storage import session
from cds_service.storage.tables import EVALUATIONS
from model.severity import Severity
from tests.support.challengers import (
    Artefacts,
    add,
    advance,
    alert,
    models,
    on_its_way,
    rows,
    stage,
    visit,
)
from tests.support.cohorts import small_cohort
from tests.support.seen import seen
from tests.support.stored import SEEN, set_time


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
