"""A marked patient over FHIR: assessed, diagnosed, told of by Subscriptions, discharged."""

import json
from typing import Any

from tests.support import fhir_server
from tests.support.builders import bundle, encounter, patient
from tests.support.marked import (
    PATIENT,
    marked_condition,
    marked_observations,
    marked_patient,
    opened,
)
from tests.support.marked_sender import Sender


def assess_without_hooks(sender: Sender) -> None:
    """`$assess-severity` and what it made, right and wrong."""
    operation, made = "/fhir/$assess-severity", "/fhir/RiskAssessment/{identifier}"
    send = sender.send
    chart = [marked_patient(), *marked_observations(), marked_condition()]
    answered = send(200, "POST", operation, bundle(*chart)).json()
    send(200, "GET", made, identifier=answered["id"])
    send(404, "GET", made, identifier=PATIENT)
    send(200, "POST", operation, bundle(marked_patient(gender="other"), *chart[1:]))
    whole = json.dumps(bundle(*chart)).encode()
    unnamed = {"resourceType": "Parameters", "parameter": [{"name": "xqz"}]}
    for bad in (whole[:-9], b"xqz", b'{"xqz": \xff}', {"resourceType": "Xqz"}, unnamed):
        send(400, "POST", operation, bad)
    for bad in (chart[1:], [marked_patient(), patient("xqz-2")], [patient("xqz/137.31337")]):
        send(422, "POST", operation, bundle(*bad))
    send(405, "DELETE", operation)


def changed(*events: tuple[str, Any]) -> dict[str, Any]:
    """A notification of a Subscription: what changed, and the resource if it is sent."""
    told = [
        {"eventNumber": str(number), "focus": {"reference": reference}}
        for number, (reference, _) in enumerate(events, start=1)
    ]
    status = {
        "resourceType": "SubscriptionStatus",
        "type": "event-notification",
        "eventsSinceSubscriptionStart": str(len(events)),
        "subscription": {"reference": "https://xqz.example/Subscription/xqz"},
        "notificationEvent": told,
    }
    entries = [{"fullUrl": url, "resource": resource} for url, resource in events]
    return {"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}, *entries]}


def transaction(*entries: tuple[str, str, Any]) -> dict[str, Any]:
    """A Bundle of requests: method, URL and resource."""
    asked = [
        {"fullUrl": "urn:xqz", "resource": resource, "request": {"method": method, "url": url}}
        for method, url, resource in entries
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": asked}


def bad_bodies(resource: dict[str, Any]) -> list[bytes]:
    """What is no resource at all."""
    whole = json.dumps(resource).encode()
    twice = b'{"xqz": 1, "xqz": 2}'
    return [b"xqz", whole[:-9], b'{"xqz": \xff}', b'["xqz"]', b'{"xqz":' * 9999, twice]


def post_diagnoses(sender: Sender, secret: str) -> None:
    """Every way a diagnosis is posted, right and wrong."""
    send, mine = sender.send, marked_condition()
    one, collection = "/fhir/Condition/{condition_id}", "/fhir/Condition"
    here = {"condition_id": mine["id"]}
    send(201, "POST", collection, mine)
    send(200, "POST", collection, mine)
    send(200, "PUT", one, marked_condition(recordedDate="2026-01-01"), **here)
    stale = {"If-Match": 'W/"137"'}
    send(412, "PUT", one, mine, headers=stale, **here)
    send(412, "DELETE", one, headers=stale, **here)
    send(204, "DELETE", one, **here)
    for bad in bad_bodies(mine):
        send(400, "POST", collection, bad)
        send(400, "POST", "/fhir", bad)
        send(400, "POST", "/fhir/Patient", bad)
    send(400, "PUT", one, mine, condition_id="xqz-other")
    for wrong in (
        {"xqz": "xqz", "severity": "xqz", "recordedDate": "xqz"},
        {"subject": "Group/xqz"},
        {"subject": "Patient/xqz?name=xqz"},
        {"id": "xqz 4711"},
        {"meta": {"security": [{"code": "V", "display": "xqz"}]}},
    ):
        send(422, "POST", collection, marked_condition(**wrong))
    for method in ("PUT", "DELETE"):
        send(404, method, one, marked_condition(), condition_id="xqz%20137.31337")
    for headers in ({"Content-Type": "text/xqz"}, {"Content-Type": "xqz"}):
        send(415, "POST", collection, mine, headers=headers)
    send(406, "POST", collection, mine, headers={"Accept": "text/xqz"})
    send(403, "POST", collection, mine, headers={"Authorization": f"Bearer {secret}"})
    wrong_secret = {"Authorization": f"Bearer cds_xqz{secret[7:]}"}
    send(401, "POST", collection, mine, headers=wrong_secret)
    # Bundles: done, and refused as a whole for one entry.
    merged = marked_patient(
        link=[{"type": "replaces", "other": {"reference": "Patient/xqz-older"}}]
    )
    good = [("PUT", f"Condition/{mine['id']}", mine), ("POST", "Patient", merged)]
    send(200, "POST", "/fhir", transaction(*good))
    for entry, status in (
        (("GET", "Patient?name=Xqzfamily", None), 405),
        (("POST", "Xqz", mine), 404),
        (("POST", "https://xqz.example/Condition", mine), 400),
        (("PUT", "Condition/xqz-other", mine), 400),
        (("POST", "Condition", mine | {"xqz": "xqz"}), 422),
    ):
        send(status, "POST", "/fhir", transaction(*good, entry))
    send(200, "POST", "/fhir", transaction(*good, good[0]) | {"type": "batch"})
    send(422, "POST", "/fhir", {"resourceType": "Bundle", "type": "xqz"})
    send(200, "POST", "/fhir/Patient", merged)
    known = "/fhir/Patient/{patient_id}"
    send(200, "PUT", known, merged, patient_id=PATIENT)
    send(400, "PUT", known, merged, patient_id="xqz-other")
    send(422, "POST", "/fhir/Patient", merged | {"birthDate": "xqz"})
    fault = marked_condition(id="xqz-fault")
    send(500, "POST", collection, fault)
    send(500, "POST", "/fhir", transaction(("POST", "Condition", fault)))


def notify(sender: Sender) -> None:
    """What Subscriptions send, right and wrong."""
    send, endpoint = sender.send, "/fhir/subscriptions"
    below = endpoint + "/{type_name}/{identifier}"
    mine, url = marked_condition(), "https://xqz.example/fhir/Condition/xqz-condition-1"
    send(200, "POST", endpoint)
    send(200, "POST", endpoint, mine)
    send(200, "POST", endpoint, bundle(mine, "xqz", {"resourceType": "Xqz"}))
    for entries in ([(url, mine)], [(url, None)], [("xqz", "xqz")], []):
        send(200, "POST", endpoint, changed(*entries))
    for bad in bad_bodies(mine):
        send(400, "POST", endpoint, bad)
    here = {"type_name": "Condition", "identifier": mine["id"]}
    send(200, "PUT", below, mine, **here)
    send(400, "PUT", below, mine, type_name="Xqz", identifier=PATIENT)
    send(204, "DELETE", below, **here)
    send(204, "DELETE", below, type_name="Xqz", identifier="xqz%00")
    send(500, "POST", endpoint, marked_condition(id="xqz-fault"))


def discharge(sender: Sender, fhir: fhir_server.FHIRServer) -> None:
    """`record-discharge`, its diagnoses sent or read."""
    send, path = sender.send, "/cds-services/record-discharge"
    left = encounter(id="xqz-encounter-99", subject=f"Patient/{PATIENT}", status="finished")
    body = opened(encounter=left, conditions=bundle(marked_condition()))
    body |= {"hook": "encounter-discharge"}
    send(200, "POST", path, body)
    for malformed in (b"", b"xqz", b'{"xqz": \xff}', {"hook": "xqz"}):
        send(400, "POST", path, malformed)
    for name in ("userId", "patientId", "encounterId"):
        wrong = json.loads(json.dumps(body))
        wrong["context"][name] = "xqz/137.31337/?#"
        send(400, "POST", path, wrong)
    fhir.resources[:] = [left, marked_condition()]
    unread = body | {"fhirServer": fhir.url, "prefetch": {}}
    for bad in (None, fhir_server.status(401), fhir_server.html(), fhir_server.hang):
        fhir.behaviours.clear()
        fhir.behaviours |= {} if bad is None else {"*": bad}
        send(200, "POST", path, unread)
    fhir.behaviours.clear()
    faulty = bundle(marked_condition(id="xqz-fault"))
    send(500, "POST", path, opened(encounter=left, conditions=faulty) | {"hook": body["hook"]})
