"""What is kept of a reading that was not used: a code and a unit, never a text."""

import pytest

from fhir_mapping.elements import CodeableConcept, Coding
from fhir_mapping.skipping import received_code, unknown_unit


def concept(*codings: tuple[str | None, str | None]) -> CodeableConcept:
    return CodeableConcept(coding=[Coding(system=s, code=c) for s, c in codings])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (concept(("http://loinc.org", "8310-5")), "8310-5"),
        (concept(("urn:oid:2.16.840.1.113883.6.1", "8310-5")), "8310-5"),
        (concept(("http://local.example", "TEMP")), "http://local.example|TEMP"),
        (concept((None, "TEMP")), "|TEMP"),
        (concept(("a text about Ana", "TEMP")), "|TEMP"),
        (concept(("http://local.example", "of Ana Gil"), ("http://loinc.org", "1-8")), "1-8"),
        (concept(("http://local.example", "x" * 41)), None),
        (CodeableConcept(), None),
        (None, None),
    ],
)
def test_a_code_is_kept(given: CodeableConcept | None, kept: str | None) -> None:
    assert received_code(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "none"),
        ("", "none"),
        ("[degRe]", "[degRe]"),
        ("°R", "°R"),
        ("as told by Ana Gil", "text"),
        ("x" * 17, "text"),
        ("a\x00b", "text"),
    ],
)
def test_a_unit_is_kept(given: str | None, kept: str) -> None:
    assert unknown_unit(given) == kept
