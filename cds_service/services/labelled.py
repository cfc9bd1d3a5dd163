"""Assessments joined with their outcomes (C16): what evaluation and retraining stand on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from cds_service.security.clients import DEVELOPMENT_CLIENT
from cds_service.services.deciding import reference_of
from cds_service.services.rare_standing import RareEvidence
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.client_store import ClientStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.feedback_store import FeedbackStore, Reaction
from fhir_mapping.label_versions import LABEL_RULE_VERSION
from fhir_mapping.outcomes import index_assessments, outcome_window_end
from model.features import FEATURE, ROW_NAMES
from model.scorer import MINUTES_BEFORE


@dataclass(frozen=True, slots=True)
class Labelled:
    """Index assessments with and without outcome."""

    frame: pd.DataFrame
    """One row an index assessment that counts: features, `severity` (the outcome),
    `patient_id` (the keyed hash), `recorded_at`, `rare_code`, what was predicted, and what became
    of it: `card_shown`, `accepted` (a clinician took it up), `overridden`, `prompted` (the outcome
    rests on a Condition made from our suggestion), `author` (of a review; missing otherwise)."""
    counts: Mapping[str, int]
    """Where every scored assessment went; they add up to `assessments`."""
    unverified: pd.DataFrame
    """The index assessments without outcome whose window has passed (C18): the same without
    `severity` and `rare_code`."""
    open_from: datetime | None
    """Prediction time of the first index assessment whose window is still open."""


def labelled(
    connection: Connection,
    *,
    now: datetime,
    label_version: str = LABEL_RULE_VERSION,
    since: datetime | None = None,
    until: datetime | None = None,
    include_open: bool = False,
    for_training: bool = False,
) -> Labelled:
    """Join scored assessments with the outcomes of one version of the rules, no other (C17): all,
    or those from `since` on and before `until`.

    Counted apart and left out: later assessments of an encounter (C16), assessments whose outcome
    window is still open (C18; kept with `include_open`), those made after the outcome was known,
    and, `for_training`, assessments of clients that do not allow it and outcomes that rest on
    Conditions of such (C21), outcomes our own suggestion prompted (C18) and rare ones that neither
    a second source nor a reviewer confirms (C20). What a reviewer rejected is never an outcome.
    """
    outcomes = OutcomeStore(connection).decided(label_version, since=since, until=until)
    store = AssessmentStore(connection)
    rows = list(store.scored(since, until))
    references = [reference_of(row) for row in rows]
    everyone = references
    if since is not None or until is not None:
        # All of these patients: an encounter may have begun before.
        everyone = [reference_of(row) for row in store.references(since=since, until=until)]
    index = {reference.id for reference in index_assessments(everyone)}
    opened = [
        reference.prediction_time
        for reference in references
        if reference.id in index and outcome_window_end(reference) > now
    ]
    reactions = FeedbackStore(connection).reactions(since, until)
    allowed = _allow_training(connection) if for_training else None
    forbidden = set() if allowed is None else ConditionStore(connection).of_others(allowed)
    rare = RareEvidence.of(
        connection,
        [row["patient_key"] for row in rows if outcomes.get(row["id"], {}).get("rare_codes")],
    )
    counts: Counter[str] = Counter({"assessments": len(rows)})
    kept: list[dict[str, Any]] = []
    unverified: list[dict[str, Any]] = []
    for row, reference in zip(rows, references, strict=True):
        outcome = outcomes.get(row["id"])
        fate = _fate(
            outcome,
            is_index=reference.id in index,
            is_open=outcome_window_end(reference) > now and not include_open,
            for_training=for_training,
            is_allowed=(allowed is None or row["client"] in allowed)
            and (outcome is None or forbidden.isdisjoint(outcome["condition_ids"])),
            is_rejected=outcome is not None and rare.rejected(row["patient_key"], outcome),
            is_unconfirmed=outcome is not None and rare.unconfirmed(row["patient_key"], outcome),
        )
        counts[fate] += 1
        if fate == "with_outcome":
            assert outcome is not None  # noqa: S101  # what this fate means
            cell = rare.cell(row["patient_key"], outcome, for_training=for_training)
            known = {"severity": outcome["category"], "rare_code": cell}
            kept.append(_row(row, reactions.get(row["id"]), outcome) | known)
        elif fate == "without_outcome":
            unverified.append(_row(row, reactions.get(row["id"]), None))
    return Labelled(_frame(kept), dict(counts), _frame(unverified), min(opened) if opened else None)


def _allow_training(connection: Connection) -> set[str]:
    """Names of the clients whose assessments may be learnt from (C21)."""
    stored = {row["name"]: row["settings"] for row in ClientStore(connection).clients()}
    allowed = {name for name, settings in stored.items() if settings.get("allow_retraining")}
    development = DEVELOPMENT_CLIENT
    if development.name not in stored and development.settings.allow_retraining:
        allowed.add(development.name)
    return allowed


def _fate(
    outcome: Mapping[str, Any] | None,
    *,
    is_index: bool,
    is_open: bool,
    for_training: bool,
    is_allowed: bool,
    is_rejected: bool,
    is_unconfirmed: bool,
) -> str:
    if not is_allowed:
        return "not_allowed"
    if not is_index:
        return "later_in_encounter"
    if is_open:
        return "window_open"
    if outcome is not None and outcome["after_diagnosis"]:
        return "after_diagnosis"
    if outcome is None or outcome["category"] is None:
        return "without_outcome"
    if for_training and outcome["prompted"]:
        return "prompted"
    if is_rejected:
        return "rare_rejected"
    if for_training and is_unconfirmed:
        return "rare_unconfirmed"
    return "with_outcome"


def _row(
    row: Mapping[str, Any], reaction: Reaction | None, outcome: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "assessment_id": row["id"],
        "client": row["client"],
        "encounter_class": row["encounter_class"],
        "patient_id": row["patient_key"],
        "recorded_at": row["prediction_time"],
        **input_row(row["features"]),
        "source": "assessments",
        "probabilities": row["probabilities"],
        "category": row["category"],
        "model_version": row["model_version"],
        "card_shown": row["suppressed"] is None,
        "indicator": row["indicator"],
        "accepted": reaction is not None and reaction.accepted,
        "overridden": reaction is not None and reaction.overridden,
        "prompted": outcome is not None and outcome["prompted"],
        "author": None if outcome is None else outcome["author"],
    }


def input_row(features: Mapping[str, Any]) -> dict[str, Any]:
    """The columns a model reads of a stored feature row: the inputs, and how old each was."""
    return {
        **{name: features.get(name) for name in ROW_NAMES},
        **{MINUTES_BEFORE + k: v for k, v in features.get("minutes_before", {}).items()},
    }


def input_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Stored feature rows as a frame for `Scorer.probabilities`."""
    return _typed(pd.DataFrame([input_row(features) for features in rows]))


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    if rows:
        frame["recorded_at"] = pd.to_datetime(frame["recorded_at"], utc=True)
        if "rare_code" in frame:
            frame["rare_code"] = frame["rare_code"].astype("str")
    return _typed(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in frame.columns:
        if name in FEATURE or str(name).startswith(MINUTES_BEFORE):
            frame[name] = frame[name].astype("float64")
    return frame
