"""Outcomes are decided anew from the assessments and Conditions that are stored (C16)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.services.rereading import read_again
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from fhir_mapping.outcomes import AssessmentRef, StoredCondition, decide_outcome
from fhir_mapping.terminology import Terminology


def renew_outcomes(
    connection: Connection, at: datetime, patient_keys: Sequence[str], terminology: Terminology
) -> None:
    """Decide the outcomes of these patients' assessments; without Conditions there are none.

    Conditions that other label rules classified are read again first (C17).
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
    OutcomeStore(connection).renew(
        [reference["id"] for reference in references],
        label_version,
        [
            _outcome(reference, conditions[reference["patient_key"]], at, label_version)
            for reference in references
            if reference["patient_key"] in conditions
        ],
        at,
    )


def _outcome(
    row: Mapping[str, Any],
    conditions: list[StoredCondition],
    at: datetime,
    label_version: str,
) -> dict[str, Any]:
    decision = decide_outcome(
        AssessmentRef(
            id=row["id"],
            patient_key=row["patient_key"],
            prediction_time=row["prediction_time"],
            encounter_key=row["encounter_key"],
            encounter_class=row["encounter_class"],
            enough_data=row["situation"] == "scored",
        ),
        conditions,
    )
    return {
        "id": str(uuid4()),
        "assessment_id": row["id"],
        "label_version": label_version,
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
        "decided_at": at,
    }
