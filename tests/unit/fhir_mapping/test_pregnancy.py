"""Known pregnancy (C1)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_mapping.bundles import Entry
from fhir_mapping.elements import Observation, decode
from fhir_mapping.pregnancy import Answer, latest_answer, read_answer, read_conditions
from fhir_mapping.readings import MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from tests.support.builders import ICD_10_CM, SNOMED, concept, condition, observation, patient, raw

LATEST = datetime(2026, 3, 7, 12, 5, tzinfo=UTC)


def answer(value: object = None, at: datetime = LATEST, **change: Any) -> Answer | str:
    given = concept("LA15173-0") if value is None else value
    sent = decode(
        raw(observation("82810-3", None, valueCodeableConcept=given, **change)), Observation
    )
    assert sent is not None
    return read_answer(sent, at, LATEST, "Observation/p")


def conditions(*resources: object) -> tuple[bool, list[Skipped]]:
    return read_conditions([Entry(raw(r)) for r in resources], PatientMatcher("p1", None), LATEST)


@pytest.mark.parametrize(
    ("value", "pregnant"),
    [
        (concept("LA15173-0"), True),
        (concept("77386006", system=SNOMED), True),
        (concept("LA26683-5"), False),
        (concept("60001007", system=SNOMED), False),
    ],
)
def test_c1_an_answer_says_pregnant_or_not(value: object, pregnant: bool) -> None:
    assert answer(value) == Answer(LATEST, pregnant, "Observation/p")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (concept("LA4489-6"), "not_used"),
        ({"text": "pregnant"}, "not_used"),
        (concept("LA15173-0", system=SNOMED), "not_used"),
        ("pregnant", "malformed"),
        ({"coding": "LA15173-0"}, "malformed"),
    ],
)
def test_what_is_no_answer(value: object, reason: str) -> None:
    assert answer(value) == reason


def test_an_answer_without_a_value_is_absent() -> None:
    sent = decode(raw(observation("82810-3", None)), Observation)
    assert sent is not None
    assert read_answer(sent, LATEST, LATEST, None) == "data_absent"


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", None])
def test_a_withdrawn_answer_is_not_believed(status: str | None) -> None:
    assert answer(status=status) == "wrong_status"


@pytest.mark.parametrize(
    ("at", "believed"),
    [
        # 300 days before 7 March 2026 is 11 May 2025.
        (datetime(2025, 5, 11, 12, 5, tzinfo=UTC), True),
        (datetime(2025, 5, 11, 12, 4, tzinfo=UTC), False),
        (datetime(2026, 3, 7, 12, 6, tzinfo=UTC), False),
    ],
)
def test_c1_an_answer_is_believed_for_300_days(at: datetime, believed: bool) -> None:
    assert isinstance(answer(at=at), Answer) is believed


def test_c1_the_newest_answer_counts_in_any_order() -> None:
    before = Answer(datetime(2026, 1, 1, tzinfo=UTC), True, "Observation/a")
    after = Answer(datetime(2026, 2, 1, tzinfo=UTC), False, "Observation/b")
    for answers in ([before, after], [after, before]):
        pregnant, older = latest_answer(answers)
        assert not pregnant
        assert older == [Skipped("Observation", "Observation/a", "superseded")]
    assert latest_answer([]) == (False, [])
    tie = Answer(after.time, True, "Observation/a")
    assert latest_answer([after, tie])[0]
    assert latest_answer([tie, after])[0]


@pytest.mark.parametrize(
    "code", ["O00.101", "O09.90", "O80", "O99.810", "O9A.211", "Z33.1", "Z34.00", "o80", "Z3400"]
)
def test_c1_icd_10_codes_of_pregnancy(code: str) -> None:
    assert conditions(condition(code)) == (True, [])
    assert conditions(condition(code, system="urn:oid:2.16.840.1.113883.6.90")) == (True, [])


@pytest.mark.parametrize("code", ["Z32.01", "Z35", "Z3A.20", "N91.2", "P07.3", "0O0", "I10"])
def test_other_codes_say_nothing(code: str) -> None:
    pregnant, skipped = conditions(condition(code, id="c"))
    assert not pregnant
    assert skipped == [Skipped("Condition", "Condition/c", "not_used")]


def test_snomed_findings_and_foreign_systems() -> None:
    assert conditions(condition("77386006", system=SNOMED))[0]
    assert conditions(condition("72892002", system=SNOMED))[0]
    assert not conditions(condition("O80", system="http://hospital.example/codes"))[0]
    assert not conditions(condition("77386006", system=ICD_10_CM))[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"clinical": None}, None),
        ({"verification": None}, None),
        ({"clinical": "recurrence"}, None),
        ({"recorded": None}, None),
        ({"clinical": "resolved"}, "wrong_status"),
        ({"clinical": "inactive"}, "wrong_status"),
        ({"verification": "unconfirmed"}, "wrong_status"),
        ({"verification": "differential"}, "wrong_status"),
        ({"verification": "refuted"}, "wrong_status"),
        ({"verification": "entered-in-error", "clinical": None}, "wrong_status"),
        ({"abatementDateTime": "2026-03-01"}, "stale"),
        ({"abatementDateTime": "2026-09-01"}, None),
        ({"recorded": "2025-05-01"}, "stale"),
        ({"recorded": "2025-05-01", "onsetDateTime": "2025-06-01"}, None),
        ({"recorded": None, "onsetDateTime": "2020"}, "stale"),
        ({"recorded": "0001-01-01"}, "stale"),
        ({"recorded": "2026-03-07T12:06:00Z"}, "future"),
        # A day begins 14 hours earlier in the east than in UTC.
        ({"recorded": "2026-03-08"}, None),
        ({"recorded": "2026-03-09"}, "future"),
        ({"subject": "Patient/p2"}, "wrong_patient"),
        ({"subject": None}, "wrong_patient"),
        ({"modifierExtension": [{"url": "http://x.example/not"}]}, "malformed"),
        ({"clinicalStatus": "active"}, "malformed"),
    ],
)
def test_c1_a_condition_must_be_current(change: dict[str, Any], reason: str | None) -> None:
    pregnant, skipped = conditions(condition("O26.90", id="c", **change))
    assert pregnant is (reason is None)
    assert [s.reason for s in skipped] == ([] if reason is None else [reason])


def test_one_current_condition_is_enough() -> None:
    pregnant, skipped = conditions(
        condition("I10"), condition("O26.90"), condition("O80", clinical="resolved"), patient(), 7
    )
    assert pregnant
    assert [s.reason for s in skipped] == [
        "not_used",
        MissingReason.WRONG_STATUS,
        "wrong_type",
        "malformed",
    ]
