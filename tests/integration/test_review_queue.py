"""The review queue: chosen, asked blind, answered, learnt from. On both databases."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, ServiceError
from cds_service.services.outcomes import OutcomeService
from cds_service.services.review_queue import ReviewQueueService
from cds_service.services.reviewing import Answer, ReviewingService
from cds_service.storage import session
from cds_service.storage.client_store import ClientStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.rare_case_store import RareCaseStore
from cds_service.storage.review_store import ReviewStore
from cds_service.storage.tables import (
    ASSESSMENTS,
    AUDIT_EVENTS,
    CARDS,
    FEEDBACK,
    REVIEW_ITEMS,
)
from model.severity import Severity
from tests.support.conditions import condition
from tests.support.service import new_context
from tests.support.stored import SEEN, assessed, joined, outcome, receive, rows, set_time

LATER = SEEN + timedelta(days=40)
"""When the windows of both kinds have passed."""
WIDE = ["mild", "acute", "chronic"]
ACUTE = Answer("category", Severity.ACUTE)


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    context = new_context(tmp_path, database_url, review_audit_share=0.0)
    set_time(context, LATER)
    with context.engine.begin() as connection:
        ClientStore(connection).add("development", {"allow_retraining": True}, context.clock())
    yield context
    context.engine.dispose()


def setting(context: ProcessContext, **settings: Any) -> None:
    object.__setattr__(context, "settings", context.settings.model_copy(update=settings))


def store(context: ProcessContext, number: int, **columns: Any) -> str:
    """An assessment of a patient of its own, far from the others; `columns` are of its row."""
    given = {name: columns.pop(name) for name in ("at", "situation") if name in columns}
    identifier = assessed(context, patient=f"p{number}", **given)
    values = {
        "features": {"age": 20.0 + 3 * number, "heart_rate": 50.0 + number * 7 % 11 * 9},
        "probabilities": {"mild": 0.9, "acute": 0.1},
        "prediction_set": ["mild"],
    }
    with context.engine.begin() as connection:
        connection.execute(
            update(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier).values(values | columns)
        )
    return identifier


def fill(context: ProcessContext) -> str:
    return ReviewQueueService(context).run(actor="test")


def queue(context: ProcessContext) -> dict[str, list[str]]:
    """Assessment → reasons, the first to be asked first."""
    with session.reading(context.engine) as connection:
        return {row["assessment_id"]: row["reasons"] for row in ReviewStore(connection).items()}


def state(context: ProcessContext, assessment: str) -> str:
    with session.reading(context.engine) as connection:
        query = select(REVIEW_ITEMS.c.state).where(REVIEW_ITEMS.c.assessment_id == assessment)
        return str(connection.execute(query).scalar_one())


def override(context: ProcessContext, assessment: str, *outcomes: str) -> None:
    with context.engine.begin() as connection:
        card = str(uuid4())
        values = {"uuid": card, "assessment_id": assessment, "kind": "scored", "indicator": "info"}
        connection.execute(insert(CARDS), values)
        for minutes, said in enumerate(outcomes):
            values = {
                "id": str(uuid4()),
                "client": "development",
                "service": "disease-severity",
                "card_uuid": card,
                "known_card": True,
                "outcome": said,
                "outcome_timestamp": SEEN + timedelta(minutes=minutes),
                "received_at": SEEN + timedelta(minutes=minutes),
            }
            connection.execute(insert(FEEDBACK), values)


def test_what_teaches_is_queued_with_its_reasons(context: ProcessContext) -> None:
    store(context, 0)  # plain
    wide = store(context, 1, prediction_set=WIDE)
    odd = store(context, 2, atypicality=0.001)
    overridden, changed = store(context, 3), store(context, 4)
    override(context, overridden, "overridden")
    override(context, changed, "overridden", "accepted")
    rare = store(context, 5, provenance={"rare_matches": [{"code": "ORPHA:558"}]})
    both = store(context, 6, prediction_set=WIDE, atypicality=0.001)
    assert fill(context).startswith("5 queued and 0 of the audit sample; 0 expired, 5 open")
    assert queue(context) == {
        wide: ["wide_set"],
        odd: ["atypical"],
        overridden: ["overridden"],
        rare: ["rare"],
        both: ["wide_set", "atypical"],
    }
    # The one with two reasons comes first, a wide set alone last.
    order = [*queue(context)]
    assert (order[0], order[-1]) == (both, wide)
    assert fill(context).startswith("0 queued and 0 of the audit sample; 0 expired, 5 open")


def test_what_is_near_a_threshold_of_the_version_that_answered(
    context: ProcessContext, small_model: tuple[Path, str]
) -> None:
    from model.scorer import Scorer
    from tests.support.service import release

    release(context, "1", *small_model)
    thresholds = Scorer.load(small_model[0], version="1").facts.thresholds
    acute = thresholds[Severity.ACUTE]
    known = {code.value: 0.0001 for code in thresholds}
    near = store(context, 1, probabilities=known | {"acute": acute * 1.05, "mild": 0.6})
    store(context, 2, probabilities=known | {"acute": min(acute * 3, 0.99), "mild": 0.01})
    # Of a version whose files are gone nothing can be said.
    gone = known | {"acute": acute, "mild": 0.6}
    store(context, 3, probabilities=gone, model_version="gone")
    fill(context)
    assert queue(context) == {near: ["threshold"]}


def test_who_is_not_asked_about(context: ProcessContext) -> None:
    setting(context, review_audit_share=1.0)
    wide: dict[str, Any] = {"prediction_set": WIDE}
    store(context, 1, **wide, at=LATER - timedelta(days=3))  # its window is open
    store(context, 2, **wide, at=LATER - timedelta(days=61))  # too long ago
    store(context, 3, **wide, situation="insufficient_data")
    store(context, 4, **wide)
    later = assessed(context, patient="p4", at=SEEN + timedelta(days=1), situation="excluded")
    with context.engine.begin() as connection:
        connection.execute(
            update(ASSESSMENTS).where(ASSESSMENTS.c.id == later).values(suppressed="opted_out")
        )
    first = assessed(context, patient="p5", encounter="e5")
    assessed(context, patient="p5", encounter="e5", at=SEEN + timedelta(hours=1))
    fill(context)
    assert [*queue(context)] == [first]


def test_with_an_outcome_only_the_audit_sample_asks(context: ProcessContext) -> None:
    identifier = assessed(context)
    with context.engine.begin() as connection:
        connection.execute(update(ASSESSMENTS).values(prediction_set=WIDE))
    receive(context, condition(icd="I21.4"))
    fill(context)
    assert queue(context) == {}
    setting(context, review_audit_share=1.0)
    assert fill(context).startswith("0 queued and 1 of the audit sample")
    assert queue(context) == {identifier: ["audit"]}


def test_fifty_twins_are_asked_about_once_and_the_budget_is_of_the_day(
    context: ProcessContext,
) -> None:
    twins = {store(context, 1, prediction_set=WIDE) for _ in range(50)}
    others = {store(context, number, prediction_set=WIDE) for number in range(3, 11)}
    setting(context, review_daily=5)
    fill(context)
    assert len(queue(context)) == 5
    fill(context)
    assert len(queue(context)) == 5
    set_time(context, LATER + timedelta(days=1))
    fill(context)
    assert len(queue(context)) == 9
    assert others < set(queue(context))
    assert len(twins & set(queue(context))) == 1
    # An answer does not let a twin in either.
    (asked,) = twins & set(queue(context))
    ReviewingService(context).answer(asked, ACUTE, "dr a")
    set_time(context, LATER + timedelta(days=2))
    assert fill(context).startswith("0 queued")


def test_the_audit_sample_is_the_same_each_time_and_does_not_expire(
    context: ProcessContext,
) -> None:
    setting(context, review_audit_share=0.3, review_daily=0)
    stored = [store(context, number) for number in range(1, 21)]
    wide = store(context, 30, prediction_set=WIDE)
    sample = {one for one in [*stored, wide] if context.secrecy.sampling_place(one) < 0.3}
    fill(context)
    assert set(queue(context)) == sample
    setting(context, review_daily=20)
    set_time(context, LATER + timedelta(hours=1))
    fill(context)
    assert set(queue(context)) == sample | {wide}
    set_time(context, LATER + timedelta(days=61))
    said = fill(context)
    expired = wide not in sample
    assert f"{int(expired)} expired, {len(sample)} open" in said
    assert f"of which {len(sample)} of the audit sample are overdue" in said
    assert state(context, wide) == ("expired" if expired else "open")


def queued(context: ProcessContext, **columns: Any) -> str:
    """One assessment in the queue."""
    identifier = store(context, 1, **{"prediction_set": WIDE} | columns)
    fill(context)
    return identifier


def test_the_loop_from_answer_to_labelled_row(context: ProcessContext) -> None:
    identifier = queued(context)
    assert joined(context).counts["without_outcome"] == 1
    service = ReviewingService(context)
    view = service.next("dr a")
    assert view is not None
    assert view.assessment_id == identifier
    said = service.answer(view.assessment_id, ACUTE, "dr a")
    assert said is not None
    assert (said.category, said.agreed, said.probabilities["mild"]) == ("mild", False, 0.9)
    stored = outcome(context, identifier)
    assert stored is not None
    expected = {
        "category": "acute",
        "author": "dr a",
        "reason": "reviewed",
        "known_at": LATER,
        "after_diagnosis": False,
        "condition_ids": [],
    }
    assert {name: stored[name] for name in expected} == expected
    assert state(context, identifier) == "answered"
    for for_training in (False, True):
        frame = joined(context, for_training=for_training).frame
        assert list(frame["severity"]) == ["acute"]
    assert service.next("dr a") is None
    with session.reading(context.engine) as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.object_type == "review_item")
        events = [(row.action, row.actor, row.object_id) for row in connection.execute(query)]
    assert events == [("read", "dr a", identifier), ("review", "dr a", identifier)]
    # Deciding everything anew changes nothing.
    OutcomeService(context).refresh()
    assert outcome(context, identifier) == stored


def test_a_reviewer_goes_before_conditions_and_the_newest_before_the_earlier(
    context: ProcessContext,
) -> None:
    identifier = queued(context)
    service = ReviewingService(context)

    def category() -> tuple[str | None, str | None]:
        set_time(context, context.clock() + timedelta(minutes=1))
        found = outcome(context, identifier)
        return (None, None) if found is None else (found["category"], found["author"])

    service.answer(identifier, ACUTE, "dr a")
    receive(context, condition(icd="I10"), patient_id="p1")
    assert category() == ("acute", "dr a")
    second = service.answer(identifier, Answer("category", Severity.MILD), "dr b")
    assert second is not None
    assert second.agreed is True
    assert category() == ("mild", "dr b")
    # Who has seen the prediction answers no longer blind: the word counts, the agreement does not.
    third = service.answer(identifier, Answer("category", Severity.CHRONIC), "dr b")
    assert third is not None
    assert third.agreed is None
    assert category() == ("chronic", "dr b")
    # Who cannot tell leaves it to the Conditions.
    service.answer(identifier, Answer("undetermined"), "dr c")
    assert category() == ("chronic", None)
    service.answer(identifier, Answer("skip"), "dr d")
    assert category() == ("chronic", None)
    with session.reading(context.engine) as connection:
        history = OutcomeStore(connection).history(identifier)
    assert [(row["category"], row["author"]) for row in history] == [
        ("acute", "dr a"),
        ("mild", "dr b"),
        ("chronic", "dr b"),
        ("chronic", None),
    ]


def test_c16_what_was_on_the_chart_before_stays_after_diagnosis(context: ProcessContext) -> None:
    setting(context, review_audit_share=1.0)
    identifier = assessed(context, encounter="e1")
    before = condition(icd="I21.4", encounter="e1")
    before["recordedDate"] = (SEEN - timedelta(hours=5)).isoformat()
    receive(context, before)
    fill(context)
    ReviewingService(context).answer(identifier, ACUTE, "dr a")
    stored = outcome(context, identifier)
    assert stored is not None
    assert (stored["category"], stored["after_diagnosis"]) == ("acute", True)
    assert joined(context).counts["after_diagnosis"] == 1


def test_c20_a_reviewer_is_the_second_source_of_a_rare_disease(context: ProcessContext) -> None:
    identifier = queued(context)
    answer = Answer.of("chronic", "586")
    ReviewingService(context).answer(identifier, answer, "dr a")
    frame = joined(context, for_training=True).frame
    assert list(frame["rare_code"]) == ["ORPHA:586"]
    with session.reading(context.engine) as connection:
        ((case, review),) = RareCaseStore(connection).newest().items()
    assert case[1] == "ORPHA:586"
    assert (review["decision"], review["actor"]) == ("confirmed", "dr a")


def test_c20_a_rare_outcome_of_one_source_is_asked_about(context: ProcessContext) -> None:
    identifier = assessed(context)
    rare = condition(icd="E84.9", codings=[("https://www.orpha.net", "ORPHA:586")])
    receive(context, rare)
    fill(context)
    assert queue(context) == {identifier: ["rare"]}
    ReviewingService(context).answer(identifier, Answer.of("chronic", "ORPHA:586"), "dr a")
    assert len(joined(context, for_training=True).frame) == 1


def test_skipped_items_are_not_asked_again_but_the_audit_sample_is(
    context: ProcessContext,
) -> None:
    one = queued(context)
    setting(context, review_audit_share=1.0)
    two = store(context, 9)
    fill(context)
    service = ReviewingService(context)
    for identifier in (one, two):
        service.answer(identifier, Answer("skip"), "dr a")
    assert (state(context, one), state(context, two)) == ("skipped", "open")
    assert service.next("dr a") is None
    other = service.next("dr b")
    assert other is not None
    assert other.assessment_id == two
    assert rows(context, REVIEW_ITEMS) == 2
    assert service.summary() == {
        "open": 1,
        "answered": 0,
        "skipped": 1,
        "expired": 0,
        "open_audit": 1,
    }


def test_two_reviewers_are_compared(context: ProcessContext) -> None:
    setting(context, review_audit_share=1.0)
    service, said = ReviewingService(context), []
    for number, (a, b) in enumerate((("acute", "acute"), ("mild", "mild"), ("acute", "mild"))):
        identifier = store(context, number)
        said.append((identifier, a, b))
    fill(context)
    for identifier, a, b in said:
        service.answer(identifier, Answer.of(a), "dr a")
        service.answer(identifier, Answer.of(b), "dr b")
    found = ReviewQueueService(context).agreement()
    # p_o 2/3; p_e = (2/3 · 1/3) + (1/3 · 2/3) = 4/9.
    assert (found.assessments, found.agreed) == (3, 2)
    assert found.kappa == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))


def test_c18_a_reviewer_is_shown_nothing_that_was_predicted(context: ProcessContext) -> None:
    identifier = queued(
        context,
        probabilities={"mild": 0.123457, "acute": 0.876543},
        category="acute",
        prediction_set=WIDE,
        contributions={"acute": {"heart_rate": 1.357911}},
        atypicality=0.000917,
        model_version="version-of-the-model",
        indicator="critical",
        features={
            "age": 61.0,
            "sex": "female",
            "heart_rate": 131.0,
            "minutes_before": {"heart_rate": 25.0},
        },
        provenance={
            "readings": [{"feature": "heart_rate", "flags": ["extreme"]}],
            "missing": [{"feature": "body_temperature", "reason": "stale"}],
            "rare_matches": [{"code": "ORPHA:558", "score": 9.87}],
        },
    )
    service = ReviewingService(context)
    view = service.show(identifier[:8], "dr a")
    told = json.dumps(asdict(view), default=str)
    for secret in (
        *("mild", "acute", "chronic", "0.12345", "0.87654", "1.3579", "0.000917"),
        *("version-of-the-model", "critical", "ORPHA", "9.87", "wide_set", "atypical", "p1"),
    ):
        assert secret not in told, secret
    (shown,) = view.readings
    assert (shown.name, shown.value, shown.unit) == ("heart_rate", 131.0, "/min")
    assert (shown.minutes_before, shown.usual, shown.flags) == (25.0, (60, 100), ("extreme",))
    assert dict(view.missing)["body_temperature"] == "stale"
    assert (view.age, view.sex, view.ids) == (61.0, "female", None)

    named = service.show(identifier, "dr a", with_ids=True)
    assert named.ids is not None
    assert named.ids.patient == "p1"
    with session.reading(context.engine) as connection:
        query = select(AUDIT_EVENTS.c.detail).where(AUDIT_EVENTS.c.action == "read")
        assert [*connection.execute(query).scalars()] == [{"with_ids": False}, {"with_ids": True}]


def test_answers_that_are_none(context: ProcessContext) -> None:
    identifier = queued(context)
    service = ReviewingService(context)
    for wrong in ("nothing", "", identifier[:3], "%", "_" * 8):
        with pytest.raises(NotFoundError):
            service.answer(wrong, ACUTE, "dr a")
    for category, rare, words in (
        ("severe", None, "must be one of not-ill, mild"),
        ("acute", "E84", "must be an ORPHAcode"),
        ("acute", "OMIM:178600", "must be an ORPHAcode"),
        ("undetermined", "ORPHA:558", "needs a category"),
    ):
        with pytest.raises(ServiceError, match=re.escape(words)):
            Answer.of(category, rare)
    assert Answer.of("NOT_ILL").category is Severity.NOT_ILL
    assert outcome(context, identifier) is None
