"""Against a FHIR server nobody on this project wrote: the card is that of a full prefetch."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cds_service.services.outcome_puller import pull_outcomes
from cds_service.services.pulling import OutcomePulls
from tests.conftest import SHARED_DATA
from tests.support.backend import add_backend_client, pem_file
from tests.support.builders import concept, condition, encounter, vital_signs_category
from tests.support.cards_check import assert_response
from tests.support.fhir_server import fhir_server
from tests.support.independent_server import IndependentServer, installed, serving
from tests.support.service import Service, TestClock, new_context, release, running
from tests.support.stored import assessed, outcome

TOKEN = "abc"
PROBLEM = [
    concept("problem-list-item", system="http://terminology.hl7.org/CodeSystem/condition-category")
]


def chart(service: Service) -> list[dict[str, Any]]:
    """A patient with vital signs of today, older ones, and a neighbour."""
    patient = service.request([])["prefetch"]["patient"]
    old = (service.clock() - timedelta(hours=5)).isoformat()
    older = (service.clock() - timedelta(days=20)).isoformat()
    vitals = [
        *service.vitals(heart_rate=104, temperature=38.4, systolic=98, diastolic=61),
        service.observation("8867-4", 71, "/min", id="old-1", effectiveDateTime=old),
        service.observation("8310-5", 36.6, "Cel", id="old-2", effectiveDateTime=old),
        service.observation("8867-4", 163, "/min", id="older-1", effectiveDateTime=older),
    ]
    stranger = service.observation("8867-4", 188, "/min", id="stranger")
    stranger["subject"] = {"reference": "Patient/p2"}
    category = {"category": [vital_signs_category()]}
    return [
        patient,
        patient | {"id": "p2"},
        *(resource | category for resource in (*vitals, stranger)),
        encounter("EMER", id="e1"),
        condition("I10", id="c1", recorded="2026-02-01", category=PROBLEM),
    ]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with installed(SHARED_DATA.parent / "fhir-server") as copied:
        yield copied


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[dict[str, IndependentServer]]:
    """An open one, one of two resources a page, one that demands a token."""
    clock = TestClock()
    bare = Service(httpx.Client(), None, clock)  # type: ignore[arg-type]  # only its builders
    resources = chart(bare)
    bare.http.close()
    with ExitStack() as stack:
        yield {
            "open": stack.enter_context(serving(folder, resources)),
            "paged": stack.enter_context(serving(folder, resources, MAX_PAGE="2")),
            "token": stack.enter_context(serving(folder, resources, FHIR_TOKEN=TOKEN)),
        }


@pytest.fixture(scope="module")
def service(
    servers: dict[str, IndependentServer],
    tmp_path_factory: pytest.TempPathFactory,
    small_model: tuple[Path, str],
) -> Iterator[Service]:
    context = new_context(
        tmp_path_factory.mktemp("independent"),
        allowed_fhir_servers=tuple(server.url for server in servers.values()),
        fhir_allow_private=True,
        request_seconds=60,
    )
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started


def opened(service: Service, server: IndependentServer | None, **prefetch: Any) -> dict[str, Any]:
    """A call that names the server, with a token."""
    request = service.request([])
    request["context"]["encounterId"] = "e1"
    request["prefetch"] = prefetch
    if server is None:
        return request
    access = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/*.rs",
        "subject": "cds-service",
    }
    return request | {"fhirServer": server.url, "fhirAuthorization": access}


def bundle_of(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    entries = [{"resource": r} for r in resources if r["resourceType"] == kind]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def full(service: Service) -> dict[str, Any]:
    """The whole chart as prefetch."""
    resources = chart(service)
    return {
        "patient": resources[0],
        "vitals": bundle_of(resources, "Observation"),
        "encounter": next(r for r in resources if r["resourceType"] == "Encounter"),
        "conditions": bundle_of(resources, "Condition"),
    }


def said(service: Service, request: dict[str, Any]) -> tuple[Any, Any]:
    """The card without what is new in every answer, and what it stands on."""
    response = service.assess(request)
    assert response.status_code == 200, response.text
    body = response.json()
    assert_response(body)
    (card,) = body["cards"]
    told = body["extension"]["org.cds-service.assessment"]
    used = [
        {k: v for k, v in entry.items() if k in ("feature", "value", "received_time")}
        for entry in told.get("used", ())
    ]
    return [card[name] for name in ("summary", "detail", "indicator")], used


def test_what_a_full_prefetch_says(service: Service) -> None:
    """The case is not an empty one: four readings, the latest of each."""
    card, used = said(service, opened(service, None, **full(service)))
    assert {entry["feature"]: entry["value"] for entry in used} == {
        "heart_rate": 104,
        "body_temperature": 38.4,
        "systolic_bp": 98,
        "diastolic_bp": 61,
    }
    assert "104" in card[1]


@pytest.mark.requirement("R19")
@pytest.mark.requirement("R28")
@pytest.mark.requirement("R31")
@pytest.mark.parametrize("kind", ["open", "paged", "token"])
@pytest.mark.parametrize("keys", [(), ("patient",), ("vitals",), ("patient", "encounter")])
def test_absent_and_partial_prefetch_give_the_same_card(
    service: Service, servers: dict[str, IndependentServer], kind: str, keys: tuple[str, ...]
) -> None:
    everything = full(service)
    sent = {key: everything[key] for key in keys}
    before = len(servers[kind].log())
    assert said(service, opened(service, servers[kind], **sent)) == said(
        service, opened(service, None, **everything)
    )
    asked = servers[kind].log()[before:]
    assert asked
    assert {entry["status"] for entry in asked} == {200}
    assert {entry["authorization"] for entry in asked} == {"present"}
    assert not any("_sort" in entry["url"] for entry in asked)


@pytest.mark.requirement("R17")
def test_null_is_an_answer_also_where_the_server_knows_more(
    service: Service, servers: dict[str, IndependentServer]
) -> None:
    sent = full(service) | {"vitals": None}
    before = len(servers["open"].log())
    assert said(service, opened(service, servers["open"], **sent)) == said(
        service, opened(service, None, **sent)
    )
    assert len(servers["open"].log()) == before


@pytest.mark.requirement("R21")
def test_a_paged_prefetch_is_followed_to_its_end(
    service: Service, servers: dict[str, IndependentServer]
) -> None:
    url = f"{servers['paged'].url}/Observation?patient=p1&category=vital-signs"
    first = httpx.get(url, timeout=20).json()
    assert len(first["entry"]) == 2
    everything = full(service)
    assert said(service, opened(service, servers["paged"], **everything | {"vitals": first})) == (
        said(service, opened(service, None, **everything))
    )


@pytest.mark.requirement("R20")
@pytest.mark.requirement("R28")
def test_a_token_the_server_does_not_know_is_a_412(
    service: Service, servers: dict[str, IndependentServer]
) -> None:
    request = opened(service, servers["token"])
    request["fhirAuthorization"]["access_token"] = "wrong"
    response = service.assess(request)
    assert response.status_code == 412
    assert "did not accept the access token" in response.text


def test_a_pull_of_outcomes_with_a_token_of_our_own(
    servers: dict[str, IndependentServer], tmp_path: Path
) -> None:
    """The token endpoint is ours: the server has none. What is read is its own."""
    server = servers["token"]
    context = new_context(tmp_path, fhir_allow_private=True)
    with fhir_server() as endpoint:
        endpoint.tokens = lambda form: (
            (200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300})
            if form["grant_type"] == "client_credentials"
            else (400, {"error": "invalid_grant"})
        )
        backend = {
            "token_url": f"{endpoint.url}/token",
            "client_id": "cds",
            "key_file": str(pem_file(tmp_path)),
        }
        add_backend_client(context, endpoint, tmp_path, fhir_servers=[server.url], backend=backend)
        seen = assessed(context, client="ehr", base=server.url, encounter="e1")
        pulls = OutcomePulls(context)
        pulled = pull_outcomes(context, pulls, actor="test", name=None, early=True)
    assert (pulled.asked, dict(pulled.failed)) == (1, {})
    assert pulled.received.stored == 1
    found = outcome(context, seen)
    assert found is not None
    assert found["pre_existing"] == ["chronic"]
    context.fhir.close()
    context.engine.dispose()
