"""The sandbox over HTTP: each story shows what it promises, and its calls are real ones."""

import html
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.security.permissions import Role
from cds_service.services.sandbox import SandboxService
from cds_service.services.sandbox_patients import BY_KEY, PATIENTS
from cds_service.storage.tables import ASSESSMENTS, CONDITIONS, FEEDBACK
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, new_context, running

Fields = dict[str, str]


@pytest.fixture
def visitor(here: Service) -> Visitor:
    # A diagnosis is made after the chart was opened.
    here.clock.time += timedelta(minutes=1)
    return Visitor(here)


def fields_on(page: str) -> Fields:
    """What a browser would send of the chart as it stands."""
    fields = dict(re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', page))
    unit = re.search(r'<option value="([^"]*)" selected>', page)
    fields["body_temperature_unit"] = unit[1] if unit else "Cel"
    return fields


def opened(visitor: Visitor, key: str, language: str = "en", **changes: str) -> str:
    """Open the chart of a story; the page it leads to, and `visitor` knows where it is."""
    path = f"/sandbox/patients/{key}"
    page = visitor.get(path, **{"Accept-Language": language})
    assert page.status_code == 200
    sent = fields_on(page.text) | changes
    response = visitor.post(path, sent, **{"Accept-Language": language})
    assert response.status_code == 303, response.text
    address, _, part = response.headers["location"].partition("#")
    assert part == "card"
    visitor.at = address  # type: ignore[attr-defined]  # Where the visit is.
    return seen(visitor, language)


def seen(visitor: Visitor, language: str = "en") -> str:
    page = visitor.get(visitor.at, **{"Accept-Language": language})  # type: ignore[attr-defined]
    assert page.status_code == 200
    return str(page.text)


def said(page: str) -> str:
    """The card as it is read: tags left out."""
    (card,) = re.findall(r"<article.*?</article>", page, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", card)).split())


def wire_text(page: str, part: str) -> str:
    (found,) = re.findall(rf'<pre id="{part}"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return html.unescape(found)


def wire(page: str, part: str) -> Any:
    return json.loads(wire_text(page, part))


def test_the_start_is_the_sandbox(here: Service) -> None:
    start = Visitor(here).get("/")
    assert start.status_code == 303
    assert start.headers["location"] == "/sandbox"
    page = Visitor(here).get("/sandbox").text
    for patient in PATIENTS:
        assert f'href="/sandbox/patients/{patient.key}"' in page
        assert patient.name in page
    # What is on offer is what discovery says.
    discovery = here.http.get("/cds-services", headers={"Accept-Language": "en"}).json()
    assert wire(page, "wire-0-received") == discovery
    for service in discovery["services"]:
        assert service["title"] in page


PROMISES = {
    "septic": ("warning", "Acute illness:", "(simulated)"),
    "healthy": ("info", "Not ill:", "Acute illness unlikely"),
    "mild": ("info", "Mild illness:", "Open a draft diagnosis: mild illness"),
    "chronic": ("info", "Chronic illness:", "On record before: chronic illness."),
    "advanced": ("info", "consider goals of care", "Advanced or life-limiting illness:"),
    "child": ("info", "No category: this model is for ages 18 to 110", "Age 6 years"),
    "missing": ("info", "No category, missing:", "temperature (too old)"),
    "fahrenheit": ("info", "Mild illness:", "temperature 38.8 °C"),
    "no-unit": ("info", "in 100 with readings", "unit missing or unknown"),
    "pregnant": ("info", "not for use in pregnancy", "there is no category and no score"),
    "rare": ("info", "rare disease on record", "Fabry disease (ORPHA:324)"),
}


def test_every_story_promises_something() -> None:
    assert set(PROMISES) == set(BY_KEY)


@pytest.mark.parametrize("key", PROMISES)
def test_a_story_shows_what_it_promises(visitor: Visitor, key: str) -> None:
    indicator, *parts = PROMISES[key]
    page = opened(visitor, key)
    card = said(page)
    for part in parts:
        assert part.lower() in card.lower()
    assert "decision support, not a diagnosis" in card
    assert f'class="cds-card cds-{indicator}"' in page
    # C11 and C14.
    assert "terminal" not in card.lower()
    has_suggestion = "Open a draft diagnosis" in card
    assert has_suggestion == (">Accept<" in page)
    if key == "advanced":
        assert not has_suggestion


def test_it_is_a_real_call(here: Service, visitor: Visitor) -> None:
    page = opened(visitor, "septic", language="es")
    assert "Enfermedad aguda:" in said(page)
    request = wire(page, "wire-0-sent")
    with here.context.engine.connect() as connection:
        row = connection.execute(
            select(ASSESSMENTS).where(ASSESSMENTS.c.hook_instance == request["hookInstance"])
        ).one()
    assert row.client == "development"
    assert row.situation == "scored"
    # Sent again, byte for byte, it is the same call with the same answer.
    again = here.http.post(
        "/cds-services/disease-severity",
        content=wire_text(page, "wire-0-sent").encode(),
        headers={"Accept-Language": "es"},
    )
    assert again.json() == wire(page, "wire-0-received")


def test_a_changed_reading_changes_the_card(visitor: Visitor) -> None:
    assert 'class="cds-card cds-warning"' in opened(visitor, "septic")
    faster = opened(visitor, "septic", heart_rate="135")
    assert 'class="cds-card cds-critical"' in faster
    assert "heart rate 135/min" in said(faster).lower()
    # The chart is open as it was sent, and can be changed again.
    assert fields_on(faster)["heart_rate"] == "135"
    without = opened(visitor, "septic", heart_rate="", body_temperature="")
    assert "no reading" in said(without)
    fahrenheit = opened(visitor, "septic", body_temperature="101,7", body_temperature_unit="[degF]")
    assert "38.7 °C" in said(fahrenheit)
    impossible = opened(visitor, "septic", heart_rate="900")
    assert "heart rate (value not possible)" in said(impossible).lower()


def test_what_is_no_number_is_not_sent(visitor: Visitor) -> None:
    path = "/sandbox/patients/mild"
    sent = fields_on(visitor.get(path).text) | {"heart_rate": '"><b>x'}
    page = visitor.post(path, sent, **{"Accept-Language": "en"})
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert 'aria-describedby="heart_rate-wrong"' in page.text
    assert "<b>x" not in page.text


def test_feedback_is_real(here: Service, visitor: Visitor) -> None:
    page = opened(visitor, "septic")
    card = wire(page, "wire-0-received")["cards"][0]
    response = visitor.post(f"{visitor.at}/accept", {"card": "0"})  # type: ignore[attr-defined]
    assert response.headers["location"] == f"{visitor.at}#told"  # type: ignore[attr-defined]
    page = seen(visitor)
    assert "Accepted." in page
    assert wire(page, "draft") == card["suggestions"][0]["actions"][0]["resource"]
    reasons = [reason["display"] for reason in card["overrideReasons"]]
    assert len(reasons) > 2
    for reason in reasons:
        assert html.escape(reason) in page
    comment = "<script>alert(1)</script>"
    fields = {"card": "0", "reason": "1", "comment": comment}
    visitor.post(f"{visitor.at}/override", fields)  # type: ignore[attr-defined]
    page = seen(visitor)
    assert "Overridden." in page
    assert 'id="draft"' not in page
    assert comment not in page
    entry = wire(page, "wire-0-sent")["feedback"][0]
    assert entry["overrideReason"] == {"reason": card["overrideReasons"][1], "userComment": comment}
    with here.context.engine.connect() as connection:
        rows = connection.execute(
            select(FEEDBACK)
            .where(FEEDBACK.c.card_uuid == card["uuid"])
            .order_by(FEEDBACK.c.outcome)
        ).all()
    assert [(row.outcome, row.known_card) for row in rows] == [
        ("accepted", True),
        ("overridden", True),
    ]
    assert rows[0].accepted_suggestions == [card["suggestions"][0]["uuid"]]
    assert rows[1].reason_code == card["overrideReasons"][1]["code"]


def test_a_card_is_dismissed_without_a_word(visitor: Visitor) -> None:
    opened(visitor, "child")
    visitor.post(f"{visitor.at}/override", {"card": "0", "reason": ""})  # type: ignore[attr-defined]
    page = seen(visitor)
    assert "Overridden." in page
    assert "overrideReason" not in wire(page, "wire-0-sent")["feedback"][0]
    # There is nothing to accept, whoever asks.
    visitor.post(f"{visitor.at}/accept", {"card": "0"})  # type: ignore[attr-defined]
    visitor.post(f"{visitor.at}/override", {"card": "7"})  # type: ignore[attr-defined]
    assert seen(visitor) == page


OUTCOMES = [
    ("septic", "A41.9", "The outcome of this assessment: acute illness."),
    ("healthy", "Z00.00", "The outcome of this assessment: no illness."),
    ("mild", "J00", "The outcome of this assessment: mild illness."),
    ("chronic", "J44.9", "The outcome of this assessment: chronic illness."),
    ("advanced", "Z51.5", "The outcome of this assessment: advanced or life-limiting illness."),
    ("child", "A41.9", "This assessment named no category"),
    ("healthy", "R07.9", "the code alone says no category"),
    ("septic", "J00", "only if the patient goes home"),
]


@pytest.mark.parametrize(("key", "code", "sentence"), OUTCOMES)
def test_a_diagnosis_is_a_real_one_and_the_page_says_what_became_of_it(
    here: Service, visitor: Visitor, key: str, code: str, sentence: str
) -> None:
    opened(visitor, key)
    here.clock.time += timedelta(seconds=20)
    response = visitor.post(f"{visitor.at}/diagnosis", {"code": code})  # type: ignore[attr-defined]
    assert response.headers["location"].endswith("#outcome")
    page = seen(visitor)
    assert sentence in html.unescape(page)
    assert "cds-service evaluate --include-open" in page
    assert wire(page, "wire-0-received") == {"cards": []}
    request = wire(page, "wire-0-sent")
    assert request["hook"] == "problem-list-item-create"
    with here.context.engine.connect() as connection:
        codings = connection.execute(
            select(CONDITIONS.c.facts).where(CONDITIONS.c.channel == "problem-list-item-create")
        ).scalars()
        assert any(code in str(facts["codings"]) for facts in codings)


def test_a_prompted_diagnosis_is_told_apart(here: Service, visitor: Visitor) -> None:
    opened(visitor, "septic")
    visitor.post(f"{visitor.at}/accept", {"card": "0"})  # type: ignore[attr-defined]
    here.clock.time += timedelta(seconds=20)
    visitor.post(f"{visitor.at}/diagnosis", {"code": "A41.9"})  # type: ignore[attr-defined]
    assert "it is counted apart" in seen(visitor)


def test_what_is_not_there_is_not_found(visitor: Visitor) -> None:
    assert visitor.get("/sandbox/patients/nobody").status_code == 404
    opened(visitor, "mild")
    sent = {"code": "<script>"}
    assert visitor.post(f"{visitor.at}/diagnosis", sent).status_code == 404  # type: ignore[attr-defined]
    # A visit that the process has forgotten leads back to the list.
    for path in ("", "/accept", "/override", "/diagnosis"):
        ask = visitor.post if path else visitor.get
        response = ask(f"/sandbox/visits/0000{path}")
        assert response.status_code == 303
        assert response.headers["location"] == "/sandbox"


def test_a_form_from_elsewhere_opens_nothing(visitor: Visitor) -> None:
    path = "/sandbox/patients/mild"
    fields = fields_on(visitor.get(path).text)
    assert visitor.post(path, fields | {"csrf": "x"}).status_code == 403
    assert visitor.post(path, fields, Origin="https://evil.example").status_code == 403


def test_without_a_model_the_page_says_what_the_service_says(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, context.clock) as service:
        visitor = Visitor(service)
        page = opened(visitor, "septic")
        assert "answered 503" in page
        assert "The service gave no card." in page
        assert wire(page, "wire-0-received")["issue"][0]["diagnostics"] in html.unescape(page)


def test_nobody_answers(tmp_path: Path) -> None:
    """An exchange that failed is one that is shown, not an error."""
    service = SandboxService(new_context(tmp_path))
    # Port 9 of this machine: nobody listens there.
    visit = service.open("http://127.0.0.1:9", PATIENTS[0], PATIENTS[0].readings, "en")
    assert visit.opened.status is None
    assert visit.cards == []
    assert service.became(visit) is None


def test_old_visits_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.services.sandbox.MOST_VISITS", 2)
    service = SandboxService(new_context(tmp_path))
    ids = [service.open("http://127.0.0.1:9", PATIENTS[0], {}, "en").id for _ in range(3)]
    assert [service.visit(one) is not None for one in ids] == [False, True, True]


def test_outside_development_there_is_no_sandbox(tmp_path: Path) -> None:
    context = closed_context(tmp_path)
    with running(context, context.clock) as service:
        for cookies in ({}, session_of(context, *Role)):
            visitor = Visitor(service, cookies)
            for path in ("/sandbox", "/sandbox/patients/septic", "/sandbox/visits/x"):
                assert visitor.get(path).status_code == 404
            assert visitor.post("/sandbox/patients/septic").status_code == 404
