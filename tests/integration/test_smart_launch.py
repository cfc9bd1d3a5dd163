"""SMART launch: from a chart in the health record to the explanation of its newest assessment."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select

from cds_service.context import ProcessContext
from cds_service.services import attempts
from cds_service.services.clients import ClientService
from cds_service.storage.tables import (
    ASSESSMENTS,
    AUDIT_EVENTS,
    CARDS,
    CLIENTS,
    SESSIONS,
    SIGN_IN_ATTEMPTS,
)
from tests.support.jwts import ec_key
from tests.support.launches import (
    NAME,
    add_hospital,
    assess,
    come_from_chart,
    consent,
    followed,
    start,
)
from tests.support.people import PUBLIC, Visitor, closed_context
from tests.support.service import Service, TestClock, release, running
from tests.support.smart_server import SmartEHR, smart_ehr


@pytest.fixture(scope="module")
def one_ehr() -> Iterator[SmartEHR]:
    with smart_ehr(PUBLIC) as started:
        yield started


@pytest.fixture
def ehr(one_ehr: SmartEHR) -> SmartEHR:
    """The health record, as it was at the start."""
    fresh = SmartEHR(one_ehr.url, one_ehr.redirect_uri, key=one_ehr.key)
    vars(one_ehr).update(vars(fresh))
    return one_ehr


@contextmanager
def serving(context: ProcessContext, model: tuple[Path, str], ehr: SmartEHR) -> Iterator[Service]:
    """A service whose client has this health record."""
    release(context, "1", *model)
    assert isinstance(context.clock, TestClock)
    with running(context, context.clock) as started:
        add_hospital(context, ehr)
        yield started


@pytest.fixture(scope="module")
def one_service(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str], one_ehr: SmartEHR
) -> Iterator[Service]:
    context = closed_context(tmp_path_factory.mktemp("launch"), fhir_allow_private=True)
    with serving(context, small_model, one_ehr) as started:
        yield started


@pytest.fixture
def service(one_service: Service, ehr: SmartEHR) -> Service:
    """The service as it was at the start: nobody signed in, nothing assessed."""
    context = one_service.context
    one_service.clock.time = TestClock().time
    ehr.clock = one_service.clock
    with context.engine.begin() as connection:
        for table in (CARDS, ASSESSMENTS, SESSIONS, SIGN_IN_ATTEMPTS, CLIENTS):
            connection.execute(delete(table))
    add_hospital(context, ehr)
    return one_service


@pytest.fixture
def stored(
    tmp_path: Path, database_url: str, small_model: tuple[Path, str], ehr: SmartEHR
) -> Iterator[Service]:
    """A service of its own, on each database."""
    context = closed_context(tmp_path, database_url, fhir_allow_private=True)
    ehr.clock = context.clock
    with serving(context, small_model, ehr) as started:
        yield started


def events(service: Service, like: str = "%") -> list[tuple[str, str, dict[str, Any]]]:
    with service.context.engine.connect() as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.action.like(like))
        rows = connection.execute(query.order_by(AUDIT_EVENTS.c.id))
        return [(row.actor, row.action, row.detail) for row in rows]


def assessments(service: Service) -> list[str]:
    """Their ids, the oldest first."""
    with service.context.engine.connect() as connection:
        query = select(ASSESSMENTS.c.id).order_by(ASSESSMENTS.c.prediction_time)
        return list(connection.execute(query).scalars())


def told(visitor: Visitor, response: httpx.Response) -> tuple[str, int]:
    """What somebody is told, and with which status; the session did not begin."""
    assert "__Host-cds_launched" not in visitor.cookies
    path = response.headers["location"]
    page = visitor.get(path)
    assert "<h1>" in page.text
    return path.removeprefix("/launch/told/"), page.status_code


def test_the_newest_assessment_of_the_chart_opens(stored: Service, ehr: SmartEHR) -> None:
    assess(stored)
    stored.clock.time += timedelta(minutes=5)
    assess(stored, heart_rate=131)
    visitor = Visitor(stored)
    arrived = come_from_chart(visitor, ehr)
    # Neither code nor state nor patient goes on in an address.
    assert re.fullmatch(r"/launch/patient/[\w-]{22}", arrived.headers["location"])
    page = followed(visitor, arrived)
    assert page.status_code == 200
    assert "131" in page.text
    assert "Signed in as Practitioner/1" in page.text
    assert "(clinician)" in page.text
    (asked,) = ehr.asked
    assert asked["scope"] == "launch openid fhirUser"
    assert asked["aud"] == ehr.fhir
    (form,) = ehr.forms
    assert form["client_id"] == "cds-explanations"
    actor, action, detail = events(stored, "sign-in")[-1]
    assert (actor, action) == (f"smart:{NAME}:u-1", "sign-in")
    assert (detail["how"], detail["client"], detail["roles"]) == ("smart", NAME, ["clinician"])
    assert events(stored, "read")[-1][0] == actor


def test_there_is_a_page_where_nothing_was_assessed_yet(service: Service, ehr: SmartEHR) -> None:
    visitor = Visitor(service)
    page = followed(visitor, come_from_chart(visitor, ehr))
    assert page.status_code == 200
    assert "No assessment yet" in page.text
    again = re.search(r'class="button" href="(/launch/patient/[^"]+)"', page.text)
    assert again is not None
    assess(service)
    assert visitor.get(again[1]).headers["location"].startswith("/assessments/")


def test_a_launched_session_opens_its_patient_and_nothing_else(
    stored: Service, ehr: SmartEHR
) -> None:
    assess(stored)
    visitor = Visitor(stored)
    page = followed(visitor, come_from_chart(visitor, ehr, patient="p2"))
    assert "No assessment yet" in page.text
    (other,) = assessments(stored)
    assert visitor.get(f"/assessments/{other}").status_code == 404
    assert events(stored, "refuse")[-1][2]["reason"] == "another patient"
    for path in ("/triage", "/review"):
        assert visitor.get(path).status_code == 403
    assert visitor.get("/").headers["location"] == "/launch/told/chart"


def test_the_link_of_a_card_opens_the_assessment_of_that_card(
    stored: Service, ehr: SmartEHR
) -> None:
    (card,) = assess(stored)["cards"]
    link = card["links"][0]
    (first,) = assessments(stored)
    assert link == {
        "label": "How this was estimated",
        "url": f"{PUBLIC}/launch",
        "type": "smart",
        "appContext": first,
    }
    stored.clock.time += timedelta(minutes=5)
    assess(stored, heart_rate=131)
    visitor = Visitor(stored)
    arrived = come_from_chart(visitor, ehr, app_context=first)
    assert arrived.headers["location"] == f"/assessments/{first}"
    assert followed(visitor, arrived).status_code == 200
    # Of another patient, or anything else, it opens nothing.
    for wrong in (first, "x", "//evil.example", first + "/../../x"):
        patient = "p2" if wrong == first else "p1"
        other = Visitor(stored)
        arrived = come_from_chart(other, ehr, patient=patient, app_context=wrong)
        assert arrived.headers["location"].startswith("/launch/patient/")


def test_oracle_health_gets_no_app_context_and_who_wants_no_link_none(service: Service) -> None:
    context = service.context
    clients = ClientService(context.engine, context.settings, context.clock)
    clients.change(NAME, {"vendor": "cerner"}, actor="test")
    context.directory.refresh()
    (card,) = assess(service)["cards"]
    assert card["links"][0] == {
        "label": "How this was estimated",
        "url": f"{PUBLIC}/launch",
        "type": "smart",
    }
    clients.change(NAME, {"explanation_link": False}, actor="test")
    context.directory.refresh()
    (card,) = assess(service, heart_rate=99)["cards"]
    assert [link["type"] for link in card["links"]] == ["absolute"]


def test_no_server_is_asked_that_is_not_of_a_client_with_launch(
    service: Service, ehr: SmartEHR
) -> None:
    context = service.context
    with smart_ehr(PUBLIC) as stranger, smart_ehr(PUBLIC) as plain:
        clients = ClientService(context.engine, context.settings, context.clock)
        clients.add("plain", {"fhir_servers": [plain.fhir], "sandbox": True}, actor="test")
        context.directory.refresh()
        for issuer in (
            stranger.fhir,
            plain.fhir,
            f"{ehr.fhir}/..",
            f"{ehr.fhir}?x=y",
            f"{ehr.fhir}#x",
            f"{ehr.fhir}@evil.example",
            ehr.url,
            "file:///etc/passwd",
            "x",
        ):
            visitor = Visitor(service)
            response = visitor.get(start(ehr, "x", iss=issuer))
            assert told(visitor, response) == ("unknown", 403)
        assert (stranger.paths, plain.paths, ehr.paths) == ([], [], [])
    for path in ("/launch", "/launch?iss=", "/launch?launch=x", start(ehr, "x" * 5_000)):
        visitor = Visitor(service)
        assert told(visitor, visitor.get(path)) == ("incomplete", 400)
    # Another spelling of the same address is the same server.
    spelled = ehr.fhir.replace("http://", "HTTP://") + "/"
    away = Visitor(service).get(start(ehr, ehr.open_chart(), iss=spelled))
    assert away.headers["location"].startswith(ehr.url)


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    stored: Service, ehr: SmartEHR
) -> None:
    visitor, stranger = Visitor(stored), Visitor(stored)
    away = visitor.get(start(ehr, ehr.open_chart()))
    back = consent(away.headers["location"]).removeprefix(PUBLIC)
    kept = dict(visitor.cookies)
    # Somebody else is made to open it, to look at the chart of the first.
    assert told(stranger, stranger.get(back)) == ("state", 403)
    stranger.get(start(ehr, ehr.open_chart()))
    assert told(stranger, stranger.get(back)) == ("state", 403)
    changed = re.sub("state=[^&]*", "state=" + "A" * 43, back)
    assert told(visitor, visitor.get(changed)) == ("state", 403)
    (name,) = kept
    other = {f"cds_launch_{'0' * 12}": kept[name]}
    assert told(Visitor(stored, other), Visitor(stored, other).get(changed)) == ("state", 403)
    assert ehr.forms == []
    assert visitor.get(back).headers["location"].startswith("/launch/patient/")
    again = Visitor(stored, kept)
    assert told(again, again.get(back)) == ("refused", 403)
    assert events(stored, "refuse-sign-in")[-1][2]["reason"] == "token endpoint: invalid_grant"


def test_two_charts_opened_at_once_do_not_meet(service: Service, ehr: SmartEHR) -> None:
    visitor = Visitor(service)
    first = visitor.get(start(ehr, ehr.open_chart("p1")))
    second = visitor.get(start(ehr, ehr.open_chart("p2")))
    one = visitor.get(consent(first.headers["location"]).removeprefix(PUBLIC))
    assert "No assessment yet" in visitor.get(one.headers["location"]).text
    assess(service)
    two = visitor.get(consent(second.headers["location"]).removeprefix(PUBLIC))
    # The frame of the first chart is not led to the patient of the second.
    assert visitor.get(one.headers["location"]).headers["location"] == "/launch/told/chart"
    assert "No assessment yet" in visitor.get(two.headers["location"]).text


REFUSED: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "somebody-else"},
    {"iss": "https://evil.example"},
    {"exp": 1},
    {"sub": None},
]


@pytest.mark.parametrize("claims", REFUSED, ids=lambda one: str(next(iter(one.items()))))
def test_an_id_token_that_is_not_ours_lets_nobody_in(
    service: Service, ehr: SmartEHR, claims: dict[str, Any]
) -> None:
    if claims == {"sub": None}:
        ehr.claims = {"sub": ""}
    else:
        ehr.claims = claims
    visitor = Visitor(service)
    assert told(visitor, come_from_chart(visitor, ehr)) == ("refused", 403)
    with service.context.engine.connect() as connection:
        assert list(connection.execute(select(SESSIONS))) == []


def test_what_another_key_signed_lets_nobody_in(service: Service, ehr: SmartEHR) -> None:
    ehr.signs_with = ec_key("ES256")
    visitor = Visitor(service)
    assert told(visitor, come_from_chart(visitor, ehr)) == ("refused", 403)


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("https://ehr.example/fhir/Patient/p1", "nobody"),
        ("RelatedPerson/1", "nobody"),
        ("Practitioner", "nobody"),
        (None, "nobody"),
    ],
)
def test_patients_and_their_relatives_are_let_in_by_no_launch(
    service: Service, ehr: SmartEHR, user: str | None, key: str
) -> None:
    ehr.claims = {"fhirUser": user}
    visitor = Visitor(service)
    assert told(visitor, come_from_chart(visitor, ehr)) == (key, 403)


@pytest.mark.parametrize("patient", [None, "", "p1/../p2", 7, ["p1"], "x" * 65])
def test_without_a_patient_there_is_no_session(
    service: Service, ehr: SmartEHR, patient: Any
) -> None:
    ehr.answer = {"patient": patient}
    visitor = Visitor(service)
    assert told(visitor, come_from_chart(visitor, ehr)) == ("no_patient", 422)


def test_whoever_says_no_there_or_takes_too_long_is_told(service: Service, ehr: SmartEHR) -> None:
    visitor = Visitor(service)
    away = visitor.get(start(ehr, ehr.open_chart()))
    denied = consent(away.headers["location"], "deny").removeprefix(PUBLIC)
    assert told(visitor, visitor.get(denied)) == ("refused", 403)
    away = visitor.get(start(ehr, ehr.open_chart()))
    back = consent(away.headers["location"]).removeprefix(PUBLIC)
    service.clock.time += timedelta(minutes=10, seconds=1)
    assert told(visitor, visitor.get(back)) == ("late", 403)
    assert ehr.forms == []


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ((400, b'{"error": "xqz_patient", "error_description": "xqz 4711"}'), ("refused", 403)),
        ((401, b"xqz"), ("refused", 403)),
        ((500, b'{"error": "xqz_patient"}'), ("away", 503)),
        ((200, b"xqz"), ("away", 503)),
        ((200, b'{"patient": "xqz-patient"}'), ("refused", 403)),
        ((200, b'{"id_token": "xqz.xqz.xqz", "access_token": "xqz"}'), ("refused", 403)),
    ],
)
def test_what_a_token_endpoint_says_is_repeated_nowhere(
    service: Service,
    ehr: SmartEHR,
    caplog: pytest.LogCaptureFixture,
    fault: tuple[int, bytes],
    key: tuple[str, int],
) -> None:
    ehr.fault = fault
    visitor = Visitor(service)
    with caplog.at_level("DEBUG"):
        response = come_from_chart(visitor, ehr)
        assert told(visitor, response) == key
    lines = [str(vars(record)) for record in caplog.records if record.name == "cds_service"]
    assert lines
    everything = "".join([*lines, response.text, str(response.headers), str(events(service))])
    assert "xqz" not in everything
    assert next(iter(ehr.grants)) not in everything


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_health_record_that_is_down_is_a_sentence(service: Service, language: str) -> None:
    said = {"en": "does not answer", "es": "no responde"}[language]
    context = service.context
    with smart_ehr(PUBLIC, clock=context.clock) as other:
        add_hospital(context, other, "other")
        visitor = Visitor(service)
        away = visitor.get(start(other, other.open_chart()))
        back = consent(away.headers["location"]).removeprefix(PUBLIC)
    page = visitor.get(visitor.get(back).headers["location"], **{"Accept-Language": language})
    assert page.status_code == 503
    assert said in page.text
    with smart_ehr(PUBLIC) as third:
        add_hospital(context, third, "third")
    response = visitor.get(start(third, "x"))
    assert told(visitor, response) == ("away", 503)


def test_the_issuer_in_the_answer_must_be_the_one_that_was_asked(service: Service) -> None:
    states = {"authorization_response_iss_parameter_supported": True}
    with smart_ehr(PUBLIC, configuration=states, clock=service.clock) as ehr:
        add_hospital(service.context, ehr, "other")
        visitor = Visitor(service)
        away = visitor.get(start(ehr, ehr.open_chart()))
        back = consent(away.headers["location"]).removeprefix(PUBLIC)
        kept = dict(visitor.cookies)
        for wrong in ("&iss=https%3A%2F%2Fevil.example", ""):
            changed = re.sub("&iss=[^&]*", wrong, back)
            other = Visitor(service, kept)
            assert told(other, other.get(changed)) == ("refused", 403)
        assert ehr.forms == []
        assert visitor.get(back).headers["location"].startswith("/launch/patient/")


def test_answers_that_nobody_was_sent_for_are_limited(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ADDRESS_FREE", 4)
    visitor = Visitor(service)
    keys = [told(visitor, visitor.get("/launch/callback?code=x&state=y")) for _ in range(6)]
    assert keys == [("state", 403)] * 4 + [("blocked", 429)] * 2
