"""References resolved against the patient of the request (C3)."""

import pytest

from fhir_mapping.references import PatientMatcher

SERVER = "https://ehr.example/fhir/R4"
UUID = "5a1c3f0e-0b6f-4f0e-9a55-0d8f4d2c9b10"


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        "Patient/p1/_history/3",
        f"{SERVER}/Patient/p1",
        f"{SERVER}/Patient/p1/_history/3",
        "HTTPS://EHR.Example/fhir/R4/Patient/p1",
        "https://ehr.example:443/fhir/R4/Patient/p1",
        "https://ehr.example/fhir/R4//Patient/p1",
    ],
)
def test_c3_the_patient_is_recognised(reference: str) -> None:
    assert PatientMatcher("p1", SERVER).matches(reference)
    assert PatientMatcher("p1", SERVER + "/").matches(reference)


@pytest.mark.parametrize(
    "reference",
    [
        None,
        "",
        "p1",
        "#p1",
        "Patient/p2",
        "Patient/P1",
        "Patient/p1/x",
        "Patient/p1?x=1",
        "Patient/",
        "Practitioner/p1",
        "Group/p1",
        "RelatedPatient/p1",
        "https://other.example/fhir/R4/Patient/p1",
        "http://ehr.example/fhir/R4/Patient/p1",
        "https://ehr.example:8443/fhir/R4/Patient/p1",
        "https://ehr.example/fhir/r4/Patient/p1",
        "https://ehr.example/fhir/Patient/p1",
        "https://ehr.example/fhir/R4?x=/Patient/p1",
        "ftp://ehr.example/fhir/R4/Patient/p1",
        "https://[ehr/Patient/p1",
        "https://ehr.example:port/fhir/R4/Patient/p1",
        "://Patient/p1",
        "urn:uuid:p2",
        "urn:oid:1.2.3",
    ],
)
def test_c3_others_are_not(reference: str | None) -> None:
    assert not PatientMatcher("p1", SERVER).matches(reference)


def test_without_a_server_an_absolute_reference_is_judged_by_its_id() -> None:
    matcher = PatientMatcher("p1", None)
    assert matcher.matches("https://any.example/fhir/Patient/p1")
    assert not matcher.matches("https://any.example/fhir/Patient/p2")


def test_a_server_that_is_no_url_matches_no_absolute_reference() -> None:
    assert not PatientMatcher("p1", "not a url").matches("https://any.example/fhir/Patient/p1")
    assert PatientMatcher("p1", "not a url").matches("Patient/p1")


def test_c3_urn_uuid_is_the_id_or_an_alias() -> None:
    assert PatientMatcher(UUID, SERVER).matches(f"urn:uuid:{UUID}")
    assert PatientMatcher(UUID, SERVER).matches(f"URN:UUID:{UUID.upper()}")
    assert not PatientMatcher("p1", SERVER).matches(f"urn:uuid:{UUID}")
    assert PatientMatcher("p1", SERVER, [f"urn:uuid:{UUID}"]).matches(f"urn:uuid:{UUID}")


def test_the_full_url_of_an_entry_is_an_address_not_a_relative_reference() -> None:
    matcher = PatientMatcher("p1", SERVER)
    assert matcher.is_at(f"{SERVER}/Patient/p1")
    assert not matcher.is_at("Patient/p1")
    assert not matcher.is_at(None)
