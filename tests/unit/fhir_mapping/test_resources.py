"""FHIR R4 validated whole: what becomes truth, and what is sent."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mapping.errors import MappingError
from fhir_mapping.resources import Issue, parse_resource, validate_outgoing
from tests.support.builders import raw
from tests.support.conditions import condition

MARKER = "Marker-1957"


def issues(data: Any) -> list[str]:
    parsed = parse_resource("Condition", data)
    assert isinstance(parsed, list)
    return [str(issue) for issue in parsed]


def test_a_valid_condition_comes_back_as_received() -> None:
    resource = condition(
        icd="I21.4",
        severity="255604002",
        encounter="Encounter/e1",
        onsetDateTime="2026-03",
        note=[{"text": '{"a": 1}'}],
        extension=[
            {
                "url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate",
                "valueDateTime": "2026-03-02",
            }
        ],
    )
    assert parse_resource("Condition", resource) == resource
    assert parse_resource("Condition", raw(resource)) == resource


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"subject": None}, "Condition.subject is missing"),
        ({"code": MARKER}, "Condition.code must be an object"),
        ({"code": {"coding": [{"code": 5}]}}, "Condition.code.coding[0].code must be text"),
        ({"code": {"coding": {"code": MARKER}}}, "Condition.code.coding must be a list"),
        ({"recordedDate": MARKER}, "Condition.recordedDate is not valid in FHIR R4"),
        ({"recordedDate": "2026-02-30"}, "Condition.recordedDate is not valid in FHIR R4"),
        ({"id": f"{MARKER} x"}, "Condition.id does not have the form FHIR asks for"),
        ({MARKER: 1}, "Condition holds an element that FHIR R4 does not have here"),
        (
            {"subject": {"reference": "Patient/p1", MARKER: 1}},
            "Condition.subject holds an element that FHIR R4 does not have here",
        ),
        ({"subject": '{"reference": "Patient/Marker"}'}, "Condition.subject must be an object"),
        (
            {"onsetDateTime": "2026", "onsetString": MARKER},
            "Condition breaks a rule between its elements, such as one value of a choice like"
            " onset[x]",
        ),
        ({"contained": [{"resourceType": MARKER}]}, "Condition is not valid in FHIR R4"),
        ({"resourceType": "Patient"}, "Condition.resourceType must be Condition"),
    ],
)
def test_an_issue_names_the_element_and_nothing_of_the_patients(
    change: dict[str, Any], issue: str
) -> None:
    resource = condition(icd="I21.4") | change
    resource = {name: value for name, value in resource.items() if value is not None}
    found = issues(resource)
    assert found == [issue]
    assert MARKER not in str(found)


@pytest.mark.parametrize(
    ("data", "issue"),
    [
        (b"", "Condition is not JSON"),
        (b"{", "Condition is not JSON"),
        (b"\xff{}", "Condition is not JSON"),
        (b"[" * 100_000, "Condition is not JSON"),
        (b"[]", "Condition must be an object"),
        (b"{}", "Condition.resourceType must be Condition"),
    ],
)
def test_what_is_no_resource_at_all(data: bytes, issue: str) -> None:
    assert issues(data) == [issue]


def test_a_resource_nested_deeper_than_the_stack_is_refused() -> None:
    extension: dict[str, Any] = {"url": "http://x.example", "valueString": "x"}
    for _ in range(3000):
        extension = {"url": "http://x.example", "extension": [extension]}
    assert issues(condition(extension=[extension])) == ["Condition is not valid in FHIR R4"]


def test_an_unknown_resource_type_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="Diagnosis"):
        parse_resource("Diagnosis", {})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["coding", "code", "system", "reference"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["code", "subject", "recordedDate", "contained", "meta", "onsetAge"]),
        _VALUES,
    )
)
def test_no_contents_make_validation_raise(elements: dict[str, Any]) -> None:
    parsed = parse_resource("Condition", {"resourceType": "Condition", **elements})
    assert isinstance(parsed, dict) or all(isinstance(issue, Issue) for issue in parsed)


OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "required", "expression": ["context.patientId"]}],
}
RISK = {
    "resourceType": "RiskAssessment",
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "prediction": [{"outcome": {"text": "Acute illness"}, "probabilityDecimal": 83.0}],
}


@pytest.mark.parametrize("resource", [OUTCOME, RISK, condition(verification="provisional")])
def test_what_we_send_is_checked(resource: dict[str, Any]) -> None:
    validate_outgoing(resource)
    with pytest.raises(MappingError, match="element that FHIR R4 does not have") as error:
        validate_outgoing(resource | {"unknown": 1})
    assert error.value.element == resource["resourceType"]


def test_what_we_never_send_is_refused() -> None:
    with pytest.raises(ValueError, match="This service sends"):
        validate_outgoing({"resourceType": "Patient"})


def test_the_hot_path_does_not_import_the_models() -> None:
    """Importing them takes longer than an answer may; only Conditions need them."""
    code = (
        "import sys, fhir_mapping.extract, fhir_mapping.labels, fhir_mapping.outcomes;"
        "print([m for m in sys.modules if m.startswith(('fhir.', 'fhir_core', 'pydantic'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
