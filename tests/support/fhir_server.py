"""A FHIR R4 server on the loopback address that can be as bad as real ones are.

Its good answers come in pages of its own size, in no order, as the specification allows.
"""

import gzip
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.builders import Json, bundle, operation_outcome

BASE_PATH = "/fhir/R4"
FHIR_JSON = "application/fhir+json; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """One request the server got."""

    path: str
    """Below the base: `Patient/p1`, `Observation`."""
    query: list[tuple[str, str]]
    headers: Mapping[str, str]

    @property
    def type(self) -> str:
        """The resource type asked for."""
        return self.path.split("/")[0]

    @property
    def token(self) -> str | None:
        """The bearer token."""
        given = self.headers.get("Authorization")
        return None if given is None else given.removeprefix("Bearer ")


Behaviour = Callable[["Handler", Asked], bool]
"""Answers a request in its own way and says so; `False` leaves it to the good server."""


@dataclass
class FHIRServer:
    """What the tests see of the server."""

    url: str
    resources: list[Json] = field(default_factory=list)
    page_size: int = 100
    token: str | None = None
    """Demanded, if there is one."""
    unknown_parameters: frozenset[str] = frozenset()
    """Search parameters that get a 400."""
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    """Resource type → how requests for it are answered; `*` for all."""
    tokens: Callable[[dict[str, str]], tuple[int, object]] = field(
        default=lambda _form: (200, {"access_token": "token", "token_type": "Bearer"})
    )
    """The token endpoint: answers a form that is posted anywhere."""
    log: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def asked(self, kind: str) -> list[Asked]:
        """The requests for a resource type so far."""
        return [asked for asked in self.log if asked.type == kind]

    def search(self, asked: Asked) -> Json:
        """One page of the resources that match, in an order of its own."""
        query = dict(asked.query)
        start = int(query.pop("_page", "0"))
        found = [r for r in self.resources if r["resourceType"] == asked.type]
        for name, value in query.items():
            found = [r for r in found if _matches(r, name, value)]
        Random(7).shuffle(found)  # noqa: S311  # the same order for every page of a search
        page = found[start : start + self.page_size]
        following = None
        if start + self.page_size < len(found):
            text = urlencode({**query, "_page": str(start + self.page_size)})
            following = f"{self.url}/{asked.type}?{text}"
        return bundle(*page, next_url=following, total=len(found))


def _matches(resource: Json, name: str, value: str) -> bool:
    if name == "patient":
        return bool(resource["subject"]["reference"] == f"Patient/{value}")
    if name == "category":
        return value in json.dumps(resource.get("category", []))
    if name == "code":
        codes = {part.rpartition("|")[2] for part in value.split(",")}
        return any(coding["code"] in codes for coding in resource["code"]["coding"])
    if name == "date":
        at = datetime.fromisoformat(resource["effectiveDateTime"])
        return at >= datetime.fromisoformat(value.removeprefix("ge"))
    return True


class Handler(BaseHTTPRequestHandler):
    """Answers GET, and POST as a token endpoint."""

    protocol_version = "HTTP/1.1"
    fhir: FHIRServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix(BASE_PATH).strip("/")
        asked = Asked(path, parse_qsl(parts.query), dict(self.headers.items()))
        self.fhir.log.append(asked)
        with suppress(ConnectionError):
            behave = self.fhir.behaviours.get(asked.type) or self.fhir.behaviours.get("*")
            if behave is None or not behave(self, asked):
                self.send(*self._answer(asked))

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        path = self.path.removeprefix(BASE_PATH).strip("/")
        self.fhir.log.append(Asked(path, list(form.items()), dict(self.headers.items())))
        self.send(*self.fhir.tokens(form), content_type="application/json")

    def _answer(self, asked: Asked) -> tuple[int, object]:
        fhir = self.fhir
        if fhir.token is not None and asked.token != fhir.token:
            return 401, operation_outcome("error", "login")
        if fhir.unknown_parameters & {name for name, _ in asked.query}:
            return 400, operation_outcome("error", "invalid")
        kind, _, wanted = asked.path.partition("/")
        if not wanted:
            return 200, fhir.search(asked)
        for resource in fhir.resources:
            if resource["resourceType"] == kind and resource["id"] == wanted:
                return 200, resource
        return 404, operation_outcome("error", "not-found")

    def send(
        self,
        status: int,
        content: object,
        *,
        content_type: str = FHIR_JSON,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A whole answer; `bytes` as they are, anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.start(status, content_type, {"Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def start(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        """Status line and headers."""
        self.send_response(status)
        for name, value in {"Content-Type": content_type, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing on standard error."""


def status(code: int, **headers: str) -> Behaviour:
    """Always this status, with an OperationOutcome; `Retry_After` is the header Retry-After."""

    def behave(handler: Handler, _asked: Asked) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send(code, operation_outcome("error", "processing"), headers=named)
        return True

    return behave


def at_first(times: int, behaviour: Behaviour) -> Behaviour:
    """The behaviour for the first requests; after that the server recovers."""
    counted: Counter[str] = Counter()

    def behave(handler: Handler, asked: Asked) -> bool:
        counted["n"] += 1
        return counted["n"] <= times and behaviour(handler, asked)

    return behave


def later_pages(behaviour: Behaviour) -> Behaviour:
    """The behaviour for every page but the first."""

    def behave(handler: Handler, asked: Asked) -> bool:
        return "_page" in dict(asked.query) and behaviour(handler, asked)

    return behave


def body(content: object, content_type: str = FHIR_JSON, **headers: str) -> Behaviour:
    """200 with this body, whatever was asked."""

    def behave(handler: Handler, _asked: Asked) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send(200, content, content_type=content_type, headers=named)
        return True

    return behave


def html() -> Behaviour:
    """The sign-in page of a portal, with status 200."""
    return body(b"<!doctype html><title>Sign in</title>", "text/html")


def wrong_content_type(handler: Handler, asked: Asked) -> bool:
    """The right body under the wrong name."""
    handler.send(*handler._answer(asked), content_type="text/html")
    return True


def zipped(handler: Handler, asked: Asked) -> bool:
    """The right body, packed."""
    code, content = handler._answer(asked)
    packed = gzip.compress(json.dumps(content).encode())
    handler.send(code, packed, headers={"Content-Encoding": "gzip"})
    return True


def gzip_bomb() -> Behaviour:
    """100 kB that unpack to 100 MB."""
    return body(gzip.compress(b" " * 100_000_000), Content_Encoding="gzip")


def redirect(to: str) -> Behaviour:
    """Sends the caller elsewhere."""
    return status(302, Location=to)


def hang(handler: Handler, _asked: Asked) -> bool:
    """Takes the request and says nothing."""
    handler.fhir.closing.wait()
    handler.close_connection = True
    return True


def drip(handler: Handler, _asked: Asked) -> bool:
    """Sends a byte now and then, for ever."""
    handler.start(200, FHIR_JSON, {"Content-Length": "1000000"})
    while not handler.fhir.closing.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    handler.close_connection = True
    return True


def drip_headers(handler: Handler, _asked: Asked) -> bool:
    """The same before the body begins."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.fhir.closing.wait(0.02):
        handler.wfile.write(b"x")
        handler.wfile.flush()
    handler.close_connection = True
    return True


def drop(handler: Handler, _asked: Asked) -> bool:
    """Closes the connection without an answer."""
    handler.close_connection = True
    return True


def cut_body(handler: Handler, asked: Asked) -> bool:
    """Promises more than it sends."""
    content = json.dumps(handler._answer(asked)[1]).encode()
    handler.start(200, FHIR_JSON, {"Content-Length": str(len(content) + 10)})
    handler.wfile.write(content)
    handler.close_connection = True
    return True


def damaged(handler: Handler, asked: Asked) -> bool:
    """Half of the JSON, as if it were all."""
    content = json.dumps(handler._answer(asked)[1]).encode()
    handler.send(200, content[: len(content) // 2])
    return True


def next_is(url: str | Callable[[Asked], str]) -> Behaviour:
    """The whole result, with this `next` link on every page."""

    def behave(handler: Handler, asked: Asked) -> bool:
        link = url if isinstance(url, str) else url(asked)
        code, content = handler._answer(asked)
        if code != 200 or not isinstance(content, dict) or content["resourceType"] != "Bundle":
            return False
        handler.send(200, content | {"link": [{"relation": "next", "url": link}]})
        return True

    return behave


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: Any) -> None:
        """A caller that hangs up is no event."""


@contextmanager
def fhir_server(
    resources: Sequence[Json] = (), *, tls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[FHIRServer]:
    """A server with these resources until the block ends, as `localhost` if it has `tls`."""

    class Own(Handler):
        """Handler of this server."""

    server = _Server(("127.0.0.1", 0), Own)
    port = server.server_address[1]
    root = f"http://127.0.0.1:{port}"
    if tls is not None:
        root = f"https://localhost:{port}"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    fhir = FHIRServer(root + BASE_PATH, list(resources), **options)
    Own.fhir = fhir
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fhir
    finally:
        fhir.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
