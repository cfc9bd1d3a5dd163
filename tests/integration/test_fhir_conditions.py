"""Conditions and Bundles posted to `/fhir`, over HTTP: validated and answered as FHIR R4 says."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cds_service.security.clients import Right
from cds_service.storage.tables import AUDIT_EVENTS, CONDITIONS, PATIENT_MERGES
from fhir_mapping.resources import parse_resource
from tests.support.cards_check import assert_no_empty
from tests.support.conditions import condition
from tests.support.jwts import add_client, production
from tests.support.service import Service, new_context, running
from tests.support.stored import BASE, SEEN, assessed, category, current, rows, set_time

FHIR_JSON = "application/fhir+json"
Json = dict[str, Any]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    context = new_context(tmp_path)
    set_time(context, SEEN + timedelta(days=40))
    with running(context, context.clock) as started:  # type: ignore[arg-type]  # a TestClock
        yield started


def mine(**changes: Any) -> Json:
    """An infarct of the assessed patient, named by an absolute reference."""
    return condition(**{"icd": "I21.9", "subject": {"reference": f"{BASE}/Patient/p1"}} | changes)


def send(service: Service, method: str, path: str, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.http.request(
        method, path, content=content, headers={"Content-Type": FHIR_JSON} | headers
    )


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def put(resource: Json, **more: Any) -> Json:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url} | more}


def refused(response: httpx.Response, status: int) -> list[Json]:
    """The issues of an error, which is an OperationOutcome of FHIR and holds no value."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == FHIR_JSON
    body = response.json()
    assert isinstance(parse_resource("OperationOutcome", body), dict)
    assert_no_empty(body, "")
    assert "I21" not in response.text
    issues: list[Json] = body["issue"]
    return issues


def test_create_answers_as_a_fhir_server(service: Service) -> None:
    assessment = assessed(service.context)
    response = send(service, "POST", "/fhir/Condition", mine())
    assert response.status_code == 201
    assert response.headers["content-type"] == FHIR_JSON
    base = service.context.settings.base_url
    assert response.headers["location"] == f"{base}/fhir/Condition/c1/_history/1"
    assert response.headers["etag"] == 'W/"1"'
    body = response.json()
    assert isinstance(parse_resource("Condition", body), dict)
    assert (body["id"], body["meta"]["versionId"]) == ("c1", "1")
    assert body["code"] == mine()["code"]
    assert category(service.context, assessment) == "acute"

    again = send(service, "POST", "/fhir/Condition", mine())
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')
    corrected = send(service, "PUT", "/fhir/Condition/c1", mine(icd="I10"))
    assert (corrected.status_code, corrected.headers["etag"]) == (200, 'W/"2"')
    assert category(service.context, assessment) == "chronic"
    new = send(service, "PUT", "/fhir/Condition/c2", mine(id="c2"))
    assert new.status_code == 201


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ("return=representation", "Condition"),
        ("x", "Condition"),
        ("return=OperationOutcome", "OperationOutcome"),
    ],
)
def test_prefer_says_what_comes_back(service: Service, prefer: str, kind: str | None) -> None:
    response = send(service, "POST", "/fhir/Condition", mine(), Prefer=prefer)
    assert response.status_code == 201
    assert response.headers["location"]
    if kind is None:
        assert response.content == b""
    else:
        assert response.json()["resourceType"] == kind


def test_the_outcome_says_what_the_condition_came_to(service: Service) -> None:
    unsure = mine(verification="provisional")
    for resource, words in ((mine(id="c2"), "category acute"), (unsure, "no outcome: provisional")):
        response = send(
            service, "POST", "/fhir/Condition", resource, Prefer="return=OperationOutcome"
        )
        assert words in response.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("identifier", [None, [{"system": "urn:x", "value": "7"}]])
def test_a_condition_without_id_gets_one_that_can_be_used(
    service: Service, identifier: list[Json] | None
) -> None:
    assessment = assessed(service.context)
    resource = mine(id=None, identifier=identifier)
    first = send(service, "POST", "/fhir/Condition", resource)
    again = send(service, "POST", "/fhir/Condition", resource)
    assert (first.status_code, again.status_code) == (201, 200)
    made = first.json()["id"]
    assert again.json()["id"] == made
    assert rows(service.context, CONDITIONS) == 1
    corrected = send(service, "PUT", f"/fhir/Condition/{made}", mine(id=made, icd="I10"))
    assert (corrected.status_code, corrected.headers["etag"]) == (200, 'W/"2"')
    assert category(service.context, assessment) == "chronic"
    if identifier is not None:
        other = send(service, "POST", "/fhir/Condition", resource | {"recordedDate": "2026-03-03"})
        assert (other.json()["id"], other.headers["etag"]) == (made, 'W/"3"')


def test_delete_is_entered_in_error(service: Service) -> None:
    assessment = assessed(service.context)
    resource = mine(subject={"reference": "Patient/p1"})
    send(service, "POST", "/fhir/Condition", mine())
    assert category(service.context, assessment) == "acute"
    # Relative: of the client's own server, which has another Condition c1.
    assert send(service, "POST", "/fhir/Condition", resource).status_code == 201
    for _ in range(2):
        response = service.http.delete("/fhir/Condition/c1")
        assert (response.status_code, response.content) == (204, b"")
    assert service.http.delete("/fhir/Condition/never-seen").status_code == 204
    assert category(service.context, assessment) == "acute"
    back = send(service, "PUT", "/fhir/Condition/c1", resource)
    assert (back.status_code, back.headers["etag"]) == (200, 'W/"3"')


def test_if_match_holds_off_a_lost_update(service: Service) -> None:
    send(service, "POST", "/fhir/Condition", mine())
    for wrong in ('W/"2"', "nonsense", 'W/"99999999999"'):
        response = send(
            service, "PUT", "/fhir/Condition/c1", mine(icd="I10"), **{"If-Match": wrong}
        )
        assert refused(response, 412)[0]["code"] == "conflict"
    right = send(service, "PUT", "/fhir/Condition/c1", mine(icd="I10"), **{"If-Match": 'W/"1"'})
    assert right.status_code == 200
    stale = service.http.delete("/fhir/Condition/c9", headers={"If-Match": 'W/"4"'})
    refused(stale, 412)


INVALID: tuple[tuple[Json, str], ...] = (
    ({"recordedDate": "2026-02-30"}, "Condition.recordedDate"),
    ({"recordedDate": "2026-13-01"}, "Condition.recordedDate"),
    ({"recordedDate": "2026-01-01T25:00:00Z"}, "Condition.recordedDate"),
    ({"recordedDate": "yesterday"}, "Condition.recordedDate"),
    ({"recordedDate": 20260101}, "Condition.recordedDate"),
    ({"subject": None}, "Condition.subject"),
    ({"subject": "Patient/p1"}, "Condition.subject"),
    ({"subject": {"reference": "Group/g"}}, "Condition.subject"),
    ({"subject": {"reference": "Patient?identifier=1"}}, "Condition.subject"),
    ({"subject": {"reference": "urn:uuid:6b1c"}}, "Condition.subject"),
    ({"subject": {"display": "Somebody"}}, "Condition.subject"),
    ({"code": {"coding": "I21.9"}}, "Condition.code.coding"),
    ({"clinicalStatus": []}, "Condition.clinicalStatus"),
    ({"id": "a/b"}, "Condition.id"),
    ({"id": "x" * 65}, "Condition.id"),
    ({"onsetString": "x", "onsetDateTime": "2026-01-01"}, "Condition"),
    ({"surname": "I21.9"}, "Condition"),
    ({"resourceType": "Observation"}, "Condition.resourceType"),
)


@pytest.mark.parametrize(("change", "element"), INVALID)
def test_what_is_not_valid_is_refused_with_its_element(
    service: Service, change: Json, element: str
) -> None:
    resource = {k: v for k, v in (mine() | change).items() if v is not None}
    issues = refused(send(service, "POST", "/fhir/Condition", resource), 422)
    assert any(issue["expression"][0].startswith(element) for issue in issues)
    assert rows(service.context, CONDITIONS) == 0
    whole = bundle("transaction", put(mine(id="ok")), {"resource": resource, "request": POST})
    (issue, *_) = refused(send(service, "POST", "/fhir", whole), 422)
    assert issue["expression"][0].startswith("Bundle.entry[1].resource")
    assert rows(service.context, CONDITIONS) == 0


POST = {"method": "POST", "url": "Condition"}
NOT_JSON = (
    b"",
    b"   ",
    b"{",
    b"[]",
    b'"x"',
    b"null",
    b"<Condition/>",
    b'{"resourceType": "Condition", "id": "\xff"}',
    b'{"resourceType": "Condition", "resourceType": "Condition"}',
    b'{"resourceType": "Condition", "code": {"text": "a", "text": "b"}}',
    b'{"resourceType": "Condition", "id": "\\ud800"}',
    b'{"resourceType": "Condition", "x": NaN}',
    b'{"resourceType": "Condition", "x": 1e999}',
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
)


@pytest.mark.parametrize("body", NOT_JSON)
@pytest.mark.parametrize("path", ["/fhir/Condition", "/fhir", "/fhir/Patient"])
def test_what_is_not_json_is_400(service: Service, path: str, body: bytes) -> None:
    refused(send(service, "POST", path, body), 400)
    assert rows(service.context, CONDITIONS) == 0


def test_what_is_asked_wrongly_says_so(service: Service) -> None:
    ask = service.http.request
    refused(
        ask(
            "POST",
            "/fhir/Condition",
            content=b"<a/>",
            headers={"Content-Type": "application/fhir+xml"},
        ),
        415,
    )
    refused(send(service, "PUT", "/fhir/Condition/c2", mine()), 400)
    refused(send(service, "PUT", "/fhir/Condition/c1", {**mine(), "id": None}), 400)
    refused(send(service, "PUT", "/fhir/Condition/a%20b", mine()), 404)
    refused(send(service, "PUT", "/fhir/Condition/a%2Fb", mine()), 404)
    refused(send(service, "PUT", "/fhir/Condition/" + "x" * 65, mine()), 404)
    refused(ask("GET", "/fhir/Condition/c1"), 405)
    refused(ask("GET", "/fhir/Condition"), 405)
    refused(send(service, "POST", "/fhir/Unknown", {"resourceType": "Unknown"}), 404)
    refused(send(service, "POST", "/fhir", mine()), 400)
    assert rows(service.context, CONDITIONS) == 0


def test_a_batch_is_answered_entry_by_entry(service: Service) -> None:
    assessment = assessed(service.context)
    entries = [
        put(mine()),
        put(mine(id="c2", recorded="2026-02-31")),
        {"resource": mine(id="c3"), "request": POST},
        {"request": {"method": "GET", "url": "Condition/c1"}},
        {"request": {"method": "DELETE", "url": "Condition/c9"}},
        put({"resourceType": "Observation", "id": "o"}),
        "no entry",
        {"resource": mine(id="c4")},
        put(mine(id="c5"), url="Condition?code=x"),
        {"resource": mine(id="c6"), "request": {"method": "SEND", "url": "Condition"}},
    ]
    response = send(service, "POST", "/fhir", bundle("batch", *entries))  # type: ignore[arg-type]  # one is no entry
    assert response.status_code == 200
    body = response.json()
    assert body["type"] == "batch-response"
    assert isinstance(parse_resource("Bundle", body), dict)
    assert_no_empty(body, "")
    statuses = [int(entry["response"]["status"][:3]) for entry in body["entry"]]
    assert statuses == [201, 422, 201, 405, 204, 404, 400, 400, 405, 400]
    assert body["entry"][0]["resource"]["id"] == "c1"
    assert body["entry"][0]["response"]["etag"] == 'W/"1"'
    outcome = body["entry"][1]["response"]["outcome"]
    assert outcome["issue"][0]["expression"] == ["Bundle.entry[1].resource.recordedDate"]
    assert category(service.context, assessment) == "acute"
    assert rows(service.context, CONDITIONS) == 2
    minimal = send(service, "POST", "/fhir", bundle("batch", put(mine())), Prefer="return=minimal")
    assert "resource" not in minimal.json()["entry"][0]


REFUSED_WHOLE: tuple[tuple[Json, int, str], ...] = (
    (put(mine(id="c2", recorded="x")), 422, "Bundle.entry[1].resource.recordedDate"),
    (put(mine(id="c2"), ifMatch='W/"7"'), 412, "Bundle.entry[1].resource"),
    (
        {"request": {"method": "DELETE", "url": "Condition/c2", "ifMatch": 'W/"7"'}},
        412,
        "Bundle.entry[1]",
    ),
    (put(mine(id="c1")), 400, "Bundle.entry[1]"),
    (put({"resourceType": "Observation", "id": "o"}), 404, "Bundle.entry[1].request.url"),
    ({"resource": mine(id="c2")}, 400, "Bundle.entry[1].request"),
    (put(mine(id="c2", subject={"reference": "Group/g"})), 422, "Bundle.entry[1].resource.subject"),
)


@pytest.mark.parametrize(("entry", "status", "element"), REFUSED_WHOLE)
def test_a_transaction_is_all_or_nothing(
    service: Service, entry: Json, status: int, element: str
) -> None:
    body = bundle("transaction", put(mine()), entry)
    (issue, *_) = refused(send(service, "POST", "/fhir", body), status)
    assert issue["expression"] == [element]
    assert rows(service.context, CONDITIONS) == 0
    assert rows(service.context, AUDIT_EVENTS) == 0


def test_a_transaction_tells_how_the_encounter_ended(service: Service) -> None:
    assessment = assessed(service.context, encounter="e1")
    urn = "urn:uuid:0b8c5b0e-3d0e-4d4e-9d2f-6a1f4f7f0001"
    home = {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/discharge-disposition",
                "code": "home",
            }
        ]
    }
    encounter = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "hospitalization": {"dischargeDisposition": home},
    }
    cold = mine(icd="J00", encounter=urn)
    body = bundle("transaction", {**put(encounter), "fullUrl": urn}, put(cold))
    response = send(service, "POST", "/fhir", body)
    assert response.status_code == 200
    statuses = [entry["response"]["status"][:3] for entry in response.json()["entry"]]
    assert statuses == ["200", "201"]
    assert isinstance(parse_resource("Bundle", response.json()), dict)
    assert category(service.context, assessment) == "mild"


def test_patients_in_a_transaction_are_known_by_their_full_url(service: Service) -> None:
    urn = "urn:uuid:0b8c5b0e-3d0e-4d4e-9d2f-6a1f4f7f0002"
    patient = {"resourceType": "Patient", "id": "p7", "birthDate": "1950-01-01"}
    ours = mine(subject={"reference": urn})
    body = bundle("transaction", {**put(patient), "fullUrl": urn}, put(ours))
    assert send(service, "POST", "/fhir", body).status_code == 200
    # The same from somewhere else names the patient as usual.
    again = send(service, "POST", "/fhir/Condition", mine(subject={"reference": "Patient/p7"}))
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')


def test_a_posted_patient_merges(service: Service) -> None:
    send(service, "POST", "/fhir/Condition", mine(subject={"reference": "Patient/old"}))
    link = [{"other": {"reference": "Patient/new"}, "type": "replaced-by"}]
    patient = {"resourceType": "Patient", "id": "old", "active": False, "link": link}
    first = send(service, "PUT", "/fhir/Patient/old", patient)
    assert (first.status_code, rows(service.context, PATIENT_MERGES)) == (200, 1)
    assert "merged by it: 1" in first.json()["issue"][0]["diagnostics"]
    assert send(service, "POST", "/fhir/Patient", patient).status_code == 200
    assert rows(service.context, PATIENT_MERGES) == 1
    refused(send(service, "PUT", "/fhir/Patient/other", patient), 400)
    refused(send(service, "POST", "/fhir/Patient", {**patient, "birthDate": "x"}), 422)


def test_a_bundle_that_is_none_is_refused(service: Service) -> None:
    for body, status in (
        ({"resourceType": "Bundle"}, 422),
        (bundle("searchset"), 422),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, 422),
        ({"resourceType": "Bundle", "type": ["batch"]}, 422),
        (bundle("batch", *[{}] * 5_001), 413),
    ):
        refused(send(service, "POST", "/fhir", body), status)
    empty = send(service, "POST", "/fhir", {"resourceType": "Bundle", "type": "transaction"})
    assert empty.json() == {"resourceType": "Bundle", "type": "transaction-response"}


def test_no_patient_value_of_the_body_is_said_back_in_an_error(service: Service) -> None:
    odd = mine(id="Secret/1", recorded="Secret", note=[{"text": 5}], Secret="Secret", code="Secret")
    for path, body in (
        ("/fhir/Condition", odd),
        ("/fhir", bundle("transaction", {"resource": odd, "request": POST})),
        ("/fhir", bundle("transaction", put(mine(), url="Secret/Secret"))),
    ):
        assert "Secret" not in send(service, "POST", path, body).text
    assert not current(service.context)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/fhir"),
        ("POST", "/fhir/Condition"),
        ("PUT", "/fhir/Condition/c1"),
        ("DELETE", "/fhir/Condition/c1"),
        ("POST", "/fhir/Patient"),
        ("PUT", "/fhir/Patient/p1"),
        ("POST", "/fhir/subscriptions"),
        ("PUT", "/fhir/subscriptions/Condition/c1"),
        ("DELETE", "/fhir/subscriptions/Condition/c1"),
    ],
)
def test_only_who_may_send_conditions_does(
    closed: tuple[Service, str, str], method: str, path: str
) -> None:
    service, reader, sender = closed
    # Nothing of what came would do any harm.
    body: Json = {"resourceType": "Basic"}
    assert send(service, method, path, body).status_code == 401
    forbidden = send(service, method, path, body, Authorization=f"Bearer {reader}")
    assert refused(forbidden, 403)[0]["code"] == "forbidden"
    taken = send(service, method, path, body, Authorization=f"Bearer {sender}")
    assert taken.status_code not in (401, 403)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str, str]]:
    """The service outside development mode, with a secret that may read and one that may send."""
    context = production(tmp_path_factory.mktemp("closed"))
    others = [right for right in Right if right is not Right.CONDITIONS]
    reader = add_client(context, "reader", rights=others)
    sender = add_client(context, "sender", rights=[Right.CONDITIONS], fhir_servers=[BASE])
    assert reader is not None
    assert sender is not None
    with running(context, context.clock) as started:  # type: ignore[arg-type]  # a TestClock
        yield started, reader, sender


def test_c3_a_client_sends_for_its_own_servers_alone(closed: tuple[Service, str, str]) -> None:
    service, _, sender = closed
    authorization = {"Authorization": f"Bearer {sender}"}
    other = {"reference": "https://other.example/fhir/Patient/p1"}
    response = send(service, "POST", "/fhir/Condition", mine(subject=other), **authorization)
    assert refused(response, 422)[0]["expression"] == ["Condition.subject"]
    # Relative, it is on the client's first server.
    relative = mine(subject={"reference": "Patient/p1"})
    assert send(service, "POST", "/fhir/Condition", relative, **authorization).status_code == 201
    assert len(current(service.context)) == 1
