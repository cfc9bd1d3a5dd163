"""The draft Condition and the override reasons (clinical rule C14, R51)."""

import pytest
from fhir.resources.R4B.condition import Condition

from hooks.contexts import PatientViewContext
from hooks.suggestions import SUGGESTED, draft_condition, override_reasons, suggestion
from hooks.wording import Wording
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import ASSESSMENT_ID, CONTEXT, PUBLIC_URL, SUGGESTION_UUID

NO_ENCOUNTER = PatientViewContext("Practitioner/1", "p1")


def draft(context: PatientViewContext, language: str = "en") -> dict[str, object]:
    return draft_condition(
        Severity.ACUTE,
        context,
        Wording(language),
        public_url=PUBLIC_URL,
        assessment_id=ASSESSMENT_ID,
    )


def test_c14_draft_is_a_provisional_condition_without_code() -> None:
    resource = draft(CONTEXT)

    Condition.model_validate(resource)
    assert resource == {
        "resourceType": "Condition",
        "meta": {
            "tag": [{"system": "https://cds.example.org/fhir/assessment", "code": ASSESSMENT_ID}]
        },
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": "active",
                }
            ]
        },
        "verificationStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                    "code": "provisional",
                }
            ]
        },
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                        "code": "encounter-diagnosis",
                    }
                ]
            },
            {"text": "Acute illness"},
        ],
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
    }


def test_c14_without_an_encounter_it_is_a_problem_list_item() -> None:
    resource = draft(NO_ENCOUNTER, "es")

    Condition.model_validate(resource)
    assert "encounter" not in resource
    assert resource["category"][0]["coding"][0]["code"] == "problem-list-item"  # type: ignore[index]  # a dict of objects
    assert resource["category"][1] == {"text": "Enfermedad aguda"}  # type: ignore[index]  # the same


@pytest.mark.parametrize("context", [CONTEXT, NO_ENCOUNTER])
def test_fhir_invariants_con_3_to_con_5(context: PatientViewContext) -> None:
    resource = draft(context)

    # con-3: a problem-list item has a clinical status; con-4: abatement only when no longer
    # active; con-5: no clinical status when entered in error.
    assert "clinicalStatus" in resource
    assert not any(name.startswith("abatement") for name in resource)
    assert "entered-in-error" not in str(resource["verificationStatus"])


def test_c14_never_for_not_ill_or_advanced_illness() -> None:
    assert frozenset({Severity.MILD, Severity.ACUTE, Severity.CHRONIC}) == SUGGESTED


def test_one_action_that_says_what_it_does() -> None:
    made = suggestion(
        Severity.CHRONIC,
        CONTEXT,
        Wording("en"),
        uuid=SUGGESTION_UUID,
        public_url=PUBLIC_URL,
        assessment_id=ASSESSMENT_ID,
    )

    assert made["label"] == "Open a draft diagnosis: chronic illness"
    assert [action["type"] for action in made["actions"]] == ["create"]
    assert "to be completed by you" in made["actions"][0]["description"]


@pytest.mark.parametrize("shown", [*SEVERITIES, None])
def test_override_by_the_clinicians_own_judgement(shown: Severity | None) -> None:
    reasons = override_reasons(shown, Wording("en"), public_url=PUBLIC_URL, scored=True)
    ours = "https://cds.example.org/fhir/CodeSystem/severity-category"

    judged = [reason["code"] for reason in reasons if reason["system"] == ours]
    assert judged == [severity.value for severity in SEVERITIES if severity is not shown]


def test_override_without_a_category_has_general_reasons_only() -> None:
    reasons = override_reasons(None, Wording("en"), public_url=PUBLIC_URL, scored=False)

    assert [reason["code"] for reason in reasons] == [
        "cds-not-applicable",
        "action-completed",
        "wrong-time-workflow",
        "recipient-does-not-trust",
    ]
