"""What Subscriptions send: pings, resources and R5-backport notifications, on both databases."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, ClientSettings
from cds_service.services.subscriptions import (
    MAX_WAITING,
    SubscriptionService,
    focus_references,
)
from cds_service.storage import session
from cds_service.storage.notification_store import MAX_CURSORS, Notification, NotificationStore
from cds_service.storage.tables import CONDITIONS, NOTIFICATIONS, SUBSCRIPTION_CURSORS
from fhir_mapping.errors import PostedError
from tests.support.conditions import condition
from tests.support.service import Service, new_context, running
from tests.support.stored import BASE, SEEN, assessed, category, rows, set_time

Json = dict[str, Any]
CLIENT = Client("ehr", ClientSettings(fhir_servers=(BASE,)))
OTHER = Client("other", ClientSettings(fhir_servers=("https://other.example/fhir",)))
TOPIC = "http://hl7.org/SubscriptionTopic/diagnosis"


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def r4_status(kind: str, total: int, events: Sequence[tuple[int, str | None]]) -> Json:
    parameters: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{BASE}/Subscription/s"}},
        {"name": "topic", "valueCanonical": TOPIC},
        {"name": "status", "valueCode": "active"},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(total)},
    ]
    for number, focus in events:
        part: list[Json] = [{"name": "event-number", "valueString": str(number)}]
        if focus is not None:
            part.append({"name": "focus", "valueReference": {"reference": focus}})
        parameters.append({"name": "notification-event", "part": part})
    return {"resourceType": "Parameters", "parameter": parameters}


def r5_status(kind: str, total: int, events: Sequence[tuple[int, str | None]]) -> Json:
    told = [
        {"eventNumber": str(number)} | ({} if focus is None else {"focus": {"reference": focus}})
        for number, focus in events
    ]
    status = {
        "resourceType": "SubscriptionStatus",
        "status": "active",
        "type": kind,
        "eventsSinceSubscriptionStart": str(total),
        "subscription": {"reference": f"{BASE}/Subscription/s"},
        "topic": TOPIC,
    }
    return status | ({"notificationEvent": told} if told else {})


Status = Callable[[str, int, Sequence[tuple[int, str | None]]], Json]


@pytest.fixture(params=[r4_status, r5_status])
def status(request: pytest.FixtureRequest) -> Status:
    """The status as the guide has it for R4, and for R4B and R5."""
    found: Status = request.param
    return found


def notify(context: ProcessContext, status: Json, *entries: Json, client: Client = CLIENT) -> None:
    body = {
        "resourceType": "Bundle",
        "type": "history",
        "entry": [
            {
                "fullUrl": "urn:uuid:292d3c72-edc1-4d8a-afaa-d85e19c7f563",
                "resource": status,
                "request": {"method": "GET", "url": "Subscription/s/$status"},
                "response": {"status": "200"},
            },
            *entries,
        ],
    }
    reply = SubscriptionService(context).notified(json.dumps(body).encode(), client)
    assert (reply.status, reply.body) == (200, None)


def ping(context: ProcessContext, client: Client = CLIENT) -> None:
    assert SubscriptionService(context).notified(b"", client).status == 200


def waiting(context: ProcessContext, client: Client = CLIENT) -> list[list[str]]:
    """What each waiting notice of a client names; an empty list is a ping."""
    with session.reading(context.engine) as connection:
        found = NotificationStore(connection).waiting(client.name)
    return sorted(focus_references(context.secrecy, one) for one in found)


def due(context: ProcessContext) -> list[Notification]:
    with context.engine.begin() as connection:
        return NotificationStore(connection).due(context.clock())


def url(identifier: str) -> str:
    return f"{BASE}/Condition/{identifier}"


def test_a_flood_of_empty_pings_is_one_question(context: ProcessContext) -> None:
    for _ in range(20):
        ping(context)
    ping(context, OTHER)
    assert waiting(context) == [[]]
    assert waiting(context, OTHER) == [[]]
    taken = due(context)
    assert {one.client for one in taken} == {"ehr", "other"}
    assert all(one.focus is None for one in taken)
    # While that one is read something may change after it was: one more waits.
    for _ in range(3):
        ping(context)
    assert waiting(context) == [[]]


def test_handshake_and_heartbeat_ask_for_nothing(context: ProcessContext, status: Status) -> None:
    for kind in ("handshake", "heartbeat", "query-status"):
        notify(context, status(kind, 0, []))
    assert rows(context, NOTIFICATIONS) == 0


def test_id_only_keeps_what_lies_on_the_clients_own_server(
    context: ProcessContext, status: Status
) -> None:
    events = [
        (1, url("a")),
        (2, "Condition/b"),
        (3, "https://evil.example/fhir/Condition/c"),
        (4, f"{BASE}/Observation/d"),
        (5, f"{BASE}/Patient/e"),
        (6, f"{BASE}/../admin/Condition/f"),
        (7, f"{BASE}/Condition/.."),
        (8, "http://169.254.169.254/Condition/g"),
        (9, f"{BASE}/Condition/h?_format=x"),
        (10, url("i") + "/_history/3"),
    ]
    notify(context, status("event-notification", 10, events))
    assert waiting(context) == [[url("a"), url("b"), url("i"), f"{BASE}/Patient/e"]]
    with session.reading(context.engine) as connection:
        (stored,) = NotificationStore(connection).waiting("ehr")
    assert stored.focus is not None
    assert b"Condition" not in stored.focus
    notify(context, status("event-notification", 11, [(11, url("a")), (12, url("z"))]))
    assert [url("z")] in waiting(context)
    assert sum(one.count(url("a")) for one in waiting(context)) == 1


def test_names_in_the_entries_alone_are_read_too(context: ProcessContext, status: Status) -> None:
    entry = {"fullUrl": url("a"), "request": {"method": "PUT", "url": "Condition/a"}}
    notify(context, status("event-notification", 1, [(1, None)]), entry)
    assert waiting(context) == [[url("a")]]


def test_an_empty_event_is_a_ping(context: ProcessContext, status: Status) -> None:
    notify(context, status("event-notification", 1, [(1, None)]))
    assert waiting(context) == [[]]


def test_full_resources_are_taken_and_deleted_ones_taken_back(
    context: ProcessContext, status: Status
) -> None:
    assessment = assessed(context)
    resource = condition(icd="I21.9")
    request = {"method": "PUT", "url": "Condition/c1"}
    entry = {"fullUrl": url("c1"), "resource": resource, "request": request}
    notify(context, status("event-notification", 1, [(1, url("c1"))]), entry)
    assert category(context, assessment) == "acute"
    assert rows(context, NOTIFICATIONS) == 0
    gone = {"fullUrl": url("c1"), "request": {"method": "DELETE", "url": "Condition/c1"}}
    notify(context, status("event-notification", 2, [(2, url("c1"))]), gone)
    assert category(context, assessment) is None
    assert rows(context, NOTIFICATIONS) == 0


def test_missed_events_are_caught_up(context: ProcessContext, status: Status) -> None:
    notify(context, status("handshake", 0, []))
    notify(context, status("event-notification", 1, [(1, url("a"))]))
    assert [] not in waiting(context)
    notify(context, status("event-notification", 3, [(3, url("b"))]))
    assert [] in waiting(context)


def test_events_again_and_in_another_order_are_not_missed(
    context: ProcessContext, status: Status
) -> None:
    notify(context, status("handshake", 0, []))
    notify(context, status("event-notification", 2, [(1, url("a")), (2, url("b"))]))
    for number in (2, 1):
        notify(context, status("event-notification", number, [(number, url("a"))]))
    notify(context, status("event-notification", 3, [(3, url("c"))]))
    assert [] not in waiting(context)
    notify(context, status("heartbeat", 3, []))
    assert [] not in waiting(context)
    notify(context, status("heartbeat", 5, []))
    assert [] in waiting(context)


def test_a_flood_of_names_becomes_one_catch_up(context: ProcessContext) -> None:
    for number in range(MAX_WAITING + 5):
        notify(context, r4_status("query-event", 1, [(1, url(f"c{number}"))]))
    found = waiting(context)
    assert len(found) == MAX_WAITING + 1
    assert [] in found
    notify(context, r4_status("query-event", 1, [(1, url(f"x{i}")) for i in range(20_000)]))
    assert len(waiting(context)) == MAX_WAITING + 1


def test_a_flood_of_subscriptions_is_forgotten_from_its_oldest(context: ProcessContext) -> None:
    for number in range(MAX_CURSORS + 3):
        with context.engine.begin() as connection:
            NotificationStore(connection).set_last_event(
                "ehr", f"s{number}", 1, context.clock() + timedelta(seconds=number)
            )
    assert rows(context, SUBSCRIPTION_CURSORS) == MAX_CURSORS
    with session.reading(context.engine) as connection:
        store = NotificationStore(connection)
        assert store.last_event("ehr", "s0") is None
        assert store.last_event("ehr", f"s{MAX_CURSORS + 2}") == 1


def test_what_is_due_is_handed_out_once_and_again_after_a_fault(context: ProcessContext) -> None:
    notify(context, r4_status("event-notification", 1, [(1, url("a"))]))
    (one,) = due(context)
    assert (one.attempts, focus_references(context.secrecy, one)) == (1, [url("a")])
    assert due(context) == []
    with context.engine.begin() as connection:
        store = NotificationStore(connection)
        store.failed(one.id, context.clock() + timedelta(minutes=5), "timeout")
    assert due(context) == []
    set_time(context, context.clock() + timedelta(minutes=5))
    (again,) = due(context)
    assert (again.id, again.attempts) == (one.id, 2)
    # Whoever took it has died: it is due again when its lease ends.
    set_time(context, context.clock() + timedelta(minutes=11))
    (third,) = due(context)
    with context.engine.begin() as connection:
        NotificationStore(connection).done(third.id, context.clock(), "1 Condition")
    set_time(context, context.clock() + timedelta(days=1))
    assert due(context) == []
    assert waiting(context) == []


def test_conditions_of_other_servers_are_not_taken(context: ProcessContext) -> None:
    assessed(context)
    elsewhere = condition(icd="I21.9", subject={"reference": "https://other.example/Patient/p1"})
    reply = SubscriptionService(context).notified(json.dumps(elsewhere).encode(), CLIENT)
    assert (reply.status, rows(context, CONDITIONS)) == (200, 0)


def test_one_resource_that_cannot_be_used_stops_no_subscription(context: ProcessContext) -> None:
    assessment = assessed(context)
    collection = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": condition(icd="I10", id="bad", recorded="2026-02-30")},
            {"resource": {"resourceType": "Observation"}},
            {"resource": "x"},
            "y",
            {"resource": condition(icd="I21.9")},
        ],
    }
    reply = SubscriptionService(context).notified(json.dumps(collection).encode(), CLIENT)
    assert reply.status == 200
    assert category(context, assessment) == "acute"


def test_a_notified_patient_merges(context: ProcessContext) -> None:
    assessment = assessed(context, patient="new")
    named = {"reference": "Patient/old"}
    body = json.dumps(condition(icd="I21.9", subject=named)).encode()
    SubscriptionService(context).notified(body, CLIENT)
    link = [{"other": {"reference": f"{BASE}/Patient/old"}, "type": "replaces"}]
    patient = {"resourceType": "Patient", "id": "new", "link": link}
    SubscriptionService(context).sent("Patient", "new", json.dumps(patient).encode(), CLIENT)
    assert category(context, assessment) == "acute"


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000])
def test_what_is_not_json_is_refused(context: ProcessContext, body: bytes) -> None:
    with pytest.raises(PostedError):
        SubscriptionService(context).notified(body, CLIENT)
    assert rows(context, NOTIFICATIONS) == 0


def test_over_http(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    set_time(context, SEEN + timedelta(days=40))
    assessment = assessed(context)
    mine = condition(icd="I21.9", subject={"reference": f"{BASE}/Patient/p1"})
    with running(context, context.clock) as service:  # type: ignore[arg-type]  # a TestClock
        assert_over_http(service, assessment, mine)


def assert_over_http(service: Service, assessment: str, mine: Json) -> None:
    http, headers = service.http, {"Content-Type": "application/fhir+json"}
    at = "/fhir/subscriptions"
    assert http.post(at).status_code == 200
    assert rows(service.context, NOTIFICATIONS) == 1
    assert http.put(f"{at}/Condition/c1", json=mine, headers=headers).status_code == 200
    assert category(service.context, assessment) == "acute"
    assert http.put(f"{at}/Condition/c2", json=mine, headers=headers).status_code == 400
    assert http.put(f"{at}/Observation/o", content=b"{", headers=headers).status_code == 400
    observation = {"resourceType": "Observation", "id": "o"}
    assert http.put(f"{at}/Observation/o", json=observation, headers=headers).status_code == 200
    assert http.delete(f"{at}/Condition/c9").status_code == 204
    assert http.get(at).status_code == 405
    xml = http.post(at, content=b"<a/>", headers={"Content-Type": "application/fhir+xml"})
    assert xml.status_code == 415
