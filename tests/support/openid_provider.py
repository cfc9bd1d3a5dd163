"""A provider of identities that nobody on this project wrote (`oidc-provider`), and somebody who
signs in there."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.support.node_packages import node_folder
from tests.support.people import Visitor
from tests.support.service import Service, TestClock, new_context, running
from tests.support.try_pages import router

CLIENT = "cds"
SECRET = "a secret with + and % and : in it"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "u-1": {"name": "Ana Gil", "roles": ["ward-7", "doctors"], "fhirUser": "Practitioner/1"},
    "u-2": {"name": "Rita Sol", "roles": ["reviewers", "it"]},
    "u-4": {"name": "Leo Paz", "roles": ["doctors"], "fhirUser": "Practitioner/2"},
    "u-3": {"name": "<b>Eva</b>", "roles": ["visitors"]},
}
ROLES = {"doctors": "clinician", "reviewers": "reviewer", "it": "administrator"}
_SECONDS = 60


@dataclass
class RunningProvider:
    """A provider that answers."""

    issuer: str
    process: subprocess.Popen[bytes]
    output: Path

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Settings of a service that knows it."""
        return {
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": ROLES,
        } | changes


@contextmanager
def provider(
    folder: Path, base_url: str, *, certificate: Path | None = None, **changes: Any
) -> Iterator[RunningProvider]:
    """A provider that knows the service at `base_url`, with a certificate over https; `changes` are
    settings of its own."""
    programs = node_folder()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{base_url}/sign-in/callback"],
        "post_logout_redirect_uris": [f"{base_url}/sign-in"],
    } | changes.pop("client", {})
    settings = {
        "accounts": ACCOUNTS,
        "clients": [client],
        "claims": {"openid": ["sub"], "profile": ["name", "roles", "fhirUser"]},
        "cookies": {"keys": ["test"]},
        "features": {"devInteractions": {"enabled": True}},
        "ttl": {"AccessToken": 600, "Session": 600, "Interaction": 600, "Grant": 600},
    } | changes
    issuer = f"http://127.0.0.1:{port}"
    if certificate is not None:
        settings["certificate"] = str(certificate)
        issuer = f"https://localhost:{port}"
    config, output = folder / f"provider-{port}.json", folder / f"provider-{port}.log"
    config.write_text(json.dumps(settings))
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["node", "provider.mjs", str(port), str(config)],
            cwd=programs,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _SECONDS
        while b"listening" not in output.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(output.read_text()[-2000:])
            time.sleep(0.05)
        yield RunningProvider(issuer, process, output)
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def together(
    folder: Path, *, settings: dict[str, Any] | None = None, **changes: Any
) -> Iterator[tuple[Service, RunningProvider]]:
    """A service and a provider that know each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        public = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with provider(folder, public, **changes) as known:
        chosen = known.settings(public_url=public) | (settings or {})
        context = new_context(folder, **chosen)
        clock = context.clock
        assert isinstance(clock, TestClock)
        clock.time = datetime.now(UTC)
        port = int(public.rpartition(":")[2])
        with running(context, clock, router, port=port) as service:
            yield service, known


def sign_in_there(address: str, account: str, browser: httpx.Client) -> str:
    """Go where we were sent, sign in as `account`, and return the address that leads back."""
    answer = browser.get(address)
    for _ in range(12):
        if answer.is_redirect:
            target = urljoin(str(answer.url), answer.headers["location"])
            if "/sign-in" in target:
                return target
            answer = browser.get(target)
            continue
        action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
        assert action is not None, answer.text[:2000]
        fields = {"prompt": "login", "login": account, "password": "x"}
        answer = browser.post(urljoin(str(answer.url), action[1]), data=fields)
    raise AssertionError("the provider does not lead back")


def come_back(visitor: Visitor, account: str, target: str = "/") -> httpx.Response:
    """Sign in by the provider from the start to the answer of the service."""
    away = visitor.get(f"/sign-in/provider?next={target}")
    assert away.status_code == 303, away.text
    with httpx.Client(timeout=30) as browser:
        back = sign_in_there(away.headers["location"], account, browser)
    return visitor.get(back.removeprefix(visitor.origin))
