"""The explanation page: what it says, whom it is open to, and what is kept of its opening."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from cds_service.context import ProcessContext
from cds_service.security.permissions import Permission, Role, permissions
from cds_service.services.clients import ClientService
from cds_service.storage.tables import (
    ASSESSMENTS,
    AUDIT_EVENTS,
    MODEL_VERSIONS,
    REVIEW_ITEMS,
)
from model.errors import ModelError
from tests.support.builders import bundle, condition
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, new_context, release, running
from tests.support.triage_pages import clinician

CHANGE = "What would have to change"
MOVED = "What moved the prediction of"


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    """Where people sign in; triage is a training room."""
    context = closed_context(tmp_path_factory.mktemp("closed"))
    release(context, "1", *small_model)
    clients = ClientService(context.engine, context.settings, context.clock)
    clients.add("triage", {"sandbox": True}, actor="test")
    with running(context, context.clock) as service:
        yield service


def opened(service: Service, identifier: str, *roles: Role, name: str = "ana") -> Any:
    cookies = session_of(service.context, *roles, name=name) if roles else None
    return Visitor(service, cookies).get(f"/assessments/{identifier}")


def assessed(service: Service, vitals: list[dict[str, Any]], **changes: Any) -> str:
    """Id of the assessment of a chart."""
    answered = service.assess(service.request(vitals, **changes)).json()
    found: str = answered["extension"]["org.cds-service.assessment"]["assessment"]
    return found


def case(service: Service, **changes: str) -> str:
    """Id of a triage case."""
    address, _ = clinician(service).assessed(**changes)
    return str(address.rpartition("/")[2])


def reads(context: ProcessContext, identifier: str) -> list[Any]:
    with context.engine.connect() as connection:
        query = select(AUDIT_EVENTS).where(
            AUDIT_EVENTS.c.object_id == identifier, AUDIT_EVENTS.c.action == "read"
        )
        return [one for one in connection.execute(query) if one.detail.get("page")]


def column(text: str, heading: str) -> list[Decimal]:
    """The log-odds of the table after this heading."""
    table = text.partition(heading)[2].partition("</table>")[0]
    return [
        Decimal(unescape(one).replace("\u2212", "-"))
        for one in re.findall(r'<td class="n">([^<]+)</td>', table)
    ]


def test_one_assessment_on_either_database(
    tmp_path: Path, database_url: str, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path, database_url)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        first = assessed(service, service.vitals(heart_rate=88))
        context.clock.time += timedelta(hours=3)  # type: ignore[attr-defined]  # of the tests
        vitals = [
            service.observation("8867-4", 128, "/min"),
            service.observation("8310-5", 101.5, "[degF]"),
            service.observation("8480-6", 104, "mm[Hg]"),
            service.observation("8462-4", 62, "mm[Hg]"),
        ]
        second = assessed(service, vitals)
        page = opened(service, second)
        text = page.text
        assert page.status_code == 200
        assert page.headers["Cache-Control"] == "no-store"
        # Received and converted, reference, age.
        assert "101.5 [degF] (LOINC 8310-5)" in text
        assert "38.6 °C" in text
        assert "36.1–37.2" in text
        assert "10 min ago" in text
        assert "Partial NEWS2 (3 of 7)" in text
        # What was missing, and why.
        assert "Respiratory rate, SpO2 (no reading)" in text
        # Over time, from both assessments.
        assert "Heart rate: 2 readings, from 88/min to 128/min" in text
        assert "decision support, not a diagnosis" in text
        assert "/models/1/card" in text
        # It adds up: start and steps are the end, and that is what was stored.
        start, *steps, end = column(text, "How the estimate of")
        assert start + sum(steps) == end
        assert "cannot be asked any more" not in text
        # Patient, encounter and identifiers are nowhere.
        for secret in ("p1", "1959", "Practitioner/1"):
            assert f">{secret}<" not in text
        (event,) = reads(context, second)
        assert (event.actor, event.detail["assessments"]) == ("development", 2)
        assert reads(context, first) == []


def test_the_order_and_the_amounts_are_those_that_were_stored(here: Service) -> None:
    identifier = assessed(here, here.vitals(heart_rate=128, temperature=38.7))
    text = opened(here, identifier).text
    with here.context.engine.connect() as connection:
        row = connection.execute(select(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)).one()
    stored = sorted(row.contributions[row.category].values(), key=abs, reverse=True)
    shown = column(text, MOVED)
    assert len(shown) == len([one for one in stored if one != 0])
    for one, value in zip(shown, stored, strict=False):
        assert abs(float(one) - value) <= 0.011


def test_without_its_model_the_stored_reasons_are_shown_and_said_to_be(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        identifier = assessed(service, service.vitals(128, 38.8, 104, 62))
        shown = opened(service, identifier).text
        with context.engine.begin() as connection:
            connection.execute(update(ASSESSMENTS).values(model_version="gone"))
            gone = dict(connection.execute(select(MODEL_VERSIONS)).one()._mapping)
            gone |= {"version": "gone", "location": str(tmp_path / "nowhere")}
            connection.execute(insert(MODEL_VERSIONS), gone)
        text = opened(service, identifier).text
        assert "cannot be asked any more" in text
        # What was a warning stays one, though its threshold is not known any more (C10).
        assert 'class="verdict warning"' in shown
        assert 'class="verdict warning"' in text
        start, *steps, end = column(text, "How the estimate of")
        assert start + sum(steps) == end
        assert CHANGE not in text


def test_reasons_that_the_model_no_longer_gives_are_not_mixed_with_its_start(
    here: Service,
) -> None:
    identifier = assessed(here, here.vitals(heart_rate=131))
    with here.context.engine.begin() as connection:
        row = connection.execute(select(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)).one()
        altered = {
            code: {reason: value + 0.5 for reason, value in reasons.items()}
            for code, reasons in row.contributions.items()
        }
        connection.execute(
            update(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier).values(contributions=altered)
        )
    text = opened(here, identifier).text
    assert "answers differently now" in text
    start, *steps, end = column(text, "How the estimate of")
    assert start + sum(steps) == end


def test_it_is_open_by_permission_alone(closed: Service) -> None:
    identifier = case(closed)
    for role in Role:
        page = opened(closed, identifier, role)
        held = permissions([role])
        assert page.status_code == (200 if Permission.EXPLANATION in held else 403), role
        assert (CHANGE in page.text) is (Permission.WHAT_IF in held), role
    assert opened(closed, identifier).status_code == 303
    actors = [one.actor for one in reads(closed.context, identifier)]
    assert len(actors) == len([r for r in Role if Permission.EXPLANATION in permissions([r])])


def test_a_change_is_said_as_what_the_prediction_would_be(closed: Service) -> None:
    text = opened(closed, case(closed), Role.REVIEWER).text
    assert "the prediction would be: " in text
    assert "it is no advice for this patient" in text


def test_where_the_model_fails_on_what_might_be_the_rest_is_shown(
    closed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ModelError("no probability")

    identifier = case(closed)
    monkeypatch.setattr("cds_service.services.explanation.nearest_changes", failing)
    page = opened(closed, identifier, Role.REVIEWER)
    assert page.status_code == 200
    assert MOVED in page.text
    assert CHANGE not in page.text


def test_a_reviewer_answers_before_the_prediction_is_shown(closed: Service) -> None:
    identifier = case(closed)
    item = {
        "id": "item",
        "assessment_id": identifier,
        "queued_at": closed.clock(),
        "priority": 1.0,
        "reasons": ["uncertain"],
        "state": "open",
    }
    with closed.context.engine.begin() as connection:
        connection.execute(insert(REVIEW_ITEMS), item)
    text = opened(closed, identifier, Role.REVIEWER).text
    assert "waits for your answer" in text
    for told in (MOVED, CHANGE, "Estimates", "in 100"):
        assert told not in text
    assert MOVED in opened(closed, identifier, Role.CLINICIAN).text
    assert MOVED in opened(closed, identifier, Role.CLINICIAN, Role.REVIEWER).text
    with closed.context.engine.begin() as connection:
        connection.execute(update(REVIEW_ITEMS).values(state="answered"))
    assert MOVED in opened(closed, identifier, Role.REVIEWER).text


def test_what_is_held_back_is_not_explained(tmp_path: Path, small_model: tuple[Path, str]) -> None:
    context = closed_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        # Silent, as triage is at first.
        identifier = case(service, systolic_bp="84", diastolic_bp="50")
        for role in (Role.CLINICIAN, Role.REVIEWER):
            text = opened(service, identifier, role).text
            assert "what the model estimates is not shown" in text
            assert "NEWS2 red score" in text
            for told in (MOVED, CHANGE, "in 100"):
                assert told not in text


def test_while_everything_is_paused_nothing_is_said(closed: Service) -> None:
    context = closed.context
    identifier = case(closed, systolic_bp="84", diastolic_bp="50")
    clients = ClientService(context.engine, context.settings, context.clock)
    clients.pause("triage", actor="test")
    context.directory.refresh()
    try:
        text = opened(closed, identifier, Role.CLINICIAN).text
    finally:
        clients.resume("triage", actor="test")
        context.directory.refresh()
    assert "the service is paused" in text
    for told in ("NEWS2", "mmHg", "in 100", MOVED):
        assert told not in text


def test_beside_a_red_reading_nothing_reassures(here: Service) -> None:
    text = opened(here, assessed(here, here.vitals(systolic=84, diastolic=50))).text
    assert "red at 90 or below" in text
    assert "Not stated beside a red NEWS2 score." in text


def test_no_category_is_explained_where_there_is_none(here: Service) -> None:
    few = assessed(here, [here.observation("8867-4", 118, "/min")])
    text = opened(here, few).text
    assert "No category, missing" in text
    assert MOVED not in text
    assert CHANGE not in text


def test_what_came_is_shown_to_its_last_digit_with_the_sign_of_the_language(here: Service) -> None:
    vitals = [
        here.observation("8310-5", 101.3333, "[degF]"),
        here.observation("8867-4", 118, "/min"),
    ]
    address = f"/assessments/{assessed(here, vitals)}"
    for language, sign in (("en", "."), ("es", ",")):
        text = Visitor(here).get(f"{address}?lang={language}").text
        assert f"101{sign}3333 [degF] (LOINC 8310-5)" in text
        assert "118 /min (LOINC 8867-4)" in text


def test_what_came_and_was_not_used_is_counted(here: Service) -> None:
    older = {
        "id": "old",
        "effectiveDateTime": (here.clock() - timedelta(minutes=50)).isoformat(),
    }
    vitals = [
        *here.vitals(),
        here.observation("8867-4", 90, "/min", **older),
        here.observation("29463-7", 70, "kg"),
        here.observation("9279-1", 16, "bogus"),
    ]
    text = opened(here, assessed(here, vitals)).text
    assert "Heart rate: a newer reading was used" in text
    assert "Observation: of no use to the model" in text
    assert "Respiratory rate: unit missing or unknown" in text


def test_what_is_not_there_is_not_found(here: Service) -> None:
    for identifier in ("x", "00000000-0000-0000-0000-000000000000"):
        assert opened(here, identifier).status_code == 404
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "birthDate": "1959-03-02",
        "deceasedBoolean": True,
    }
    request = here.request(here.vitals())
    request["prefetch"]["patient"] = patient
    here.assess(request)
    with here.context.engine.connect() as connection:
        query = select(ASSESSMENTS.c.id).where(ASSESSMENTS.c.situation == "excluded")
        identifier = connection.execute(query).scalars().first()
    assert identifier is not None
    assert opened(here, identifier).status_code == 404


def test_text_that_came_as_data_stays_text(here: Service) -> None:
    marked = here.observation("9279-1", 18, "/min")
    marked["valueQuantity"]["code"] = "<script>alert(1)</script>"
    marked["valueQuantity"]["unit"] = "<script>alert(1)</script>"
    text = opened(here, assessed(here, [*here.vitals(), marked])).text
    assert "<script>alert" not in text


@pytest.mark.parametrize("code", ["terminal"])
def test_the_code_of_a_category_is_never_a_word(here: Service, code: str) -> None:
    for rate in (72, 95, 128):
        text = opened(here, assessed(here, here.vitals(heart_rate=rate))).text
        assert code not in text.lower()


# What was known before


def chart_of_a_diabetic(service: Service) -> str:
    """Id of the assessment of a chart with a chronic illness and a cold on its problem list."""
    request = service.request(service.vitals())
    known = [
        condition("E11.9", id="known", recorded="2024-01-01T12:00:00Z"),
        condition("J00", id="cold", recorded="2024-01-01T12:00:00Z"),
    ]
    request["prefetch"]["conditions"] = bundle(*known)
    answered = service.assess(request).json()
    assert "On record before: chronic illness." in answered["cards"][0]["detail"]
    found: str = answered["extension"]["org.cds-service.assessment"]["assessment"]
    return found


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "On record before: chronic illness."),
        ("es", "Consta de antes: enfermedad crónica."),
    ],
)
def test_it_names_what_was_known_before_as_the_card_did(
    here: Service, language: str, said: str
) -> None:
    identifier = chart_of_a_diabetic(here)
    page = Visitor(here).get(f"/assessments/{identifier}?lang={language}").text
    assert said in page
    assert "was read" not in page
    # Classes are kept, not diagnoses.
    with here.context.engine.connect() as connection:
        row = connection.execute(select(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)).one()
    assert "chronic" in row.provenance["known_before"]
    assert "E11" not in str(row.provenance)


def test_what_was_kept_before_classes_were_says_nothing_of_them(here: Service) -> None:
    identifier = chart_of_a_diabetic(here)
    with here.context.engine.begin() as connection:
        row = connection.execute(select(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)).one()
        older = {key: value for key, value in row.provenance.items() if key != "known_before"}
        connection.execute(
            update(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier).values(provenance=older)
        )
    page = Visitor(here).get(f"/assessments/{identifier}?lang=en")
    assert page.status_code == 200
    assert "On record before" not in page.text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "No health record was read: what the patient already had is not known here."),
        ("es", "No se leyó ninguna historia: aquí no se sabe qué tenía ya el paciente."),
    ],
)
def test_triage_says_that_it_knows_of_no_earlier_illness(
    here: Service, language: str, said: str
) -> None:
    ana, identifier = clinician(here), case(here)
    for page in ("/triage/results", "/assessments"):
        assert said in ana.get(f"{page}/{identifier}?lang={language}").text
