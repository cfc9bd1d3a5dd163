"""R68 over HTTP: what a browser client needs to see an answer, and an error."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.jwts import production
from tests.support.service import running
from tests.support.wire import FEEDBACK, ORIGIN, SERVICES, SEVERITY, Wire, wired

STRANGER = "https://evil.invalid"


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wired(tmp_path_factory.mktemp("browsers")) as started:
        yield started


def preflight(wire: Wire, path: str, method: str, asked: str, origin: str) -> httpx.Response:
    """What a browser asks before it sends a call: without a token."""
    return wire.service.http.options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": asked,
        },
    )


def listed(response: httpx.Response, header: str) -> set[str]:
    return {one.strip().lower() for one in response.headers[header].split(",")}


@pytest.mark.requirement("R68")
@pytest.mark.parametrize("asked", ["authorization", "content-type", "authorization,content-type"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/cds-services"), *(("POST", p) for p in (*SERVICES, FEEDBACK))]
)
def test_a_preflight_allows_the_call(wire: Wire, method: str, path: str, asked: str) -> None:
    response = preflight(wire, path, method, asked, ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert {"get", "post"} <= listed(response, "access-control-allow-methods")
    assert {"authorization", "content-type"} <= listed(response, "access-control-allow-headers")


@pytest.mark.requirement("R68")
@pytest.mark.parametrize(("origin", "status"), [(ORIGIN, 200), (STRANGER, 400)])
def test_a_public_page_may_ask_a_service_in_a_private_network(
    wire: Wire, origin: str, status: int
) -> None:
    """What some browsers ask first where a page of the internet calls a hospital's own network."""
    response = wire.service.http.options(
        SEVERITY,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
            "Access-Control-Request-Private-Network": "true",
        },
    )
    assert response.status_code == status
    if origin == ORIGIN:
        assert response.headers["access-control-allow-private-network"] == "true"


@pytest.mark.requirement("R68")
def test_answers_are_for_the_page_that_asked(wire: Wire) -> None:
    answers = [
        wire.send(path="/cds-services", method="GET"),
        wire.send(wire.chart()),
        wire.send({"feedback": []}, FEEDBACK),
    ]
    for response in answers:
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == ORIGIN
        # What is cached for one page is not shown to another (Fetch, CORS and caches).
        assert "origin" in listed(response, "vary")


@pytest.mark.requirement("R68")
def test_errors_are_too(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    request = wire.chart()
    wire.send(request)
    incomplete = wire.chart()
    del incomplete["prefetch"]
    nobody = {"Authorization": "Bearer x.y.z"}
    answers = {
        "400": wire.send(b"{"),
        "400 feedback": wire.send({}, FEEDBACK),
        "401": wire.send(wire.chart(), **nobody),
        "401 discovery": wire.send(path="/cds-services", method="GET", **nobody),
        "401 feedback": wire.send({"feedback": []}, FEEDBACK, **nobody),
        "404": wire.send(wire.chart(), "/cds-services/nothing"),
        "404 page": wire.send(path="/nothing", method="GET"),
        "405": wire.send(method="GET"),
        "409": wire.send(wire.chart("well", hookInstance=request["hookInstance"])),
        "412": wire.send(incomplete),
    }
    monkeypatch.setattr("cds_service.routes.dependencies.MAX_BODY", 10)
    answers["413"] = wire.send(wire.chart())
    monkeypatch.undo()
    # A fault nobody foresaw.
    monkeypatch.setattr("cds_service.services.assessing.extract", None)
    answers["500"] = wire.send(wire.chart())
    for name, response in answers.items():
        assert response.status_code == int(name.split()[0]), name
        assert response.headers["access-control-allow-origin"] == ORIGIN, name
        assert response.json()["resourceType"] == "OperationOutcome", name


@pytest.mark.requirement("R68")
def test_other_pages_see_nothing(wire: Wire) -> None:
    for response in (
        wire.send(wire.chart(), Origin=STRANGER),
        wire.send(path="/cds-services", method="GET", Origin=STRANGER),
        wire.send(b"{", Origin=STRANGER),
        preflight(wire, SEVERITY, "POST", "authorization", STRANGER),
        preflight(wire, SEVERITY, "POST", "authorization", ORIGIN + ".evil.invalid"),
    ):
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.requirement("R68")
def test_without_a_list_no_page_sees_anything(tmp_path_factory: pytest.TempPathFactory) -> None:
    context = production(tmp_path_factory.mktemp("unlisted"))
    with running(context, context.clock) as service:
        response = service.http.get("/cds-services", headers={"Origin": ORIGIN})
    assert response.status_code == 401
    assert "access-control-allow-origin" not in response.headers
