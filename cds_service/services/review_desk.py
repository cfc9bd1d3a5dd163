"""What the review page asks of the queue beside a reviewer's answers: how it stands, and what the
same reviewer said last."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.context import ProcessContext
from cds_service.services.review_view import ReviewView, review_view
from cds_service.services.reviewing import Answer, Prediction, prediction, waiting
from cds_service.services.risk_assessments import model_of
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.review_store import AUDIT, OPEN, ReviewStore
from cds_service.storage.session import reading
from model.assessment import ModelFacts
from model.severity import Severity
from model.small_cells import SMALLEST_SHOWN


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """How the queue stands, for one reviewer."""

    waiting: int
    """Open cases that this reviewer has not had."""
    states: Mapping[str, int]
    """Cases by state; a state without a case is 0."""
    audit: int
    """Of the open ones, those of the random sample."""
    reasons: Mapping[str, int]
    """Open cases by reason, where that tells of no single one (`told_reasons`)."""


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """What a reviewer said last, with what was predicted unless the case was skipped."""

    view: ReviewView
    answer: Answer
    prediction: Prediction | None
    """`None` after a skip: the case can still be answered without knowing it (C18)."""
    facts: ModelFacts | None
    """Of the model that predicted; `None` with the prediction."""
    reasons: Sequence[str]
    """Why the case is in the queue; empty after a skip, because it tells of the prediction."""
    is_corrected: bool
    """Whether the reviewer had answered it before: then the prediction was known."""


class ReviewDesk:
    """Reads the queue for one person."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def standing(self, reviewer: str) -> QueueStanding:
        """How many cases are open, answered, skipped and expired; nothing of any single one."""
        with reading(self._context.engine) as connection:
            store = ReviewStore(connection)
            items = store.items({OPEN})
            return QueueStanding(
                waiting=len(waiting(store, reviewer)),
                states=Counter(store.states()),
                audit=sum(AUDIT in item["reasons"] for item in items),
                reasons=told_reasons([item["reasons"] for item in items]),
            )

    def last(self, reviewer: str) -> LastAnswer | None:
        """What this reviewer answered last; the reading is audited. `None` if there is nothing, or
        nothing is kept of it any more."""
        with self._context.engine.begin() as connection:
            store = ReviewStore(connection)
            assessment = store.last_answered(reviewer)
            if assessment is None:
                return None
            item = next(
                one for one in store.found(assessment) if one["assessment_id"] == assessment
            )
            row = store.assessments([assessment])[assessment]
            own = [one for one in store.answers([assessment]) if one["reviewer"] == reviewer]
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=reviewer,
                action="read",
                object_type="review_item",
                object_id=assessment,
                detail={"with_ids": False},
            )
        view = review_view(item, row, self._context.secrecy, with_ids=False)
        said = [one for one in own if one["answer"] != "skip"]
        if not said:
            return LastAnswer(view, Answer("skip"), None, None, (), is_corrected=False)
        _, facts = model_of(self._context, row)
        return LastAnswer(
            view,
            _answer(said[-1]),
            prediction(row, said[0]["agreed"]),
            facts,
            item["reasons"],
            is_corrected=len(said) > 1,
        )


def told_reasons(items: Sequence[Sequence[str]]) -> dict[str, int]:
    """How many cases each reason stands for, where that tells a reviewer of no single case.

    A reason tells of the prediction (C18), so one is counted only where at least `SMALLEST_SHOWN`
    cases have it and as many have not; the random sample, which no prediction has a say in, is
    counted apart.
    """
    counts = Counter(reason for reasons in items for reason in set(reasons) - {AUDIT})
    return {
        reason: count
        for reason, count in counts.most_common()
        if count >= SMALLEST_SHOWN and len(items) - count >= SMALLEST_SHOWN
    }


def _answer(row: Mapping[str, Any]) -> Answer:
    category = None if row["category"] is None else Severity(row["category"])
    return Answer(row["answer"], category, row["rare_code"])
