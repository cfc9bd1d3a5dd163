"""No patient value, token or query in any log line or error: a marked patient goes everywhere."""

import importlib
import json
import logging
import pkgutil
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cds_service import routes
from cds_service.logs import JsonFormatter
from cds_service.security.clients import Right
from tests.support import fhir_server
from tests.support.builders import bundle, encounter
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
from tests.support.marked_fhir import assess_without_hooks, discharge, notify, post_diagnoses
from tests.support.marked_pages import play_the_record, review, triage, visit_pages
from tests.support.marked_sender import DISEASE_SEVERITY, Sender, raw_request
from tests.support.process import Program, serving
from tests.support.service import new_context, release

RECORD_PROBLEM = "/cds-services/record-problem"
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

    # An unknown issuer is told to the operator, if it is a plain URL.
    for issuer in ("xqz", "https://unknown.example/fhir", "", fhir.url + "/?xqz=4711", "x:xqz"):
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
        parts |= {"place": PATIENT, "name": PATIENT, "version": PATIENT}
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
