"""What is done with data: the token, what is asked for, what is audited, what is published."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import inspect, select, text

from cds_service.errors import ServiceError
from cds_service.logs import JsonFormatter
from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, CONDITIONS
from hooks.errors import HookError
from hooks.protocol import parse_request
from tests.support import fhir_server as fake
from tests.support.builders import bundle, concept, condition, encounter, observation, quantity
from tests.support.fhir_server import fhir_server
from tests.support.jwts import add_client
from tests.support.service import Service, new_context, release, running
from tests.support.site import TOKEN, Site, granted
from tests.support.site import running_site as site_running
from tests.support.stored import assessed, category, rows

Json = dict[str, Any]
INTEGRATORS = (Path(__file__).resolve().parents[2] / "docs" / "integrators.md").read_text("utf-8")


@pytest.fixture(scope="module")
def running_site(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Site]:
    with site_running(tmp_path_factory.mktemp("use"), small_model) as site:
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    running_site.reset()
    return running_site


def discharged(running: Service, **changes: Any) -> None:
    """End the stay e1 of p1."""
    ids = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"}
    request: Json = {
        "hook": "encounter-discharge",
        "hookInstance": str(uuid4()),
        "context": ids,
        "prefetch": {},
    }
    response = running.http.post("/cds-services/record-discharge", json=request | changes)
    assert response.status_code == 200, response.text
    assert TOKEN not in response.text


def everything_stored(running: Service) -> str:
    """Every row of every table, with what is encrypted in the clear."""
    context = running.context
    found = []
    with context.engine.connect() as connection:
        for table in inspect(context.engine).get_table_names():
            found.append(str(connection.execute(text(f'SELECT * FROM "{table}"')).all()))  # noqa: S608  # ours
        hidden = connection.execute(select(ASSESSMENTS.c.identifiers, ASSESSMENTS.c.response))
        found += [context.secrecy.decrypt(value).decode() for row in hidden for value in row]
    assert "Practitioner/1" in "".join(found)
    return "".join(found)


@pytest.mark.requirement("R28")
@pytest.mark.parametrize("change", [{"patient": "p2"}, {"patient": "Patient/p2"}])
def test_a_discharge_uses_a_token_only_for_its_patient(site: Site, change: Json) -> None:
    access = granted(**change)
    discharged(site.service, fhirServer=site.fhir.url, fhirAuthorization=access)
    assert site.fhir.log == []
    discharged(site.service, fhirServer=site.fhir.url, fhirAuthorization=granted())
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R28")
def test_a_server_that_refuses_a_token_is_not_asked_without_one(site: Site) -> None:
    site.fhir.token = "another"
    site.answer(site.request("patient"), 412)
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R29")
def test_a_token_is_neither_stored_nor_logged_nor_shared(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with fhir_server(site.fhir.resources) as other:
        for behaviour in (
            None,
            fake.status(401),
            fake.status(500),
            fake.html(),
            fake.redirect(f"{other.url}/Observation"),
            fake.next_is(f"{other.url}/Observation"),
        ):
            site.fhir.behaviours = {} if behaviour is None else {"*": behaviour}
            for keys in ((), ("patient", "vitals")):
                answer = site.service.assess(site.request(*keys))
                assert TOKEN not in answer.text + str(answer.headers)
            discharged(site.service, fhirServer=site.fhir.url, fhirAuthorization=granted())
        away = site.service.assess(site.request(fhirServer=other.url))
        assert away.status_code == 412
        assert TOKEN not in away.text
        assert other.log == []
    assert TOKEN not in everything_stored(site.service)
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert any("FHIR server not read" in line for line in lines)
    ours = [line for line in lines if json.loads(line)["logger"].startswith("cds_service")]
    assert TOKEN not in "".join(ours)


@pytest.mark.requirement("R29")
def test_a_request_that_is_shown_shows_no_token(site: Site) -> None:
    """Exceptions and log lines are made of what objects say of themselves."""
    body = json.dumps(site.request("patient", "vitals")).encode()
    request = parse_request(body, service_hook="patient-view")
    assert request.fhirAuthorization
    assert request.fhirAuthorization.access_token == TOKEN
    assert TOKEN not in repr(request) + str(request.fhirAuthorization)


@pytest.mark.requirement("R29")
@pytest.mark.parametrize("seconds", [0, -5])
def test_an_expired_token_is_not_used(site: Site, seconds: int) -> None:
    access = granted(expires_in=seconds)
    site.answer(site.request(fhirAuthorization=access), 412)
    discharged(site.service, fhirServer=site.fhir.url, fhirAuthorization=access)
    assert site.fhir.log == []


@pytest.mark.requirement("R29")
def test_a_token_that_expires_during_the_call_is_not_used_again(site: Site) -> None:
    """The server asks to come back when the token is one second old, which is its last."""
    for send in (
        lambda access: site.answer(site.request("patient", fhirAuthorization=access), 503),
        lambda access: discharged(site.service, fhirServer=site.fhir.url, fhirAuthorization=access),
    ):
        site.reset()
        later = fake.status(503, Retry_After="1")
        site.fhir.behaviours = {"*": later}
        send(granted(expires_in=1))
        asked = [one.path for one in site.fhir.log]
        assert asked
        assert len(asked) == len(set(asked))


@pytest.fixture(scope="module")
def wide(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    """A service whose client has every extra input; nothing is read for it."""
    context = new_context(tmp_path_factory.mktemp("wide"))
    release(context, "1", *small_model)
    add_client(context, "development", extra_inputs=["abo_group", "exercise_days"])
    with running(context, context.clock) as started:
        yield started


def extra(code: str, **changes: Any) -> Json:
    return bundle(observation(code, None, at="2026-02-20T10:00:00Z", id=f"x-{code}", **changes))


def an_old_pulse(service: Service) -> list[Json]:
    """One of eighteen hours ago: too old where the patient stays in the house (C7)."""
    at = (service.clock() - timedelta(hours=18)).isoformat()
    return [service.observation("8867-4", 72, "/min", effectiveDateTime=at), *service.vitals()[1:]]


def told(service: Service, prefetch: Json, patient: str) -> Json:
    """What the answer says it used and missed."""
    request = service.request([])
    request["context"] |= {"patientId": patient, "encounterId": "e1"}
    request["prefetch"] = json.loads(
        json.dumps(prefetch).replace("Patient/p1", f"Patient/{patient}")
    )
    if request["prefetch"].get("patient"):
        request["prefetch"]["patient"]["id"] = patient
    response = service.assess(request)
    if response.status_code != 200:
        return {"status": response.status_code}
    answer = response.json()
    extension = answer["extension"]["org.cds-service.assessment"]
    summaries = [card["summary"] for card in answer["cards"]]
    return {name: extension.get(name) for name in ("used", "missing")} | {"cards": summaries}


SEVERITY_VALUES: dict[str, Callable[[], Json]] = {
    "encounter": lambda: encounter("EMER", id="e1"),
    "conditions": lambda: bundle(condition("Z33.1", id="c1", recorded="2026-02-01")),
    "blood_group": lambda: extra("883-9", valueCodeableConcept=concept("LA19710-5"), category=None),
    "exercise": lambda: extra("89555-7", valueQuantity=quantity(3, "d/wk"), category=None),
}


@pytest.mark.requirement("R69")
def test_everything_that_is_asked_for_is_used(wide: Service) -> None:
    (severity, *_) = wide.http.get("/cds-services").json()["services"]
    request = wide.request(an_old_pulse(wide))
    whole = request["prefetch"] | {key: value() for key, value in SEVERITY_VALUES.items()}
    # A key that is added to the templates needs a value here that makes a difference.
    assert set(whole) == set(severity["prefetch"])
    for number, key in enumerate(severity["prefetch"]):
        # Somebody else each time: a known pregnancy is remembered.
        without = {"patient", "vitals"} - {key}
        base = {name: whole[name] for name in without}
        before = told(wide, base, f"before-{number}")
        after = told(wide, base | {key: whole[key]}, f"after-{number}")
        assert before != after, key


@pytest.mark.requirement("R69")
def test_everything_a_discharge_asks_for_is_used(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, context.clock) as service:
        listed = service.http.get("/cds-services").json()["services"]
        (asked,) = [s["prefetch"] for s in listed if s["id"] == "record-discharge"]
        assert set(asked) == {"encounter", "conditions"}
        identifier = assessed(
            context, encounter="e1", at=service.clock(), base="client:development"
        )
        service.clock.time += timedelta(days=40)
        cold = condition(
            "J00", id="c1", recorded="2026-03-02", encounter={"reference": "Encounter/e1"}
        )
        home = {"text": "home", **concept("home", system=DISPOSITION)}
        stay = encounter(
            "EMER", id="e1", status="finished", hospitalization={"dischargeDisposition": home}
        )
        discharged(service, prefetch={"encounter": stay})
        assert rows(context, CONDITIONS) == 0
        discharged(service, prefetch={"conditions": bundle(cold)})
        assert rows(context, CONDITIONS) == 1
        assert category(context, identifier) is None
        discharged(service, prefetch={"conditions": bundle(cold), "encounter": stay})
        assert category(context, identifier) == "mild"


DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"


@pytest.mark.requirement("R69")
def test_nothing_else_is_asked_for_unless_it_is_switched_on(site: Site) -> None:
    services = site.service.http.get("/cds-services").json()["services"]
    assert {s["id"]: set(s.get("prefetch", {})) for s in services} == {
        "disease-severity": {"patient", "vitals", "encounter", "conditions"},
        "record-problem": set(),
        "record-discharge": {"encounter", "conditions"},
    }
    site.answer(site.request())
    assert len(site.fhir.log) == 4
    (vitals,) = site.fhir.asked("Observation")
    assert ("category", "vital-signs") in vitals.query
    assert all(asked.path.endswith("/p1") for asked in site.fhir.asked("Patient"))
    assert all(("patient", "p1") in asked.query for asked in site.fhir.asked("Condition"))


@pytest.mark.requirement("R70")
def test_who_was_assessed_by_whom_and_when_is_audited_without_values(site: Site) -> None:
    service = site.service
    context = service.context
    request = service.request(service.vitals(137.25, 38.75, 151, 93))
    request["context"] |= {"patientId": "patient-77", "userId": "Practitioner/doctor-7"}
    request["prefetch"]["patient"]["id"] = "patient-77"
    for entry in request["prefetch"]["vitals"]["entry"]:
        entry["resource"]["subject"] = {"reference": "Patient/patient-77"}
    site.answer(request)
    with session.reading(context.engine) as connection:
        row = connection.execute(
            select(ASSESSMENTS).where(ASSESSMENTS.c.hook_instance == request["hookInstance"])
        ).one()
        (event,) = connection.execute(
            select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.object_id == row.id)
        ).all()
    assert (event.actor, event.action, event.object_type) == (
        "client:development",
        "assess",
        "assessment",
    )
    assert event.at == service.clock()
    who = json.loads(context.secrecy.decrypt(row.identifiers))
    assert (who["patient"], who["user"]) == ("patient-77", "Practitioner/doctor-7")
    # The rest of the event is a time and the random id of the assessment.
    written = str((event.actor, event.action, event.object_type, event.detail))
    for value in ("patient-77", "doctor-7", "137.25", "38.75", "151", "93", "1959"):
        assert value not in written
    # The same call again is the same assessment, and no second one.
    site.answer(request)
    with session.reading(context.engine) as connection:
        again = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.object_id == row.id)
        assert len(connection.execute(again).all()) == 1


@pytest.mark.requirement("R70")
def test_what_came_as_an_outcome_is_audited_too(site: Site) -> None:
    known = condition("I21.9", id="c-77", subject="Patient/p1", recorded="2026-02-28")
    discharged(site.service, prefetch={"conditions": bundle(known)})
    with session.reading(site.service.context.engine) as connection:
        events = connection.execute(select(AUDIT_EVENTS).order_by(AUDIT_EVENTS.c.id)).all()
    last = events[-1]
    assert last.actor == "client:development"
    assert last.at == site.service.clock()
    assert (last.action, last.object_id) == ("receive-conditions", "encounter-discharge")
    assert last.detail["stored"] == 1
    for value in ("I21", "c-77", "p1"):
        assert value not in str((last.actor, last.action, last.object_id, last.detail))


def descendants(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from descendants(one)


@pytest.mark.requirement("R72")
def test_services_templates_and_answers_are_published_for_people(wide: Service) -> None:
    for service in wide.http.get("/cds-services").json()["services"]:
        assert f"| `POST /cds-services/{service['id']}` | `{service['hook']}`" in INTEGRATORS
        for key, template in service.get("prefetch", {}).items():
            written = INTEGRATORS.replace("\\|", "|").replace("\n", " ")
            row, words = f"| `{key}` | `{template}` |", f"`{key}` (`{template}`"
            assert row in written or words in written, key
    section = INTEGRATORS.partition("\n## Answers\n")[2].partition("\n## ")[0]
    published = {
        int(status)
        for cell in re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE)
        for status in cell.split(",")
    }
    errors = {one.status for base in (HookError, ServiceError) for one in descendants(base)}
    # 406, 415 and 422 are answers under `/fhir` alone, which the page tells at each of its calls;
    # 429 is one of the sign-in page.
    assert published == errors - {406, 415, 422, 429} | {200, 405, 500}
