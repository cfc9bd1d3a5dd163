"""The CapabilityStatement states exactly what is routed."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from cds_service.app import create_app
from cds_service.routes import cds, fhir, fhir_assess, fhir_conditions, health, subscriptions
from fhir_mapping.resources import validate_outgoing
from hooks.capability import OFFERS, assess_severity_definition, capability_statement
from tests.support.service import Service, new_context, running

PUBLIC_URL = "https://cds.example.org"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service without a model: what it says of itself needs none."""
    context = new_context(tmp_path_factory.mktemp("capability"))
    with running(context, context.clock) as started:
        yield started


def routed() -> set[tuple[str, str]]:
    routers = (
        fhir.router,
        fhir_assess.router,
        fhir_conditions.router,
        subscriptions.router,
        cds.router,
        health.router,
    )
    return {
        (method, route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
        if re.match(r"/fhir(/|$)", route.path)
    }


def test_every_route_is_offered_and_every_offer_is_routed(tmp_path: Path) -> None:
    offered = {(offer.method, offer.path) for offer in OFFERS}
    assert offered == routed()
    app = create_app(new_context(tmp_path))
    for method, path in offered:
        made = re.sub(r"\{\w+\}", "x", path)
        scope: dict[str, Any] = {"type": "http", "method": method, "path": made, "headers": []}
        assert any(route.matches(scope)[0].value == 2 for route in app.routes), path


def test_every_interaction_of_the_table_is_stated_and_no_other() -> None:
    statement = capability_statement(PUBLIC_URL, software_version="1")
    (rest,) = statement["rest"]
    stated = {
        (resource["type"], interaction["code"])
        for resource in rest["resource"]
        for interaction in resource["interaction"]
    }
    stated |= {(None, interaction["code"]) for interaction in rest["interaction"]}
    assert stated == {(o.resource_type, o.interaction) for o in OFFERS if o.interaction is not None}
    assert len({resource["type"] for resource in rest["resource"]}) == len(rest["resource"])


def test_the_statement_refers_to_the_operation_it_has() -> None:
    statement = capability_statement(PUBLIC_URL, software_version="1")
    (operation,) = statement["rest"][0]["operation"]
    definition = assess_severity_definition(PUBLIC_URL)
    assert operation == {"name": definition["code"], "definition": definition["url"]}
    assert ("POST", f"/fhir/${definition['code']}") in {(o.method, o.path) for o in OFFERS}


def test_both_are_valid_and_public(service: Service) -> None:
    for path in ("metadata", "OperationDefinition/assess-severity"):
        response = service.http.get(f"/fhir/{path}")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/fhir+json"
        validate_outgoing(response.json())


def test_what_is_not_stated_is_refused(service: Service) -> None:
    """Every method on every type, but for what the table offers."""
    offered = defaultdict(set)
    for offer in OFFERS:
        offered[re.sub(r"\{\w+\}", "x", offer.path)].add(offer.method)
    types = {o.resource_type for o in OFFERS if o.resource_type} | {"Observation", "Encounter"}
    for path in {f"/fhir/{name}{end}" for name in types for end in ("", "/x", "/_search")}:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            by_id = offered[path.replace("_search", "x")]
            if method in offered[path] | by_id:
                continue  # Where an id may stand, `_search` is one that is not known.
            response = service.http.request(method, path)
            assert response.status_code in (404, 405), (method, path)
            assert response.headers["content-type"] == "application/fhir+json"
            assert response.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 200),
        ({"Accept": "application/fhir+json; fhirVersion=4.0"}, "", 200),
        ({"Accept": "application/json"}, "", 200),
        ({"Accept": "application/fhir+xml, application/fhir+json;q=0.5"}, "", 200),
        ({"Accept": "application/fhir+xml;q=0.9, */*;q=0.1"}, "", 200),
        ({"Accept": "application/fhir+xml"}, "?_format=json", 200),
        ({}, "?_format=application/fhir%2Bjson", 200),
        ({}, "?_format=application/fhir+json", 200),
        ({"Accept": "application/fhir+xml"}, "", 406),
        ({"Accept": "application/json;q=0"}, "", 406),
        ({"Accept": "text/turtle"}, "", 406),
        ({}, "?_format=xml", 406),
        ({"Accept": "application/json"}, "?_format=ttl", 406),
    ],
)
def test_only_json_is_given(
    service: Service, headers: dict[str, str], query: str, status: int
) -> None:
    response = service.http.get(f"/fhir/metadata{query}", headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/fhir+json"


def test_errors_are_fhir_under_fhir_and_json_elsewhere(service: Service) -> None:
    for path, kind in (
        ("/fhir/nothing", "application/fhir+json"),
        ("/fhir/RiskAssessment/x", "application/fhir+json"),
        ("/fhirs", "application/json"),
        ("/cds-services/nothing", "application/json"),
    ):
        response = service.http.post(path) if "cds" in path else service.http.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == kind
        assert response.json()["resourceType"] == "OperationOutcome"
