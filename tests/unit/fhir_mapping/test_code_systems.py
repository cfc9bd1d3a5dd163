"""C15, C20: one code system has one name here, whatever a sender calls it."""

import pytest

from fhir_mapping.code_systems import (
    ICD_9_CM,
    ICD_10,
    ICD_10_CM,
    ICD_10_GM,
    ICD_11,
    ICD_O_3,
    ICPC_2,
    OMIM,
    ORPHANET,
    OTHER_SYSTEM,
    SNOMED_CT,
    UNKNOWN_SYSTEM,
    normal_system,
    read_variants,
    shown_system,
    system_of_v2,
)
from fhir_mapping.codings import NormalCoding, normal_code, read_codings


@pytest.mark.parametrize(
    ("sent", "system"),
    [
        ("urn:oid:2.16.840.1.113883.6.90", ICD_10_CM),
        ("URN:OID:2.16.840.1.113883.6.90", ICD_10_CM),
        ("2.16.840.1.113883.6.90", ICD_10_CM),
        (" oid:2.16.840.1.113883.6.3 ", ICD_10),
        ("2.16.840.1.113883.6.3.1", ICD_10),
        ("2.16.840.1.113883.6.96", SNOMED_CT),
        ("http://snomed.info/sct/731000124108/version/20260301", SNOMED_CT),
        ("2.16.840.1.113883.6.103", ICD_9_CM),
        ("urn:oid:2.16.840.1.113883.6.347", ICD_11),
        ("2.16.840.1.113883.6.43.1", ICD_O_3),
        ("2.16.840.1.113883.6.139", ICPC_2),
        ("https://hl7.org/fhir/sid/icd-10-cm/", ICD_10_CM),
        ("http://fhir.de/CodeSystem/dimdi/icd-10-gm", ICD_10_GM),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", ICD_10_GM),
        ("https://www.orpha.net", ORPHANET),
        ("http://www.orpha.net", ORPHANET),
        ("http://www.orpha.net/", ORPHANET),
        ("https://orpha.net", ORPHANET),
        ("http://www.orpha.net/ORDO/", ORPHANET),
        ("urn:oid:1.3.6.1.4.1.12559.11.10.1.3.1.44.5", ORPHANET),
        ("1.2.250.1.213.2.49", ORPHANET),
        ("https://www.omim.org/entry", OMIM),
        ("urn:oid:2.16.840.1.113883.6.174", OMIM),
    ],
)
def test_every_way_to_name_a_system_gives_its_uri(sent: str, system: str) -> None:
    assert normal_system(sent) == system


def test_an_oid_that_is_not_known_becomes_a_uri_and_any_other_uri_stays() -> None:
    assert normal_system("1.2.3.4") == "urn:oid:1.2.3.4"
    assert normal_system("URN:OID:1.2.3.4") == "urn:oid:1.2.3.4"
    assert normal_system("https://hospital.example/codes/") == "https://hospital.example/codes"
    for none in (None, 7, "", "diagnoses", "2.16.", "http://two words"):
        assert normal_system(none) == UNKNOWN_SYSTEM, none


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("I10", ICD_10),
        ("ICD-10", ICD_10),
        ("I10C", ICD_10_CM),
        ("icd-10-cm", ICD_10_CM),
        ("I9C", ICD_9_CM),
        ("I9CDX", ICD_9_CM),
        ("SCT", SNOMED_CT),
        ("SNOMED CT", SNOMED_CT),
        ("ORPHA", ORPHANET),
        ("OMIM", OMIM),
        ("ICD10GM2011", ICD_10_GM),
        ("I10G2004", ICD_10_GM),
        ("2.16.840.1.113883.6.90", ICD_10_CM),
        ("L", UNKNOWN_SYSTEM),
        ("99LOCAL", UNKNOWN_SYSTEM),
        ("", UNKNOWN_SYSTEM),
        (None, UNKNOWN_SYSTEM),
    ],
)
def test_names_of_hl7_table_0396_give_uris(name: object, system: str) -> None:
    assert system_of_v2(name) == system


def test_reports_name_a_system_only_in_a_form_that_holds_nothing_else() -> None:
    for plain in (
        ICD_10_CM,
        ORPHANET,
        "urn:oid:1.2.840.114350.1.13.71.2.7.2.696871",
        "https://hospital.example/codes/local-2",
    ):
        assert shown_system(plain) == plain
    for hidden in (
        "text:Jane-Doe-has-flu",
        "mailto:jane@hospital.example",
        "https://hospital.example/patient?name=Jane",
        "https://jane:secret@hospital.example/x",
        "https://hospital.example/patients/19700101",
        "urn:uuid:2c1b7d3a-0000-4000-8000-000000000000",
        "https://hospital.example/Jane%20Doe",
    ):
        assert normal_system(hidden) != UNKNOWN_SYSTEM
        assert shown_system(hidden) == OTHER_SYSTEM


@pytest.mark.parametrize(
    ("system", "sent", "code"),
    [
        (ORPHANET, "558", "ORPHA:558"),
        (ORPHANET, "ORPHA558", "ORPHA:558"),
        (ORPHANET, "ORPHA: 558", "ORPHA:558"),
        (ORPHANET, "orpha-558", "ORPHA:558"),
        (ORPHANET, "Orphanet_558", "ORPHA:558"),
        (ORPHANET, "ORDO:Orphanet_558", "ORPHA:558"),
        (ORPHANET, "http://www.orpha.net/ORDO/Orphanet_558", "ORPHA:558"),
        (ORPHANET, "ORPHA:0558", None),
        (ORPHANET, "Marfan", None),
        (OMIM, "154700", "OMIM:154700"),
        (OMIM, "OMIM:154700", "OMIM:154700"),
        (OMIM, "MIM #154700", "OMIM:154700"),
        (OMIM, "#154700", "OMIM:154700"),
        (OMIM, "https://www.omim.org/entry/154700", "OMIM:154700"),
        (OMIM, "15470", None),
        (OMIM, "PS154700", None),
    ],
)
def test_c20_codes_of_rare_diseases_in_every_spelling(
    system: str, sent: str, code: str | None
) -> None:
    assert normal_code(system, sent) == code


def test_variants_are_named_by_uri_or_oid_and_must_be_variants_of_icd_10() -> None:
    known = read_variants(
        {
            "http://fhir.de/CodeSystem/dimdi/icd-10-gm": "icd-10",
            "2.16.840.1.113883.6.135": "icd-10",
            ICD_10: "icd-10-cm",
        }
    )
    assert known == {
        ICD_10_GM: ICD_10,
        "urn:oid:2.16.840.1.113883.6.135": ICD_10,
        ICD_10: ICD_10_CM,
    }
    assert read_variants({ICD_10: "icd-10"}) == {}
    for wrong, message in (
        ({"our codes": "icd-10"}, "neither a URI nor an OID"),
        ({SNOMED_CT: "icd-10"}, "no national variant"),
        ({ICD_10_GM: "icd-9"}, "must follow"),
        (
            {ICD_10_GM: "icd-10", "http://fhir.de/CodeSystem/dimdi/icd-10-gm": "icd-10-cm"},
            "twice",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            read_variants(wrong)


def test_a_coding_of_a_variant_keeps_its_system_and_stands_where_its_rules_stand() -> None:
    concept = {
        "coding": [
            {"system": SNOMED_CT, "code": "38341003"},
            {"system": "http://fhir.de/CodeSystem/dimdi/icd-10-gm", "code": "e1190"},
        ]
    }
    read = read_codings(concept, {ICD_10_GM: ICD_10})
    assert read == (NormalCoding(ICD_10_GM, "E11.90"), NormalCoding(SNOMED_CT, "38341003"))
    unread = read_codings(concept, {})
    assert unread == (NormalCoding(SNOMED_CT, "38341003"), NormalCoding(ICD_10_GM, "e1190"))
