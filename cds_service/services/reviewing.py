"""A reviewer's work: the next assessment, the answer, and only then the prediction (C18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.errors import ConflictError, NotFoundError, ServiceError
from cds_service.services.deciding import renew_outcomes
from cds_service.services.review_view import ReviewView, review_view
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.rare_case_store import CONFIRMED, WITHDRAWN, RareCaseStore
from cds_service.storage.review_store import (
    ANSWERED,
    AUDIT,
    EXPIRED,
    OPEN,
    SKIPPED,
    ReviewStore,
)
from cds_service.storage.session import reading
from model.rare_codes import normal_rare_code
from model.severity import Severity

UNDETERMINED: Final = "undetermined"
Turn = Literal["any", "first", "last"]
"""Which answers are taken: any; only a reviewer's first of an item; only one to what the reviewer
answered last."""
SHORTEST_ID: Final = 6
"""Letters of an id that stand for the whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer says of one assessment."""

    kind: Literal["category", "undetermined", "skip"]
    category: Severity | None = None
    rare_code: str | None = None
    """`ORPHA:…`: it is this rare disease."""

    @classmethod
    def of(cls, category: str, rare: str | None = None) -> "Answer":
        """Read a category or `undetermined`, and an ORPHAcode. Raises `ServiceError`."""
        code = None
        if rare is not None and rare.strip():
            code = normal_rare_code(rare)
            if code is None or not code.startswith("ORPHA:"):
                raise ServiceError("The rare disease must be an ORPHAcode, like ORPHA:558.")
        said = category.strip().lower().replace("_", "-").replace(" ", "-")
        if said == UNDETERMINED:
            if code is not None:
                raise ServiceError("A rare disease needs a category beside it.")
            return cls("undetermined")
        try:
            return cls("category", Severity(said), code)
        except ValueError:
            known = ", ".join(code.value for code in Severity)
            raise ServiceError(f"The category must be one of {known}, or {UNDETERMINED}.") from None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted, for after the answer."""

    category: str
    probabilities: Mapping[str, float]
    prediction_set: tuple[str, ...]
    atypicality: float | None
    model_version: str
    agreed: bool | None
    """With the answer; `None` where there was no category, or it was known already."""


class ReviewingService:
    """Asks reviewers, and makes outcomes of what they answer."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def next(self, reviewer: str, *, with_ids: bool = False) -> ReviewView | None:
        """The open item that comes first and that this reviewer has not had; `None` if there is
        none. The reading is audited."""
        with self._context.engine.begin() as connection:
            for item in waiting(ReviewStore(connection), reviewer):
                return self._read(connection, item, reviewer, with_ids=with_ids)
        return None

    def show(self, identifier: str, reviewer: str, *, with_ids: bool = False) -> ReviewView:
        """One item, by the id of its assessment or the beginning of it; audited.

        Raises `NotFoundError`.
        """
        with self._context.engine.begin() as connection:
            item = _item(ReviewStore(connection), identifier)
            return self._read(connection, item, reviewer, with_ids=with_ids)

    def open_views(self, reviewer: str, *, with_ids: bool = False) -> list[ReviewView]:
        """Every open item, the first to be asked first; one audit event for all."""
        with self._context.engine.begin() as connection:
            store = ReviewStore(connection)
            items = store.items({OPEN})
            rows = store.assessments([item["assessment_id"] for item in items])
            views = [
                review_view(
                    item, rows[item["assessment_id"]], self._context.secrecy, with_ids=with_ids
                )
                for item in items
            ]
            self._audit(
                connection, reviewer, "read", "*", {"items": len(views), "with_ids": with_ids}
            )
        return views

    def answer(
        self,
        identifier: str,
        answer: Answer,
        reviewer: str,
        *,
        actor: str | None = None,
        turn: Turn = "any",
    ) -> Prediction | None:
        """Keep an answer; a category becomes the outcome of the assessment in the same
        transaction, a rare disease a confirmed case (C20).

        Returns what was predicted, which a reviewer may see from then on; `None` after `skip`.
        The newest answer counts. `agreed` is kept only of a reviewer's first, because later ones
        know the prediction. A skipped item of the audit sample stays open for others. `actor` is
        who enters it, where that is not the reviewer. A rare disease that the reviewer named before
        and does not name now is taken back. Raises `NotFoundError`, and `ConflictError` where it is
        not the `turn` for it.
        """
        at = self._context.clock()
        with self._context.writers, self._context.engine.begin() as connection:
            OutcomeStore(connection).lock()
            store = ReviewStore(connection)
            item = _item(store, identifier)
            assessment = item["assessment_id"]
            row = store.assessments([assessment])[assessment]
            own = [one for one in store.answers([assessment]) if one["reviewer"] == reviewer]
            if turn == "first" and own:
                raise ConflictError("You have answered this already.")
            if turn == "last" and store.last_answered(reviewer) != assessment:
                raise ConflictError("This is not what you answered last.")
            said = [one for one in own if one["answer"] != "skip"]
            blind = not said
            agreed = None
            if answer.category is not None and blind:
                agreed = answer.category.value == row["category"]
            store.add_answer(
                {
                    "assessment_id": assessment,
                    "answer": answer.kind,
                    "category": None if answer.category is None else answer.category.value,
                    "rare_code": answer.rare_code,
                    "agreed": agreed,
                    "at": at,
                    "reviewer": reviewer,
                }
            )
            if answer.kind != "skip":
                store.close([assessment], ANSWERED, at=at)
            elif item["state"] == OPEN and AUDIT not in item["reasons"]:
                store.close([assessment], SKIPPED, at=at)
            if answer.kind != "skip":
                before = said[-1]["rare_code"] if said else None
                if before is not None and before != answer.rare_code:
                    _say_rare(connection, row, before, WITHDRAWN, at, reviewer)
                if answer.rare_code is not None:
                    _say_rare(connection, row, answer.rare_code, CONFIRMED, at, reviewer)
                renew_outcomes(connection, at, [row["patient_key"]], self._context.terminology)
            detail = {"answer": answer.kind, "rare": answer.rare_code is not None, "blind": blind}
            by = reviewer if actor is None else actor
            self._audit(connection, by, "review", assessment, detail)
        return None if answer.kind == "skip" else prediction(row, agreed)

    def confirm(
        self, assessments: Sequence[str], answer: Answer, confirmer: str, *, at: datetime
    ) -> None:
        """Keep what somebody says who is in charge of the patient, and was not asked by the queue:
        the confirmed category of all assessments of one case. It becomes their outcome.

        Whoever saw the prediction does not count as having agreed with it or not (C18). What was
        picked at random for the audit sample stays open for somebody who did not see it. Raises
        `NotFoundError` for an assessment that is not there.
        """
        with self._context.writers, self._context.engine.begin() as connection:
            OutcomeStore(connection).lock()
            store = ReviewStore(connection)
            rows = store.assessments(assessments)
            earlier = store.answers(assessments)
            for assessment in assessments:
                row = rows.get(assessment)
                if row is None:
                    raise NotFoundError("There is no such assessment.")
                # Nothing was shown of what was held back.
                blind = row["suppressed"] is not None and all(
                    one["assessment_id"] != assessment for one in earlier
                )
                category = None if answer.category is None else answer.category.value
                agreed = None
                if category is not None and row["category"] is not None and blind:
                    agreed = category == row["category"]
                store.add_answer(
                    {
                        "assessment_id": assessment,
                        "answer": answer.kind,
                        "category": category,
                        "rare_code": answer.rare_code,
                        "agreed": agreed,
                        "at": at,
                        "reviewer": confirmer,
                    }
                )
                detail = {"answer": answer.kind, "rare": False, "blind": blind}
                self._audit(connection, confirmer, "confirm", assessment, detail, "assessment")
            store.close(store.open_but_audit(assessments), ANSWERED, at=at)
            keys = sorted({row["patient_key"] for row in rows.values()})
            renew_outcomes(connection, at, keys, self._context.terminology)

    def given(self, identifier: str, answer: Answer, reviewer: str) -> bool:
        """Whether this is what the reviewer said last of it. Raises `NotFoundError`."""
        with reading(self._context.engine) as connection:
            store = ReviewStore(connection)
            answers = store.answers([_item(store, identifier)["assessment_id"]])
        own = [one for one in answers if one["reviewer"] == reviewer]
        said = (answer.kind, answer.category, answer.rare_code)
        return bool(own) and said == tuple(
            own[-1][name] for name in ("answer", "category", "rare_code")
        )

    def open_ids(self) -> list[str]:
        """Assessments that are open, the first to be asked first."""
        with reading(self._context.engine) as connection:
            return [item["assessment_id"] for item in ReviewStore(connection).items({OPEN})]

    def summary(self) -> dict[str, int]:
        """How many items are in each state, and of the open ones how many are of the audit
        sample. Not why an item is there: that would tell of its prediction."""
        with reading(self._context.engine) as connection:
            store = ReviewStore(connection)
            states = store.states()
            audit = sum(AUDIT in item["reasons"] for item in store.items({OPEN}))
        counts = {state: states.get(state, 0) for state in (OPEN, ANSWERED, SKIPPED, EXPIRED)}
        return counts | {"open_audit": audit}

    def _read(
        self, connection: Connection, item: Mapping[str, Any], reviewer: str, *, with_ids: bool
    ) -> ReviewView:
        assessment = item["assessment_id"]
        row = ReviewStore(connection).assessments([assessment])[assessment]
        self._audit(connection, reviewer, "read", assessment, {"with_ids": with_ids})
        return review_view(item, row, self._context.secrecy, with_ids=with_ids)

    def _audit(
        self,
        connection: Connection,
        reviewer: str,
        action: str,
        object_id: str,
        detail: Mapping[str, Any],
        object_type: str = "review_item",
    ) -> None:
        AuditStore(connection).add(
            at=self._context.clock(),
            actor=reviewer,
            action=action,
            object_type=object_type,
            object_id=object_id,
            detail=detail,
        )


def waiting(store: ReviewStore, reviewer: str) -> list[dict[str, Any]]:
    """Open items that this reviewer has not had, the first to be asked first."""
    items = store.items({OPEN})
    had = {
        one["assessment_id"]
        for one in store.answers([item["assessment_id"] for item in items])
        if one["reviewer"] == reviewer
    }
    return [item for item in items if item["assessment_id"] not in had]


def _item(store: ReviewStore, identifier: str) -> dict[str, Any]:
    """The item of an assessment, by its id or the beginning of it. Raises `NotFoundError`."""
    wanted = identifier.strip().lower()
    found = store.found(wanted) if len(wanted) >= SHORTEST_ID else []
    if len(found) == 1:
        return found[0]
    exact = [item for item in found if item["assessment_id"] == wanted]
    if exact:
        return exact[0]
    if found:
        raise NotFoundError("Several items begin so; type more of the id.")
    raise NotFoundError("There is no such item in the review queue: see cds-service review list.")


def _say_rare(
    connection: Connection,
    row: Mapping[str, Any],
    code: str,
    decision: str,
    at: datetime,
    reviewer: str,
) -> None:
    RareCaseStore(connection).add(
        {
            "patient_key": row["patient_key"],
            "rare_code": code,
            "decision": decision,
            "reason": "Answered in the review queue.",
            "at": at,
            "actor": reviewer,
        }
    )


def prediction(row: Mapping[str, Any], agreed: bool | None) -> Prediction:
    """What was predicted by an assessment."""
    return Prediction(
        category=row["category"],
        probabilities=row["probabilities"] or {},
        prediction_set=tuple(row["prediction_set"] or ()),
        atypicality=row["atypicality"],
        model_version=row["model_version"],
        agreed=agreed,
    )
