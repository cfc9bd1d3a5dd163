"""Fills the review queue: what would teach most, and a random sample of all (C18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.deciding import reference_of
from cds_service.services.models import ModelService
from cds_service.services.rare_standing import RareEvidence
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.review_store import (
    AUDIT,
    EXPIRED,
    OPEN,
    ReviewStore,
)
from cds_service.storage.session import reading
from fhir_mapping.outcomes import index_assessments, outcome_window_end
from model.assessment import ModelFacts
from model.errors import ModelError
from model.evaluation.active_learning import (
    Signal,
    choose,
    cohen_kappa,
    decision_distance,
    feature_space,
    priority,
    signals,
    spread,
)
from model.features import FEATURE, FloatArray
from model.severity import Severity

AUDIT_PRIORITY: Final = 10.0
"""Before everything else: a sample that is answered in part is no random sample."""
_UNUSUAL: Final = 0.01
"""Atypicality that counts where the version that answered cannot be read any more."""
_KINDS = tuple(FEATURE)
"""Inputs that make the space of distances."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far reviewers who answered the same assessment said the same."""

    assessments: int
    """Answered with a category by two reviewers or more; the newest two count."""
    agreed: int
    kappa: float | None
    """Cohen's; `None` where it is not defined."""


class ReviewQueueService:
    """Chooses assessments for reviewers."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self, *, actor: str) -> str:
        """Fill the queue up to the budget of the day and close what waited too long.

        Only index assessments whose outcome window has passed are asked about: before, nobody
        knows the answer. Again on the same day it adds what is new to the audit sample, and no more
        than the rest of the budget.
        """
        settings, now = self._context.settings, self._context.clock()
        since = now - timedelta(days=settings.review_days)
        with reading(self._context.engine) as connection:
            rows = self._matured(connection, now, since)
            chosen = self._chosen(connection, rows, now, since)
        with self._context.engine.begin() as connection:
            store = ReviewStore(connection)
            # Another process may have filled it meanwhile: its items and its budget count.
            store.lock()
            left = settings.review_daily - self._queued_today(store, now)
            expired = self._expire(store, now, since)
            audit = [item for item in chosen if AUDIT in item["reasons"]]
            there = store.known([item["assessment_id"] for item in chosen])
            others = [
                item
                for item in chosen
                if AUDIT not in item["reasons"] and item["assessment_id"] not in there
            ]
            added_audit = store.add(audit)
            added = store.add(others[: max(left, 0)])
            open_items = store.items({OPEN})
            overdue = sum(
                AUDIT in item["reasons"] and item["queued_at"] < since for item in open_items
            )
            counts = {
                "queued": added,
                "audit": added_audit,
                "expired": expired,
                "open": len(open_items),
                "audit_overdue": overdue,
            }
            AuditStore(connection).add(
                at=now,
                actor=actor,
                action="fill",
                object_type="review_queue",
                object_id="*",
                detail=counts,
            )
        return (
            f"{added} queued and {added_audit} of the audit sample; {expired} expired, "
            f"{len(open_items)} open, of which {overdue} of the audit sample are overdue."
        )

    def agreement(self) -> Agreement:
        """Of the newest answers of the two reviewers who answered last, each without knowing what
        the other said."""
        with reading(self._context.engine) as connection:
            answers = ReviewStore(connection).answers()
        newest: dict[str, dict[str, str]] = {}
        for one in answers:
            if one["category"] is not None:
                by_reviewer = newest.setdefault(one["assessment_id"], {})
                by_reviewer.pop(one["reviewer"], None)
                by_reviewer[one["reviewer"]] = one["category"]
        pairs = [tuple(said.values())[-2:] for said in newest.values() if len(said) > 1]
        first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        agreed = sum(a == b for a, b in pairs)
        return Agreement(len(pairs), agreed, cohen_kappa(first, second))

    def _matured(
        self, connection: Connection, now: datetime, since: datetime
    ) -> list[dict[str, Any]]:
        """Index assessments of the period whose windows have passed."""
        # All of these patients: an encounter may have begun before the period.
        index = {
            reference.id: reference
            for reference in index_assessments(
                reference_of(row) for row in AssessmentStore(connection).references(since=since)
            )
            if reference.prediction_time >= since and outcome_window_end(reference) <= now
        }
        store = ReviewStore(connection)
        withdrawn = store.withdrawn()
        return [
            row
            for row in store.predicted(since)
            if row["id"] in index
            and withdrawn.get(row["patient_key"], since) <= row["prediction_time"]
        ]

    def _chosen(
        self,
        connection: Connection,
        rows: Sequence[Mapping[str, Any]],
        now: datetime,
        since: datetime,
    ) -> list[dict[str, Any]]:
        """Items for the queue: the audit sample, then what teaches most, best first."""
        settings = self._context.settings
        speaks = self._reasons(connection, rows, since)
        known = ReviewStore(connection).known([row["id"] for row in rows])
        place = self._context.secrecy.sampling_place
        items = []
        for row in rows:
            if row["id"] not in known and place(row["id"]) < settings.review_audit_share:
                reasons = [AUDIT, *(signal.reason for signal in speaks.get(row["id"], ()))]
                items.append(_item(row["id"], reasons, AUDIT_PRIORITY, now))
        known |= {item["assessment_id"] for item in items}
        # What was asked about stays among the places, so that none of its twins is asked about.
        shown = [i for i, row in enumerate(rows) if row["id"] in speaks or row["id"] in known]
        weights = np.asarray([priority(speaks.get(rows[i]["id"], ())) for i in shown])
        asked = np.asarray([rows[i]["id"] in known for i in shown], dtype=bool)
        places = feature_space(_values(rows))[shown]
        for position in choose(places, weights, settings.review_daily, asked=asked):
            row = rows[shown[position]]
            reasons = [signal.reason for signal in speaks[row["id"]]]
            items.append(_item(row["id"], reasons, float(weights[position]), now))
        return items

    def _reasons(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]], since: datetime
    ) -> dict[str, tuple[Signal, ...]]:
        """What speaks for each assessment that has no outcome that counts."""
        label_version = self._context.terminology.label_version
        outcomes = OutcomeStore(connection).decided(label_version, since=since)
        overridden = ReviewStore(connection).overridden(since)
        facts = _FactsOfVersions(connection)
        with_rare = [
            row["patient_key"] for row in rows if outcomes.get(row["id"], {}).get("rare_codes")
        ]
        evidence = RareEvidence.of(connection, with_rare)
        found: dict[str, tuple[Signal, ...]] = {}
        for row in rows:
            outcome = outcomes.get(row["id"])
            unconfirmed = outcome is not None and evidence.unconfirmed(row["patient_key"], outcome)
            if outcome is not None and (
                outcome["after_diagnosis"] or (outcome["category"] is not None and not unconfirmed)
            ):
                continue
            rare = unconfirmed or bool((row["provenance"] or {}).get("rare_matches"))
            model = facts.of(row["model_version"])
            said = signals(
                distance=_distance(row["probabilities"], model),
                set_size=len(row["prediction_set"] or ()) or None,
                spread=spread(list(row["probabilities"].values())),
                atypicality=row["atypicality"],
                unusual_below=_UNUSUAL if model is None else model.unusual_below,
                overridden=row["id"] in overridden,
                rare=rare,
            )
            if said:
                found[row["id"]] = said
        return found

    def _queued_today(self, store: ReviewStore, now: datetime) -> int:
        """Items that were queued since midnight at the site, without the audit sample."""
        local = now.astimezone(self._context.zone)
        midnight = datetime.combine(local.date(), time(), tzinfo=self._context.zone)
        return sum(AUDIT not in item["reasons"] for item in store.queued_since(midnight))

    def _expire(self, store: ReviewStore, now: datetime, since: datetime) -> int:
        """Close what nobody answered in time. The audit sample stays: else it would become one of
        what was easy to answer."""
        old = [
            item["assessment_id"]
            for item in store.items({OPEN})
            if item["queued_at"] < since and AUDIT not in item["reasons"]
        ]
        store.close(old, EXPIRED, at=now)
        return len(old)


class _FactsOfVersions:
    """Operating thresholds of the versions that answered; each artefact is read once."""

    def __init__(self, connection: Connection) -> None:
        self._versions = {row["version"]: row for row in ModelStore(connection).versions()}
        self._known: dict[str, ModelFacts | None] = {}

    def of(self, version: str) -> ModelFacts | None:
        """`None` where its files are gone: then nothing is said of thresholds."""
        if version not in self._known:
            row, facts = self._versions.get(version), None
            if row is not None:
                try:
                    facts = ModelService.load(row).facts
                except (ModelError, OSError):
                    facts = None
            self._known[version] = facts
        return self._known[version]


def _distance(probabilities: Mapping[str, float], facts: ModelFacts | None) -> float | None:
    if facts is None:
        return None
    classes = [Severity(code) for code in probabilities]
    if any(code not in facts.thresholds for code in classes):
        return None
    row = np.asarray([list(probabilities.values())], dtype=np.float64)
    return float(decision_distance(row, classes, facts.thresholds)[0])


def _values(rows: Sequence[Mapping[str, Any]]) -> FloatArray:
    """Numeric inputs of assessments, (n, d), NaN where missing."""
    return np.asarray(
        [[_number(row["features"].get(name)) for name in _KINDS] for row in rows],
        dtype=np.float64,
    ).reshape(len(rows), len(_KINDS))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _item(assessment: str, reasons: list[str], weight: float, at: datetime) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "assessment_id": assessment,
        "reasons": reasons,
        "priority": weight,
        "queued_at": at,
        "state": OPEN,
        "closed_at": None,
    }
