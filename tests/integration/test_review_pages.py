"""The review pages: asked blind, answered, shown beside the prediction, corrected."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import delete, select, update

from cds_service.context import ProcessContext
from cds_service.security.clients import TRIAGE_BASE
from cds_service.security.permissions import Role
from cds_service.services.review_desk import told_reasons
from cds_service.services.reviewing import Answer, ReviewingService
from cds_service.storage.rare_case_store import RareCaseStore
from cds_service.storage.session import reading
from cds_service.storage.tables import (
    ASSESSMENTS,
    AUDIT_EVENTS,
    OUTCOMES,
    REVIEW_ANSWERS,
    REVIEW_ITEMS,
)
from hooks.wording import Wording
from model.scorer import Scorer
from model.severity import Severity
from tests.support.people import BROWSER, closed_context
from tests.support.review_pages import ILL, ask, item_of, reviewer
from tests.support.service import Service, release, running
from tests.support.stored import SEEN, assessed, set_time
from tests.support.terminology import disorder, orphadata

SECRETS = (
    # Of the prediction, however it is written.
    *("0.5238", "52.38", "0.3127", "1.3579", "0.000917", "version-that-predicted", "critical"),
    # In the words that would tell of it.
    *("in 100", "predicted", "usual here", "do not tell", "unusual for patients"),
    # Why it was asked.
    *("wide_set", "atypical", "left three or more", "Unusual readings", "Drawn at random"),
    # Who it is.
    *("e-p1", "ehr.example"),
)

ANOTHER_PREDICTION: dict[str, Any] = {
    "probabilities": {"mild": 0.02, "acute": 0.03, "terminal": 0.95},
    "category": "terminal",
    "prediction_set": ["terminal"],
    "contributions": None,
    "atypicality": 0.9,
    "model_version": "7",
    "indicator": "info",
    "suppressed": "silent",
    "provenance": ILL["provenance"] | {"rare_matches": [{"code": "ORPHA:558", "score": 9.87}]},
}


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    """Where people sign in; on both databases."""
    context = closed_context(tmp_path, database_url)
    set_time(context, SEEN.replace(month=5))
    yield context
    context.engine.dispose()


@pytest.fixture
def here(context: ProcessContext) -> Iterator[Service]:
    with running(context, context.clock) as service:  # type: ignore[arg-type]  # a test clock
        yield service


def rows(context: ProcessContext, table: Any, **equal: Any) -> list[Any]:
    with reading(context.engine) as connection:
        query = select(table)
        for name, value in equal.items():
            query = query.where(table.c[name] == value)
        return list(connection.execute(query))


def events(context: ProcessContext) -> list[tuple[str, str, str]]:
    found = rows(context, AUDIT_EVENTS, object_type="review_item")
    return [(one.actor, one.action, one.object_id) for one in found]


def text_of(page: str) -> str:
    """What can be read, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_case_is_asked_blind_answered_and_then_shown_beside_the_prediction(
    here: Service,
) -> None:
    context = here.context
    first = ask(context, "wide_set", "atypical", priority=2.0)
    second = ask(context, patient="p2")
    ana = reviewer(here)
    assert "2 cases wait for you." in text_of(ana.get("/review").text)

    asked = ana.get("/review/case")
    body = asked.text
    assert item_of(body) == first
    # C18: nothing of it in the response, not in an attribute, a script's address or a header.
    whole = body.split("<main", 1)[1] + str(asked.headers)
    for secret in SECRETS:
        assert secret not in whole, secret
    assert not re.search("terminal", body, re.IGNORECASE)
    assert "no-store" in asked.headers["cache-control"]
    # And whatever had been predicted, and why it was asked, it would be the same to the letter.
    with context.engine.begin() as connection:
        query = update(ASSESSMENTS).where(ASSESSMENTS.c.id == first)
        connection.execute(query.values(ANOTHER_PREDICTION))
        query = update(REVIEW_ITEMS).where(REVIEW_ITEMS.c.assessment_id == first)
        connection.execute(query.values(reasons=["audit", "rare"]))
    assert ana.get("/review/case").text == body
    with context.engine.begin() as connection:
        query = update(ASSESSMENTS).where(ASSESSMENTS.c.id == first)
        connection.execute(query.values(ILL))
        query = update(REVIEW_ITEMS).where(REVIEW_ITEMS.c.assessment_id == first)
        connection.execute(query.values(reasons=["wide_set", "atypical"]))

    said = text_of(body)
    for words in (
        *("Age 68 years", "Sex female", "Encounter emergency", "Assessed on 2026-03-01 12:00"),
        "Heart rate 131/min ▲ high preliminary Usual at this age: 60–100 Taken before: 12 min",
        "Temperature 38.6 °C ▲ high Usual at this age: 36.1–37.2 Taken before: 1 h 35 min",
        *("SpO2: too old", "2 waiting"),
    ):
        assert words in said, words

    sent = ana.say("3", item=first)
    assert (sent.status_code, sent.headers["location"]) == (303, "/review/last")
    shown = text_of(ana.get("/review/last").text)
    for words in (
        "You said Acute illness Predicted Acute illness",
        "✓ The same",
        "Acute illness you predicted 52 in 100",
        "Advanced or life-limiting illness 1 in 100",
        "These readings do not tell the categories apart.",
        "Readings unusual for patients here",
        "Model version version-that-predicted.",
        "The readings left three or more categories open",
        "1 waiting",
    ):
        assert words in shown, words
    assert "terminal" not in shown.lower()

    (outcome,) = rows(context, OUTCOMES)
    assert (outcome.assessment_id, outcome.category) == (first, "acute")
    assert (outcome.author, outcome.reason) == ("user:ana", "reviewed")
    (kept,) = rows(context, REVIEW_ANSWERS)
    assert (kept.reviewer, kept.category, kept.agreed) == ("user:ana", "acute", True)
    assert events(context) == [
        ("user:ana", "read", first),
        ("user:ana", "read", first),
        ("user:ana", "review", first),
        ("user:ana", "read", first),
    ]
    assert ana.case() == second


def test_the_last_answer_can_be_corrected_and_no_other(here: Service) -> None:
    context = here.context
    first, second = ask(context, priority=2.0), ask(context, patient="p2")
    ana = reviewer(here)
    assert ana.say("2", rare="558").status_code == 303
    page = text_of(ana.get("/review/last").text)
    assert "You said Mild illness; ORPHA:558" in page
    assert "≠ Not the same" in page
    with reading(context.engine) as connection:
        ((_, code),) = RareCaseStore(connection).newest()
    assert code == "ORPHA:558"

    assert ana.correct("3").headers["location"] == "/review/last?told=corrected"
    page = text_of(ana.get("/review/last?told=corrected").text)
    assert "The corrected answer is kept." in page
    assert "You said Acute illness" in page
    assert "✓ The same" in page
    assert "Corrected: your first answer was given without knowing" in page
    # Agreement is that of the answer given blind, and the rare case is no longer confirmed.
    kept = [(one.category, one.rare_code, one.agreed) for one in rows(context, REVIEW_ANSWERS)]
    assert kept == [("mild", "ORPHA:558", False), ("acute", None, None)]
    with reading(context.engine) as connection:
        assert RareCaseStore(connection).newest() == {}
    newest = max(rows(context, OUTCOMES), key=lambda one: one.decided_at)
    assert newest.assessment_id == first
    assert ana.correct("3").headers["location"] == "/review/last?told=same"

    ana.say("u")
    assert "You said It cannot be told Predicted" in text_of(ana.get("/review/last").text)
    sent = ana.post("/review/last", {"item": first, "answer": "1"})
    assert sent.headers["location"] == "/review/last?told=not_last"
    # The form of a case that was sent twice changes nothing either.
    sent = ana.say("1", item=second)
    assert sent.headers["location"] == "/review/last?told=already"
    assert len(rows(context, REVIEW_ANSWERS)) == 3


def test_a_skipped_case_stays_blind_and_can_be_taken_back(here: Service) -> None:
    context = here.context
    first, second = ask(context, "rare", priority=2.0), ask(context, patient="p2")
    ana = reviewer(here)
    sent = ana.post("/review/case", {"item": ana.case(), "skip": "1"})
    assert sent.headers["location"] == "/review/case?told=skipped"
    assert item_of(ana.get("/review/case?told=skipped").text) == second
    page = ana.get("/review/last")
    assert item_of(page.text) == first
    whole = page.text.split("<main", 1)[1]
    for secret in (*SECRETS, "rare disease is", "May be a rare"):
        # The sentence itself says that the prediction is not shown.
        assert secret not in whole.replace("of the prediction", ""), secret
    ana.post("/review/last", {"item": first, "answer": "3"})
    kept = [(one.answer, one.agreed) for one in rows(context, REVIEW_ANSWERS)]
    assert kept == [("skip", None), ("category", True)]
    assert [one.state for one in rows(context, REVIEW_ITEMS, assessment_id=first)] == ["answered"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Choose what it was"),
        ({"answer": "6"}, "Choose what it was"),
        ({"answer": "terminal"}, "Choose what it was"),
        ({"answer": "4", "rare": "OMIM:154700"}, "Enter an ORPHAcode"),
        ({"answer": "4", "rare": "<b>x"}, "Enter an ORPHAcode"),
        ({"answer": "u", "rare": "ORPHA:558"}, "A rare disease needs a category"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_kept(
    shared: Service, fields: dict[str, str], told: str
) -> None:
    ana = reviewer(shared)
    page = ana.post("/review/case", {"item": ana.case()} | fields)
    assert page.status_code == 422
    assert told in text_of(page.text)
    assert "<b>x" not in page.text
    if fields.get("answer") in ("4", "u"):
        assert re.search(rf'value="{fields["answer"]}" required checked', page.text)
    for secret in SECRETS:
        assert secret not in page.text.split("<main", 1)[1], secret
    assert rows(shared.context, REVIEW_ANSWERS) == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One case that nobody answers."""
    context = closed_context(tmp_path_factory.mktemp("review"))
    ask(context)
    with running(context, context.clock) as service:  # type: ignore[arg-type]  # a test clock
        yield service


def test_the_patient_is_named_to_who_asks_and_that_is_recorded(shared: Service) -> None:
    eva = reviewer(shared, "eva")
    item = eva.case()
    page = eva.post("/review/case", {"item": item, "name_patient": "1", "answer": "2"})
    assert page.status_code == 200
    assert "Patient p1 Encounter e-p1 Health record https://ehr.example/fhir" in text_of(page.text)
    assert 'value="2" required checked' in page.text
    assert "in 100" not in page.text
    details = [
        one.detail["with_ids"]
        for one in rows(shared.context, AUDIT_EVENTS, object_type="review_item", actor="user:eva")
    ]
    assert details == [False, True]
    assert rows(shared.context, REVIEW_ANSWERS) == []


def test_a_case_of_the_triage_form_is_named_by_its_number(here: Service) -> None:
    ask(here.context, patient="K7M4-9QXE", base=TRIAGE_BASE)
    ana = reviewer(here)
    page = ana.post("/review/case", {"item": ana.case(), "name_patient": "1"})
    assert "Case number (triage) K7M4-9QXE" in text_of(page.text)
    assert TRIAGE_BASE not in page.text


def test_codes_of_rare_diseases_are_read_as_they_are_typed(shared: Service) -> None:
    ana = reviewer(shared)
    ana.get("/review/case")
    for typed, told in (
        ("orphanet_558", "ORPHA:558: names of rare diseases are not loaded here."),
        ("Marfan", "Enter an ORPHAcode, such as ORPHA:558, or leave the field empty."),
    ):
        answer = ana.post("/review/rare", {"rare": typed})
        assert answer.json() == {"text": told}
        assert answer.headers["cache-control"] == "no-store"


def test_an_empty_queue_says_how_it_is_filled(here: Service) -> None:
    ana = reviewer(here)
    sent = ana.get("/review/case")
    assert sent.headers["location"] == "/review"
    assert ana.get("/review/last").headers["location"] == "/review"
    said = text_of(ana.get("/review").text)
    for words in (
        *("Nothing waits for you", "The queue is empty.", "1 % of all assessments"),
        *("up to 20 more a day", "7 days after it was assessed", "or 30 days"),
    ):
        assert words in said, words
    # Who has had all that is open is told that others have not.
    ask(here.context, "audit")
    ana.post("/review/case", {"item": ana.case(), "skip": "1"})
    assert "1 case is open, and you have had it" in text_of(ana.get("/review").text)
    assert "1 case waits for you." in text_of(reviewer(here, "eva").get("/review").text)


def test_a_case_that_is_forgotten_meanwhile_is_gone(here: Service) -> None:
    context = here.context
    item = ask(context)
    ana = reviewer(here)
    ana.get("/review")
    with context.engine.begin() as connection:
        connection.execute(delete(REVIEW_ITEMS))
    for sent in (ana.say("3", item=item), ana.say("3", item="x")):
        assert sent.headers["location"] == "/review/case?told=gone"
    assert ana.get("/review/case?told=gone").headers["location"] == "/review?told=gone"
    assert "That case is not there any more." in ana.get("/review?told=gone").text
    # An assessment that nobody is asked about cannot be answered either.
    other = assessed(context, patient="p9")
    assert ana.say("3", item=other).headers["location"] == "/review/case?told=gone"
    assert rows(context, REVIEW_ANSWERS) == []


def test_reviewers_alone_are_asked(shared: Service) -> None:
    for roles in ((Role.CLINICIAN,), (Role.ADMINISTRATOR,)):
        visitor = reviewer(shared, "kim", roles)
        for path in ("/review", "/review/case", "/review/last"):
            assert visitor.get(path).status_code == 403
        assert 'href="/review"' not in visitor.get("/").text


def test_reasons_are_counted_where_they_tell_of_no_single_case() -> None:
    many = [["wide_set"]] * 10 + [["threshold", "wide_set"]] * 5 + [["audit", "atypical"]] * 10
    # 15 with, 10 without; 10 with, 15 without; 5 are too few. `audit` is counted apart.
    assert told_reasons(many) == {"wide_set": 15, "atypical": 10}
    # All of a kind: then whoever opens one knows.
    assert told_reasons([["wide_set"]] * 30) == {}
    assert told_reasons([["wide_set"]] * 30 + [["rare"]] * 9) == {}
    assert told_reasons([]) == {}


def test_names_of_rare_diseases_are_said_where_they_are_loaded(tmp_path: Path) -> None:
    marfan = disorder("558", ("ICD-10", "Q87.4", "E"), name="Marfan &lt;b&gt; syndrome")
    names = orphadata(tmp_path / "p1.xml", [marfan])
    context = closed_context(tmp_path, orphadata_file=names)
    ask(context)
    with running(context, context.clock) as service:  # type: ignore[arg-type]  # a test clock
        ana = reviewer(service)
        ana.get("/review/case")
        for typed, told in (
            ("558", "ORPHA:558: Marfan <b> syndrome"),
            ("559", "ORPHA:559: not in the list of rare diseases that is loaded here. Check it."),
        ):
            assert ana.post("/review/rare", {"rare": typed}).json() == {"text": told}
        ana.say("4", rare="558")
        page = ana.get("/review/last").text
    assert "Chronic illness; Marfan &lt;b&gt; syndrome (ORPHA:558)" in page


def test_an_estimate_stands_beside_the_base_rate_of_the_model_that_made_it(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = closed_context(tmp_path)
    release(context, "1", *small_model)
    facts = Scorer.load(small_model[0], version="1").facts
    ask(context, "audit", model_version="1", prediction_set=["acute"])
    with running(context, context.clock) as service:  # type: ignore[arg-type]  # a test clock
        ana = reviewer(service)
        ana.say("2")
        said = text_of(ana.get("/review/last").text)
    usual = Wording("en").frequency(facts.base_rates[Severity.ACUTE])
    assert f"Acute illness predicted 52 in 100 {usual}" in said
    assert "Readings like these fit acute illness." in said
    assert "Trained on simulated patients, not for care." in said
    assert "Why it was asked about Drawn at random" in said


def test_a_form_that_is_sent_many_times_at_once_is_one_answer(here: Service) -> None:
    item = ask(here.context)
    ana = reviewer(here)
    ana.get("/review/case")
    cookies, token = ana.cookies, ana.token

    def send(number: int) -> str:
        with httpx.Client(base_url=here.http.base_url, timeout=30) as http:
            headers = BROWSER | {
                "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
                "Origin": ana.origin,
            }
            fields = {"csrf": token, "item": item, "answer": str(number % 2 + 2)}
            return http.post("/review/case", data=fields, headers=headers).headers["location"]

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(send, range(8)))
    assert told == ["/review/last", *["/review/last?told=already"] * 7]
    assert len(rows(here.context, REVIEW_ANSWERS)) == 1


def test_c20_who_takes_a_rare_disease_back_takes_back_no_word_of_others(
    context: ProcessContext,
) -> None:
    item = ask(context)
    service = ReviewingService(context)
    rare = Answer("category", Severity.CHRONIC, "ORPHA:586")
    plain = Answer("category", Severity.CHRONIC)

    def decisions() -> list[tuple[str, str]]:
        with reading(context.engine) as connection:
            newest = RareCaseStore(connection).newest().values()
        return [(one["decision"], one["actor"]) for one in newest]

    service.answer(item, rare, "dr a")
    service.answer(item, rare, "dr b")
    service.answer(item, rare, "dr b")
    assert decisions() == [("confirmed", "dr b")]
    service.answer(item, plain, "dr b")
    assert decisions() == [("confirmed", "dr a")]
    # A skip says nothing, so it takes nothing back.
    service.answer(item, Answer("skip"), "dr a")
    assert decisions() == [("confirmed", "dr a")]
    service.answer(item, Answer("category", Severity.CHRONIC, "ORPHA:558"), "dr a")
    with reading(context.engine) as connection:
        codes = [code for _, code in RareCaseStore(connection).newest()]
    assert codes == ["ORPHA:558"]
    service.answer(item, Answer("undetermined"), "dr a")
    assert decisions() == []


def test_times_are_those_of_the_place_as_on_every_page(tmp_path: Path) -> None:
    """A night shift is looked up in the chart by the clock on the wall."""
    context = closed_context(tmp_path, time_zone="Europe/Madrid")
    set_time(context, SEEN.replace(month=5))
    ask(context, at=SEEN)
    with running(context, context.clock) as service:  # type: ignore[arg-type]  # a test clock
        local = SEEN.astimezone(ZoneInfo("Europe/Madrid")).strftime("%Y-%m-%d %H:%M CET")
        assert f"Assessed on {local}" in reviewer(service).get("/review/case").text
