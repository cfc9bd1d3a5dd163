"""What DG1 and PRB say becomes a Condition, and A40 a merge."""

from collections import Counter
from datetime import UTC
from typing import Any

import pytest

from fhir_mapping.hl7v2 import HL7Error, read_message
from fhir_mapping.hl7v2_diagnoses import Diagnoses, Reading, read_diagnoses
from fhir_mapping.labels import ConditionClass, ConditionFacts, classify
from fhir_mapping.resources import parse_resource
from fhir_mapping.terminology import load_terminology
from tests.support.conditions import ICD_10_CM
from tests.support.hl7v2 import dg1, merge, message, prb


def read(text: str, reading: Reading | None = None) -> Diagnoses:
    return read_diagnoses(read_message(text.encode()), reading or Reading())


def one(*segments: str, reading: Reading | None = None, **more: Any) -> dict[str, Any]:
    (found,) = read(message(*segments, **more), reading).conditions
    assert parse_resource("Condition", found) == found
    assert "Xqz" not in str(found), "free text is not taken over"
    return found


def facts(condition: dict[str, Any]) -> ConditionFacts:
    return classify(condition, terminology=load_terminology(None))


def test_dg1_is_an_encounter_diagnosis() -> None:
    read_ = read(message(dg1()))
    assert (read_.patient_id, read_.encounter_id, read_.ended_at_home) == ("p1", "e1", None)
    found = facts(one(dg1()))
    assert found.source_id == "c1"
    assert found.classification is ConditionClass.ACUTE_EVENT
    assert found.verification_status == "confirmed"
    assert found.categories == ("encounter-diagnosis",)
    assert (found.subject, found.encounter) == ("Patient/p1", "Encounter/e1")
    assert found.known_at is not None
    assert found.known_at.isoformat() == "2026-03-02T10:00:00+00:00"
    assert found.counts


@pytest.mark.parametrize(
    ("kind", "action", "why_not"),
    [
        ("F", "", None),
        ("f", "A", None),
        ("A", "", "provisional"),
        ("W", "U", "provisional"),
        ("", "", "unconfirmed"),
        ("X", "", "unconfirmed"),
        ("F", "D", "entered-in-error"),
    ],
)
def test_c16_only_a_final_diagnosis_counts(kind: str, action: str, why_not: str | None) -> None:
    found = facts(one(dg1(kind=kind, action=action)))
    assert (found.why_not, found.counts) == (why_not, why_not is None)


def test_a_site_names_its_own_final_types() -> None:
    reading = Reading(final_types=frozenset({"D"}))
    assert facts(one(dg1(kind="D"), reading=reading)).counts
    assert facts(one(dg1(kind="F"), reading=reading)).why_not == "unconfirmed"


def test_the_admitting_and_the_final_line_are_one_condition_confirmed() -> None:
    for kinds in ("AF", "FA"):
        lines = [dg1(kind=kind, identifier="", number=i) for i, kind in enumerate(kinds, 1)]
        assert facts(one(*lines)).verification_status == "confirmed"


@pytest.mark.parametrize(
    ("code", "method", "expected"),
    [
        ("I21.9^x^I10C", "", [("http://hl7.org/fhir/sid/icd-10-cm", "I21.9")]),
        ("I219^x^i10", "", [("http://hl7.org/fhir/sid/icd-10", "I219")]),
        ("I21.9", "I10", [("http://hl7.org/fhir/sid/icd-10", "I21.9")]),
        ("22298006^x^SCT", "", [("http://snomed.info/sct", "22298006")]),
        ("586^x^ORPHA", "", [("https://www.orpha.net", "586")]),
        (
            "X1^x^99LOC^I21.9^y^I10C",
            "",
            [("urn:hl7v2:99LOC", "X1"), ("http://hl7.org/fhir/sid/icd-10-cm", "I21.9")],
        ),
        ("I21.9^x^2.16.840.1.113883.6.90", "", [("http://hl7.org/fhir/sid/icd-10-cm", "I21.9")]),
        ("I21.9^x^ICD-10-GM-2026", "", [("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "I21.9")]),
        ("410.9^x^I9", "", [("http://hl7.org/fhir/sid/icd-9-cm", "410.9")]),
        ("I21.9^x^1.2.3.4^^^^^^^^^^^2.16.840.1.113883.6.90", "", [(ICD_10_CM, "I21.9")]),
        ("X1^x^1.2.3.4", "", [("urn:oid:1.2.3.4", "X1")]),
        ("X1^x^http://xqz.example/Xqz", "", [(None, "X1")]),
        ("I21.9^x^Xqzname", "", [(None, "I21.9")]),
        (
            "I21.9^^^^^^^^^^^^^2.16.840.1.113883.6.90",
            "",
            [(ICD_10_CM, "I21.9")],
        ),
    ],
)
def test_coding_systems(code: str, method: str, expected: list[tuple[str | None, str]]) -> None:
    line = dg1(code).split("|")
    line[2] = method
    codings = one("|".join(line))["code"]["coding"]
    assert [(coding.get("system"), coding["code"]) for coding in codings] == expected


def test_a_site_names_its_own_systems() -> None:
    reading = Reading(systems={"I10": "http://hl7.org/fhir/sid/icd-10-cm"})
    coding = one(dg1("R65.20^^I10"), reading=reading)["code"]["coding"][0]
    assert coding["system"] == "http://hl7.org/fhir/sid/icd-10-cm"


def test_c16_a_diagnosis_is_known_when_it_was_made_never_when_it_was_sent() -> None:
    assert "recordedDate" not in one(dg1(at=""))
    # An added diagnosis was recorded by the event itself (EVN-2).
    assert one(dg1(at="", action="A"))["recordedDate"] == "2026-03-02T11:00:00+00:00"
    assert one(dg1(at="202603021000"), sent="20260302+0100")["recordedDate"].endswith("+01:00")
    assert one(dg1(at="202603021000"), sent="20260302")["recordedDate"] == "2026-03-02"
    zoned = one(dg1(at="202603021000"), sent="20260302", reading=Reading(zone=UTC))
    assert zoned["recordedDate"] == "2026-03-02T10:00:00+00:00"


def test_an_id_is_stable_where_the_message_gives_none() -> None:
    first = one(dg1(identifier="", number=1))["id"]
    assert one(dg1(identifier="", number=4, kind="W"))["id"] == first
    assert one(dg1(identifier="", action="D"))["id"] == first
    assert one(dg1("I10^^I10C", identifier=""))["id"] != first
    assert one(dg1(identifier=""), visit="e2")["id"] != first
    assert one(dg1(identifier=""), patient="p2^^^HOSP^MR")["id"] != first
    by_day = one(dg1(identifier=""), visit=None)["id"]
    assert one(dg1(identifier="", at="20260302"), visit=None)["id"] == by_day
    assert one(dg1(identifier="", at="20260303"), visit=None)["id"] != by_day
    assert len(one(dg1(identifier="has spaces/slash"))["id"]) <= 64


def test_c21_a_confidential_diagnosis_is_restricted() -> None:
    assert facts(one(dg1(confidential="Y"))).restricted
    assert not facts(one(dg1(confidential="N"))).restricted
    assert facts(one(prb(security="V"), event="PPR^PC1")).restricted


@pytest.mark.parametrize(
    ("disposition", "home"),
    [("01", True), ("1", True), ("20", False), ("02", False), ("", None), ("LOCAL", None)],
)
def test_c15_the_discharge_says_who_went_home(disposition: str, home: bool | None) -> None:
    assert read(message(dg1(), disposition=disposition)).ended_at_home is home


def test_a_site_names_who_went_home_and_whether_visits_are_encounters() -> None:
    reading = Reading(home_dispositions=frozenset({"HOM"}), visits=False)
    read_ = read(message(dg1(), disposition="hom"), reading)
    assert (read_.ended_at_home, read_.encounter_id) == (True, None)
    assert "encounter" not in read_.conditions[0]


def test_prb_is_a_problem() -> None:
    found = facts(one(prb(status="active"), event="PPR^PC1"))
    assert found.categories == ("problem-list-item",)
    assert (found.clinical_status, found.verification_status) == ("active", None)
    assert found.counts
    assert found.known_at is not None


@pytest.mark.parametrize(
    ("segment", "event", "why_not"),
    [
        (prb(confirmation="confirmed"), "PPR^PC2", None),
        (prb(confirmation="Differential"), "PPR^PC1", "differential"),
        (prb(confirmation="local word"), "PPR^PC1", "unconfirmed"),
        (prb(action="DE"), "PPR^PC3", "entered-in-error"),
        (prb(action=""), "PPR^PC3", "entered-in-error"),
        (prb(action="DE", code=""), "PPR^PC3", "entered-in-error"),
        (prb(action="UP", established=""), "PPR^PC2", "unknown_date"),
        (prb(action="AD", established="", at="20260302"), "PPR^PC1", None),
    ],
)
def test_c16_what_becomes_of_a_problem(segment: str, event: str, why_not: str | None) -> None:
    assert facts(one(segment, event=event)).why_not == why_not


@pytest.mark.parametrize(
    ("patient", "reading", "expected"),
    [
        ("p1^^^HOSP^MR~x^^^SSA^SS", Reading(), "p1"),
        ("x^^^SSA^SS~p1^^^HOSP^mr", Reading(), "p1"),
        ("p1", Reading(), "p1"),
        ("p1~p2", Reading(), None),
        ("p1^^^HOSP^PI", Reading(), None),
        ("p1^^^HOSP^PI", Reading(identifier_type="PI"), "p1"),
        ("p1^^^HOSP^MR~p2^^^LAB^MR", Reading(), None),
        ("p1^^^HOSP^MR~p2^^^LAB^MR", Reading(authority="LAB"), "p2"),
        ("p1^^^H&1.2.3&ISO^MR~p2^^^LAB^MR", Reading(authority="1.2.3"), "p1"),
        ("p1^^^HOSP", Reading(authority="HOSP"), "p1"),
        ("p1^^^HOSP^MR", Reading(authority="LAB"), None),
        ("p1^^^HOSP^MR~p1^^^HOSP^MR", Reading(), "p1"),
        ('""', Reading(), None),
        ("^^^HOSP^MR", Reading(), None),
    ],
)
def test_c3_the_patient_is_told_or_nobody(
    patient: str, reading: Reading, expected: str | None
) -> None:
    found = read(message(dg1(), patient=patient), reading)
    assert found.patient_id == expected
    assert found.unusable is (expected is None)
    assert len(found.conditions) == (expected is not None)


@pytest.mark.parametrize("event", ["A18", "A34", "A36", "A39", "A40", "A47"])
def test_a_merge_names_both_patients(event: str) -> None:
    found = read(merge(event=f"ADT^{event}"))
    assert [tuple(pair) for pair in found.merges] == [("p9", "p1")]
    assert found.conditions == ()


def test_several_merges_in_one_message_and_one_without_ids() -> None:
    text = merge() + "PID|2||p2^^^HOSP^MR\rMRG|p8^^^HOSP^MR\rPID|3||p3^^^HOSP^MR\rMRG|\r"
    found = read(text)
    assert [tuple(pair) for pair in found.merges] == [("p9", "p1"), ("p8", "p2")]
    assert found.skipped == Counter(no_merge_ids=1)
    assert read(merge(event="ADT^A41")).merges == ()
    assert read(message(event="ADT^A40")).skipped == Counter(no_merge_ids=1)


def test_what_says_nothing_is_counted_or_refused() -> None:
    assert read(message(dg1(), event="ADT^A11")).skipped == Counter(other_event=1)
    assert read(message(dg1(), processing="T")).skipped == Counter(test_message=1)
    assert read(message(dg1(""))).skipped == Counter(no_code=1)
    assert read(message(event="ADT^A02")) == Diagnoses()
    with pytest.raises(HL7Error) as caught:
        read(message(dg1(), event="ORU^R01"))
    assert caught.value.element == "MSH-9"
    # Diagnoses of a problem message and problems of an ADT are not where the standard has them.
    assert read(message(prb())).conditions == ()
