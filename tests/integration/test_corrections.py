"""Corrections as they really come: late, twice, and without what was known before."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, ClientSettings
from cds_service.services.condition_bundles import BundleIntake
from cds_service.services.conditions import ConditionIntake
from cds_service.services.hl7v2 import HL7Service
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.client_store import ClientStore
from cds_service.storage.notification_store import NotificationStore
from cds_service.storage.tables import CONDITIONS, NOTIFICATIONS, USED_TOKENS
from fhir_mapping.hl7v2_diagnoses import Reading
from tests.support.conditions import condition
from tests.support.hl7v2 import acknowledged, dg1, message
from tests.support.service import new_context
from tests.support.stored import (
    BASE,
    SEEN,
    assessed,
    category,
    current,
    joined,
    outcome,
    receive,
    rows,
    set_time,
)

CLIENT = Client("ehr", ClientSettings(fhir_servers=(BASE,)))


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def later(context: ProcessContext, days: int = 1) -> None:
    set_time(context, context.clock() + timedelta(days=days))


def versioned(at: str, **elements: Any) -> dict[str, Any]:
    return condition(meta={"lastUpdated": at}, **elements)


# What was known of the encounter and of the suggestion.


def test_a_correction_without_its_encounter_still_ended_at_home(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    cold = condition(icd="J00", encounter="Encounter/e1")
    receive(context, cold, encounter_id="e1", ended_at_home=True)
    changed = condition(icd="J06.9", encounter="Encounter/e1")
    assert receive(context, changed, encounter_id="e1").stored == 1
    assert category(context, assessment) == "mild"
    # Whether its sender knows or not: it is the same Condition as stands.
    for home in (None, True):
        assert receive(context, changed, encounter_id="e1", ended_at_home=home).unchanged == 1
    told = receive(context, changed, encounter_id="e1", ended_at_home=False)
    assert told.stored == 1
    assert category(context, assessment) is None


def test_how_one_encounter_ended_says_nothing_of_another(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e2")
    receive(context, condition(icd="J00"), encounter_id="e1", ended_at_home=True)
    receive(context, condition(icd="J06.9"), encounter_id="e2")
    found = outcome(context, assessment)
    assert found is not None
    assert (found["category"], found["reason"]) == (None, "home_not_known")


def test_a_withdrawn_condition_that_comes_back_ended_at_home(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    receive(context, condition(icd="J00"), encounter_id="e1", ended_at_home=True)
    OutcomeService(context).withdraw(
        base=BASE, condition_id="c1", client="development", channel="test", actor="test"
    )
    assert category(context, assessment) is None
    later(context)
    receive(context, condition(icd="J00"), encounter_id="e1")
    assert category(context, assessment) == "mild"


def test_c18_a_condition_that_lost_our_tag_is_still_prompted(context: ProcessContext) -> None:
    assessment = assessed(context)
    tag = {"system": "http://127.0.0.1:8000/fhir/assessment", "code": assessment}
    receive(context, condition(icd="I21.9", meta={"tag": [tag]}, verification="provisional"))
    # The record keeps what the clinician made of the draft, without our tag.
    assert receive(context, condition(icd="I21.9")).stored == 1
    found = outcome(context, assessment)
    assert found is not None
    assert (found["category"], found["prompted"]) == ("acute", True)
    assert receive(context, condition(icd="I21.9")).unchanged == 1
    assert receive(context, condition(icd="I22.0")).stored == 1
    again = outcome(context, assessment)
    assert again is not None
    assert again["prompted"]


# Redelivery out of order.


def test_an_older_version_does_not_win(context: ProcessContext) -> None:
    assessment = assessed(context)
    first = versioned("2026-03-02T10:00:00Z", icd="I21.9")
    corrected = versioned("2026-03-04T10:00:00+01:00", icd="I10")
    assert receive(context, first).stored == 1
    assert receive(context, corrected).stored == 1
    late = receive(context, first)
    assert late.skipped == Counter(outdated=1)
    assert category(context, assessment) == "chronic"
    assert rows(context, CONDITIONS) == 2
    # Back to what it said first, at a later time: a correction like any other.
    assert receive(context, versioned("2026-03-05T10:00:00Z", icd="I21.9")).stored == 1
    assert category(context, assessment) == "acute"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-03-04T10:00:00+01:00", "2026-03-04T09:00:00Z"),
        ("2026-03-04T10:00:00+01:00", None),
        (None, "2026-03-01T00:00:00Z"),
    ],
)
def test_a_version_as_old_or_without_age_is_taken(
    context: ProcessContext, first: str | None, second: str | None
) -> None:
    for at, icd in ((first, "I21.9"), (second, "I10")):
        meta = {} if at is None else {"lastUpdated": at}
        assert receive(context, condition(icd=icd, meta=meta)).stored == 1


def test_c21_an_older_version_that_is_restricted_erases_all_the_same(
    context: ProcessContext,
) -> None:
    receive(context, versioned("2026-03-04T10:00:00Z", icd="I21.9"))
    security = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    meta = {
        "lastUpdated": "2026-03-02T10:00:00Z",
        "security": [{"system": security, "code": "R"}],
    }
    assert receive(context, condition(icd="I21.9", meta=meta)).skipped == Counter(restricted=1)
    assert rows(context, CONDITIONS) == 0


def test_who_writes_an_older_version_is_told(context: ProcessContext) -> None:
    intake = ConditionIntake(context)
    newest = versioned("2026-03-04T10:00:00Z", icd="I10")
    assert intake.write(newest, CLIENT).status == 201
    stale = versioned("2026-03-02T10:00:00Z", icd="I21.9")
    reply = intake.write(stale, CLIENT, url_id="c1")
    assert reply.status == 409
    assert "Condition.meta.lastUpdated" in json.dumps(reply.body)
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": stale, "request": {"method": "PUT", "url": "Condition/c1"}}],
    }
    assert BundleIntake(context).process(bundle, CLIENT, bodies=True).status == 409
    assert current(context)[0]["facts"]["codings"][0][1] == "I10"


def hl7(context: ProcessContext, text: str) -> str:
    service = HL7Service(context, CLIENT, base=BASE, reading=Reading(), actor="test")
    return acknowledged(service.answer(text.encode()))[0]


def test_an_older_message_does_not_win(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    admitted = message(dg1(), control_id="1", sent="20260302110000+0000")
    corrected = message(dg1("I10^x^I10C"), control_id="2", sent="20260303110000+0000")
    assert hl7(context, corrected) == "AA"
    assert hl7(context, admitted) == "AA"
    assert category(context, assessment) == "chronic"
    assert rows(context, CONDITIONS) == 1


def test_the_clocks_of_messages_and_of_fhir_servers_are_not_compared(
    context: ProcessContext,
) -> None:
    # A message is made after what it tells was saved: the resource it tells of is no older.
    assert hl7(context, message(dg1(), sent="20260302110000+0000")) == "AA"
    assert receive(context, versioned("2026-03-02T10:30:00Z", icd="I21.9")).stored == 1
    assert hl7(context, message(dg1("I10^x^I10C"), sent="20260302100000+0000")) == "AA"
    assert current(context)[0]["facts"]["codings"][0][1] == "I10"


# The same Condition in other words.


def test_references_in_another_spelling_are_no_correction(context: ProcessContext) -> None:
    encounter = {"reference": "Encounter/e1"}
    receive(context, condition(icd="I21.9") | {"encounter": encounter}, encounter_id="e1")
    absolute = condition(
        icd="I21.9",
        subject={"reference": f"{BASE}/Patient/p1", "display": "Xqz"},
        encounter=f"{BASE}/Encounter/e1",
    )
    assert receive(context, absolute, encounter_id="e1").unchanged == 1
    other = condition(icd="I21.9") | {"encounter": {"reference": f"{BASE}/Encounter/e2"}}
    assert receive(context, other, encounter_id="e2").stored == 1


# Days of the site.


@pytest.mark.parametrize(
    ("zone", "expected"),
    [(None, None), ("UTC", None), ("America/Los_Angeles", "acute"), ("Asia/Tokyo", None)],
)
def test_c16_a_day_ends_where_the_site_is(
    tmp_path: Path, database_url: str, zone: str | None, expected: str | None
) -> None:
    context = new_context(tmp_path, database_url, time_zone=zone)
    set_time(context, SEEN + timedelta(days=40))
    # Eight in the evening in Los Angeles, of the day the diagnosis was made.
    evening = datetime(2026, 3, 2, 4, tzinfo=UTC)
    assessment = assessed(context, at=evening)
    receive(context, condition(icd="I21.9", recorded="2026-03-01"))
    assert category(context, assessment) == expected
    context.engine.dispose()


def test_c16_times_of_messages_without_zone_are_those_of_the_site(
    tmp_path: Path, database_url: str
) -> None:
    context = new_context(tmp_path, database_url, time_zone="America/New_York")
    assert hl7(context, message(dg1(at="20260302100000"), sent="20260302110000")) == "AA"
    assert current(context)[0]["facts"]["known_at"] == "2026-03-02T15:00:00+00:00"
    context.engine.dispose()


# Who may be learnt from.


@pytest.mark.parametrize("allowed", [True, False])
def test_c21_a_diagnosis_of_a_client_that_forbids_it_is_not_learnt_from(
    context: ProcessContext, allowed: bool
) -> None:
    assessed(context)
    receive(context, condition(icd="I21.9"), client="feed")
    with context.engine.begin() as connection:
        store = ClientStore(connection)
        store.add("development", {"allow_retraining": True}, context.clock())
        store.add("feed", {"allow_retraining": allowed}, context.clock())
    assert joined(context).counts["with_outcome"] == 1
    training = joined(context, for_training=True)
    assert len(training.frame) == int(allowed)
    assert training.counts["with_outcome" if allowed else "not_allowed"] == 1


def test_c20_a_condition_that_two_clients_send_has_one_source(context: ProcessContext) -> None:
    assessment = assessed(context)
    rare = condition(icd="I21.9", codings=[("https://www.orpha.net", "558")])
    for client in ("ehr", "feed"):
        receive(context, noted(rare, client), client=client)
    found = outcome(context, assessment)
    assert found is not None
    assert found["needs_second_source"]


def noted(resource: dict[str, Any], words: str) -> dict[str, Any]:
    return resource | {"note": [{"text": words}]}


# What is forgotten again.


def test_messages_and_notices_are_not_kept_for_ever(context: ProcessContext) -> None:
    assert hl7(context, message(dg1())) == "AA"
    with context.engine.begin() as connection:
        store = NotificationStore(connection)
        store.add(client="ehr", at=context.clock(), focus=None)
        store.add(client="ehr", at=context.clock(), focus=b"x")
        (first, _) = store.due(context.clock())
        store.done(first.id, context.clock(), "done")
    later(context, days=29)
    assert hl7(context, message(dg1())) == "AA"
    assert rows(context, USED_TOKENS) == 1
    later(context, days=2)
    assert hl7(context, message(dg1(identifier="c2"), control_id="2")) == "AA"
    assert rows(context, USED_TOKENS) == 1
    with context.engine.begin() as connection:
        NotificationStore(connection).due(context.clock())
    assert rows(context, NOTIFICATIONS) == 1
