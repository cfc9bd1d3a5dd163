"""Required prefetch: 412 names every key that cannot be used (R13 to R20)."""

import re

import msgspec
import pytest

from hooks import prefetch
from hooks.disease_severity import require_prefetch
from hooks.errors import PreconditionError

PATIENT = msgspec.Raw(b'{"resourceType": "Patient", "id": "p1"}')
VITALS = msgspec.Raw(b'{"resourceType": "Bundle", "type": "searchset", "entry": []}')
OUTCOME = msgspec.Raw(b'{"resourceType": "OperationOutcome", "issue": []}')
NULL = msgspec.Raw(b"null")


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("patient", [PATIENT, NULL])
@pytest.mark.parametrize("vitals", [VITALS, NULL])
def test_null_and_an_empty_bundle_are_answers(patient: msgspec.Raw, vitals: msgspec.Raw) -> None:
    given = {"patient": patient, "vitals": vitals}

    require_prefetch(given)
    assert prefetch.unavailable(prefetch.DISEASE_SEVERITY, given) == {}


@pytest.mark.requirement("R18")
@pytest.mark.requirement("R20")
@pytest.mark.parametrize(
    ("given", "element", "message"),
    [
        ({"patient": PATIENT}, "prefetch.vitals", "`prefetch.vitals` was not sent"),
        (
            {"patient": PATIENT, "vitals": OUTCOME},
            "prefetch.vitals",
            "`prefetch.vitals` is an OperationOutcome",
        ),
        (
            {"patient": msgspec.Raw(b'"<html>"'), "vitals": VITALS},
            "prefetch.patient",
            "`prefetch.patient` is not a FHIR resource",
        ),
    ],
)
def test_an_unusable_key_is_named(
    given: dict[str, msgspec.Raw], element: str, message: str
) -> None:
    with pytest.raises(PreconditionError) as caught:
        require_prefetch(given)

    assert caught.value.status == 412
    assert caught.value.element == element
    assert caught.value.message == f"Required data is not available: {message}"


@pytest.mark.requirement("R20")
@pytest.mark.parametrize("given", [None, {}, {"other": PATIENT}])
def test_every_missing_key_is_named(given: dict[str, msgspec.Raw] | None) -> None:
    with pytest.raises(PreconditionError) as caught:
        require_prefetch(given)

    assert "`prefetch.patient` was not sent; `prefetch.vitals` was not sent" in caught.value.message


@pytest.mark.requirement("R13")
@pytest.mark.requirement("R14")
@pytest.mark.requirement("R15")
def test_templates_use_only_safe_queries() -> None:
    for template in prefetch.DISEASE_SEVERITY.values():
        assert re.findall(r"{{(.*?)}}", template) == ["context.patientId"]
        parameters = re.findall(r"[?&]([^=]+)=", template)
        assert set(parameters) <= {"patient", "category", "_sort", "_count"}
