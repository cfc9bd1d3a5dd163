"""People in front of pages: who signs in, and a browser that keeps its cookies."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import APIRouter

from cds_service.context import ProcessContext
from cds_service.security.passwords import Passwords
from cds_service.security.permissions import Role
from cds_service.services.sessions import Arrival, Sessions
from cds_service.services.users import UserService
from cds_service.settings import Settings
from cds_service.storage import session
from tests.support.certificates import own_certificate
from tests.support.service import Service, TestClock, new_context, running

PUBLIC = "https://cds.example"
KEYS = '["' + "A" * 43 + '="]'
PASSWORD = "a horse that is no battery"
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def closed_context(
    folder: Path, database_url: str | None = None, **settings: Any
) -> ProcessContext:
    """A process outside development mode, where people have to sign in."""
    chosen: dict[str, Any] = {"development": False, "public_url": PUBLIC, "secret_keys": KEYS}
    return new_context(folder, database_url, **chosen | settings)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving_closed(
    folder: Path, *routers: APIRouter, port: int | None = None, **settings: Any
) -> Iterator[Service]:
    """A service outside development mode, over https on this machine, for a real browser. Its
    clock goes."""
    port = port or free_port()
    chosen: dict[str, Any] = {
        "development": False,
        "public_url": f"https://localhost:{port}",
        "secret_keys": KEYS,
        "data_dir": folder,
    }
    context = ProcessContext.create(Settings(**chosen | settings))
    session.upgrade(context.engine)
    certificate = own_certificate(folder)
    with running(context, TestClock(), *routers, port=port, certificate=certificate) as service:
        yield service


def quick_passwords() -> Passwords:
    """Hashing that costs next to nothing."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def add_account(context: ProcessContext, name: str, *roles: Role) -> None:
    """A local account with the password `PASSWORD`."""
    users = UserService(context.engine, context.secrecy, context.clock, quick_passwords())
    users.add(name, roles, PASSWORD, actor="test")


def session_of(context: ProcessContext, *roles: Role, name: str = "ana") -> dict[str, str]:
    """A session of somebody with these roles, as the cookie of a browser: name and value."""
    arrival = Arrival(actor=f"user:{name}", name=name, roles=frozenset(roles), how="password")
    name_of = "cds_session" if context.settings.development else "__Host-cds_session"
    return {name_of: Sessions(context).open(arrival, address="127.0.0.1")}


class Visitor:
    """A browser without a screen: it keeps its cookies, also those that want https, follows no
    redirect by itself, and sends the token of the last page that had one."""

    def __init__(self, service: Service, cookies: dict[str, str] | None = None) -> None:
        self.service = service
        self.cookies = dict(cookies or {})
        self.token = ""
        settings = service.context.settings
        self.origin = (
            str(service.http.base_url).rstrip("/") if settings.development else settings.base_url
        )

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page."""
        return self._seen(self.service.http.get(path, headers=self._headers(headers)))

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Any:
        """Send a form with the token of the page."""
        sent = {"csrf": self.token} | (fields or {})
        chosen = self._headers({"Origin": self.origin} | headers)
        return self._seen(self.service.http.post(path, data=sent, headers=chosen))

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        """Open the sign-in page and fill it in."""
        self.get("/sign-in")
        found: httpx.Response = self.post("/sign-in", {"name": name, "password": password} | fields)
        return found

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        # The client would keep cookies of its own, for everybody.
        self.service.http.cookies.clear()
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return BROWSER | ({"Cookie": cookies} if cookies else {}) | more

    def _seen(self, response: httpx.Response) -> httpx.Response:
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        tokens = re.findall(r'name="csrf" value="([\w-]+)"', response.text)
        if tokens:
            self.token = tokens[-1]
        return response


def administrator(service: Service) -> Visitor:
    """Ana, who is signed in and may do everything that administrators may."""
    return Visitor(service, session_of(service.context, Role.ADMINISTRATOR))
