"""Triage: from the form to what it turned out to be, who may, and what is kept."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.clients import Mode
from cds_service.security.permissions import Role
from cds_service.services.clients import ClientRuleError, ClientService
from cds_service.storage.tables import (
    ASSESSMENTS,
    AUDIT_EVENTS,
    CARDS,
    FEEDBACK,
    OUTCOMES,
    POLICY_CONSENTS,
    REVIEW_ANSWERS,
    REVIEW_ITEMS,
)
from cds_service.web import triage_policy
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, release, running
from tests.support.triage_pages import ILL, Clinician, clinician, hidden

RED = {"systolic_bp": "84", "diastolic_bp": "50"}


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    """Where people sign in, with the simulated starter model."""
    context = closed_context(tmp_path_factory.mktemp("closed"))
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        yield service


def rows(context: ProcessContext, table: Any, **equal: Any) -> list[Any]:
    with context.engine.connect() as connection:
        query = select(table)
        for name, value in equal.items():
            query = query.where(table.c[name] == value)
        return list(connection.execute(query))


def id_of(address: str) -> str:
    return address.rpartition("/")[2].partition("?")[0]


def test_a_case_from_the_form_to_its_outcome(
    tmp_path: Path, database_url: str, small_model: tuple[Path, str]
) -> None:
    context = closed_context(tmp_path, database_url)
    release(context, "1", *small_model)
    # A training room: live with the starter model, and every answer says that it is simulated.
    clients = ClientService(context.engine, context.settings, context.clock)
    clients.add("triage", {"sandbox": True}, actor="test")
    with running(context, context.clock) as service:
        ana = clinician(service)
        address, text = ana.assessed()
        assert "Acute illness: " in text
        (stored,) = rows(context, ASSESSMENTS)
        assert stored.id == id_of(address)
        assert (stored.client, stored.service) == ("triage", "disease-severity")
        assert stored.suppressed is None
        number = re.findall(r"<strong>(\S{9})</strong>", text)[0]
        assert context.secrecy.patient_keys("urn:cds-service:triage", number)[0] == (
            stored.patient_key
        )
        # A colleague finds it by its number, and says what it turned out to be.
        eva = clinician(service, name="eva")
        eva.open()
        found = eva.post("/triage/find", {"number": number.lower().replace("-", " ")})
        assert found.headers["location"] == address
        eva.get(address)
        eva.post(f"{address}/feedback", {"reason": "chronic", "comment": "known heart failure"})
        said = eva.post(f"{address}/outcome", {"category": "chronic"})
        assert said.headers["location"].startswith(f"{address}?told=outcome")
        page = eva.get(said.headers["location"])
        assert "Confirmed: Chronic illness, by user:eva" in page.text

    (outcome,) = rows(context, OUTCOMES)
    assert (outcome.assessment_id, outcome.category) == (stored.id, "chronic")
    assert (outcome.author, outcome.reason) == ("user:eva", "reviewed")
    (answer,) = rows(context, REVIEW_ANSWERS)
    # Whoever saw the prediction has not agreed with it (C18).
    assert (answer.reviewer, answer.category, answer.agreed) == ("user:eva", "chronic", None)
    (feedback,) = rows(context, FEEDBACK)
    (card,) = rows(context, CARDS)
    assert (feedback.card_uuid, feedback.known_card) == (card.uuid, True)
    assert (feedback.outcome, feedback.reason_code) == ("overridden", "chronic")
    assert b"heart failure" not in feedback.comment
    assert "heart failure" in context.secrecy.decrypt(feedback.comment).decode()
    events = [(one.actor, one.action) for one in rows(context, AUDIT_EVENTS)]
    for event in (
        ("user:ana", "agree"), ("user:ana", "assess"), ("user:ana", "read"), ("user:eva", "find"),
        ("user:eva", "read"), ("user:eva", "feedback"), ("user:eva", "confirm"),
    ):  # fmt: skip
        assert event in events, event


# The result


def test_the_result_says_what_a_card_says_and_more(here: Service) -> None:
    ana = clinician(here)
    _, text = ana.assessed(**RED, respiratory_rate="26", body_temperature="103.1",
                           temperature_unit="[degF]")  # fmt: skip
    for words in (
        "NEWS2 red score",
        "Systolic pressure 84 mmHg",
        "red at 90 or below",
        "Partial NEWS2 (4 of 7): ",
        "in 100",
        "Not stated beside a red NEWS2 score.",
        "Temperature 39.5 °C (0 min ago; reference 36.1–37.2)",
        "speaks for it",
        "SpO2 (no reading)",
        "Trained on simulated patients, not for care.",
        "Model 1: decision support, not a diagnosis",
        'href="/models/1/card?lang=en"',
    ):
        assert words.casefold() in text.casefold(), words
    assert "critical" in text
    # `terminal` is no word for people who give care (C11); as the code of a choice it may stand.
    assert "terminal" not in re.sub(r'value="terminal"', "", text).casefold()


def test_the_result_is_read_in_either_language(here: Service) -> None:
    ana = clinician(here)
    address, _ = ana.assessed()
    text = ana.get(f"{address}?lang=es").text
    assert '<html lang="es">' in text
    assert "Enfermedad aguda" in text
    assert "Apoyo a la decisión" in text or "apoyo a la decisión" in text
    assert "Acute illness" not in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"age": "12"}, "No category: this model is for ages"),
        ({"pregnant": "1"}, "No category: this model is not for use in pregnancy"),
        ({"body_temperature": "", "systolic_bp": "", "diastolic_bp": ""},
         "No category, missing: temperature and blood pressure"),
    ],
)  # fmt: skip
def test_where_no_category_may_be_given_the_reason_is(
    here: Service, changes: dict[str, str], words: str
) -> None:
    _, text = clinician(here).assessed(**changes)
    assert words in text
    assert "Estimates" not in text
    assert "Heart rate 118/min" in text


def test_an_extreme_value_is_asked_about_once(here: Service) -> None:
    ana = clinician(here)
    asked = ana.send(heart_rate="230")
    assert asked.status_code == 422
    assert "An extreme value" in asked.text
    fields = hidden(asked.text) | ILL | {"heart_rate": "230", "again-heart_rate": "230"}
    sent = ana.post("/triage", fields)
    assert sent.status_code == 303
    assert "Extreme value, measure again: heart rate 230/min." in (
        ana.get(sent.headers["location"]).text
    )


def test_what_is_wrong_is_listed_and_what_was_typed_stays(here: Service) -> None:
    answer = clinician(here).send(heart_rate="400", sex="", systolic_bp="118.5")
    assert answer.status_code == 422
    assert '<a href="#heart_rate">Heart rate: Not possible: it must lie between 1 and 350' in (
        answer.text
    )
    assert '<a href="#sex">Sex: Choose one.</a>' in answer.text
    assert 'value="118.5"' in answer.text
    assert re.search(r'id="heart_rate"[^>]*aria-invalid="true"', answer.text)


# Once and again


def test_the_same_form_is_one_assessment_and_a_corrected_one_another(here: Service) -> None:
    ana = clinician(here)
    fields = ana.open() | ILL
    before = len(rows(here.context, ASSESSMENTS))
    first, second = (ana.post("/triage", fields) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    corrected = ana.post("/triage", fields | {"heart_rate": "108"})
    assert corrected.headers["location"] != first.headers["location"]
    assert len(rows(here.context, ASSESSMENTS)) == before + 2


def test_a_case_is_measured_again_under_its_number(here: Service) -> None:
    ana = clinician(here)
    first, _ = ana.assessed()
    form = ana.open(f"/triage?again={id_of(first)}")
    second = ana.post("/triage", form | ILL | {"heart_rate": "96"}).headers["location"]
    assert id_of(first) in ana.get(second).text
    # What it turned out to be is known of the case, not of one measurement.
    ana.post(f"{second}/outcome", {"category": "acute"})
    for address in (first, second):
        assert "Confirmed: Acute illness" in ana.get(address).text
        (outcome,) = rows(here.context, OUTCOMES, assessment_id=id_of(address))
        assert outcome.category == "acute"
    # One of an encounter stands for it (C16).
    keys = {
        row.encounter_key
        for address in (first, second)
        for row in rows(here.context, ASSESSMENTS, id=id_of(address))
    }
    assert len(keys) == 1
    assert None not in keys


@pytest.mark.parametrize(
    "other",
    [
        {"sex": "male"},
        {"age": "31"},
        {"age": None, "birth_date": "1990-02-01"},
        {"age": "31", "again-age": "68"},
    ],
    ids=["sex", "age", "birth date", "an answer to another age"],
)
def test_another_person_is_not_entered_under_the_number_of_a_case(
    here: Service, other: dict[str, str | None]
) -> None:
    """The form stays open below a result: whoever comes next must not become the same case (C3)."""
    ana = clinician(here)
    number = ana.open()["number"]
    assert ana.send(number=number).status_code == 303
    before = len(rows(here.context, ASSESSMENTS))
    refused = ana.send(number=number, **other)
    assert refused.status_code == 422
    assert "This case was of another age or sex so far" in refused.text
    assert "The same case, measured again." in refused.text
    assert len(rows(here.context, ASSESSMENTS)) == before
    # What was mistyped can be put right.
    field = "birth_date" if "birth_date" in other else "age"
    again = {f"again-{field}": other.get(field, ILL["age"])}
    assert ana.send(number=number, **other | again).status_code == 303
    assert len(rows(here.context, ASSESSMENTS)) == before + 1


@pytest.mark.parametrize(
    "same",
    [{"sex": "unknown"}, {"age": "69"}, {"age": None, "birth_date": "1957-04-02"}],
    ids=["not known", "a birthday", "a birth date"],
)
def test_what_may_be_the_same_person_is_not_asked_about(
    here: Service, same: dict[str, str | None]
) -> None:
    ana = clinician(here)
    number = ana.open()["number"]
    assert ana.send(number=number).status_code == 303
    assert ana.send(number=number, **same).status_code == 303


def test_a_case_is_found_by_its_number_and_by_nothing_else(here: Service) -> None:
    ana = clinician(here)
    address, _ = ana.assessed()
    for number, status, words in (
        ("", 422, "This is no case number"),
        ("K7M4-9QX9", 422, "This is no case number"),
        (id_of(address), 422, "This is no case number"),
        ("1111-1111", 404, "There is no case with this number"),
    ):
        ana.open()
        answer = ana.post("/triage/find", {"number": number})
        assert answer.status_code == status, number
        assert words in answer.text
    for path in ("0" * 36, "%00", "x", id_of(address)[:-1] + "g"):
        assert ana.get(f"/triage/results/{path}").status_code == 404


def test_a_card_of_a_health_record_is_no_case(here: Service) -> None:
    other = here.assess(here.request(here.vitals())).json()
    identifier = other["extension"]["org.cds-service.assessment"]["assessment"]
    assert clinician(here).get(f"/triage/results/{identifier}").status_code == 404


# What people say of it


def test_an_address_that_a_form_was_sent_to_leads_back_to_its_page(here: Service) -> None:
    """Its errors are shown there: the other language or a new sign-in must not end in a 405."""
    ana = clinician(here)
    address, _ = ana.assessed()
    for sent, page in (
        ("/triage/find", "/triage"),
        (f"{address}/feedback", address),
        (f"{address}/outcome", address),
    ):
        assert ana.post(sent, {}).status_code == 422, sent
        back = ana.get(f"{sent}?lang=es")
        assert (back.status_code, back.headers["location"]) == (303, f"{page}?lang=es")
        assert '<html lang="es">' in ana.get(back.headers["location"]).text


def test_the_history_of_a_browser_keeps_no_case_number(here: Service) -> None:
    _, text = clinician(here).assessed()
    number = re.findall(r'class="case-number">.*?<strong>([1-9A-Z]{4}-[1-9A-Z]{4})<', text)[0]
    assert number not in text.partition("<body")[0]


def test_feedback_needs_a_reason_or_words(here: Service) -> None:
    ana = clinician(here)
    address, _ = ana.assessed()
    before = len(rows(here.context, FEEDBACK))
    for fields in ({}, {"reason": "nothing"}, {"comment": "  "}):
        answer = ana.post(f"{address}/feedback", fields)
        assert answer.status_code == 422
        assert "Choose a reason or write a comment." in answer.text
    assert len(rows(here.context, FEEDBACK)) == before
    answer = ana.post(f"{address}/feedback", {"comment": "<b>no</b>\0"})
    assert answer.status_code == 303
    assert "what you said is kept" in ana.get(answer.headers["location"]).text


def test_an_outcome_is_one_of_the_categories_and_can_be_taken_back(here: Service) -> None:
    ana = clinician(here)
    address, _ = ana.assessed()
    assert ana.post(f"{address}/outcome", {"category": "x"}).status_code == 422
    ana.post(f"{address}/outcome", {"category": "mild"})
    ana.post(f"{address}/outcome", {"category": "undetermined"})
    assert "Confirmed: It cannot be told" in ana.get(address).text
    assert rows(here.context, OUTCOMES, assessment_id=id_of(address), superseded_at=None) == []


def test_the_audit_sample_stays_open_for_somebody_who_did_not_see_it(here: Service) -> None:
    ana = clinician(here)
    states = {}
    for reasons in (["audit", "threshold"], ["threshold"]):
        address, _ = ana.assessed()
        with here.context.engine.begin() as connection:
            connection.execute(
                REVIEW_ITEMS.insert(),
                {
                    "id": id_of(address), "assessment_id": id_of(address), "reasons": reasons,
                    "priority": 1.0, "queued_at": here.clock(), "state": "open",
                },
            )  # fmt: skip
        ana.post(f"{address}/outcome", {"category": "mild"})
        (item,) = rows(here.context, REVIEW_ITEMS, assessment_id=id_of(address))
        states[reasons[0]] = item.state
    assert states == {"audit": "open", "threshold": "answered"}


# Consent


def test_nobody_enters_anything_before_agreeing_and_each_version_is_asked_once(
    tmp_path: Path, small_model: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = closed_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        ana = Clinician(service, session_of(context, Role.CLINICIAN))
        assert ana.get("/triage").headers["location"] == "/triage/policy"
        page = ana.get("/triage/policy")
        assert f"Version {triage_policy.VERSION} of {triage_policy.DATE}" in page.text
        assert "decision support, not a diagnosis" in page.text
        for path in ("/triage", "/triage/find"):
            refused = ana.post(path, dict(ILL))
            assert refused.headers["location"] == "/triage/policy"
        assert ana.post("/triage/policy", {}).status_code == 422
        assert ana.post("/triage/policy", {"agree": "0"}).status_code == 422
        assert rows(context, ASSESSMENTS) == []
        for _ in range(2):
            assert ana.post("/triage/policy", {"agree": "1"}).status_code == 303
        assert ana.get("/triage").status_code == 200
        assert "You agreed to this version on 2026-03-01." in ana.get("/triage/policy").text
        # Others are asked for themselves.
        eva = Clinician(service, session_of(context, Role.CLINICIAN, name="eva"))
        address, _ = ana.assessed()
        assert eva.get("/triage").status_code == 303
        eva.get("/triage/policy")
        for answer in (
            eva.get(address),
            eva.post(f"{address}/feedback", {"comment": "x"}),
            eva.post(f"{address}/outcome", {"category": "mild"}),
        ):
            assert answer.headers["location"] == "/triage/policy"
        assert rows(context, REVIEW_ANSWERS) == []
        # And everybody when it changes.
        monkeypatch.setattr("cds_service.routes.triage.VERSION", "2")
        assert ana.get("/triage").status_code == 303
        monkeypatch.undo()
        consents = [(one.actor, one.version) for one in rows(context, POLICY_CONSENTS)]
        assert consents == [("user:ana", "1")]
        agreed = rows(context, AUDIT_EVENTS, action="agree")
        assert [(one.actor, one.detail) for one in agreed] == [("user:ana", {"version": "1"})]


# Who may, and when it is told


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ADMINISTRATOR])
def test_it_is_for_clinicians(closed: Service, role: Role) -> None:
    other = Visitor(closed, session_of(closed.context, role, name=f"r-{role}"))
    address, _ = clinician(closed).assessed()
    for path in ("/triage", "/triage/policy", address):
        assert other.get(path).status_code == 403
    other.get("/")
    for path in ("/triage", "/triage/find", "/triage/policy", f"{address}/feedback",
                 f"{address}/outcome"):  # fmt: skip
        assert other.post(path, dict(ILL)).status_code == 403


def test_nobody_is_let_in_without_signing_in(closed: Service) -> None:
    address, _ = clinician(closed).assessed()
    nobody = Visitor(closed)
    for path in ("/triage", "/triage/policy", address):
        assert nobody.get(path).headers["location"].startswith("/sign-in?next=")
    for path in ("/triage", f"{address}/feedback", f"{address}/outcome", "/triage/find"):
        assert nobody.post(path, dict(ILL)).status_code == 401


def test_a_form_without_the_token_of_the_session_is_refused(closed: Service) -> None:
    ana = clinician(closed)
    fields = ana.open() | ILL
    assert ana.post("/triage", fields | {"csrf": "x"}).status_code == 403
    ana.open()
    assert ana.post("/triage", fields, Origin="https://evil.example").status_code == 403


def test_outside_development_the_starter_model_is_not_told(closed: Service) -> None:
    """C13: live is refused for it; what rules say of a reading is told all the same (C9)."""
    ana = clinician(closed)
    assert "The answer will not be shown: silent mode" in ana.get("/triage").text
    address, text = ana.assessed(**RED)
    assert "what the model estimates is not shown: silent mode" in text
    assert "NEWS2 red score: systolic pressure 84 mmHg" in text
    assert "Partial NEWS2 (3 of 7)" in text
    for words in ("in 100", "speaks for", "This was wrong", "Estimates"):
        assert words not in text, words
    (stored,) = rows(closed.context, ASSESSMENTS, id=id_of(address))
    assert stored.suppressed == "silent_mode"
    assert stored.probabilities
    # Whoever confirms did not see the prediction: agreement means something (C18).
    ana.post(f"{address}/outcome", {"category": stored.category})
    (answer,) = rows(closed.context, REVIEW_ANSWERS, assessment_id=stored.id)
    assert answer.agreed is True


def test_the_page_is_switched_like_any_client(closed: Service) -> None:
    context = closed.context
    clients = ClientService(context.engine, context.settings, context.clock)
    with pytest.raises(ClientRuleError, match="starter model"):
        clients.set_mode("triage", Mode.LIVE, actor="test", approver="Dr Ruiz")
    clients.set_mode("triage", Mode.PAUSED, actor="test")
    context.directory.refresh()
    ana = clinician(closed)
    _, text = ana.assessed(**RED)
    assert "the service is paused" in text
    assert "NEWS2" not in text
    assert clients.resume("triage", actor="test") is Mode.SILENT
    context.directory.refresh()
    assert context.directory.triage.settings.mode is Mode.SILENT
    assert context.directory.triage.base == "urn:cds-service:triage"


# Privacy


def test_no_patient_value_is_in_an_address_or_kept_by_a_browser(here: Service) -> None:
    ana = clinician(here)
    form = ana.get("/triage")
    sent = ana.send(heart_rate="117", body_temperature="38.9")
    result = ana.get(sent.headers["location"])
    number = re.findall(r"<strong>(\S{9})</strong>", result.text)[0]
    assert re.fullmatch(r"/triage/results/[0-9a-f-]{36}", sent.headers["location"])
    for page in (form, result):
        assert page.headers["cache-control"] == "no-store"
        for address in re.findall(r'(?:href|action)="([^"]*)"', page.text):
            assert number not in address
            assert "117" not in address.partition("?v=")[0].rpartition("/results/")[0]
    assert not re.search(r"<style|style=|<script(?![^>]* src=)| on\w+=", result.text + form.text)


def test_what_is_stored_names_nobody(here: Service) -> None:
    ana = clinician(here)
    sent = ana.send(age="", birth_date="1957-04-02")
    text = ana.get(sent.headers["location"]).text
    number = re.findall(r"<strong>(\S{9})</strong>", text)[0]
    (stored,) = rows(here.context, ASSESSMENTS, id=id_of(sent.headers["location"]))
    shown = json.dumps({key: repr(value) for key, value in stored._mapping.items()})
    assert number not in shown
    assert "1957-04-02" not in shown
    assert "development" not in json.loads(shown)["patient_key"]


def test_the_texts_of_the_policy_belong_to_its_version() -> None:
    """Whoever changes them gives them a new version, so that everybody is asked again."""
    digest = sha256(json.dumps(dict(triage_policy.TEXTS)).encode()).hexdigest()[:16]
    assert (triage_policy.VERSION, digest) == ("1", "5a4d01009141c1c6")
