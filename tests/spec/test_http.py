"""CDS Hooks over HTTP: discovery, calls, feedback, errors and CORS, on the running service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.cards_check import assert_no_empty, assert_response
from tests.support.service import Service, new_context, release, running

ORIGIN = "https://ehr.invalid"


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    context = new_context(tmp_path_factory.mktemp("spec"), cors_origins=(ORIGIN,))
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started


def assert_outcome(response: httpx.Response, status: int) -> dict[str, Any]:
    """R49: an error carries an OperationOutcome that a FHIR client can read."""
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["resourceType"] == "OperationOutcome"
    (issue,) = body["issue"]
    assert issue["severity"] == "error"
    assert issue["diagnostics"]
    assert_no_empty(body, "")
    return issue


@pytest.mark.requirement("R6")
@pytest.mark.requirement("R7")
@pytest.mark.requirement("R8")
@pytest.mark.requirement("R10")
@pytest.mark.requirement("R11")
def test_discovery_lists_the_services(service: Service) -> None:
    response = service.http.get("/cds-services")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    services = response.json()["services"]
    assert [(s["id"], s["hook"]) for s in services] == [
        ("disease-severity", "patient-view"),
        ("record-problem", "problem-list-item-create"),
        ("record-discharge", "encounter-discharge"),
    ]
    for entry in services:
        assert entry["title"]
        assert entry["description"]
        assert entry["version"].startswith("2.")
    assert_no_empty(response.json(), "")


@pytest.mark.requirement("R13")
@pytest.mark.requirement("R15")
def test_prefetch_templates_use_only_context_tokens_and_safe_searches(service: Service) -> None:
    (severity, *_) = service.http.get("/cds-services").json()["services"]
    assert severity["prefetch"] == {
        "patient": "Patient/{{context.patientId}}",
        "vitals": "Observation?patient={{context.patientId}}&category=vital-signs"
        "&_sort=-date&_count=100",
        "encounter": "Encounter/{{context.encounterId}}",
        "conditions": "Condition?patient={{context.patientId}}",
    }


@pytest.mark.requirement("R23")
@pytest.mark.requirement("R34")
def test_a_call_is_answered_with_cards(service: Service) -> None:
    response = service.assess(service.request(service.vitals()))
    assert response.status_code == 200
    assert_response(response.json())
    assert len(response.json()["cards"]) == 1


@pytest.mark.requirement("R5")
def test_unknown_members_and_extensions_are_ignored(service: Service) -> None:
    request = service.request(service.vitals())
    request["extension"] = {"com.epic.cdshooks.request.bpa-trigger-action": "60"}
    request["unheardOf"] = [1, None]
    request["context"]["somethingElse"] = {}
    request["prefetch"]["alsoSent"] = {"resourceType": "Bundle"}
    assert service.assess(request).status_code == 200


@pytest.mark.requirement("R24")
@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"hook": None}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": None}, "hookInstance"),
        ({"hookInstance": "not-a-uuid"}, "hookInstance"),
        ({"hookInstance": 7}, "hookInstance"),
        ({"context": None}, "context"),
        ({"context": []}, "context"),
        ({"prefetch": "x"}, "prefetch"),
    ],
)
def test_a_malformed_call_is_400_and_names_the_element(
    service: Service, change: dict[str, Any], element: str
) -> None:
    request = service.request(service.vitals()) | change
    issue = assert_outcome(service.assess(request), 400)
    assert issue["expression"] == [element]


@pytest.mark.requirement("R25")
def test_an_authorization_without_a_server_is_400(service: Service) -> None:
    token = {
        "access_token": "secret-token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/Observation.read",
        "subject": "cds",
    }
    response = service.assess(service.request(service.vitals(), fhirAuthorization=token))
    assert_outcome(response, 400)
    assert "secret-token" not in response.text


@pytest.mark.requirement("R27")
@pytest.mark.parametrize(
    ("context", "element"),
    [
        ({"userId": "Practitioner/1"}, "context.patientId"),
        ({"patientId": "p1"}, "context.userId"),
        ({"userId": "1", "patientId": "p1"}, "context.userId"),
        ({"userId": "Device/1", "patientId": "p1"}, "context.userId"),
        ({"userId": "Practitioner/1", "patientId": "Patient/p1"}, "context.patientId"),
    ],
)
def test_the_context_of_patient_view(
    service: Service, context: dict[str, str], element: str
) -> None:
    issue = assert_outcome(service.assess(service.request([], context=context)), 400)
    assert issue["expression"] == [element]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"[" * 20_000])
def test_what_is_not_a_json_object_is_400(service: Service, body: bytes) -> None:
    assert_outcome(service.http.post("/cds-services/disease-severity", content=body), 400)


@pytest.mark.requirement("R24")
@pytest.mark.parametrize("path", ["/cds-services/nothing", "/cds-services/nothing/feedback"])
def test_an_unknown_service_is_404(service: Service, path: str) -> None:
    assert_outcome(service.http.post(path, json=service.request([])), 404)


def test_a_wrong_method_is_405_with_an_outcome(service: Service) -> None:
    response = service.http.get("/cds-services/disease-severity")
    assert_outcome(response, 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.requirement("R19")
@pytest.mark.requirement("R20")
@pytest.mark.requirement("R50")
@pytest.mark.parametrize("key", ["patient", "vitals"])
@pytest.mark.parametrize("value", ["absent", "outcome"])
def test_required_data_that_cannot_be_had_is_412(service: Service, key: str, value: str) -> None:
    request = service.request(service.vitals())
    if value == "absent":
        del request["prefetch"][key]
    else:
        request["prefetch"][key] = {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": "forbidden"}],
        }
    issue = assert_outcome(service.assess(request), 412)
    assert key in issue["diagnostics"]


@pytest.mark.requirement("R20")
def test_no_prefetch_at_all_is_412(service: Service) -> None:
    request = service.request([])
    del request["prefetch"]
    issue = assert_outcome(service.assess(request), 412)
    assert "patient" in issue["diagnostics"]
    assert "vitals" in issue["diagnostics"]


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(
    ("vitals", "reason"),
    [
        (None, "null_prefetch"),
        ({"resourceType": "Bundle", "type": "searchset", "total": 0}, "no_observation"),
    ],
)
def test_nothing_on_record_is_an_info_card(service: Service, vitals: Any, reason: str) -> None:
    request = service.request([])
    request["prefetch"]["vitals"] = vitals
    response = service.assess(request)
    assert response.status_code == 200
    assert_response(response.json())
    (card,) = response.json()["cards"]
    assert card["indicator"] == "info"
    assert "heart rate" in card["summary"] + card["detail"]
    missing = response.json()["extension"]["org.cds-service.assessment"]["missing"]
    assert {"feature": "heart_rate", "reason": reason} in missing


@pytest.mark.requirement("R18")
def test_epics_empty_search_is_no_result_and_no_error(service: Service) -> None:
    request = service.request([])
    request["prefetch"]["vitals"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "entry": [
            {
                "resource": {
                    "resourceType": "OperationOutcome",
                    "issue": [{"severity": "warning", "code": "processing"}],
                },
                "search": {"mode": "outcome"},
            }
        ],
    }
    response = service.assess(request)
    assert response.status_code == 200
    assert len(response.json()["cards"]) == 1


@pytest.mark.requirement("R22")
def test_the_order_of_entries_changes_nothing(service: Service) -> None:
    vitals = service.vitals()
    old = service.observation("8867-4", 150, "/min", id="old")
    old["effectiveDateTime"] = "2026-03-01T04:00:00Z"
    answers = []
    for order in ([old, *vitals], [*vitals, old]):
        (card,) = service.assess(service.request(order)).json()["cards"]
        answers.append((card["summary"], card["detail"]))
    assert answers[0] == answers[1]
    assert "150" not in answers[0][1]


@pytest.mark.requirement("R33")
def test_c12_the_same_call_gets_the_same_answer_and_another_body_409(service: Service) -> None:
    request = service.request(service.vitals())
    first, again = service.assess(request), service.assess(request)
    assert first.content == again.content
    changed = service.request(service.vitals(heart_rate=90), hookInstance=request["hookInstance"])
    issue = assert_outcome(service.assess(changed), 409)
    assert issue["expression"] == ["hookInstance"]


@pytest.mark.requirement("R29")
def test_a_retry_with_a_renewed_token_is_the_same_call(service: Service) -> None:
    request = service.request(service.vitals(), fhirServer="https://fhir.invalid/r4")
    answers = []
    for token in ("one", "two"):
        request["fhirAuthorization"] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "x",
            "subject": "y",
        }
        answers.append(service.assess(request))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


def feedback(card: str, **changes: Any) -> dict[str, Any]:
    return {
        "card": card,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T12:00:00Z",
    } | changes


@pytest.mark.requirement("R52")
@pytest.mark.requirement("R53")
@pytest.mark.requirement("R54")
@pytest.mark.requirement("R55")
def test_feedback_in_every_shape_is_taken(service: Service) -> None:
    (card,) = service.assess(service.request(service.vitals(128, 39.1, 105, 62))).json()["cards"]
    (suggestion,) = card["suggestions"]
    epic = {
        "com.epic.cdshooks.feedback.overrideReason.reasonDisplay": "No",
        "com.epic.cdshooks.feedback.overrideReason.reasonTitle": "7",
    }
    entries = [
        feedback(
            card["uuid"], outcome="accepted", acceptedSuggestions=[{"id": suggestion["uuid"]}]
        ),
        feedback(
            card["uuid"],
            overrideReason={"reason": card["overrideReasons"][0], "userComment": "seen"},
        ),
        feedback(card["uuid"], overrideReasons={"extension": epic}),
        feedback(str(uuid4())),
    ]
    response = service.http.post(
        "/cds-services/disease-severity/feedback", json={"feedback": entries}
    )
    assert response.status_code == 200


@pytest.mark.requirement("R53")
@pytest.mark.parametrize(
    ("entry", "element"),
    [
        ({"outcome": "ignored"}, "feedback[1].outcome"),
        ({"outcome": "accepted"}, "feedback[1].acceptedSuggestions"),
        ({"outcomeTimestamp": "yesterday"}, "feedback[1].outcomeTimestamp"),
        ({"card": None}, "feedback[1].card"),
    ],
)
def test_bad_feedback_is_400_and_names_the_element(
    service: Service, entry: dict[str, Any], element: str
) -> None:
    body = {"feedback": [feedback("a"), feedback("b") | entry]}
    response = service.http.post("/cds-services/disease-severity/feedback", json=body)
    assert assert_outcome(response, 400)["expression"] == [element]


@pytest.mark.requirement("R68")
@pytest.mark.parametrize(
    "path",
    [
        "/cds-services",
        "/cds-services/disease-severity",
        "/cds-services/disease-severity/feedback",
    ],
)
def test_preflight_allows_what_a_browser_client_needs(service: Service, path: str) -> None:
    response = service.http.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert {"GET", "POST"} <= set(response.headers["access-control-allow-methods"].split(", "))
    allowed = response.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed


@pytest.mark.requirement("R68")
def test_errors_carry_the_cors_header_too(service: Service) -> None:
    for body, status in ((b"{", 400), (b'{"hook": "patient-view"}', 400)):
        response = service.http.post(
            "/cds-services/disease-severity", content=body, headers={"Origin": ORIGIN}
        )
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == ORIGIN
    request = service.request([])
    del request["prefetch"]
    response = service.http.post(
        "/cds-services/disease-severity", json=request, headers={"Origin": ORIGIN}
    )
    assert response.status_code == 412
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_other_origins_are_not_allowed(service: Service) -> None:
    response = service.http.get("/cds-services", headers={"Origin": "https://evil.invalid"})
    assert "access-control-allow-origin" not in response.headers


def test_an_unexpected_fault_is_a_500_with_cors_and_no_detail(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("patient 4711 has 38.9")

    monkeypatch.setattr("cds_service.services.assessing.extract", fail)
    response = service.http.post(
        "/cds-services/disease-severity",
        json=service.request(service.vitals()),
        headers={"Origin": ORIGIN},
    )
    issue = assert_outcome(response, 500)
    assert issue["code"] == "exception"
    assert "4711" not in response.text
    assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.requirement("R57")
@pytest.mark.requirement("R64")
def test_outside_development_every_call_is_401_without_detail(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    development = new_context(tmp_path)
    development.engine.dispose()
    context = new_context(
        tmp_path, development=False, public_url="https://cds.invalid", secret_keys=keys(tmp_path)
    )
    release(context, "1", *small_model)
    with running(context, context.clock) as closed:
        calls = [
            closed.http.get("/cds-services"),
            closed.http.get("/cds-services", headers={"Authorization": "Bearer x.y.z"}),
            closed.assess(closed.request(closed.vitals())),
            closed.http.post("/cds-services/record-problem", json={}),
            closed.http.post("/cds-services/disease-severity/feedback", json={}),
            closed.http.post("/cds-services/nothing", json={}),
        ]
        for response in calls:
            issue = assert_outcome(response, 401)
            assert issue["diagnostics"] == "Unauthorized."
        assert closed.http.get("/health/live").status_code == 200


def keys(folder: Path) -> str:
    return (folder / "secret-keys").read_text()


def test_a_body_that_is_too_large_is_413(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.routes.dependencies.MAX_BODY", 1000)
    assert_outcome(service.http.post("/cds-services/disease-severity", content=b"x" * 1001), 413)

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    assert_outcome(service.http.post("/cds-services/disease-severity", content=chunks()), 413)


def test_c22_the_code_system_and_its_value_set_are_served(service: Service) -> None:
    (card,) = service.assess(service.request(service.vitals(128, 39.1, 105, 62))).json()["cards"]
    system = card["source"]["topic"]["system"]
    assert system.endswith("/fhir/CodeSystem/severity-category")
    response = service.http.get("/fhir/CodeSystem/severity-category")
    assert response.headers["content-type"] == "application/fhir+json"
    body = response.json()
    assert body["url"] == system
    assert {concept["code"] for concept in body["concept"]} == {
        "not-ill",
        "mild",
        "acute",
        "chronic",
        "terminal",
    }
    assert service.http.get("/fhir/ValueSet/severity-category").json()["resourceType"] == "ValueSet"
