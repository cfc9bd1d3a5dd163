"""A health record with SMART App Launch, on the loopback address: it opens charts, asks its user
for consent, gives codes that are good once, and is as strict as the specification asks."""

import base64
import hashlib
import html
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit
from uuid import uuid4

import jwt

from cds_service.security.smart import ASSERTION_TYPE, OAUTH_URIS
from tests.support.jwts import Key, ec_key, jwks

CLIENT_ID = "cds-explanations"
SECRET = "a secret with + and % and : in it"
DOCTOR = "Practitioner/1"
Json = dict[str, Any]


@dataclass
class Grant:
    """A code that was given."""

    asked: dict[str, str]
    chart: Json
    used: bool = False


@dataclass
class SmartEHR:
    """What the tests see of the health record, and may change."""

    url: str = ""
    redirect_uri: str = ""
    key: Key = field(default_factory=lambda: ec_key("ES256"))
    signs_with: Key | None = None
    """Another key than the one it publishes."""
    secret: str | None = None
    public_key: Any = None
    """Of the client, which then signs who it is."""
    configuration: Json = field(default_factory=dict)
    """Changes of its SMART configuration; `None` leaves a member out."""
    is_old: bool = False
    """SMART App Launch 1: endpoints in the CapabilityStatement alone."""
    claims: Json = field(default_factory=dict)
    """Changes of the claims of its ID tokens; `None` leaves one out."""
    answer: Json = field(default_factory=dict)
    """Changes of what its token endpoint answers."""
    fault: tuple[int, bytes] | None = None
    """What the token endpoint answers instead."""
    issuer: str | None = None
    """By which it signs, where that is not its own address."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    charts: dict[str, Json] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    """What it was asked at its authorization endpoint."""
    forms: list[dict[str, str]] = field(default_factory=list)
    """What was sent to its token endpoint."""
    paths: list[str] = field(default_factory=list)

    @property
    def fhir(self) -> str:
        """Its FHIR base URL."""
        return f"{self.url}/fhir"

    def open_chart(self, patient: str | None = "p1", **more: Any) -> str:
        """Somebody opens a chart: the `launch` of it."""
        launch = uuid4().hex
        chart = {"patient": patient, "user": f"{self.fhir}/{DOCTOR}", "sub": "u-1"} | more
        self.charts[launch] = {name: value for name, value in chart.items() if value is not None}
        return launch

    def described(self) -> Json:
        """Its SMART configuration."""
        whole = {
            "issuer": self.issuer or self.fhir,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code"],
            "capabilities": ["launch-ehr", "sso-openid-connect", "context-ehr-patient"],
        } | self.configuration
        return {name: value for name, value in whole.items() if value is not None}

    def statement(self) -> Json:
        """Its CapabilityStatement."""
        uris = [
            {"url": name, "valueUri": f"{self.url}/{path}"}
            for name, path in (("authorize", "authorize"), ("token", "token"))
        ]
        security = {"extension": [{"url": OAUTH_URIS, "extension": uris}]} if self.is_old else {}
        rest = [{"mode": "server", "security": security}]
        return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest}

    def may_ask(self, query: dict[str, str]) -> str | None:
        """What is wrong with a request for authorization, if anything."""
        needed = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": self.redirect_uri,
            "aud": self.fhir,
            "code_challenge_method": "S256",
        }
        for name, value in needed.items():
            if query.get(name) != value:
                return name
        if len(query.get("code_challenge", "")) != 43 or not query.get("nonce"):
            return "code_challenge"
        if not {"launch", "openid", "fhirUser"} <= set(query.get("scope", "").split()):
            return "scope"
        return None if query.get("launch") in self.charts else "launch"

    def grant(self, query: dict[str, str]) -> str:
        """The address that consent leads to. A launch is good once."""
        code = uuid4().hex
        self.grants[code] = Grant(query, self.charts.pop(query["launch"]))
        back = {"code": code, "state": query["state"]}
        if self.configuration.get("authorization_response_iss_parameter_supported"):
            back["iss"] = self.issuer or self.fhir
        return f"{self.redirect_uri}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str | None) -> tuple[int, Json]:
        """What a code is exchanged for."""
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        grant = self.grants.get(form.get("code", ""))
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if (
            grant is None
            or grant.used
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.asked["redirect_uri"]
            or challenge != grant.asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant", "error_description": "of xqz-patient-4711"}
        grant.used = True
        chart = grant.chart
        answer = {
            "access_token": f"xqzAccess{uuid4().hex}",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": grant.asked["scope"],
            "id_token": self.id_token(chart, grant.asked["nonce"]),
            "patient": chart.get("patient"),
            "appContext": chart.get("app_context"),
            "need_patient_banner": False,
        } | self.answer
        return 200, {name: value for name, value in answer.items() if value is not None}

    def id_token(self, chart: Json, nonce: str) -> str:
        """Who its user is."""
        at = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer or self.fhir,
            "aud": CLIENT_ID,
            "sub": chart["sub"],
            "fhirUser": chart["user"],
            "nonce": nonce,
            "iat": at,
            "exp": at + 300,
        } | self.claims
        key = self.signs_with or self.key
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, key.private, key.algorithm, headers={"kid": self.key.kid})

    def _is_client(self, form: dict[str, str], authorization: str | None) -> bool:
        if self.public_key is not None:
            try:
                claims = jwt.decode(
                    form.get("client_assertion", ""),
                    self.public_key,
                    algorithms=["RS384", "ES384"],
                    audience=f"{self.url}/token",
                    options={"verify_iat": False, "verify_exp": False},
                )
            except (jwt.PyJWTError, AttributeError, TypeError):  # Also a key of another kind.
                return False
            is_asserted = form.get("client_assertion_type") == ASSERTION_TYPE
            return is_asserted and claims["iss"] == claims["sub"] == CLIENT_ID
        if self.secret is None:
            return form.get("client_id") == CLIENT_ID
        if authorization is None:
            given = (form.get("client_id", ""), form.get("client_secret", ""))
        else:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            given = (unquote_plus(pair[0]), unquote_plus(pair[2]))
        return given == (CLIENT_ID, self.secret)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ehr: SmartEHR

    def end_headers(self) -> None:
        # What is kept alive would outlive the server.
        self.send_header("Connection", "close")
        super().end_headers()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        ehr = self.ehr
        ehr.paths.append(parts.path)
        if parts.path == "/fhir/.well-known/smart-configuration" and not ehr.is_old:
            self._json(200, ehr.described())
        elif parts.path == "/fhir/metadata":
            self._json(200, ehr.statement())
        elif parts.path.endswith("/.well-known/openid-configuration"):
            issuer = ehr.issuer or ehr.fhir
            self._json(200, {"issuer": issuer, "jwks_uri": f"{ehr.url}/jwks"})
        elif parts.path == "/jwks":
            self._json(200, jwks(ehr.key))
        elif parts.path == "/authorize":
            ehr.asked.append(query)
            wrong = ehr.may_ask(query)
            if wrong is not None:
                self._page(400, f"<p>wrong: {html.escape(wrong)}</p>")
                return
            fields = "".join(
                f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                for name, value in query.items()
            )
            self._page(
                200,
                f'<h1>EHR</h1><form method="post" action="/consent">{fields}'
                '<button name="choice" value="allow">Allow</button>'
                '<button name="choice" value="deny">Deny</button></form>',
            )
        elif parts.path == "/chart":
            # A chart with an app in a frame, as health records show them.
            source = html.escape(query["app"])
            self._page(200, f'<h1>Chart</h1><iframe src="{source}" title="app"></iframe>')
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form, ehr = dict(parse_qsl(body)), self.ehr
        path = urlsplit(self.path).path
        ehr.paths.append(path)
        if path == "/token":
            ehr.forms.append(form)
            if ehr.fault is not None:
                self._send(*ehr.fault, "application/json")
            else:
                self._json(*ehr.token(form, self.headers.get("Authorization")))
            return
        denied = urlencode({"error": "access_denied", "state": form["state"]})
        is_allowed = form["choice"] == "allow"
        target = ehr.grant(form) if is_allowed else f"{ehr.redirect_uri}?{denied}"
        self.send_response(303)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, status: int, content: Json) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _page(self, status: int, content: str) -> None:
        style = "<style>iframe { border: 0; width: 100%; height: 90vh }</style>"
        head = '<!DOCTYPE html><html lang="en"><title>EHR</title><link rel="icon" href="data:,">'
        self._send(status, f"{head}{style}{content}</html>".encode(), "text/html; charset=utf-8")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as inherited
        del format, args


@contextmanager
def smart_ehr(base_url: str, **changes: Any) -> Iterator[SmartEHR]:
    """A health record that knows the service at `base_url`."""
    ehr = SmartEHR(redirect_uri=f"{base_url}/launch/callback", **changes)
    handler = type("Handler", (_Handler,), {"ehr": ehr})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    ehr.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ehr
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
