"""Sends requests that carry the marks of one patient everywhere, and looks at the errors."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.marked import JWT, PATIENT, leaks
from tests.support.process import Program

DISEASE_SEVERITY = "/cds-services/disease-severity"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Sender:
    """Sends marked requests; keeps which routes answered with which statuses."""

    http: httpx.Client
    seen: set[tuple[str, str]] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)

    def send(
        self,
        status: int,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        **parts: str,
    ) -> httpx.Response:
        """One request, with marks in header and query; checks the answer if it is an error."""
        self.seen.add((method, path))
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        response = self.http.request(
            method,
            path.format(service="disease-severity") if not parts else path.format(**parts),
            params={"patient": PATIENT, "name": "Xqzfamily"},
            content=content,
            headers={
                "Authorization": f"Bearer {JWT}",
                "User-Agent": "xqz-browser",
                "Cookie": "session=xqz",
                "Origin": "https://xqz.example",
                "X-Request-ID": "xqz-request",
                **(headers or {}),
            },
        )
        assert response.status_code == status, (path, response.text)
        self.statuses.add(status)
        if status >= 400:
            assert not leaks(response.text), (path, response.text)
            assert not leaks(str(response.headers))
            is_page = response.headers["content-type"].startswith("text/html")
            if "health" not in path and not is_page:
                assert response.json()["resourceType"] == "OperationOutcome"
        return response


def raw_request(program: Program, content: bytes) -> bytes:
    """Bytes that no HTTP client would send; the answer until the server closes or is silent."""
    host, _, port = program.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(content)
        return connection.recv(65_536)
