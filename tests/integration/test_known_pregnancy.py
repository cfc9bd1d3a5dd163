"""C1: a pregnancy known from a Condition that came earlier."""

from datetime import timedelta
from typing import Any

from tests.support.service import Service


def record(service: Service, **changes: Any) -> None:
    condition = {
        "resourceType": "Condition",
        "id": "pregnancy",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z34.90"}]},
        "subject": {"reference": "Patient/p1"},
        "recordedDate": (service.clock() - timedelta(days=30)).isoformat(),
    } | changes
    context = {
        "userId": "Practitioner/1",
        "patientId": "p1",
        "conditions": {"resourceType": "Bundle", "entry": [{"resource": condition}]},
    }
    response = service.http.post(
        "/cds-services/record-problem",
        json={
            "hook": "problem-list-item-create",
            "hookInstance": "9b1f1f0e-0000-4000-8000-000000000000",
            "context": context,
        },
    )
    assert response.json() == {"cards": []}


def summary(service: Service, patient: str = "p1") -> str:
    request = service.request(service.vitals())
    if patient != "p1":
        request["context"]["patientId"] = patient
        request["prefetch"]["patient"]["id"] = patient
    (card,) = service.assess(request).json()["cards"]
    return str(card["summary"])


def test_c1_a_recorded_pregnancy_gives_no_category(service: Service) -> None:
    assert "pregnancy" not in summary(service)
    record(service)
    assert "not for use in pregnancy" in summary(service)
    assert "pregnancy" not in summary(service, "p2")


def test_c1_it_is_believed_for_300_days(service: Service) -> None:
    record(service)
    service.clock.time += timedelta(days=271)
    assert "pregnancy" not in summary(service)


def test_c1_a_correction_takes_it_back(service: Service) -> None:
    record(service)
    wrong = {"coding": [{"code": "entered-in-error", "system": VERIFICATION}]}
    record(service, verificationStatus=wrong)
    assert "pregnancy" not in summary(service)


VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
