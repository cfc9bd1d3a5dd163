"""The charts of the sandbox are FHIR R4, and its diagnoses say what their groups promise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds_service.services.sandbox_charts import Ids, patient_view, problem_created
from cds_service.services.sandbox_patients import (
    BY_KEY,
    DIAGNOSES,
    DIAGNOSIS_BY_CODE,
    PATIENTS,
    Problem,
    Reading,
    SandboxPatient,
)
from cds_service.web import sandbox_en
from fhir_mapping.labels import SEVERITY_OF, classify
from fhir_mapping.resources import parse_resource
from fhir_mapping.terminology import load_terminology
from hooks.contexts import parse_patient_view, parse_problem_list_item_create
from hooks.prefetch import DISEASE_SEVERITY
from hooks.protocol import encode, parse_request
from model.severity import Severity

NOW = datetime(2026, 2, 28, 23, 59, 59, 700_000, tzinfo=UTC)
Json = dict[str, Any]


def opened(patient: SandboxPatient) -> Json:
    return patient_view(patient, patient.readings, Ids.new(), NOW)


def resources(request: Json) -> list[Json]:
    found = []
    for value in request["prefetch"].values():
        found.append(value)
        found += [entry["resource"] for entry in value.get("entry", [])]
    return found


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.key)
def test_a_chart_is_a_valid_request_of_valid_resources(patient: SandboxPatient) -> None:
    request = opened(patient)
    parsed = parse_request(encode(request), service_hook="patient-view")
    context = parse_patient_view(parsed.context)
    assert set(request["prefetch"]) == set(DISEASE_SEVERITY)
    several = resources(request)
    assert len(several) > len(DISEASE_SEVERITY)
    for resource in several:
        assert parse_resource(resource["resourceType"], resource) == resource
        if "subject" in resource:
            assert resource["subject"] == {"reference": f"Patient/{context.patient_id}"}
    assert request["prefetch"]["encounter"]["id"] == context.encounter_id


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.key)
def test_times_and_ages_count_back_from_now(patient: SandboxPatient) -> None:
    request = opened(patient)
    born = datetime.fromisoformat(request["prefetch"]["patient"]["birthDate"]).replace(tzinfo=UTC)
    assert int((NOW - born).days / 365.25) == patient.age
    taken = [
        NOW - datetime.fromisoformat(entry["resource"]["effectiveDateTime"])
        for entry in request["prefetch"]["vitals"]["entry"]
    ]
    assert taken == sorted(taken)
    wanted = {reading.minutes for reading in patient.readings.values()}
    assert wanted == {one / timedelta(minutes=1) for one in taken if one < timedelta(days=20)}


def test_no_two_stays_share_an_id() -> None:
    first, second = Ids.new(), Ids.new()
    assert first.patient != second.patient
    assert opened(PATIENTS[0])["hookInstance"] != opened(PATIENTS[0])["hookInstance"]


def test_a_reading_without_its_unit_has_none_in_the_chart() -> None:
    def temperature(key: str) -> Json:
        (found,) = (
            one["valueQuantity"]
            for one in resources(opened(BY_KEY[key]))
            if one.get("id", "").endswith("-8310-5")
        )
        return dict(found)

    assert temperature("no-unit") == {"value": 101.8}
    assert temperature("fahrenheit") == {
        "value": 101.8,
        "unit": "°F",
        "system": "http://unitsofmeasure.org",
        "code": "[degF]",
    }


def test_a_chart_without_readings_is_one_too() -> None:
    request = patient_view(BY_KEY["healthy"], {}, Ids.new(), NOW)
    assert request["prefetch"]["vitals"] == {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
    }
    alone = patient_view(BY_KEY["healthy"], {"diastolic_bp": Reading(70, "mm[Hg]")}, Ids.new(), NOW)
    (entry,) = alone["prefetch"]["vitals"]["entry"]
    assert len(entry["resource"]["component"]) == 1
    assert parse_resource("Observation", entry["resource"]) == entry["resource"]


@pytest.mark.parametrize("problem", DIAGNOSIS_BY_CODE.values(), ids=lambda one: one.code)
def test_a_diagnosis_is_a_valid_condition_of_its_category(problem: Problem) -> None:
    ids = Ids.new()
    request = problem_created(problem, ids, NOW)
    parsed = parse_request(encode(request), service_hook="problem-list-item-create")
    assert parse_problem_list_item_create(parsed.context).patient_id == ids.patient
    (entry,) = request["context"]["conditions"]["entry"]
    assert parse_resource("Condition", entry["resource"]) == entry["resource"]
    facts = classify(
        entry["resource"],
        encounter_ended_at_home=True,
        terminology=load_terminology(),
        zone=UTC,
    )
    assert facts.counts
    (promised,) = (group for group, several in DIAGNOSES.items() if problem in several)
    assert SEVERITY_OF.get(facts.classification) == promised
    assert f"({problem.code})" in sandbox_en.ENGLISH[f"diagnosis.{problem.code}"]


def test_every_category_can_be_sent_back() -> None:
    assert set(DIAGNOSES) == {*Severity, None}


def test_a_completed_draft_keeps_its_tag() -> None:
    meta = {"tag": [{"system": "http://cds.example/fhir/assessment", "code": "a1"}]}
    draft = {"resourceType": "Condition", "meta": meta, "verificationStatus": {}}
    request = problem_created(DIAGNOSIS_BY_CODE["A41.9"], Ids.new(), NOW, draft=draft)
    (entry,) = request["context"]["conditions"]["entry"]
    assert entry["resource"]["meta"] == meta
    assert entry["resource"]["verificationStatus"]["coding"][0]["code"] == "confirmed"


def test_what_is_on_record_was_known_before() -> None:
    conditions = opened(BY_KEY["chronic"])["prefetch"]["conditions"]["entry"]
    assert len(conditions) == 2
    for entry in conditions:
        recorded = datetime.fromisoformat(entry["resource"]["recordedDate"])
        assert NOW - recorded > timedelta(days=365)
