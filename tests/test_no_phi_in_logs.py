"""No patient value, token or query in any log line or error: a marked patient goes everywhere."""

import gzip
import importlib
import json
import logging
import pkgutil
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cds_service import routes
from cds_service.context import ProcessContext
from cds_service.logs import JsonFormatter
from cds_service.security.clients import Right
from cds_service.services.attempts import ACCOUNT_FREE
from tests.support import fhir_server
from tests.support.builders import bundle, encounter, patient
from tests.support.cohorts import small_cohort
from tests.support.hl7v2 import dg1, merge, message, prb
from tests.support.jwts import (
    ISSUER,
    PUBLIC,
    Key,
    add_client,
    claims,
    ec_key,
    jwks,
    put_together,
    sign,
)
from tests.support.marked import (
    JWT,
    MARK,
    NUMBERS,
    PATIENT,
    TOKEN,
    leaks,
    marked_condition,
    marked_observations,
    marked_patient,
    opened,
    overridden,
    problem,
)
from tests.support.marked_dashboard import walk_dashboard
from tests.support.process import Program, command, serving
from tests.support.review_pages import ask
from tests.support.service import new_context, release

DISEASE_SEVERITY = "/cds-services/disease-severity"
RECORD_PROBLEM = "/cds-services/record-problem"
FORM = "application/x-www-form-urlencoded"
FEEDBACK = "/cds-services/{service}/feedback"
MODEL_CARD = "/models/{version}/card"
PUBLIC_ROUTES = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/fhir/metadata"),
    ("GET", "/fhir/OperationDefinition/assess-severity"),
    ("GET", "/fhir/CodeSystem/severity-category"),
    ("GET", "/fhir/CodeSystem/card-topic"),
    ("GET", "/fhir/ValueSet/severity-category"),
    ("GET", MODEL_CARD),
    ("GET", f"{MODEL_CARD}.json"),
    ("GET", "/static/{name}"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/provider"),
    ("GET", "/sign-in/callback"),
    ("GET", "/sign-in/provider/out"),
    ("GET", "/session"),
    ("GET", "/launch"),
    ("GET", "/launch/callback"),
    ("GET", "/launch/told/{told}"),
}
"""What needs no token, because there is nothing of a patient in it."""

# Bodies that make the service fail inside quote what they were called with.
FAULTS = """
import logging
from sqlalchemy.exc import IntegrityError
from cds_service.services import assessing, problems
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.feedback_store import FeedbackStore
from model.scorer import Scorer

extract, assess, conditions_of = assessing.extract, Scorer.assess, problems.conditions_of
receive = OutcomeService.receive
def failing_receive(self, conditions, **options):
    conditions = list(conditions)
    if any(b"fault" in str(one.resource.get("id")).encode() for one in conditions):
        raise LookupError(f"{conditions} {options}")
    return receive(self, conditions, **options)
def failing_extract(prefetch, **options):
    values = {key: str(value) for key, value in prefetch.items()}
    values |= {key: bytes(value) for key, value in prefetch.items() if not isinstance(value, list)}
    if b"fault" in values.get("encounter", b""):
        raise RuntimeError(f"{values} {options}")
    if b"control" in values.get("encounter", b""):
        logging.getLogger("some.package").debug("%s", values)
    return extract(prefetch, **options)
def failing_assess(self, row):
    if row.sex == "other":
        raise ValueError(f"cannot score {row}")
    return assess(self, row)
def failing_conditions(context):
    if context.encounter_id == "fault":
        raise KeyError(bytes(context.conditions))
    return conditions_of(context)
def failing_add(self, entries):
    raise IntegrityError("INSERT INTO feedback", list(entries), Exception(str(entries)))
assessing.extract, Scorer.assess = failing_extract, failing_assess
problems.conditions_of, FeedbackStore.add = failing_conditions, failing_add
OutcomeService.receive = failing_receive
"""


@dataclass
class Sender:
    """Sends marked requests; keeps which routes answered with which statuses."""

    http: httpx.Client
    seen: set[tuple[str, str]] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)

    def send(
        self,
        status: int,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        **parts: str,
    ) -> httpx.Response:
        """One request, with marks in header and query; checks the answer if it is an error."""
        self.seen.add((method, path))
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        response = self.http.request(
            method,
            path.format(service="disease-severity") if not parts else path.format(**parts),
            params={"patient": PATIENT, "name": "Xqzfamily"},
            content=content,
            headers={
                "Authorization": f"Bearer {JWT}",
                "User-Agent": "xqz-browser",
                "Cookie": "session=xqz",
                "Origin": "https://xqz.example",
                "X-Request-ID": "xqz-request",
                **(headers or {}),
            },
        )
        assert response.status_code == status, (path, response.text)
        self.statuses.add(status)
        if status >= 400:
            assert not leaks(response.text), (path, response.text)
            assert not leaks(str(response.headers))
            is_page = response.headers["content-type"].startswith("text/html")
            if "health" not in path and not is_page:
                assert response.json()["resourceType"] == "OperationOutcome"
        return response


def every_route() -> set[tuple[str, str]]:
    """Every method and path the service has."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(routes.__path__, f"{routes.__name__}.")
    ]
    return {
        (method, route.path)
        for module in modules
        if hasattr(module, "router")
        for route in module.router.routes
        for method in route.methods
    }


@dataclass
class Everywhere:
    """What a marked patient left behind."""

    statuses: set[int]
    seen: set[tuple[str, str]]
    log: str
    """Of both processes, to the last line."""
    control: str
    """What was logged after a fault that logs the marks was let in."""


def raw_request(program: Program, content: bytes) -> bytes:
    """Bytes that no HTTP client would send; the answer until the server closes or is silent."""
    host, _, port = program.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(content)
        return connection.recv(65_536)


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


def visit_pages(sender: Sender) -> None:
    """Pages that all others stand on, with marks in query, cookies and forms."""
    send = sender.send
    sender.seen.add(("GET", "/"))
    assert sender.http.get("/").status_code in (200, 303)
    send(404, "GET", "/static/{name}", name="xqz.css")
    send(404, "GET", "/xqz/Patient/4711", headers={"Accept": "text/html"})
    send(200, "GET", "/session", headers={"Cookie": "cds_session=xqz.xqz"})
    for path in ("/session", "/sign-out"):
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM})
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM, "Accept": "text/html"})
    for path in ("/sign-in/provider", "/sign-in/callback"):
        send(404, "GET", path, headers={"Cookie": "cds_provider=xqz"})
    send(200, "GET", "/sign-in/provider/out")
    page = send(200, "GET", "/sign-in")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    browser = {
        "Origin": str(sender.http.base_url).rstrip("/"),
        "Cookie": f"cds_form={page.cookies['cds_form']}",
        "Content-Type": FORM,
    }
    sender.http.cookies.clear()
    fields = f"csrf={token[1]}&name=xqz-name&password=xqz-password".encode()
    send(403, "POST", "/sign-in", fields, headers={"Content-Type": FORM})
    for _ in range(ACCOUNT_FREE):
        send(403, "POST", "/sign-in", fields, headers=browser)
    send(429, "POST", "/sign-in", fields, headers=browser)
    for bad in (b"\xff", b"xqz=%ff", "xqz=ñ".encode()):
        send(400, "POST", "/sign-in", bad, headers=browser)


def come_from_a_chart(sender: Sender, fhir: fhir_server.FHIRServer) -> None:
    """SMART launch, with marks in what the health record says and in what comes back."""
    http, told = sender.http, "/launch/told/{told}"
    for key, status in (("unknown", 403), ("out", 200), ("xqz", 404)):
        sender.send(status, "GET", told, told=key, headers={"Accept": "text/html"})
    sender.send(404, "GET", "/launch/patient/{place}", place=PATIENT)
    fhir.behaviours[".well-known"] = fhir_server.body(
        {
            "issuer": "https://xqz.example",
            "jwks_uri": f"{fhir.url}/xqz-jwks",
            "authorization_endpoint": "https://xqz.example/authorize?xqz=1",
            "token_endpoint": f"{fhir.url}/xqz-token",
        }
    )
    answers = (
        (400, {"error": "xqz_patient", "error_description": PATIENT}),
        (200, {"access_token": TOKEN, "id_token": JWT, "patient": PATIENT}),
        (200, {"access_token": TOKEN, "patient": PATIENT}),
        (500, {"xqz": PATIENT}),
    )

    def go(path: str, cookies: str = "", **query: str) -> httpx.Response:
        sender.seen.add(("GET", path))
        headers = {"Accept": "text/html", "Cookie": cookies, "Referer": "https://xqz.example"}
        response = http.get(path, params=query, headers=headers)
        http.cookies.clear()
        assert response.status_code == 303
        return response

    for issuer in ("xqz", "https://xqz.example/fhir", "", fhir.url + "/xqz"):
        refused = go("/launch", iss=issuer, launch="xqz-launch")
        assert refused.headers["location"].startswith("/launch/told/")
    for answer in answers:
        fhir.tokens = lambda _form, answer=answer: answer  # type: ignore[misc]
        away = go("/launch", iss=fhir.url, launch="xqz-launch")
        assert "launch=xqz-launch" in away.headers["location"]
        state = re.findall("state=([^&]+)", away.headers["location"])[0]
        cookie = away.headers["set-cookie"].partition(";")[0]
        for code in ({"error": "xqz", "error_description": PATIENT}, {"code": "xqz-code"}):
            back = go("/launch/callback", cookie, state=state, **code)
            assert back.headers["location"].startswith("/launch/told/")
            assert not leaks(str(back.headers))
    fhir.behaviours.clear()


def triage(sender: Sender) -> None:
    """The triage pages, with marks in every field; what was typed may stand on the page alone."""
    send, http = sender.send, sender.http
    browser = {"Origin": str(http.base_url).rstrip("/"), "Content-Type": FORM}
    page = send(200, "GET", "/triage/policy", headers={"Accept": "text/html"})

    def post(status: int, path: str, text: str, **parts: str) -> httpx.Response:
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        content = f"csrf={token}&{text}".encode()
        sender.seen.add(("POST", path))
        sender.statuses.add(status)
        response = http.post(path.format(**parts), content=content, headers=browser)
        assert response.status_code == status, (path, response.text)
        return response

    post(303, "/triage/policy", "agree=1&name=xqz")
    page = send(200, "GET", "/triage", headers={"Accept": "text/html"})
    post(422, "/triage", "heart_rate=137.31337&sex=xqz&birth_date=1961-07-23&age=xqz&name=xqz")
    right = "birth_date=1961-07-23&heart_rate=118&body_temperature=38.7&temperature_unit=Cel"
    for sex in ("other", "female"):
        sent = post(303, "/triage", f"{right}&sex={sex}&number=xqz&sent=xqz&comment=xqz")
    case = sent.headers["location"].rpartition("/")[2]
    result = "/triage/results/{identifier}"
    send(200, "GET", result, identifier=case)
    send(404, "GET", result, identifier=PATIENT)
    explanation = "/assessments/{identifier}"
    send(200, "GET", explanation, identifier=case)
    send(404, "GET", explanation, identifier=PATIENT)
    send(410, "GET", "/explanations/{token}", token=PATIENT)
    post(422, "/triage/find", "number=xqz")
    post(404, "/triage/find", "number=1111-1111")
    post(500, f"{result}/feedback", "reason=mild&comment=Xqz+says+137.31337", identifier=case)
    post(422, f"{result}/feedback", "reason=xqz", identifier=case)
    post(422, f"{result}/outcome", "category=xqz", identifier=case)
    post(303, f"{result}/outcome", "category=mild&comment=xqz", identifier=case)
    for path in ("/triage", "/triage/policy", "/triage/find"):
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM})


def play_the_record(sender: Sender) -> None:
    """The sandbox, with marks in every field: what was typed may stand on its pages alone."""
    send, http = sender.send, sender.http
    browser = {"Origin": str(http.base_url).rstrip("/"), "Content-Type": FORM}
    chart = "/sandbox/patients/{key}"
    token = http.get("/sandbox/patients/mild").text.split('name="csrf" value="')[1].split('"')[0]

    def post(status: int, path: str, text: str, **parts: str) -> httpx.Response:
        sender.seen.add(("POST", path))
        content = f"csrf={token}&{text}".encode()
        response = http.post(path.format(**parts), content=content, headers=browser)
        assert response.status_code == status, (path, response.text)
        return response

    send(200, "GET", "/sandbox")
    send(200, "GET", chart, key="mild")
    send(404, "GET", chart, key=PATIENT)
    post(422, chart, "heart_rate=xqz&heart_rate_minutes=1", key="mild")
    read = "heart_rate=137.31337&heart_rate_minutes=1&xqz=xqz&body_temperature_unit=xqz"
    sent = post(303, chart, read, key="septic")
    visit = {"identifier": sent.headers["location"].rpartition("/")[2].partition("#")[0]}
    one = "/sandbox/visits/{identifier}"
    send(200, "GET", one, **visit)
    send(303, "GET", one, identifier=PATIENT)
    post(303, f"{one}/accept", "card=xqz", **visit)
    post(303, f"{one}/override", "card=0&reason=xqz&comment=Xqz+says+137.31337", **visit)
    post(303, f"{one}/diagnosis", "code=A41.9&comment=xqz", **visit)
    post(404, f"{one}/diagnosis", "code=xqz", **visit)
    send(403, "POST", chart, b"csrf=xqz", headers={"Content-Type": FORM}, key="mild")


def review(sender: Sender, context: ProcessContext) -> None:
    """The review pages, with a marked patient in the queue and marks in every field."""
    send, http = sender.send, sender.http
    browser = {"Origin": str(http.base_url).rstrip("/"), "Content-Type": FORM}
    case = ask(context, patient=PATIENT)
    ask(context, patient=f"{PATIENT}-2", priority=0.5)
    send(200, "GET", "/review", headers={"Accept": "text/html"})
    page = send(200, "GET", "/review/case", headers={"Accept": "text/html"}).text

    def post(status: int, path: str, text: str) -> httpx.Response:
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        sender.seen.add(("POST", path))
        response = http.post(path, content=f"csrf={token}&{text}".encode(), headers=browser)
        assert response.status_code == status, (path, response.text)
        return response

    named = post(200, "/review/case", f"item={case}&name_patient=1")
    assert PATIENT in named.text
    post(422, "/review/case", f"item={case}&answer=xqz&rare=Xqz+137.31337")
    post(200, "/review/rare", "rare=Xqz+137.31337")
    post(303, "/review/case", f"item={PATIENT}&answer=1")
    post(303, "/review/case", f"item={case}&answer=1&rare=558&comment=xqz")
    send(200, "GET", "/review/last", headers={"Accept": "text/html"})
    post(422, "/review/last", f"item={case}&answer=2&rare=Xqz+137.31337")
    post(303, "/review/last", f"item={case}&answer=2")
    for path in ("/review/case", "/review/last", "/review/rare"):
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM})


def go_everywhere(
    sender: Sender, program: Program, fhir: fhir_server.FHIRServer, secret: str
) -> None:
    """Every route and every error the service knows, in development mode with a model."""
    send = sender.send
    send(200, "GET", "/cds-services")
    send(200, "GET", "/health/live")
    send(200, "GET", "/health/ready")
    send(200, "GET", "/fhir/CodeSystem/severity-category")
    send(200, "GET", "/fhir/ValueSet/severity-category")
    send(200, "GET", "/fhir/CodeSystem/card-topic")
    send(200, "GET", "/fhir/metadata")
    send(200, "GET", "/fhir/OperationDefinition/assess-severity")
    for card in (MODEL_CARD, f"{MODEL_CARD}.json"):
        send(200, "GET", card, version="champion")
        send(404, "GET", card, version=PATIENT)
    assess_without_hooks(sender)
    post_diagnoses(sender, secret)
    notify(sender)
    discharge(sender, fhir)
    visit_pages(sender)
    come_from_a_chart(sender, fhir)
    triage(sender)
    play_the_record(sender)
    # 200, one of them by a model that fails for this patient, and the same call again.
    body = opened(conditions=bundle(marked_condition()))
    for _ in range(2):
        send(200, "POST", DISEASE_SEVERITY, body)
    send(200, "POST", DISEASE_SEVERITY, opened(patient=marked_patient(gender="other")))
    broken = [{"resourceType": "Xqz"}, "xqz", {"resourceType": "Observation", "code": "xqz"}]
    send(200, "POST", DISEASE_SEVERITY, opened(vitals=bundle(*broken)))
    problems = [
        marked_condition(),
        marked_condition(id="xqz-2", xqz="xqz"),
        marked_condition(onsetDateTime="xqz", severity="xqz"),
        marked_condition(subject="Patient/xqz-somebody"),
        marked_condition(meta={"security": [{"code": "R", "display": "xqz"}]}),
        "xqz",
    ]
    send(200, "POST", RECORD_PROBLEM, problem(*problems))
    # 400: malformed at every level.
    whole = json.dumps(opened()).encode()
    for path in (DISEASE_SEVERITY, RECORD_PROBLEM, FEEDBACK):
        for malformed in (b"", whole[:-9], b"xqz", b'"xqz"', b"[" * 9999, b'{"xqz": \xff}'):
            send(400, "POST", path, malformed)
    for name, value in {
        "hook": "xqz",
        "hookInstance": "xqz",
        "context": "xqz",
        "fhirServer": "xqz",
        "fhirAuthorization": {"access_token": TOKEN, "token_type": "xqz"},
        "prefetch": "xqz",
    }.items():
        send(400, "POST", DISEASE_SEVERITY, opened() | {name: value})
        if name != "prefetch":
            send(400, "POST", RECORD_PROBLEM, problem() | {name: value})
    for name in ("userId", "patientId", "encounterId"):
        wrong = opened()
        wrong["context"][name] = "xqz/137.31337/?#"
        send(400, "POST", DISEASE_SEVERITY, wrong)
    send(400, "POST", DISEASE_SEVERITY, opened(patient=marked_patient() | {"id": "xqz-other"}))
    send(400, "POST", RECORD_PROBLEM, problem(conditions="xqz"))
    for change in (
        {"outcome": "xqz"},
        {"card": 137.31337},
        {"outcomeTimestamp": "xqz"},
        {"overrideReason": "xqz"},
        {"outcome": "accepted", "acceptedSuggestions": ["xqz"]},
    ):
        send(400, "POST", FEEDBACK, overridden(**change))
    # 404 and 405.
    send(404, "POST", FEEDBACK, overridden(), service="xqz")
    send(404, "POST", "/cds-services/{service}", opened(), service=PATIENT)
    send(404, "GET", "/xqz/Patient/" + PATIENT)
    send(405, "GET", DISEASE_SEVERITY)
    send(405, "DELETE", RECORD_PROBLEM)
    # 409, 412.
    again = opened(vitals=None) | {"hookInstance": body["hookInstance"]}
    send(409, "POST", DISEASE_SEVERITY, again)
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "xqz"}]}
    send(412, "POST", DISEASE_SEVERITY, opened(vitals=outcome))
    send(412, "POST", DISEASE_SEVERITY, opened(patient="xqz"))
    # 413, without sending so much.
    head = f"POST {DISEASE_SEVERITY}?xqz HTTP/1.1\r\nHost: xqz\r\nContent-Length: 99999999\r\n\r\n"
    refused = raw_request(program, head.encode() + whole)
    assert b" 413 " in refused.partition(b"\r\n")[0]
    assert not leaks(refused.decode())
    sender.statuses.add(413)
    # 200, 412, 503 and 504 with a FHIR server whose answers are marked too, headers included.
    chart = [marked_patient(), *marked_observations(), marked_condition()]
    for bad, status in (
        (fhir_server.body(chart[0], Content_Location=f"Patient/{PATIENT}"), 200),
        (fhir_server.status(401, WWW_Authenticate="xqz"), 412),
        (fhir_server.redirect(f"https://xqz.example/Patient/{PATIENT}"), 412),
        (fhir_server.body({"resourceType": "Xqz"}), 503),
        (fhir_server.drop, 503),
        (fhir_server.hang, 504),
    ):
        fhir.resources[:], fhir.behaviours["Patient"] = chart, bad
        request = opened() | {"fhirServer": fhir.url}
        del request["prefetch"]["patient"]
        send(status, "POST", DISEASE_SEVERITY, request)
    # What is not HTTP at all.
    assert not leaks(raw_request(program, b"XQZ " + whole + b"\r\n\r\n").decode())
    # 500, each raised with the marks in its message.
    send(500, "POST", DISEASE_SEVERITY, opened(encounter=encounter(id="xqz-fault")))
    send(500, "POST", RECORD_PROBLEM, problem(marked_condition(), encounterId="fault"))
    send(500, "POST", FEEDBACK, overridden())


@pytest.fixture(scope="module")
def everywhere(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Everywhere:
    folder = tmp_path_factory.mktemp("marked")
    context = new_context(folder)
    secret = add_client(context, "gate", rights=[Right.READ])
    assert secret is not None
    log: list[str] = []
    reading = {
        "CDS_FHIR_ALLOW_PRIVATE": "true",
        "CDS_REQUEST_SECONDS": "2",
        "CDS_LOG_LEVEL": "DEBUG",
    }
    with (
        fhir_server.fhir_server() as fhir,
        serving(
            folder,
            faults=FAULTS,
            ready=False,
            CDS_ALLOWED_FHIR_SERVERS=json.dumps([fhir.url]),
            **reading,
        ) as program,
        httpx.Client(base_url=program.url, timeout=30) as http,
    ):
        sender = Sender(http)
        launch = {"client_id": "xqz-client"}
        add_client(context, "launcher", fhir_servers=[fhir.url], smart=launch, sandbox=True)
        sender.send(503, "GET", "/health/ready")
        sender.send(503, "POST", DISEASE_SEVERITY, opened())
        release(context, "1", *small_model)
        program.wait_until("/health/ready")
        go_everywhere(sender, program, fhir, secret)
        review(sender, context)
        walk_dashboard(sender.send, context, program.url)
        before = len(program.output.read_text())
        sender.send(200, "POST", DISEASE_SEVERITY, opened(encounter=encounter(id="xqz-control")))
        program.stop()
        everything = program.output.read_text()
        log.append(everything[:before])
        control = everything[before:]
    key = ec_key(kid="xqz-key")
    add_client(context, "ehr", issuer=ISSUER, jwks=jwks(key), tenants=["xqz-tenant"], sandbox=True)
    production: dict[str, Any] = {
        "CDS_DEVELOPMENT": "false",
        "CDS_PUBLIC_URL": PUBLIC,
        "CDS_LOG_LEVEL": "DEBUG",
    }
    with (
        serving(folder, **production) as program,
        httpx.Client(base_url=program.url, timeout=30) as http,
    ):
        closed = Sender(http, statuses=sender.statuses)
        parts = dict.fromkeys(("service", "identifier", "condition_id", "patient_id"), PATIENT)
        parts |= {"type_name": "Condition", "key": PATIENT, "token": PATIENT}
        parts |= {"place": PATIENT, "name": PATIENT}
        for method, path in sorted(every_route() - PUBLIC_ROUTES):
            status = 404 if path.startswith("/sandbox") else 401  # Not there outside development.
            closed.send(status, method, path, opened(), **parts)
        come_with_tokens(closed, key)
        program.stop()
        log.append(program.output.read_text())
    context.engine.dispose()
    assert secret not in "".join(log)
    return Everywhere(sender.statuses, sender.seen, "".join(log), control)


def come_with_tokens(sender: Sender, key: Key) -> None:
    """Tokens that are right, once, and wrong in every way that is logged."""
    parts = {"jti": "xqz-jti", "tenant": "xqz-tenant", "sub": "xqz-sub", "patient": PATIENT}
    now = datetime.now(UTC)
    right = claims(now, **parts)

    def send(status: int, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        sender.send(status, "POST", DISEASE_SEVERITY, opened(), headers=headers)

    send(200, sign(key, right))
    send(401, sign(key, right))
    for wrong in (
        # An unknown issuer is told to the operator, if it is a URL (R64 lets it be logged).
        {"iss": "https://unknown.example"},
        {"iss": "xqz"},
        {"aud": "https://xqz.example"},
        {"tenant": "xqz"},
        {"exp": 1},
        {"jti": None},
    ):
        send(401, sign(key, claims(now, **parts | wrong)))
    for header in ({"kid": "xqz"}, {"jku": "https://xqz.example/"}, {"typ": "xqz"}):
        send(401, sign(key, right, headers=header))
    send(401, sign(ec_key(kid="xqz-key"), right))
    send(401, put_together({"alg": "HS256", "kid": "xqz"}, right, b"xqz"))
    send(401, "xqz.xqz.xqz")


def test_every_route_and_status_was_tried(everywhere: Everywhere) -> None:
    assert ("POST", DISEASE_SEVERITY) in every_route()
    assert every_route() <= everywhere.seen, "a route the marked patient never took"
    told = {200, 201, 204, 303, 400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 429}
    assert everywhere.statuses == told | {500, 503, 504}


def test_no_log_line_holds_a_patient_value(everywhere: Everywhere) -> None:
    lines = [json.loads(line) for line in everywhere.log.splitlines() if line.startswith("{")]
    failed = [line for line in lines if line["event"] == "request failed"]
    posted, read = ["LookupError"] * 4, ["RuntimeError", "KeyError", "IntegrityError"]
    on_pages = ["IntegrityError"] * 2  # Feedback of triage, and that of the sandbox.
    assert [line["exception"] for line in failed] == [*posted, *on_pages, *read]
    assert {line["reason"] for line in lines if line["event"] == "not let in"} == {
        "algorithm_not_allowed",
        "bad_signature",
        "expired",
        "malformed",
        "no_jti",
        "no_kid",
        "replayed",
        "unknown_issuer",
        "unknown_key",
        "unknown_secret",
        "wrong_audience",
        "wrong_tenant",
        "wrong_type",
    }
    assert any(line["event"] == "model failed" for line in lines)
    unread = {line["why"] for line in lines if line["event"] == "FHIR server not read"}
    # The encounter is not on the server.
    assert unread == {
        "not_found",
        "unauthorized",
        "refused",
        "malformed",
        "unavailable",
        "timeout",
    }
    assert not leaks(everywhere.log)


def test_a_logged_patient_value_would_be_found(everywhere: Everywhere) -> None:
    """The same process, the same patient, and one DEBUG line that says too much."""
    (line,) = (line for line in everywhere.control.splitlines() if "some.package" in line)
    assert json.loads(line)["level"] == "DEBUG"
    assert leaks(line)
    others = everywhere.control.replace(line, "")
    assert not leaks(others)


@pytest.mark.parametrize("mark", [MARK.upper(), *NUMBERS, JWT.split(".")[1]])
def test_every_kind_of_mark_would_be_found(mark: str) -> None:
    record = logging.makeLogRecord({"msg": "read %s", "args": (mark,), "levelname": "DEBUG"})
    assert leaks(JsonFormatter().format(record))
    assert leaks(JsonFormatter().format(logging.makeLogRecord({"msg": "read", "extra": mark})))
    assert not leaks(JsonFormatter().format(logging.makeLogRecord({"msg": "read"})))


# Runs each command line of a JSON list in one process, and prints how it ended.
COMMANDS = """
import functools, json, sys, model.training.design as design
design.TrainingSettings = functools.partial(
    design.TrainingSettings, estimators=("logistic",), balancings=("none",), folds=2,
    bootstrap_replicates=20,
)
from cds_service.__main__ import main
from cds_service.cli import ingest as command
ingest = command.ingest_conditions
def failing_ingest(context, paths, **options):
    if paths[0].name == "fault.json":
        raise RuntimeError(paths[0].read_text())
    return ingest(context, paths, **options)
command.ingest_conditions = failing_ingest
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as exit:
        print("ended with", exit.code or 0, arguments, file=sys.stderr)
sys.exit()
"""


def marked_history(path: Path) -> Path:
    """History with marks in every place a patient could be read from."""
    frame = small_cohort(1_200, 3)
    frame["patient_id"] = "xqz-" + frame["patient_id"]
    frame["notes"] = "Xqz says it hurts"
    frame["address"] = "Xqzstreet 12"
    frame["recorded_at"] = "2024-03-01T12:00:00Z"
    cells = frame.astype("object")
    for row, (column, cell) in enumerate(
        [
            ("heart_rate", "137.31337 xqz"),
            ("heart_rate", "137.31337"),
            ("body_temperature", "38.76543"),
            ("systolic_bp", "<151.24680"),
            ("severity", "xqz"),
            ("recorded_at", "xqz"),
            ("sex", "xqz"),
            ("age", "1961-07-23"),
        ]
    ):
        cells.loc[row, column] = cell
    cells.to_csv(path, index=False)
    return path


def marked_messages() -> str:
    """HL7 v2 with marks in every place that is read."""
    name = "xqz-patient-4711^^^HOSP^MR"
    return "".join(
        [
            "PID|1||xqz\r",
            message(dg1("xqz^xqz^xqz", at="xqz", kind="xqz", identifier="xqz"), patient=name),
            message(prb("xqz^xqz^99XQZ", action="xqz", confirmation="xqz"), event="PPR^PC1"),
            message(dg1(), patient="xqz^^^xqz^xqz", visit="xqz", disposition="xqz"),
            message(dg1(), event="XQZ^XQZ"),
            message(dg1(), charset="xqz"),
            message(dg1("I10^^I10C"), sent="xqz", control_id="xqz"),
            merge(into="xqz^^^H^SS", old="xqz^^^H^SS"),
        ]
    )


def test_no_command_says_a_patient_value(tmp_path: Path) -> None:
    new_context(tmp_path).engine.dispose()
    history = marked_history(tmp_path / "history.csv")
    text = history.read_text()
    files = {
        "open.csv": text.replace("Xqzstreet", '"Xqzstreet', 1),
        "zones.csv": text.replace("2024-03-01T12:00:00Z", "2024-03-01T12:00:00"),
        "times.csv": text.replace("2024-03-01T12:00:00Z", "xqz o'clock"),
        "headless.csv": text.partition("\n")[2],
        "lacking.csv": text.replace("heart_rate", "pulse", 1),
        "categories.csv": re.sub("not-ill|mild|acute|chronic|terminal", "xqz", text),
        "whole.json": json.dumps(bundle(marked_condition(), marked_condition(id="xqz-2"))),
        "broken.json": json.dumps(bundle(marked_condition()))[:-30],
        "lines.ndjson": json.dumps(marked_condition()) + "\nxqz-patient-4711 137.31337\n",
        "list.json": json.dumps(["xqz"]),
        "odd.json": json.dumps(
            bundle(
                marked_condition(xqz="xqz", severity="xqz", recordedDate="xqz"),
                marked_condition(subject="Group/xqz"),
                marked_condition(code={"text": "xqz"}),
                marked_condition(meta={"security": [{"code": "V"}]}),
                {"resourceType": "Condition", "subject": "xqz", "code": ["xqz"]},
            )
        ),
        "fault.json": json.dumps(marked_condition()),
        "odd.hl7": marked_messages(),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "damaged.json.gz").write_bytes(gzip.compress(text.encode())[:-20])
    rows, scored = tmp_path / "rows.csv", tmp_path / "scored.csv"
    fails = [
        *(["train", "--history", str(tmp_path / name)] for name in files if name.endswith(".csv")),
        ["train", "--history", str(history), "--column", "heart_rate=none"],
        ["score", "--input", str(tmp_path / "lacking.csv"), "--output", str(scored)],
        *(
            ["ingest", "conditions", str(tmp_path / name)]
            for name in ("broken.json", "list.json", "damaged.json.gz")
        ),
        ["ingest", "conditions", str(tmp_path / "fault.json")],
    ]
    works = [
        ["train", "--history", str(history), "--row-report", str(rows)],
        ["score", "--input", str(history), "--output", str(scored)],
        ["ingest", "conditions", str(tmp_path / "whole.json")],
        ["ingest", "conditions", str(tmp_path / "odd.json")],
        ["ingest", "conditions", str(tmp_path / "lines.ndjson")],
        ["ingest", "hl7", str(tmp_path / "odd.hl7")],
        ["evaluate"],
        ["models", "show", "champion"],
    ]
    lines = json.dumps([*works, *fails])
    ran = command(tmp_path, lines, faults=COMMANDS, CDS_LOG_LEVEL="DEBUG")
    ended = re.findall(r"^ended with (\d) ", ran.stderr, re.MULTILINE)
    assert ended == ["0"] * len(works) + ["1"] * len(fails), ran.stderr
    assert "2 Conditions stored" in ran.stdout
    assert "invalid" in ran.stdout
    assert "unexpected RuntimeError" in ran.stderr
    assert not leaks(ran.stdout)
    assert not leaks(ran.stderr)
    # Beside what is said: what is written for people to read, and kept with the model.
    assert len(rows.read_text().splitlines()) > 5
    assert not leaks(rows.read_text())
    for path in (tmp_path / "models").rglob("*.json"):
        assert not leaks(path.read_text()), path
    # The scored file is the user's own data, with its patients.
    assert leaks(scored.read_text())
