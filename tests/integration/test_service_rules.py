"""Clinical rules on the running service: who is assessed, whose data, and what is kept."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Table, select
from sqlalchemy.exc import NoResultFound

from cds_service.services.records import row_of
from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, CARDS, FEEDBACK
from model.artefact import load
from model.assessment import Assessment
from model.errors import ModelError
from model.features import FeatureRow
from model.scorer import Scorer
from tests.support.artefacts import KEPT
from tests.support.conditions import condition
from tests.support.service import Service, new_context, release, running

Change = Callable[[Service, dict[str, Any]], None]


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    context = new_context(tmp_path_factory.mktemp("rules"))
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """A service whose database no other test has used, with the model kept in the tests."""
    context = new_context(tmp_path)
    release(context, "1", KEPT, load(KEPT)[1])
    with running(context, context.clock) as started:
        yield started


def stored(service: Service, table: Table) -> list[Any]:
    with session.reading(service.context.engine) as connection:
        return list(connection.execute(select(table)).all())


def row_for(service: Service, request: dict[str, Any]) -> Any:
    """What was stored of a call."""
    query = select(ASSESSMENTS).where(ASSESSMENTS.c.hook_instance == request["hookInstance"])
    with session.reading(service.context.engine) as connection:
        return connection.execute(query).one()


def extension(response: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = response.json()["extension"]["org.cds-service.assessment"]
    return told


def patient_with(**elements: Any) -> Change:
    def change(_service: Service, request: dict[str, Any]) -> None:
        request["prefetch"]["patient"] |= elements

    return change


def user(reference: str) -> Change:
    def change(_service: Service, request: dict[str, Any]) -> None:
        request["context"]["userId"] = reference

    return change


def died(minutes_ago: float) -> Change:
    def change(service: Service, request: dict[str, Any]) -> None:
        at = service.clock() - timedelta(minutes=minutes_ago)
        request["prefetch"]["patient"]["deceasedDateTime"] = at.isoformat()

    return change


def tagged(code: str, system: str) -> Change:
    return patient_with(
        meta={"tag": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (patient_with(deceasedBoolean=True), "deceased"),
        (died(1), "deceased"),
        (died(0), "deceased"),
        (patient_with(deceasedDateTime="2025"), "deceased"),
        (user("Patient/p1"), "patient_user"),
        (user("RelatedPerson/r1"), "patient_user"),
        (tagged("HTEST", "v3-ActReason"), "test_patient"),
        (tagged("OPTOUT", "v3-ActCode"), "opted_out"),
    ],
)
def test_c2_nobody_is_told_and_nothing_is_learnt(
    service: Service, change: Change, reason: str
) -> None:
    request = service.request(service.vitals(heart_rate=180))
    change(service, request)
    response = service.assess(request)
    assert response.status_code == 200
    assert response.json() == {"cards": []}
    row = row_for(service, request)
    assert (row.situation, row.suppressed) == ("excluded", reason)
    assert row.features is row.provenance is row.probabilities is row.category is None
    assert row.indicator is row.model_version is row.atypicality is None
    told = json.loads(service.context.secrecy.decrypt(row.identifiers))
    assert set(told) == {"user", "base"}
    with session.reading(service.context.engine) as connection:
        cards = connection.execute(select(CARDS).where(CARDS.c.assessment_id == row.id)).all()
    assert cards == []


@pytest.mark.parametrize(
    "change", [died(-60), patient_with(deceasedBoolean=False), user("PractitionerRole/r1")]
)
def test_c2_the_living_are_assessed(service: Service, change: Change) -> None:
    request = service.request(service.vitals())
    change(service, request)
    assert len(service.assess(request).json()["cards"]) == 1
    assert row_for(service, request).situation == "scored"


def child(_service: Service, request: dict[str, Any]) -> None:
    request["prefetch"]["patient"]["birthDate"] = "2018-05-06"


def nearly_adult(_service: Service, request: dict[str, Any]) -> None:
    request["prefetch"]["patient"]["birthDate"] = "2008-03-02"


def very_old(_service: Service, request: dict[str, Any]) -> None:
    request["prefetch"]["patient"]["birthDate"] = "1914-01-01"


def pregnant(_service: Service, request: dict[str, Any]) -> None:
    found = condition(icd="Z34.01", recorded="2026-02-01")
    request["prefetch"]["conditions"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": found}],
    }
    # Somebody else: what comes with a chart is remembered, and the service is shared.
    text = json.dumps(request).replace("Patient/p1", "Patient/p9").replace('"p1"', '"p9"')
    request |= json.loads(text)


@pytest.mark.parametrize("change", [child, nearly_adult, very_old, pregnant])
def test_c1_outside_the_population_there_is_a_card_without_category(
    service: Service, change: Change
) -> None:
    request = service.request(service.vitals(heart_rate=88))
    change(service, request)
    (card,) = service.assess(request).json()["cards"]
    assert card["indicator"] == "info"
    assert card["source"]["topic"]["code"] == "severityoutofpopulation"
    assert "suggestions" not in card
    assert "88" in card["detail"]
    row = row_for(service, request)
    assert row.situation == "out_of_population"
    assert row.probabilities is row.category is row.prediction_set is None


def test_c1_a_birthday_makes_an_adult(service: Service) -> None:
    request = service.request(service.vitals())
    request["prefetch"]["patient"]["birthDate"] = "2008-03-01"
    service.assess(request)
    assert row_for(service, request).situation == "scored"


def test_c3_a_patient_of_another_id_is_400_and_nothing_is_stored(service: Service) -> None:
    request = service.request(service.vitals())
    request["prefetch"]["patient"]["id"] = "maria-secret"
    response = service.assess(request)
    assert response.status_code == 400
    assert response.json()["issue"][0]["expression"] == ["prefetch.patient"]
    assert "secret" not in response.text
    with pytest.raises(NoResultFound):
        row_for(service, request)


@pytest.mark.parametrize(
    "subject", ["Patient/p2", "https://other.example/fhir/Patient/p1", "urn:uuid:p2", "Group/p1"]
)
def test_c3_readings_of_somebody_else_are_not_used(service: Service, subject: str) -> None:
    theirs = service.observation("8867-4", 199, "/min", id="theirs")
    theirs["subject"] = {"reference": subject}
    theirs["effectiveDateTime"] = service.clock().isoformat()
    request = service.request([*service.vitals(heart_rate=72), theirs])
    request["fhirServer"] = "https://ehr.example/fhir"
    response = service.assess(request)
    (card,) = response.json()["cards"]
    assert "199" not in card["detail"]
    skipped = extension(response)["skipped"]
    assert {s["reference"]: s["reason"] for s in skipped} == {"Observation/theirs": "wrong_patient"}
    assert row_for(service, request).features["heart_rate"] == 72


def test_c3_one_id_on_two_servers_is_two_patients_and_one_server_is_one(service: Service) -> None:
    keys = []
    for server in (
        "https://a.example/fhir",
        "https://b.example/fhir",
        "https://A.example:443/fhir/",
        None,
    ):
        request = service.request(service.vitals())
        if server is not None:
            request["fhirServer"] = server
        assert service.assess(request).status_code == 200
        keys.append(row_for(service, request).patient_key)
    first, second, third, fourth = keys
    assert first == third
    assert len({first, second, fourth}) == 3


def test_c7_where_paging_was_cut_short_the_card_says_so(service: Service) -> None:
    red = service.vitals(heart_rate=140, temperature=39.5, systolic=85, diastolic=50)
    request = service.request(red)
    request["prefetch"]["vitals"]["link"] = [{"relation": "next", "url": "https://e.example/2"}]
    response = service.assess(request)
    (card,) = response.json()["cards"]
    assert card["indicator"] == "warning"
    assert "newer" in card["detail"]
    row = row_for(service, request)
    assert row.provenance["maybe_not_latest"]
    assert all("maybe_not_latest" in r["flags"] for r in row.provenance["readings"])


def test_where_the_model_fails_for_a_patient_the_card_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_scorer: Scorer, _row: FeatureRow) -> Assessment:
        raise ModelError("patient 4711 has 38.9")

    monkeypatch.setattr(Scorer, "assess", fail)
    request = service.request(service.vitals(heart_rate=140))
    response = service.assess(request)
    assert response.status_code == 200
    (card,) = response.json()["cards"]
    assert "140" in card["detail"]
    assert card["indicator"] == "warning"
    assert card["source"]["topic"]["code"] == "severityredreading"
    assert "4711" not in response.text
    row = row_for(service, request)
    assert row.situation == "model_failed"
    assert row.features["heart_rate"] == 140
    assert row.probabilities is row.category is None
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        "model failed"
    ]


def test_without_a_model_the_process_is_not_ready(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, context.clock) as service:
        response = service.assess(service.request(service.vitals()))
        assert response.status_code == 503
        assert response.json()["issue"][0]["code"] == "transient"
        ready = service.http.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json() == {"status": "not ready", "problems": ["no model is loaded"]}
        assert service.http.get("/health/live").status_code == 200
        assert service.http.get("/cds-services").status_code == 200
        assert stored(service, ASSESSMENTS) == []
        release(context, "1", KEPT, load(KEPT)[1])
        context.champion.refresh()
        assert service.http.get("/health/ready").json()["model_version"] == "1"


def test_without_its_database_the_process_is_not_ready(alone: Service, tmp_path: Path) -> None:
    service = alone
    assert service.http.get("/health/ready").status_code == 200
    service.context.engine.dispose()
    for path in tmp_path.glob("cds.sqlite3*"):
        path.unlink()
    (tmp_path / "cds.sqlite3").mkdir()
    ready = service.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["problems"] == ["the database cannot be reached"]
    answer = service.assess(service.request(service.vitals()))
    assert answer.status_code == 503
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert service.http.get("/health/live").status_code == 200


def test_what_is_stored_names_nobody(alone: Service, tmp_path: Path) -> None:
    service = alone
    marks = {
        "patient": "marker-patient",
        "encounter": "marker-encounter",
        "user": "marker-user",
        "observation": "marker-observation",
        "name": "Markername",
        "comment": "markercomment",
        "display": "markerdisplay",
        "extension": "markerextension",
        "condition": "marker-condition",
    }
    subject = {"reference": f"Patient/{marks['patient']}"}
    vitals = [
        v | {"subject": subject, "id": f"{marks['observation']}-{i}"}
        for i, v in enumerate(service.vitals(128, 39.1, 105, 62))
    ]
    request = service.request(vitals)
    request["context"] = {
        "userId": f"Practitioner/{marks['user']}",
        "patientId": marks["patient"],
        "encounterId": marks["encounter"],
    }
    request["prefetch"]["patient"] |= {
        "id": marks["patient"],
        "name": [{"family": marks["name"]}],
    }
    (card,) = service.assess(request).json()["cards"]
    reason = card["overrideReasons"][0] | {"display": marks["display"]}
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T12:00:00Z",
        "overrideReason": {
            "reason": reason,
            "userComment": marks["comment"],
            "extension": {"x": marks["extension"]},
        },
    }
    sent = service.http.post("/cds-services/disease-severity/feedback", json={"feedback": [entry]})
    assert sent.status_code == 200
    found = condition(
        icd="I21.9",
        id=marks["condition"],
        subject=subject,
        encounter=f"Encounter/{marks['encounter']}",
        text=marks["name"],
        note=[{"text": marks["comment"]}],
    )
    problem = service.request([]) | {"hook": "problem-list-item-create"}
    problem["context"] = request["context"] | {
        "conditions": {"resourceType": "Bundle", "entry": [{"resource": found}]}
    }
    assert service.http.post("/cds-services/record-problem", json=problem).status_code == 200

    row, secrecy = row_for(service, request), service.context.secrecy
    identifiers = json.loads(secrecy.decrypt(row.identifiers))
    assert identifiers["patient"] == marks["patient"]
    assert identifiers["encounter"] == marks["encounter"]
    assert identifiers["observations"]["heart_rate"] == f"Observation/{marks['observation']}-0"
    (feedback,) = stored(service, FEEDBACK)
    assert json.loads(secrecy.decrypt(feedback.comment)) == {
        "comment": marks["comment"],
        "display": marks["display"],
        "extension": {"x": marks["extension"]},
    }
    files = list(tmp_path.glob("cds.sqlite3*"))
    assert files
    content = b"".join(path.read_bytes() for path in files)
    assert b"I21.9" in content
    for kind, mark in marks.items():
        assert mark.encode() not in content, kind


def test_what_is_stored_gives_the_same_answer_again(service: Service) -> None:
    """No skew: the stored features, scored again, are the probabilities of the card."""
    scorer = service.context.champion.scorer
    assert scorer is not None
    vitals = service.vitals(heart_rate=101, temperature=100.9, systolic=98, diastolic=61)
    vitals[1]["valueQuantity"] |= {"unit": "[degF]", "code": "[degF]"}
    vitals[0]["effectiveDateTime"] = (service.clock() - timedelta(minutes=75.5)).isoformat()
    request = service.request(vitals)
    service.assess(request)
    row = row_for(service, request)
    again = scorer.assess(row_of(row.features))
    assert {code.value: p for code, p in again.probabilities.items()} == row.probabilities
    assert again.category.value == row.category
    assert [code.value for code in again.prediction_set] == row.prediction_set
    assert again.atypicality == row.atypicality
    assert row.features["minutes_before"]["heart_rate"] == 75.5


def test_feedback_is_kept_with_what_is_known_of_its_card(alone: Service) -> None:
    service = alone
    (card,) = service.assess(service.request(service.vitals())).json()["cards"]
    entries = [
        {
            "card": uuid,
            "outcome": "accepted",
            "outcomeTimestamp": "2026-03-01T12:00:00+05:45",
            "acceptedSuggestions": [{"id": "s"}],
        }
        for uuid in (card["uuid"], str(uuid4()), card["uuid"])
    ]
    url = "/cds-services/disease-severity/feedback"
    assert service.http.post(url, json={"feedback": entries}).json() == {}
    kept = {row.card_uuid: row.known_card for row in stored(service, FEEDBACK)}
    assert kept == {entries[0]["card"]: True, entries[1]["card"]: False}
    assert len(stored(service, FEEDBACK)) == 3
    refused = service.http.post(url, json={"feedback": [entries[0], {"card": "x"}]})
    assert refused.status_code == 400
    assert len(stored(service, FEEDBACK)) == 3


def test_every_call_leaves_an_audit_event_and_a_repeated_one_none(alone: Service) -> None:
    service = alone
    request = service.request(service.vitals())
    for _ in range(2):
        service.assess(request)
    entry = {"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-03-01T12:00:00Z"}
    service.http.post("/cds-services/disease-severity/feedback", json={"feedback": [entry]})
    problem = service.request([]) | {"hook": "problem-list-item-create"}
    problem["context"]["conditions"] = {"resourceType": "Bundle", "type": "collection"}
    service.http.post("/cds-services/record-problem", json=problem)
    service.assess(request | {"hookInstance": "no"})
    events = [(e.action, e.actor, e.object_type) for e in stored(service, AUDIT_EVENTS)]
    assert events == [
        ("assess", "client:development", "assessment"),
        ("feedback", "client:development", "service"),
        ("receive-conditions", "client:development", "channel"),
    ]
    assessment, feedback, _ = stored(service, AUDIT_EVENTS)
    assert assessment.object_id == row_for(service, request).id
    assert assessment.at == service.clock()
    assert feedback.detail == {"entries": 1, "unknown_cards": 1}
