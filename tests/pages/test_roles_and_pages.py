"""Roles × pages: whoever may not see a page does not, and no page was forgotten."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from cds_service.app import create_app
from cds_service.routes.people import SignedIn
from cds_service.security.permissions import Permission, Role, permissions
from cds_service.web.navigation import ENTRIES, SECTIONS, Entry
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, new_context, running

MACHINES = ("/cds-services", "/fhir", "/health")
"""Where callers are clients; what they need is tested in tests/spec."""
PUBLIC = {
    "/static/{name}": "our own files",
    "/models/{version}/card": "decision 0020",
    "/models/{version}/card.json": "decision 0020",
    "/sign-in": "nobody is signed in yet",
    "/sign-in/provider": "the same",
    "/sign-in/callback": "the same",
    "/sign-in/provider/out": "nobody is signed in any more",
    "/launch": "people come from a health record, which says who they are",
    "/launch/callback": "the same",
    "/launch/told/{told}": "fixed sentences; nothing of anybody",
    "/session": "tells whoever asks of their own cookie alone; POST needs a session",
}
"""Pages for people that ask for no sign-in, and why."""


@dataclass(frozen=True)
class Route:
    """A way into the application."""

    method: str
    path: str
    guards: tuple[SignedIn, ...]

    @property
    def address(self) -> str:
        """With something in the place of ids."""
        return re.sub(r"{[^}]*}", "x", self.path)


def guards(dependant: Any) -> Iterator[SignedIn]:
    """Whoever asks for a sign-in on the way to a route."""
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, SignedIn):
            yield dependency.call
        yield from guards(dependency)


def routes_of(app: FastAPI) -> list[Route]:
    """Every route of pages."""
    found = []
    for route in app.routes:
        contexts = [route] if isinstance(route, APIRoute) else route.effective_route_contexts()  # type: ignore[attr-defined]  # FastAPI keeps included routers apart.
        for one in contexts:
            if not one.path.startswith(MACHINES):
                found += [
                    Route(method, one.path, tuple(guards(one.dependant)))
                    for method in sorted(one.methods)
                ]
    return found


def opened(visitor: Visitor) -> str:
    """The start page, or the page it leads to."""
    page = visitor.get("/")
    while page.status_code == 303:
        page = visitor.get(page.headers["location"])
    return page.text


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    context = closed_context(tmp_path_factory.mktemp("closed"))
    with running(context, context.clock) as service:
        yield service


@pytest.fixture(scope="module")
def routes(closed: Service) -> list[Route]:
    return routes_of(create_app(closed.context))


def test_routes_are_found(routes: list[Route]) -> None:
    assert {"/", "/sign-in", "/sign-out", "/static/{name}"} <= {route.path for route in routes}


def test_every_page_asks_who_is_there_or_says_why_not(routes: list[Route]) -> None:
    open_ones = {route.path for route in routes if not route.guards}
    assert open_ones <= set(PUBLIC), "a page without signed_in(...)"


def test_nobody_gets_in_without_signing_in(closed: Service, routes: list[Route]) -> None:
    for route in routes:
        if not route.guards:
            continue
        visitor = Visitor(closed)
        if route.method == "GET":
            response = visitor.get(route.address)
            assert response.status_code == 303, route
            assert response.headers["location"].startswith("/sign-in"), route
        else:
            headers = visitor._headers({"Origin": visitor.origin})
            response = closed.http.request(route.method, route.address, headers=headers)
            assert response.status_code == 401, route


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_pages_and_no_other(
    closed: Service, routes: list[Route], role: Role
) -> None:
    held = permissions([role])
    cookies = session_of(closed.context, role)
    token = Visitor(closed, cookies)
    opened(token)
    for route in routes:
        wanted = {guard.permission for guard in route.guards if guard.permission is not None}
        if not route.guards or route.path == "/sign-out":
            continue
        visitor = Visitor(closed, cookies)
        headers = visitor._headers({"Origin": visitor.origin, "X-CSRF-Token": token.token})
        response = closed.http.request(route.method, route.address, headers=headers)
        if wanted <= held:
            assert response.status_code not in (401, 403, 500), (route, response.text)
        else:
            assert response.status_code == 403, route


@pytest.mark.parametrize("role", list(Role))
def test_navigation_offers_what_the_routes_let_through(
    closed: Service, routes: list[Route], role: Role
) -> None:
    asked = {
        route.path: {guard.permission for guard in route.guards}
        for route in routes
        if route.method == "GET"
    }
    for entry in (*ENTRIES, *SECTIONS):
        if entry.path in asked:
            assert entry.permission in asked[entry.path], entry

    def expected(entries: tuple[Entry, ...]) -> list[str]:
        held = permissions([role])
        return [one.path for one in entries if one.path in asked and one.permission in held]

    visitor = Visitor(closed, session_of(closed.context, role))
    main, _, sections = opened(visitor).partition('<nav class="sections"')
    links = r'<li><a href="(/[^"]*)"'
    offered = [path for path in re.findall(links, main + sections) if path in asked]
    assert list(dict.fromkeys(offered)) == list(
        dict.fromkeys([*expected(ENTRIES), *(expected(SECTIONS) if sections else [])])
    )
    assert bool(sections) == (Permission.DASHBOARD in permissions([role]))


def test_the_sandbox_is_there_in_development_alone(
    tmp_path_factory: pytest.TempPathFactory, routes: list[Route]
) -> None:
    context = new_context(tmp_path_factory.mktemp("open"))
    everywhere = {(route.method, route.path) for route in routes}
    only_there = [
        route
        for route in routes_of(create_app(context))
        if (route.method, route.path) not in everywhere
    ]
    assert len(only_there) >= 6
    for route in only_there:
        assert route.path.startswith("/sandbox"), route
        assert [guard.permission for guard in route.guards] == [Permission.SANDBOX], route
    with running(context, context.clock) as service:
        assert Visitor(service).get("/sandbox").status_code == 200
        for role in Role:
            # Whoever tries a role there plays no health record.
            cookies = session_of(context, role)
            assert Visitor(service, cookies).get("/sandbox").status_code == 403
    assert all(Permission.SANDBOX not in permissions([role]) for role in Role)
