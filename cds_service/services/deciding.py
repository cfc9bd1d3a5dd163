"""Outcomes are decided anew from what is stored: reviewers' answers, else Conditions (C16).

A reviewer answered without knowing the prediction (C18), so Conditions that come later do not
outweigh the answer; only a later answer does.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.services.rereading import read_again
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.review_store import ReviewStore, standing
from fhir_mapping.outcomes import (
    AssessmentRef,
    OutcomeDecision,
    StoredCondition,
    decide_outcome,
    known_at_assessment,
)
from fhir_mapping.terminology import Terminology
from model.rare_codes import in_order
from model.severity import Severity

REVIEWED = "reviewed"
"""The reason of an outcome that a reviewer gave."""


def renew_outcomes(
    connection: Connection, at: datetime, patient_keys: Sequence[str], terminology: Terminology
) -> None:
    """Decide the outcomes of these patients' assessments; without Conditions and a reviewer's
    answer there are none.

    Conditions that other label rules classified are read again first (C17); what a reviewer
    answered does not depend on such rules.
    An outcome that comes out as before stays as it is; another supersedes it.
    """
    read_again(connection, at, patient_keys, terminology)
    label_version = terminology.label_version
    conditions: dict[str, list[StoredCondition]] = defaultdict(list)
    for row in ConditionStore(connection).current(patient_keys):
        conditions[row["patient_key"]].append(
            StoredCondition.of(
                row["facts"],
                id=row["id"],
                patient_key=row["patient_key"],
                encounter_key=row["encounter_key"],
                source=row["client"],
            )
        )
    references = AssessmentStore(connection).references(patient_keys)
    ids = [reference["id"] for reference in references]
    reviewed = {
        identifier: answer
        for identifier, answer in standing(ReviewStore(connection).answers(ids)).items()
        if answer["category"] is not None
    }
    OutcomeStore(connection).renew(
        ids,
        label_version,
        [
            _outcome(
                reference,
                conditions.get(reference["patient_key"], []),
                reviewed.get(reference["id"]),
            )
            | {"label_version": label_version, "decided_at": at}
            for reference in references
            if reference["patient_key"] in conditions or reference["id"] in reviewed
        ],
        at,
    )


def reference_of(row: Mapping[str, Any]) -> AssessmentRef:
    """What outcome rules need of a stored assessment; without a situation it is a scored one."""
    return AssessmentRef(
        id=row["id"],
        patient_key=row["patient_key"],
        prediction_time=row["prediction_time"],
        encounter_key=row["encounter_key"],
        encounter_class=row["encounter_class"],
        enough_data=row.get("situation", "scored") == "scored",
    )


def _outcome(
    row: Mapping[str, Any], conditions: list[StoredCondition], answer: Mapping[str, Any] | None
) -> dict[str, Any]:
    assessment = reference_of(row)
    decision = decide_outcome(assessment, conditions)
    decided = _decided(decision)
    if answer is not None:
        category = Severity(answer["category"])
        decided |= _reviewed(decision, answer) | {
            "after_diagnosis": known_at_assessment(category, assessment, conditions)
        }
    return {"id": str(uuid4()), "assessment_id": row["id"], **decided}


def _decided(decision: OutcomeDecision) -> dict[str, Any]:
    return {
        "category": None if decision.category is None else decision.category.value,
        "classes": [severity.value for severity in decision.classes],
        "pre_existing": [severity.value for severity in decision.pre_existing],
        "reason": decision.reason,
        "known_at": decision.known_at,
        "after_diagnosis": decision.after_diagnosis,
        "prompted": decision.prompted,
        "needs_second_source": decision.needs_second_source,
        "rare_codes": list(decision.rare_codes),
        # In one order, so that the same decision is seen to be the same.
        "condition_ids": sorted(decision.condition_ids),
        "author": None,
    }


def _reviewed(decision: OutcomeDecision, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a reviewer's answer puts in the place of what Conditions say.

    It rests on no Condition, was prompted by nothing of ours, and is a source of its own for a
    rare disease (C20). What was pre-existing stays.
    """
    code = answer["rare_code"]
    return {
        "category": answer["category"],
        "classes": [answer["category"]],
        "reason": REVIEWED,
        "known_at": answer["at"],
        "prompted": False,
        "needs_second_source": False,
        "rare_codes": list(in_order([*decision.rare_codes, *([code] if code else [])])),
        "condition_ids": [],
        "author": answer["reviewer"],
    }
