"""Real charts and the examples of the specification, through the running service."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from cds_service.storage import session
from tests.integration.test_real_charts import UNITS, Value, examples, shift, values
from tests.support.builders import Json, bundle, patient
from tests.support.cards_check import assert_response
from tests.support.service import Service, TestClock, new_context, release, running

EXTENSION = "org.cds-service.assessment"
INPUTS = (*UNITS, "oxygen_saturation")
ADULT = 18
ORIGIN = "http://127.0.0.1:8080"


def call(patient_id: str, **prefetch: Any) -> Json:
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": patient_id},
        "prefetch": prefetch,
    }


def stored(service: Service, assessment: str) -> Any:
    """The row of an assessment."""
    with session.reading(service.context.engine) as connection:
        query = text("SELECT situation, features, category FROM assessments WHERE id = :id")
        return connection.execute(query, {"id": assessment}).one()


def told(answer: Json, kind: str) -> dict[str | None, str]:
    """Reference of every resource the extension lists as skipped, with its reason."""
    return {
        item.get("reference"): item["reason"]
        for item in answer["extension"][EXTENSION].get("skipped", [])
        if item["resource_type"] == kind
    }


def used(answer: Json) -> set[str | None]:
    return {item.get("reference") for item in answer["extension"][EXTENSION].get("used", [])}


def expected(
    observations: Sequence[Json], now: datetime
) -> tuple[dict[str, Value], dict[str, str]]:
    """The newest value of each input in the last 24 hours, and why there is none."""
    newest: dict[str, Value] = {}
    reasons = dict.fromkeys(INPUTS, "no_observation")
    for name, entries in values(observations).items():
        valid = [e for e in entries if e.unit is not None and e.time >= now - timedelta(hours=24)]
        if valid:
            newest[name] = valid[-1]
            del reasons[name]
        else:
            fresh = entries[-1].time >= now - timedelta(hours=24)
            reasons[name] = "unknown_unit" if fresh else "stale"
    return newest, reasons


@pytest.mark.parametrize(
    ("name", "years", "sex"),
    [
        ("Adolfo777_Braun514", 1, "male"),
        ("Adrian111_Wunsch504", 66, "male"),
        ("Cher186_Crooks415", 14, "female"),
        ("Debora709_Mayer370", 60, "female"),
    ],
)
def test_a_synthetic_chart_of_today(
    service: Service, shared_data: Path, name: str, years: int, sex: str
) -> None:
    """C1, C4, C7, C8: every value, unit, age and missing reason, and no category for a child."""
    resources = json.loads((shared_data / "synthea" / f"{name}.json").read_text())["data"]
    now = service.clock()
    newest_heart_rate = max(
        datetime.fromisoformat(r["effectiveDateTime"])
        for r in resources
        if r["resourceType"] == "Observation" and r["code"]["coding"][0]["code"] == "8867-4"
    )
    by = now - timedelta(minutes=10) - newest_heart_rate
    resources = [shift(resource, by) for resource in resources]
    (person,) = (r for r in resources if r["resourceType"] == "Patient")
    observations = [r for r in resources if r["resourceType"] == "Observation"]
    response = service.assess(call(person["id"], patient=person, vitals=bundle(*observations)))
    assert response.status_code == 200
    (card,) = assert_response(response.content)
    extension = response.json()["extension"][EXTENSION]

    newest, reasons = expected(observations, now)
    assert newest["heart_rate"].time == now - timedelta(minutes=10)
    found = {item["feature"]: item for item in extension["used"]}
    assert found.keys() == newest.keys()
    for feature, (time, value, unit, reference) in newest.items():
        item = found[feature]
        assert (item["value"], item["received_value"]) == (value, value)
        assert item["received_unit"] == unit == UNITS[feature]
        assert item["minutes_before"] == pytest.approx((now - time).total_seconds() / 60)
        assert datetime.fromisoformat(item["time"]) == time
        assert (item["status"], item["reference"]) == ("final", reference)
    assert {item["feature"]: item["reason"] for item in extension["missing"]} == reasons
    listed = used(response.json()) | told(response.json(), "Observation").keys()
    assert listed >= {f"Observation/{o['id']}" for o in observations}

    row = stored(service, extension["assessment"])
    features = json.loads(row.features)
    born = datetime.fromisoformat(person["birthDate"]).date()
    assert features["age"] == pytest.approx((now.date() - born).days / 365.2425, abs=0.01)
    assert (int(features["age"]), features["sex"]) == (years, sex)
    assert {n: features[n] for n in newest} == {n: v.value for n, v in newest.items()}
    if years < ADULT:
        assert row.situation == "out_of_population"
        assert row.category is None
        assert "No category: this model is for ages 18 to 110" in card["summary"]
        assert card["indicator"] == "info"
        assert card["source"]["topic"]["system"].endswith("/fhir/CodeSystem/card-topic")
        assert "suggestions" not in card
        assert "NEWS2" not in card["summary"]  # C9: no score and no adult limits for a child.
        assert "Partial NEWS2" not in card["detail"]
    else:
        assert row.situation == "scored"
        assert card["source"]["topic"]["code"] == row.category
        assert row.category in {"not-ill", "mild", "acute", "chronic", "terminal"}
        assert "No category" not in card["summary"]
    heart_rate = newest["heart_rate"].value
    said = rf"eart rate {heart_rate:.0f}/min(, within reference)? \(10 min ago; reference"
    assert re.search(said, card["detail"])


def check_example(service: Service, resource: Json, patient_id: str) -> Json:
    """Send one example as the whole chart; returns the answer."""
    own = patient(patient_id, birth_date="1974-12-25", gender="male")
    key = "conditions" if resource["resourceType"] == "Condition" else "vitals"
    prefetch = {"vitals": bundle()} | {key: bundle(resource)}
    response = service.assess(call(patient_id, patient=own, **prefetch))
    assert response.status_code == 200, (resource["id"], response.text)
    assert_response(response.content)
    answer: Json = response.json()
    return answer


def moment(observation: Json) -> datetime:
    """Noon of the day an example was observed; now for one that does not say."""
    period = observation.get("effectivePeriod", {})
    when = observation.get("effectiveDateTime") or period.get("end") or period.get("start")
    if when is None:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)
    return datetime.fromisoformat(when[:10]).replace(hour=12, tzinfo=UTC)


def subject(resource: Json) -> str:
    reference = resource.get("subject", {}).get("reference", "")
    return str(reference.removeprefix("Patient/")) if "Patient/" in reference else "nobody"


def test_every_example_alone(service: Service, shared_data: Path) -> None:
    """Never a 5xx, and what was not used is listed with a reason."""
    readings: set[str] = set()
    for resource in examples(shared_data):
        if resource["resourceType"] == "Patient":
            continue
        reference = f"{resource['resourceType']}/{resource['id']}"
        service.clock.time = moment(resource)
        answer = check_example(service, resource, subject(resource))
        if reference in used(answer):
            readings.add(resource["id"])
        else:
            assert told(answer, resource["resourceType"])[reference], reference
        stranger = check_example(service, resource, "somebody-else")
        assert told(stranger, resource["resourceType"]) == {reference: "wrong_patient"}
    assert {"heart-rate", "body-temperature", "blood-pressure", "satO2"} <= readings


def test_every_example_at_once(service: Service, shared_data: Path) -> None:
    resources = examples(shared_data)
    people = [r for r in resources if r["resourceType"] == "Patient"]
    conditions = [r for r in resources if r["resourceType"] == "Condition"]
    references = {f"{r['resourceType']}/{r['id']}" for r in resources}
    for patient_id in sorted({subject(r) for r in resources}):
        for at in (datetime(1999, 7, 2, 12, tzinfo=UTC), datetime(2014, 12, 5, 12, tzinfo=UTC)):
            service.clock.time = at
            own = next((p for p in people if p["id"] == patient_id), patient(patient_id))
            prefetch = {"vitals": bundle(*resources), "conditions": bundle(*conditions)}
            response = service.assess(call(patient_id, patient=own, **prefetch))
            assert response.status_code == 200
            assert_response(response.content)
            answer = response.json()
            skipped = {
                reference: reason
                for kind in ("Observation", "Patient", "Condition")
                for reference, reason in told(answer, kind).items()
            }
            assert all(skipped.values())
            assert references == used(answer) | skipped.keys()


def test_every_patient_of_the_examples(service: Service, shared_data: Path) -> None:
    people = [r for r in examples(shared_data) if r["resourceType"] == "Patient"]
    assert len(people) == 22
    service.clock.time = datetime(2018, 1, 1, 12, tzinfo=UTC)
    for person in people:
        response = service.assess(call(person["id"], patient=person, vitals=None))
        assert response.status_code == 200
        cards = assert_response(response.content)
        if person["id"] in ("pat3", "pat4"):  # C2: they are dead.
            assert response.json() == {"cards": []}
            continue
        assert len(cards) == 1
        extension = response.json()["extension"][EXTENSION]
        missing = {item["feature"]: item["reason"] for item in extension["missing"]}
        assert set(INPUTS) <= missing.keys()
        assert {missing[name] for name in INPUTS} == {"null_prefetch"}
        assert ("age" in missing) == ("birthDate" not in person)
        assert told(response.json(), "Patient") == {}
        # C3: the Patient of somebody else is refused.
        other = service.assess(call("somebody-else", patient=person, vitals=None))
        assert other.status_code == 400
        assert other.json()["issue"][0]["expression"] == ["prefetch.patient"]


@pytest.mark.parametrize("own", [True, False])
def test_every_condition_of_the_examples_through_record_problem(
    service: Service, shared_data: Path, own: bool
) -> None:
    conditions = [r for r in examples(shared_data) if r["resourceType"] == "Condition"]
    assert len(conditions) == 12
    patients = sorted({subject(c) for c in conditions}) if own else ["somebody-else"]
    for patient_id in patients:
        body = call(patient_id) | {"hook": "problem-list-item-create"}
        body["context"]["conditions"] = bundle(*conditions)
        response = service.http.post("/cds-services/record-problem", json=body)
        assert (response.status_code, response.json()) == (200, {"cards": []})
    with session.reading(service.context.engine) as connection:
        query = text("SELECT detail FROM audit_events WHERE action = 'receive-conditions'")
        details = [json.loads(row.detail) for row in connection.execute(query)]
        kept = connection.execute(text("SELECT count(*) FROM conditions")).scalar()
    # What was skipped, and why, stands in the audit trail.
    for patient_id, detail in zip(patients, details, strict=True):
        of_patient = sum(subject(c) == patient_id for c in conditions)
        assert detail["stored"] + sum(detail["skipped"].values()) == len(conditions)
        assert detail["stored"] == of_patient
        assert detail["skipped"] == {"wrong_patient": len(conditions) - of_patient}
    assert kept == (len(conditions) if own else 0)


def test_the_recorded_requests_of_the_sandbox(
    tmp_path: Path, small_model: tuple[Path, str], shared_data: Path
) -> None:
    """The browser's requests as they came; only the service was called `severity` then."""
    recorded = json.loads((shared_data / "requests" / "sandbox.json").read_text())
    assert [r["method"] for r in recorded] == ["GET", "POST", "POST", "POST", "POST"]
    context = new_context(tmp_path, cors_origins=(ORIGIN,))
    release(context, "1", *small_model)
    clock = context.clock
    assert isinstance(clock, TestClock)
    answers = []
    with running(context, clock) as service:
        service.clock.time = datetime(2026, 11, 21, 1, 32, tzinfo=UTC)
        for request in recorded:
            path = "/cds-services" + request["url"].partition("/cds-services")[2]
            response = service.http.request(
                request["method"],
                path.replace("/severity", "/disease-severity"),
                content=None if request["body"] is None else json.dumps(request["body"]),
                headers={k: v for k, v in request["headers"].items() if k != "content-length"},
            )
            assert response.status_code == 200, response.text
            assert response.headers["access-control-allow-origin"] == ORIGIN
            answers.append(response.json())
        discovery, assessed, *feedback = answers
        offered = [s["id"] for s in discovery["services"]]
        assert offered == ["disease-severity", "record-problem", "record-discharge"]
        assert feedback == [{}, {}, {}]
        # Months after the last reading nothing can be said.
        (card,) = assert_response(assessed)
        assert card["indicator"] == "info"
        reasons = {m["feature"]: m["reason"] for m in assessed["extension"][EXTENSION]["missing"]}
        assert {reasons[name] for name in ("heart_rate", "diastolic_bp")} == {"stale"}

        # The same chart half an hour after its readings.
        service.clock.time = datetime(2026, 3, 5, 7, 30, tzinfo=UTC)
        body = recorded[1]["body"] | {"hookInstance": str(uuid4())}
        response = service.assess(body)
        (card,) = assert_response(response.content)
        found = {item["feature"]: item for item in response.json()["extension"][EXTENSION]["used"]}
    assert {name: item["value"] for name, item in found.items()} == {
        "heart_rate": 118,
        "body_temperature": 38.5,
        "systolic_bp": 92,
        "diastolic_bp": 58,
    }
    assert found["body_temperature"]["received_value"] == 101.3
    assert found["body_temperature"]["received_unit"] == "[degF]"
    assert found["heart_rate"]["minutes_before"] == 90
    assert card["source"]["topic"]["code"]
    assert told(response.json(), "Observation") == {
        "Observation/sys-alone": "future",
        "Observation/bp-absent": "future",
        "Observation/temp-err": "wrong_status",
        "Observation/hr-old": "stale",
    }
