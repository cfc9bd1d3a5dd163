"""What a clinician can do with a card: a draft to complete, or a reason to override (C14, R51)."""

from typing import Any

from hooks.contexts import PatientViewContext
from hooks.severity_codes import severity_coding
from hooks.vendors import Shape
from hooks.wording import Wording
from model.severity import SEVERITIES, Severity

SUGGESTED = frozenset({Severity.MILD, Severity.ACUTE, Severity.CHRONIC})
"""Categories with a draft: never advanced illness, and there is none for not-ill (C14)."""

NON_ADHERENCE = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
_NON_ADHERENCE_CODES = (
    "cds-not-applicable",
    "action-completed",
    "wrong-time-workflow",
    "recipient-does-not-trust",
)
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_ANY_CLIENT = Shape()


def suggestion(
    category: Severity,
    context: PatientViewContext,
    wording: Wording,
    *,
    uuid: str,
    public_url: str,
    assessment_id: str,
    shape: Shape = _ANY_CLIENT,
) -> dict[str, Any]:
    """The default suggestion: one action that opens a draft Condition."""
    name = wording.category(category)
    said = "suggestion.action.alone" if shape.action_alone else "suggestion.action"
    return {
        "label": wording.say("suggestion", category=name),
        "uuid": uuid,
        "actions": [
            {
                "type": "create",
                "description": wording.say(said, category=name),
                "resource": draft_condition(
                    category,
                    context,
                    wording,
                    public_url=public_url,
                    assessment_id=assessment_id,
                    one_category=shape.one_category,
                ),
            }
        ],
    }


def draft_condition(
    category: Severity,
    context: PatientViewContext,
    wording: Wording,
    *,
    public_url: str,
    assessment_id: str,
    one_category: bool = False,
) -> dict[str, Any]:
    """A FHIR R4 Condition for the clinician to complete (C14).

    Without `code`, since the model knows no diagnosis; `provisional`, so that it is no outcome
    (C16); tagged with the assessment, so that a Condition it prompted can be told apart (C18).
    An encounter diagnosis where the encounter is known, else a problem-list item. Our category is
    text in a category of its own, or, with `one_category`, the text of the only one.
    """
    kind = "encounter-diagnosis" if context.encounter_id else "problem-list-item"
    coded, ours = _concept("condition-category", kind), {"text": wording.display(category)}
    condition: dict[str, Any] = {
        "resourceType": "Condition",
        "meta": {
            "tag": [{"system": f"{public_url.rstrip('/')}/fhir/assessment", "code": assessment_id}]
        },
        "clinicalStatus": _concept("condition-clinical", "active"),
        "verificationStatus": _concept("condition-ver-status", "provisional"),
        "category": [coded | ours] if one_category else [coded, ours],
        "subject": {"reference": f"Patient/{context.patient_id}"},
    }
    if context.encounter_id:
        condition["encounter"] = {"reference": f"Encounter/{context.encounter_id}"}
    return condition


def override_reasons(
    shown: Severity | None, wording: Wording, *, public_url: str, scored: bool
) -> list[dict[str, str]]:
    """Codings to choose from: the clinician's own judgement where a category was estimated, and
    general reasons of HL7's code system (R45, R51)."""
    judgement = [
        severity_coding(severity, public_url, wording.language)
        for severity in SEVERITIES
        if scored and severity is not shown
    ]
    general = [
        {"system": NON_ADHERENCE, "code": code, "display": wording.say(f"override.{code}")}
        for code in _NON_ADHERENCE_CODES
    ]
    return judgement + general


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{_TERMINOLOGY}/{system}", "code": code}]}
