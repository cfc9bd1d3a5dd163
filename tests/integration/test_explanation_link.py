"""The link from a card to its explanation: once, ten minutes, for the user who opened the chart."""

import base64
import string
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.explanation_links import new_link_token, read_link_token
from cds_service.security.permissions import Role
from cds_service.services.clients import ClientService
from cds_service.services.sessions import Arrival, Sessions
from cds_service.storage.tables import AUDIT_EVENTS, USED_LINKS
from tests.support.people import Visitor
from tests.support.service import Service, new_context, release, running

OIDC: dict[str, Any] = {
    "oidc_issuer": "https://id.example",
    "oidc_client_id": "cds",
    "oidc_client_secret": "secret",
    "oidc_roles": {"ward": Role.CLINICIAN},
}


@pytest.fixture
def service(tmp_path: Path, database_url: str, small_model: tuple[Path, str]) -> Iterator[Service]:
    context = new_context(tmp_path, database_url, **OIDC)
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started


def links(service: Service) -> dict[str, str]:
    """Label → address of the links on the card of a chart."""
    (card,) = service.assess(service.request(service.vitals(heart_rate=128))).json()["cards"]
    assert all(link["type"] == "absolute" for link in card["links"])
    return {link["label"]: link["url"] for link in card["links"]}


def link_of(service: Service) -> str:
    """Path of a card's link."""
    url = links(service)["How this was estimated"]
    base = service.context.settings.base_url
    assert url.startswith(base + "/explanations/")
    return url.removeprefix(base)


def visitor(service: Service, fhir_user: str | None, *roles: Role) -> Visitor:
    """Somebody whom the provider sent."""
    opened = Sessions(service.context).open(
        Arrival(
            actor="oidc:u-1",
            name="Ana",
            how="openid",
            roles=frozenset(roles or (Role.CLINICIAN,)),
            fhir_user=fhir_user,
        ),
        address="127.0.0.1",
    )
    return Visitor(service, {"cds_session": opened})


def reasons(context: ProcessContext) -> list[tuple[str, str | None]]:
    with context.engine.connect() as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.action.like("%-link"))
        return [(row.action, row.detail.get("reason")) for row in connection.execute(query)]


def test_it_opens_once_for_the_user_of_the_chart(service: Service) -> None:
    path = link_of(service)
    ana = visitor(service, "https://ehr.example/fhir/Practitioner/1")
    first = ana.get(path)
    assert first.status_code == 303
    assert "Readings over time" in ana.get(first.headers["location"]).text
    again = ana.get(path)
    assert again.status_code == 410
    assert "This link is no longer good" in again.text
    assert reasons(service.context) == [("follow-link", None), ("refuse-link", "used before")]


def test_another_user_does_not_use_it_up(service: Service) -> None:
    path = link_of(service)
    assert visitor(service, "Practitioner/2").get(path).status_code == 410
    assert visitor(service, "Practitioner/1", Role.ADMINISTRATOR).get(path).status_code == 403
    assert visitor(service, "Practitioner/1").get(path).status_code == 303
    assert reasons(service.context)[0] == ("refuse-link", "another user")


def test_after_ten_minutes_it_opens_nothing_and_is_forgotten(service: Service) -> None:
    used, late = link_of(service), link_of(service)
    ana = visitor(service, None)
    assert ana.get(used).status_code == 303
    service.clock.time += timedelta(minutes=10, seconds=1)
    assert ana.get(late).status_code == 410
    assert ana.get(used).status_code == 410
    assert visitor(service, None).get(link_of(service)).status_code == 303
    with service.context.engine.connect() as connection:
        assert len(list(connection.execute(select(USED_LINKS)))) == 1


def test_what_was_changed_is_no_link(service: Service) -> None:
    path = link_of(service)
    ana = visitor(service, None)
    swapped = path[:-1] + ("A" if path[-1] != "A" else "B")
    for bad in (path[:-4], swapped, "/explanations/x", "/explanations/" + "A" * 999):
        assert ana.get(bad).status_code == 410
    assert ana.get(path).status_code == 303


def test_it_says_nothing_and_serves_no_other_purpose(service: Service) -> None:
    secrecy, at = service.context.secrecy, service.clock()
    token = new_link_token(secrecy, "an-id", at)
    assert "an-id" not in token
    assert token != new_link_token(secrecy, "an-id", at)
    found = read_link_token(secrecy, token)
    assert found is not None
    assert found[0] == "an-id"
    # Whatever the last letter is changed to, also where it would stand for the same bytes.
    for identifier in ("an-id", "an-id2", "an-id23"):
        one = new_link_token(secrecy, identifier, at)
        others = set(string.ascii_letters + string.digits + "-_") - {one[-1]}
        assert {read_link_token(secrecy, one[:-1] + other) for other in others} == {None}
    assert found[1] - at <= timedelta(minutes=10)
    other = base64.urlsafe_b64encode(secrecy.encrypt(b"other an-id 99999999999")).decode()
    assert read_link_token(secrecy, other.rstrip("=")) is None


def test_there_is_none_without_a_provider_or_where_the_client_wants_none(
    tmp_path: Path, service: Service, small_model: tuple[Path, str]
) -> None:
    assert list(links(service)) == ["How this was estimated", "About this model"]
    context = service.context
    clients = ClientService(context.engine, context.settings, context.clock)
    clients.add("development", {"sandbox": True, "explanation_link": False}, actor="test")
    context.directory.refresh()
    assert list(links(service)) == ["About this model"]
    plain = new_context(tmp_path / "plain")
    release(plain, "1", *small_model)
    with running(plain, plain.clock) as other:
        assert list(links(other)) == ["About this model"]
