"""Age, sex and exclusions from the Patient."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from fhir_mapping.bundles import read_contents
from fhir_mapping.errors import WrongPatientError
from fhir_mapping.patient import PatientReading, age_at, patient_urls, read_patient
from fhir_mapping.readings import MissingReason, PatientFacts
from fhir_mapping.references import PatientMatcher
from tests.support.builders import bundle, observation, operation_outcome, patient, raw

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
NOBODY = PatientFacts(
    age=None,
    age_reason=MissingReason.DATA_ABSENT,
    age_is_approximate=False,
    sex=None,
    deceased=False,
    test_patient=False,
    opted_out=False,
)


def read(value: object, at: datetime = NOW, tags: tuple[str, ...] = ()) -> PatientReading:
    return read_patient(
        read_contents(None if value is ... else raw(value)),
        patient_id="p1",
        matcher=PatientMatcher("p1", "https://ehr.example/fhir"),
        prediction_time=at,
        test_patient_tags=tags,
    )


@pytest.mark.parametrize(
    ("tag", "labels", "expected"),
    [
        ("urn:site|demo", [{"system": "urn:site", "code": "demo"}], True),
        ("urn:site|demo", [5, {"code": "x"}, {"system": "urn:site", "code": "demo"}], True),
        ("urn:site|demo", [{"system": "urn:other", "code": "demo"}], False),
        ("urn:site|demo", [{"code": "demo"}], False),
        ("urn:site|demo", [{"system": "urn:site", "code": "Demo"}], False),
        ("demo", [{"system": "urn:other", "code": "demo"}], True),
        ("|demo", [{"code": "demo"}], True),
        ("|demo", [{"system": "urn:other", "code": "demo"}], False),
        ("urn:a|b|demo", [{"system": "urn:a|b", "code": "demo"}], True),
        ("", [{"system": "urn:site", "code": "demo"}, {}], False),
    ],
)
def test_c2_a_site_marks_its_own_test_patients(
    tag: str, labels: list[object], expected: bool
) -> None:
    sent = patient(meta={"tag": labels})
    assert read(sent, tags=("urn:none|x", tag)).facts.test_patient is expected
    assert not read(sent).facts.test_patient
    assert not read(patient(meta={"security": labels}), tags=(tag,)).facts.test_patient


@pytest.mark.parametrize(
    ("birth", "day", "expected"),
    [
        (date(1957, 4, 2), date(2026, 4, 2), 69.0),
        (date(1957, 4, 2), date(2026, 4, 1), 68 + 364 / 365),
        # 339 days after the 68th birthday, in a year of 365 days.
        (date(1957, 4, 2), date(2026, 3, 7), 68 + 339 / 365),
        (date(2026, 3, 7), date(2026, 3, 7), 0.0),
        (date(2026, 2, 5), date(2026, 3, 7), 30 / 365),
        (date(2008, 2, 29), date(2026, 2, 28), 17 + 364 / 365),
        (date(2008, 2, 29), date(2026, 3, 1), 18.0),
        (date(2008, 2, 29), date(2028, 2, 29), 20.0),
    ],
)
def test_age_is_counted_in_birthdays(birth: date, day: date, expected: float) -> None:
    assert age_at(birth, day) == expected


def test_age_sex_and_no_reasons() -> None:
    found = read(patient(birth_date="1957-04-02", gender="female"))
    assert found.facts == replace(NOBODY, age=68 + 339 / 365, age_reason=None, sex="female")
    assert found.sex_reason is None
    assert found.skipped == ()


@pytest.mark.parametrize(
    ("birth_date", "age"),
    [
        # 18 this year, or this March, but perhaps not yet: the last day counts.
        ("2008", 17 + 66 / 365),
        ("2008-03", 17 + 341 / 365),
        ("2008-02", 18 + 6 / 365),
        ("2007", 18 + 66 / 365),
        ("2026", 0.0),
    ],
)
def test_c1_a_partial_birth_date_never_makes_a_child_an_adult(birth_date: str, age: float) -> None:
    facts = read(patient(birth_date=birth_date)).facts
    assert facts.age == pytest.approx(age)
    assert facts.age_is_approximate


@pytest.mark.parametrize(
    ("birth_date", "reason"),
    [
        (None, MissingReason.DATA_ABSENT),
        ("2026-03-09", MissingReason.IMPLAUSIBLE),
        ("2027", MissingReason.IMPLAUSIBLE),
        ("1903-03-01", MissingReason.IMPLAUSIBLE),
        ("", MissingReason.MALFORMED),
        ("2 April 1957", MissingReason.MALFORMED),
        ("1957-04-02T00:00:00Z", MissingReason.MALFORMED),
        (19570402, MissingReason.MALFORMED),
        (["1957-04-02"], MissingReason.MALFORMED),
    ],
)
def test_c8_no_age_has_a_reason(birth_date: object, reason: MissingReason) -> None:
    facts = read(patient(birth_date=birth_date)).facts
    assert (facts.age, facts.age_reason) == (None, reason)
    # The rest of the Patient is still read.
    assert facts.sex == "female"


def test_a_newborn_east_of_greenwich_is_not_from_the_future() -> None:
    assert read(patient(birth_date="2026-03-08")).facts.age == 0.0


def test_the_day_is_a_day_in_utc() -> None:
    evening = datetime(2026, 4, 1, 20, tzinfo=timezone(timedelta(hours=-5)))
    assert read(patient(birth_date="1957-04-02"), evening).facts.age == 69.0


@pytest.mark.parametrize(
    ("gender", "sex", "reason"),
    [
        ("male", "male", None),
        ("other", "other", None),
        ("unknown", "unknown", MissingReason.DATA_ABSENT),
        (None, None, MissingReason.DATA_ABSENT),
        ("F", None, MissingReason.MALFORMED),
        (1, None, MissingReason.MALFORMED),
        (["female"], None, MissingReason.MALFORMED),
    ],
)
def test_c8_no_sex_has_a_reason(
    gender: object, sex: str | None, reason: MissingReason | None
) -> None:
    found = read(patient(gender=gender))
    assert (found.facts.sex, found.sex_reason) == (sex, reason)


@pytest.mark.parametrize(
    ("element", "dead"),
    [
        ({}, False),
        ({"deceasedBoolean": False}, False),
        ({"deceasedBoolean": True}, True),
        ({"deceasedDateTime": "2026-03-07T12:00:00Z"}, True),
        ({"deceasedDateTime": "2026-03-07T12:00:01Z"}, False),
        ({"deceasedDateTime": "2026-03-07"}, True),
        ({"deceasedDateTime": "2025"}, True),
        ({"deceasedDateTime": "2027"}, False),
        # Dead, but when cannot be read.
        ({"deceasedDateTime": "last winter"}, True),
    ],
)
def test_c2_deceased_at_the_prediction_time(element: dict[str, object], dead: bool) -> None:
    assert read(patient(**element)).facts.deceased is dead


@pytest.mark.parametrize("place", ["tag", "security"])
@pytest.mark.parametrize(
    ("code", "system", "test_patient", "opted_out"),
    [
        ("HTEST", "http://terminology.hl7.org/CodeSystem/v3-ActReason", True, False),
        ("HTEST", "urn:oid:2.16.840.1.113883.5.8", True, False),
        ("HTEST", None, True, False),
        ("HTEST", "http://hospital.example/tags", False, False),
        ("OPTOUT", "http://terminology.hl7.org/CodeSystem/v3-ActCode", False, True),
        ("R", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", False, False),
    ],
)
def test_c2_labels(
    place: str, code: str, system: str | None, test_patient: bool, opted_out: bool
) -> None:
    label = {"code": code} if system is None else {"code": code, "system": system}
    facts = read(patient(meta={place: [label]})).facts
    assert (facts.test_patient, facts.opted_out) == (test_patient, opted_out)


@pytest.mark.parametrize("meta", [[], "HTEST", {"tag": "HTEST"}, {"tag": ["HTEST", None]}])
def test_labels_of_the_wrong_shape_are_no_labels(meta: object) -> None:
    assert not read(patient(meta=meta)).facts.test_patient


def test_c3_another_patient_is_an_error() -> None:
    with pytest.raises(WrongPatientError) as caught:
        read(patient("p2"))
    assert caught.value.element == "prefetch.patient"
    assert "p2" not in str(caught.value)
    with pytest.raises(WrongPatientError):
        read(bundle(patient("p2"), patient("p3")))


def test_the_patient_may_come_in_a_bundle() -> None:
    found = read(bundle(operation_outcome(), patient("p2"), patient(), observation()))
    assert found.facts.age is not None
    assert [(s.resource_type, s.reason) for s in found.skipped] == [
        ("OperationOutcome", "operation_outcome"),
        ("Patient", "wrong_patient"),
        ("Observation", "wrong_type"),
    ]


def test_of_two_versions_the_one_changed_last_counts_in_any_order() -> None:
    old = patient(birth_date="1950-01-01", meta={"lastUpdated": "2020-01-01T00:00:00Z"})
    new = patient(birth_date="2000-03-07", meta={"lastUpdated": "2021-01-01T00:00:00Z"})
    for versions in ((old, new), (new, old)):
        found = read(bundle(*versions))
        assert found.facts.age == 26.0
        assert [s.reason for s in found.skipped] == ["superseded"]


def test_c3_a_patient_without_an_id_needs_the_address_of_its_entry() -> None:
    assert read(patient(None)).facts.age_reason is MissingReason.WRONG_PATIENT
    own = bundle(patient(None), full_urls={0: "https://ehr.example/fhir/Patient/p1"})
    assert read(own).facts.age is not None
    other = bundle(patient(None), full_urls={0: "https://ehr.example/fhir/Patient/p2"})
    assert read(other).facts.age is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (..., MissingReason.NOT_IN_PREFETCH),
        (None, MissingReason.NULL_PREFETCH),
        (operation_outcome("error"), MissingReason.NOT_IN_PREFETCH),
        (bundle(), MissingReason.NO_OBSERVATION),
        (observation(), MissingReason.NOT_IN_PREFETCH),
        (patient(5), MissingReason.MALFORMED),  # type: ignore[arg-type] - the id must be text.
        ("p1", MissingReason.MALFORMED),
    ],
)
def test_no_patient_has_a_reason(value: object, reason: MissingReason) -> None:
    found = read(value)
    assert found.facts == replace(NOBODY, age_reason=reason)
    assert found.sex_reason is reason


def test_urls_that_name_the_patient() -> None:
    sent = bundle(
        patient(),
        patient("p2"),
        patient(),
        observation(id="p1"),
        full_urls={0: "urn:uuid:a", 1: "urn:uuid:b", 2: "https://x.example/1", 3: "urn:uuid:c"},
    )
    assert list(patient_urls(read_contents(raw(sent)), "p1")) == ["urn:uuid:a"]
