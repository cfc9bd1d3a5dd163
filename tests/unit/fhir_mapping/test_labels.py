"""C15, C16 (when a Condition was known), C20, C21: one Condition at a time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mapping.codings import ICD_10_CM, SNOMED_CT
from fhir_mapping.labels import ConditionClass, ConditionFacts, classify
from fhir_mapping.terminology import load_terminology
from model.severity import Severity
from tests.support.conditions import ICD_10, condition

TERMINOLOGY = load_terminology()
MILD_SEVERITY = "255604002"


def facts(at_home: bool | None = None, **elements: Any) -> ConditionFacts:
    return classify(condition(**elements), encounter_ended_at_home=at_home, terminology=TERMINOLOGY)


@pytest.mark.parametrize(
    "code",
    [
        "I21.4",
        "I22.0",
        "I26.99",
        "I60.9",
        "I63.511",
        "I50.23",
        "I50.33",
        "I50.41",
        "J44.0",
        "J44.1",
        "J96.01",
        "R57.0",
        "R65.21",
        "E10.10",
        "E11.10",
        "I46.9",
        "A41.9",
        "J45.901",
        "G40.901",
        "T78.01XA",
        "T40.1X1A",
        "S72.001A",
        "I25.110",
        "E05.01",
        "K80.33",
        "T68.XXXA",
    ],
)
def test_c15_acute_events_are_acute_though_hcup_calls_many_of_their_diseases_chronic(
    code: str,
) -> None:
    found = facts(icd=code)
    assert found.classification is ConditionClass.ACUTE_EVENT
    assert found.severity is Severity.ACUTE
    assert found.reason == "value_set:acute-event"


@pytest.mark.parametrize(
    "code",
    # Old infarct, sequelae of stroke, stable or chronic forms of the same diseases.
    [
        "I25.2",
        "I69.351",
        "I50.22",
        "I50.9",
        "J44.9",
        "J45.909",
        "J96.10",
        "E11.9",
        "I62.03",
        "J93.81",
        "G40.909",
        "I25.10",
        "E05.00",
        "N18.3",
    ],
)
def test_c15_chronic_comes_from_hcups_indicator(code: str) -> None:
    found = facts(icd=code)
    assert (found.classification, found.reason) == (ConditionClass.CHRONIC, "chronic_indicator")
    assert found.severity is Severity.CHRONIC


@pytest.mark.parametrize("code", ["S72.001D", "S72.001S", "T40.1X5A", "T78.01XD", "R55", "L03.115"])
def test_c15_not_chronic_alone_means_nothing(code: str) -> None:
    found = facts(icd=code)
    assert found.classification is ConditionClass.UNDETERMINED
    assert found.severity is None
    assert found.reason == "not_chronic_only"


@pytest.mark.parametrize("code", ["E11.9", "E119", "e11.9", " e119 "])
def test_c15_icd_10_is_read_without_dots_and_in_lower_case(code: str) -> None:
    found = facts(icd=code)
    assert found.codings == ((ICD_10_CM, "E11.9"),)
    assert found.classification is ConditionClass.CHRONIC


def test_c15_a_mixed_condition_is_acute_whichever_of_its_codings_says_so() -> None:
    """Shows 7: SNOMED CT says COPD, ICD-10 its exacerbation; and the other way round."""
    mixed = facts(snomed="13645005", icd="J44.1")
    assert mixed.classification is ConditionClass.ACUTE_EVENT
    assert mixed.decided_by == (ICD_10_CM, "J44.1")
    reverse = facts(icd="I25.10", snomed="22298006")
    assert reverse.classification is ConditionClass.ACUTE_EVENT
    assert reverse.decided_by == (SNOMED_CT, "22298006")


def test_c15_snomed_only_and_icd_only() -> None:
    """Shows 7."""
    assert facts(snomed="44054006").classification is ConditionClass.CHRONIC
    assert facts(snomed="22298006").classification is ConditionClass.ACUTE_EVENT
    assert facts(icd="I21.9").classification is ConditionClass.ACUTE_EVENT


def test_c15_systems_are_read_in_their_stated_order_and_not_as_received() -> None:
    """ICD-10-CM says chronic, SNOMED CT self-limiting: ICD-10-CM is read first."""
    found = facts(
        at_home=True, codings=[(SNOMED_CT, "10509002"), (ICD_10, "J42"), (ICD_10_CM, "J42")]
    )
    assert [coding.system for coding in found.codings] == [ICD_10_CM, ICD_10, SNOMED_CT]
    assert found.classification is ConditionClass.CHRONIC
    assert found.decided_by == (ICD_10_CM, "J42")


def test_c15_a_code_without_meaning_gives_way_to_the_next_system() -> None:
    found = facts(icd="R55", snomed="44054006")
    assert found.classification is ConditionClass.CHRONIC
    assert found.decided_by == (SNOMED_CT, "44054006")


def test_c15_the_whos_r65_2_is_no_severe_sepsis() -> None:
    """In ICD-10 R65.2 is SIRS of non-infectious origin; in ICD-10-CM severe sepsis."""
    assert facts(icd="R65.2").classification is ConditionClass.ACUTE_EVENT
    assert facts(codings=[(ICD_10, "R65.2")]).classification is ConditionClass.UNDETERMINED
    assert facts(codings=[(ICD_10, "R65.1")]).classification is ConditionClass.ACUTE_EVENT
    assert facts(codings=[(ICD_10, "I64")]).classification is ConditionClass.ACUTE_EVENT


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({}, "no_code"),
        ({"text": "chest pain"}, "text_only"),
        ({"text": "asthma", "severity": MILD_SEVERITY}, "text_only"),
        ({"codings": [("http://hospital.example/codes", "CP")]}, "unknown_system"),
        ({"codings": [("http://hl7.org/fhir/sid/icd-9-cm", "410.9")]}, "unknown_system"),
        ({"codings": [("https://www.orpha.net", "558")]}, "rare_code_only"),
        ({"icd": "myocardial infarction"}, "malformed_code"),
        ({"snomed": "138875005"}, "not_in_map"),
        ({"icd": "Z51.11"}, "no_determination"),
    ],
)
def test_c15_undetermined_has_a_reason(elements: dict[str, Any], reason: str) -> None:
    found = facts(at_home=True, **elements)
    assert (found.classification, found.reason) == (ConditionClass.UNDETERMINED, reason)


def test_c15_life_limiting_is_palliative_care_and_terminal_findings_not_a_limit_of_care() -> None:
    assert facts(icd="Z51.5").severity is Severity.TERMINAL
    assert facts(snomed="300936002").severity is Severity.TERMINAL
    assert facts(icd="Z66").classification is ConditionClass.UNDETERMINED
    # With a chronic disease among its codings too.
    assert facts(icd="C34.90", snomed="162608008").severity is Severity.TERMINAL


def test_c15_metastatic_disease_is_chronic_until_a_clinician_has_signed_the_set() -> None:
    assert facts(icd="C78.7").classification is ConditionClass.CHRONIC
    assert facts(snomed="94260004").classification is ConditionClass.CHRONIC


@pytest.mark.parametrize(
    "elements",
    [
        {"icd": "J06.9"},
        {"icd": "S93.401A"},
        {"snomed": "44465007"},
        # From severity, where the codes say nothing.
        {"snomed": "386661006", "severity": MILD_SEVERITY},
    ],
)
def test_c15_mild_takes_an_encounter_that_ended_at_home(elements: dict[str, Any]) -> None:
    home = facts(at_home=True, **elements)
    assert (home.classification, home.severity) == (ConditionClass.MILD, Severity.MILD)
    stayed = facts(at_home=False, **elements)
    assert (stayed.classification, stayed.reason) == (
        ConditionClass.UNDETERMINED,
        "not_ended_at_home",
    )
    assert not stayed.mild_if_home
    unknown = facts(at_home=None, **elements)
    assert (unknown.classification, unknown.reason) == (
        ConditionClass.UNDETERMINED,
        "home_not_known",
    )
    assert unknown.mild_if_home


def test_c15_severity_mild_makes_no_chronic_or_acute_disease_mild() -> None:
    assert facts(at_home=True, icd="J45.20", severity=MILD_SEVERITY).severity is Severity.CHRONIC
    assert facts(at_home=True, icd="I21.4", severity=MILD_SEVERITY).severity is Severity.ACUTE


@pytest.mark.parametrize("code", ["Z00.00", "Z00.129", "Z02.1", "Z03.89", "Z04.1", "Z05.1"])
def test_c15_no_disease_is_explicit_evidence(code: str) -> None:
    found = facts(icd=code)
    assert (found.classification, found.severity) == (ConditionClass.NONE, Severity.NOT_ILL)


@pytest.mark.parametrize("code", ["Z00.01", "Z00.121", "Z00.8", "Z09"])
def test_c15_an_examination_with_findings_is_no_evidence_of_health(code: str) -> None:
    assert facts(icd=code).classification is ConditionClass.UNDETERMINED


@pytest.mark.parametrize(
    "status", ["unconfirmed", "provisional", "differential", "refuted", "entered-in-error"]
)
def test_c16_what_is_not_confirmed_does_not_count(status: str) -> None:
    found = facts(icd="I21.4", verification=status)
    assert (found.counts, found.why_not) == (False, status)
    assert found.verification_status == status


def test_c16_a_status_that_cannot_be_read_does_not_count_and_an_absent_one_does() -> None:
    assert facts(icd="I21.4", verification=None).counts
    assert facts(icd="I21.4").counts
    unread = facts(icd="I21.4", verificationStatus={"text": "ruled out"})
    assert (unread.counts, unread.why_not) == (False, "unknown_verification")
    old = facts(icd="I21.4", verificationStatus="refuted")
    assert (old.counts, old.why_not) == (False, "refuted")


@pytest.mark.parametrize(
    "elements",
    [
        {"icd": "Z82.49"},
        {"icd": "Z85.3"},
        {"icd": "Z87.891"},
        {"snomed": "399211009"},
        {"snomed": "312824007"},
        # History beside a code of the disease itself.
        {"icd": "I25.2", "snomed": "399211009"},
    ],
)
def test_c16_family_and_personal_history_does_not_count(elements: dict[str, Any]) -> None:
    found = facts(at_home=True, severity=MILD_SEVERITY, **elements)
    assert (found.counts, found.why_not) == (False, "history")


def test_c16_other_reasons_not_to_count() -> None:
    assert facts(icd="I21.4", category="health-concern").why_not == "health-concern"
    assert facts(icd="I21.4", recorded=None).why_not == "unknown_date"
    assert facts(icd="I21.4", subject=None).why_not == "no_subject"
    modifier = [{"url": "http://hospital.example/not-this-patient", "valueBoolean": True}]
    assert facts(icd="I21.4", modifierExtension=modifier).why_not == "modifier_extension"
    assert facts(icd="I21.4", resourceType="Observation").why_not == "not_a_condition"


END = datetime(2026, 3, 2, 23, 59, 59, 999999, tzinfo=UTC)
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"


@pytest.mark.parametrize(
    ("elements", "known"),
    [
        ({"recorded": "2026-03-02T10:00:00+01:00"}, datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ({"recorded": "2026-03-02"}, END),
        ({"recorded": "2026-03"}, None),
        ({"recorded": "2026-03-02T10:00:00"}, None),
        (
            {
                "recorded": None,
                "extension": [{"url": ASSERTED, "valueDateTime": "2026-03-02"}],
                "onsetDateTime": "2020-01-01",
            },
            END,
        ),
        ({"recorded": None, "onsetDateTime": "2026-03-02"}, END),
        ({"recorded": None, "onsetPeriod": {"start": "2026-03-02"}}, END),
        ({"recorded": None, "onsetDateTime": "2026"}, None),
        ({"recorded": None, "onsetString": "last week"}, None),
        # The time of arrival or of the last change never counts.
        ({"recorded": None, "meta": {"lastUpdated": "2026-03-02T10:00:00Z"}}, None),
        ({"recorded": "2026-03-02", "onsetDateTime": "2016-01-01"}, END),
    ],
)
def test_c16_when_a_condition_was_known(elements: dict[str, Any], known: datetime | None) -> None:
    found = facts(icd="I21.4", **elements)
    assert found.known_at == known
    assert found.counts is (known is not None)


@pytest.mark.parametrize(
    "system",
    [
        "https://www.orpha.net",
        "http://www.orpha.net",
        "http://www.orpha.net/",
        "orpha.net",
        "urn:oid:1.3.6.1.4.1.12559.11.10.1.3.1.44.5",
    ],
)
def test_c20_orphanet_codes_are_read_in_all_their_systems(system: str) -> None:
    assert facts(codings=[(system, "558")], icd="Q87.40").rare_code == "ORPHA:558"
    assert facts(codings=[(system, "ORPHA:558")]).rare_code == "ORPHA:558"


def test_c20_omim_is_read_where_there_is_no_orphanet_code() -> None:
    assert facts(codings=[("http://www.omim.org", "154700")]).rare_code == "OMIM:154700"
    both = [("http://www.omim.org", "154700"), ("https://www.orpha.net", "558")]
    assert facts(codings=both).rare_code == "ORPHA:558"
    assert facts(icd="I21.4").rare_code is None


@pytest.mark.parametrize(("code", "restricted"), [("R", True), ("V", True), ("N", False)])
def test_c21_restricted_resources_are_marked(code: str, restricted: bool) -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    found = facts(icd="F11.20", meta={"security": [{"system": system, "code": code}]})
    assert found.restricted is restricted


def test_c14_the_tag_of_our_own_suggestion_is_read() -> None:
    tag = {"system": "https://cds.example/fhir/assessment", "code": "a-1"}
    assert facts(icd="I21.4", meta={"tag": [tag]}).prompted_by == "a-1"
    other = {"system": "https://cds.example/tags", "code": "a-1"}
    assert facts(icd="I21.4", meta={"tag": [other]}).prompted_by is None
    assert facts(icd="I21.4").prompted_by is None


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("urn:oid:2.16.840.1.113883.6.90", "I21.4"),
        ("2.16.840.1.113883.6.90", "I21.4"),
        ("http://hl7.org/fhir/sid/icd-10-cm/", "I21.4"),
        ("urn:oid:2.16.840.1.113883.6.3", "I21.4"),
        ("http://hl7.org/fhir/sid/icd-10", "I21.4†"),
        ("urn:oid:2.16.840.1.113883.6.96", "22298006"),
        ("http://snomed.info/sct/731000124108", "22298006"),
    ],
)
def test_systems_are_read_as_oids_and_with_their_variants(system: str, code: str) -> None:
    assert facts(codings=[(system, code)]).classification is ConditionClass.ACUTE_EVENT


def test_stored_facts_hold_no_reference_id_or_free_text() -> None:
    found = facts(
        icd="I21.4",
        codings=[("Marker ward list", "Marker Smith"), ("http://local.example", "Marker Smith, J")],
        text="Marker",
        encounter="Encounter/Marker",
        subject={"reference": "Patient/Marker", "display": "Marker"},
        id="Marker",
        note=[{"text": "Marker"}],
        clinicalStatus={"text": "Marker"},
        category=[{"text": "Marker"}],
        meta={"tag": [{"system": "x/assessment", "code": "Marker Smith"}]},
    )
    assert (found.source_id, found.subject, found.encounter) == (
        "Marker",
        "Patient/Marker",
        "Encounter/Marker",
    )
    assert "Marker" not in str(found.stored())
    assert found.stored()["classification"] == "acute-event"
    assert found.stored()["known_at"] == "2026-03-02T10:00:00+00:00"


_NAMES = st.sampled_from(
    [
        "code",
        "coding",
        "system",
        "subject",
        "reference",
        "meta",
        "tag",
        "security",
        "extension",
        "recordedDate",
        "onsetPeriod",
        "start",
        "category",
        "verificationStatus",
        "severity",
        "url",
    ]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["I21.4", ICD_10_CM, SNOMED_CT, "refuted", "9999-12-31", "x/assessment", ""])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(elements=st.dictionaries(_NAMES, _VALUES, max_size=6))
def test_no_json_makes_the_classification_raise(elements: dict[str, Any]) -> None:
    found = classify(elements, terminology=TERMINOLOGY)
    assert found.counts is (found.why_not is None)
    assert isinstance(found.stored(), dict)
