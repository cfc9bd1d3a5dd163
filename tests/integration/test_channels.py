"""A Condition through each channel: the same outcome once; again, nothing; corrected, both show.

Whoever adds a channel adds a row to `SENDERS`.
"""

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, ClientSettings
from cds_service.services.condition_bundles import BundleIntake
from cds_service.services.conditions import ConditionIntake
from cds_service.services.deliveries import CHANNELS
from cds_service.services.discharges import DischargeService
from cds_service.services.hl7v2 import HL7Service
from cds_service.services.ingesting import ingest_conditions
from cds_service.services.outcomes import condition_history
from cds_service.services.problems import ProblemService
from cds_service.services.pulling import OutcomePulls
from cds_service.services.subscriptions import SubscriptionService
from cds_service.storage import session
from cds_service.storage.client_store import ClientStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.tables import ASSESSMENTS, CLIENTS, CONDITIONS, OUTCOME_PULLS, OUTCOMES
from fhir_mapping.client import SearchResult
from fhir_mapping.hl7v2_diagnoses import Reading
from tests.support.backend import TOKEN_URL, pem_file
from tests.support.conditions import condition
from tests.support.hl7v2 import acknowledged, dg1, message
from tests.support.stored import BASE, SEEN, assessed, category, current, rows, set_time

Json = dict[str, Any]
CLIENT = Client("ehr", ClientSettings(fhir_servers=(BASE,)))


def encoded(content: object) -> bytes:
    return json.dumps(content).encode()


def hook_call(hook: str, **more: Any) -> bytes:
    context = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"}
    return encoded(
        {
            "hook": hook,
            "hookInstance": str(uuid4()),
            "fhirServer": BASE,
            "context": context | more.pop("context", {}),
            **more,
        }
    )


def searchset(*resources: Json) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource} for resource in resources],
    }


def through_record_problem(context: ProcessContext, resource: Json) -> None:
    body = hook_call("problem-list-item-create", context={"conditions": searchset(resource)})
    ProblemService(context).record(body, CLIENT)


def through_record_discharge(context: ProcessContext, resource: Json) -> None:
    body = hook_call("encounter-discharge", prefetch={"conditions": searchset(resource)})
    assert DischargeService(context).record(body, CLIENT) == b'{"cards":[]}'


def through_patient_view(context: ProcessContext, resource: Json) -> None:
    ConditionIntake(context).from_chart(
        encoded(searchset(resource)),
        client=CLIENT,
        patient_id="p1",
        fhir_server=BASE,
        channel="patient-view",
    )


def through_create(context: ProcessContext, resource: Json) -> None:
    assert ConditionIntake(context).write(resource, CLIENT).status in (200, 201)


def through_update(context: ProcessContext, resource: Json) -> None:
    reply = ConditionIntake(context).write(resource, CLIENT, url_id=resource["id"])
    assert reply.status in (200, 201)


def through_bundle(kind: str) -> Callable[[ProcessContext, Json], None]:
    def send(context: ProcessContext, resource: Json) -> None:
        request = {"method": "PUT", "url": f"Condition/{resource['id']}"}
        body = {
            "resourceType": "Bundle",
            "type": kind,
            "entry": [{"resource": resource, "request": request}],
        }
        reply = BundleIntake(context).process(body, CLIENT, bodies=False)
        assert reply.body is not None
        assert reply.body["entry"][0]["response"]["status"][:3] in ("200", "201")

    return send


def through_rest_hook(context: ProcessContext, resource: Json) -> None:
    service = SubscriptionService(context)
    assert service.sent("Condition", resource["id"], encoded(resource), CLIENT).status == 200


def through_posted_resource(context: ProcessContext, resource: Json) -> None:
    assert SubscriptionService(context).notified(encoded(resource), CLIENT).status == 200


def through_backport(context: ProcessContext, resource: Json) -> None:
    url = f"{BASE}/Condition/{resource['id']}"
    status = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": f"{BASE}/Subscription/s"}},
            {"name": "type", "valueCode": "event-notification"},
            {
                "name": "notification-event",
                "part": [
                    {"name": "event-number", "valueString": "1"},
                    {"name": "focus", "valueReference": {"reference": url}},
                ],
            },
        ],
    }
    body = {
        "resourceType": "Bundle",
        "type": "history",
        "entry": [
            {"resource": status, "request": {"method": "GET", "url": "Subscription/s/$status"}},
            {
                "fullUrl": url,
                "resource": resource,
                "request": {"method": "PUT", "url": f"Condition/{resource['id']}"},
            },
        ],
    }
    assert SubscriptionService(context).notified(encoded(body), CLIENT).status == 200


class _Server:
    """The FHIR server at `BASE` that holds one Condition, in the place of HTTP."""

    def __init__(self, resource: Json) -> None:
        self._resource = resource

    def post_form(self, *_arguments: Any, **_more: Any) -> Json:
        return {"access_token": "x", "token_type": "bearer", "expires_in": 300}

    def session(self, base_url: str, **_more: Any) -> "_Server":
        assert base_url == BASE
        return self

    def read(self, kind: str, identifier: str) -> bytes:
        return encoded({"resourceType": kind, "id": identifier})

    def search(self, _kind: str, _query: Any) -> SearchResult:
        return SearchResult((encoded(searchset(self._resource)),), cut_short=False)


def through_pull(context: ProcessContext, resource: Json) -> None:
    given = CLIENT.settings.model_dump(mode="json") | {
        "backend": {
            "token_url": TOKEN_URL,
            "client_id": "cds",
            "key_file": str(pem_file(context.settings.data_dir)),
        }
    }
    with context.engine.begin() as connection:
        store = ClientStore(connection)
        if store.client(CLIENT.name) is None:
            store.add(CLIENT.name, given, context.clock())
        else:
            connection.execute(CLIENTS.update().values(settings=given))
        # As if the day had come again.
        connection.execute(ASSESSMENTS.update().values(client=CLIENT.name))
        connection.execute(OUTCOME_PULLS.delete())
    context.directory.refresh()
    vars(context)["fhir"] = _Server(resource)
    pulled = OutcomePulls(context).run(actor="test")
    assert (pulled.asked, pulled.failed) == (1, {})


def through_file(name: str) -> Callable[[ProcessContext, Json], None]:
    def send(context: ProcessContext, resource: Json) -> None:
        path = context.settings.data_dir / name
        path.write_bytes(encoded(resource) + b"\n")
        ingest_conditions(
            context,
            [path],
            client=CLIENT,
            base=BASE,
            actor="test",
            progress=lambda _step, _share: None,
        )

    return send


def as_hl7(resource: Json) -> str:
    """The ADT message of an interface that tells of this Condition."""
    status = resource["verificationStatus"]["coding"][0]["code"]
    line = dg1(
        f"{resource['code']['coding'][0]['code']}^^I10C",
        identifier=resource["id"],
        action="D" if status == "entered-in-error" else "U",
        confidential="Y" if "security" in resource.get("meta", {}) else "N",
    )
    return message(line, control_id=uuid4().hex[:20])


def hl7_service(context: ProcessContext) -> HL7Service:
    return HL7Service(context, CLIENT, base=BASE, reading=Reading(), actor="test")


def through_hl7_file(context: ProcessContext, resource: Json) -> None:
    path = context.settings.data_dir / "adt.hl7"
    path.write_text(as_hl7(resource))
    taken = hl7_service(context).take_files([path], progress=lambda _step, _share: None)
    assert (taken.messages, taken.issues) == (1, [])


def through_mllp(context: ProcessContext, resource: Json) -> None:
    """As the listener calls it; `test_hl7v2_service.py` has the sockets."""
    answer = hl7_service(context).answer(as_hl7(resource).encode())
    assert acknowledged(answer)[0] == "AA"


SENDERS: dict[str, tuple[str, Callable[[ProcessContext, Json], None]]] = {
    "record-problem": ("problem-list-item-create", through_record_problem),
    "record-discharge": ("encounter-discharge", through_record_discharge),
    "patient-view": ("patient-view", through_patient_view),
    "create": ("fhir-create", through_create),
    "update": ("fhir-create", through_update),
    "batch": ("fhir-bundle", through_bundle("batch")),
    "transaction": ("fhir-bundle", through_bundle("transaction")),
    "rest-hook": ("subscription", through_rest_hook),
    "posted by a subscription": ("subscription", through_posted_resource),
    "backport": ("subscription", through_backport),
    "pull": ("pull", through_pull),
    "bulk": ("bulk", through_file("Condition.ndjson")),
    "ingest": ("ingest", through_file("condition.json")),
}
"""What a row is called → the channel and how a Condition is sent through it."""
HL7_SENDERS: dict[str, tuple[str, Callable[[ProcessContext, Json], None]]] = {
    "HL7 file": ("hl7v2", through_hl7_file),
    "MLLP": ("hl7v2", through_mllp),
}
"""The same where the Condition is made from a message, so that it is not the very same JSON."""


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def outcome_history(context: ProcessContext, assessment: str) -> list[Json]:
    with session.reading(context.engine) as connection:
        return OutcomeStore(connection).history(assessment)


def later(context: ProcessContext) -> None:
    set_time(context, context.clock() + timedelta(minutes=1))


def infarct(**changes: Any) -> Json:
    return condition(icd="I21.9", encounter="Encounter/e1", **changes)


@pytest.mark.parametrize("name", SENDERS | HL7_SENDERS)
def test_once_again_and_corrected(context: ProcessContext, name: str) -> None:
    channel, send = (SENDERS | HL7_SENDERS)[name]
    assessment = assessed(context, encounter="e1")

    send(context, infarct())
    assert category(context, assessment) == "acute"
    (stored,) = current(context)
    assert stored["channel"] == channel
    assert channel in CHANNELS

    later(context)
    send(context, infarct())
    assert (rows(context, CONDITIONS), rows(context, OUTCOMES)) == (1, 1)

    later(context)
    corrected = condition(icd="I10", encounter="Encounter/e1")
    send(context, corrected)
    assert category(context, assessment) == "chronic"
    versions = condition_history(context, BASE, "c1")
    assert [row["facts"]["classification"] for row in versions] == ["acute-event", "chronic"]
    assert versions[0]["superseded_at"] == versions[1]["received_at"] == context.clock()
    outcomes = outcome_history(context, assessment)
    assert [row["category"] for row in outcomes] == ["acute", "chronic"]
    assert [row["superseded_at"] for row in outcomes] == [context.clock(), None]

    later(context)
    send(context, infarct(verification="entered-in-error", clinical=None))
    assert category(context, assessment) is None
    assert [row["category"] for row in outcome_history(context, assessment)] == [
        "acute",
        "chronic",
        None,
    ]


def test_one_condition_through_every_channel_is_stored_once(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    for number, (_, send) in enumerate(SENDERS.values(), start=1):
        # Each way the server has put its own marks on it.
        meta = {"versionId": str(number), "lastUpdated": f"2026-03-02T10:00:{number:02}Z"}
        send(context, infarct(meta=meta))
        later(context)
    assert (rows(context, CONDITIONS), rows(context, OUTCOMES)) == (1, 1)
    assert category(context, assessment) == "acute"


def test_one_condition_through_every_channel_is_one_outcome(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    for _, send in (SENDERS | HL7_SENDERS).values():
        send(context, infarct())
        later(context)
        assert len(current(context)) == 1
        assert category(context, assessment) == "acute"
    standing = [row for row in outcome_history(context, assessment) if row["superseded_at"] is None]
    assert [row["category"] for row in standing] == ["acute"]


@pytest.mark.parametrize("name", SENDERS | HL7_SENDERS)
def test_c21_restricted_is_not_kept_unless_the_client_allows(
    context: ProcessContext, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]
    assessment = assessed(context, encounter="e1")
    _, send = (SENDERS | HL7_SENDERS)[name]
    send(context, infarct())
    later(context)
    refused = name in ("create", "update", "batch", "transaction")
    with pytest.raises((AssertionError, KeyError)) if refused else nullcontext():
        send(context, infarct(meta={"security": security}))
    assert (rows(context, CONDITIONS), rows(context, OUTCOMES)) == (0, 0)
    allowing = Client("ehr", ClientSettings(fhir_servers=(BASE,), allow_restricted=True))
    monkeypatch.setitem(globals(), "CLIENT", allowing)
    send(context, infarct(meta={"security": security}))
    assert category(context, assessment) == "acute"
