"""SMART App Launch from a health record (EHR launch): where people sign in, what a code stands for.

https://hl7.org/fhir/smart-app-launch/app-launch.html (2.2): authorization code with PKCE (S256).
Servers are asked over the guarded way that FHIR resources are read by. The access token is used for
nothing and forgotten at once: what is wanted is who somebody is and whose chart they have open.
"""

import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from cds_service.security.id_tokens import (
    Expected,
    ProviderAwayError,
    ProviderRefusedError,
    verified_claims,
)
from cds_service.security.keys import KeyRing
from fhir_mapping.addresses import read_url
from fhir_mapping.client import FHIRAccess
from fhir_mapping.errors import AccessFault, FHIRAccessError

SCOPES: Final = ("launch", "openid", "fhirUser")
SECONDS: Final = 6.0
"""For everything that one step asks of a health record."""
KNOWN_SECONDS: Final = 3600.0
"""How long what a server says of itself is used without asking again."""
OAUTH_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
"""Extension of a CapabilityStatement, of servers older than SMART App Launch 2."""
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ELSEWHERE = (AccessFault.NOT_FOUND, AccessFault.MALFORMED, AccessFault.REJECTED)
"""A server that answers, but has no SMART configuration."""
_SAYS_NO = (AccessFault.UNAUTHORIZED, AccessFault.REJECTED, AccessFault.NOT_FOUND)
_CODES = (
    *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
    *("unsupported_grant_type", "invalid_scope"),
)
"""Errors of a token endpoint (RFC 6749, 5.2); any other text could be anything."""
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
"""A FHIR id."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What was agreed with the health record of a client."""

    base: str
    """Its FHIR base URL: `iss` of a launch, `aud` of the way to sign in."""
    client_id: str
    redirect_uri: str
    issuer: str | None
    scopes: tuple[str, ...]
    secret: str | None = field(repr=False, default=None)
    assertion: Callable[[str], str] | None = field(repr=False, default=None)
    """Signs a JWT for a token endpoint, in the place of a secret."""


@dataclass(frozen=True, slots=True)
class SmartServer:
    """What a FHIR server says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    issuer: str | None = None
    jwks_uri: str | None = None
    takes_basic: bool = True
    """The client secret goes into a header, else into the body."""
    states_issuer: bool = False
    """It names itself when it sends people back (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a code stood for."""

    claims: Mapping[str, Any] = field(repr=False)
    """Of the ID token."""
    patient: str | None = field(repr=False)
    """Id of the patient whose chart is open, if one is."""
    app_context: str | None
    """What the card's link said of itself (CDS Hooks, `appContext`)."""


class SmartServers:
    """Speaks with the health records of all clients; one a process, safe to use from several
    threads."""

    def __init__(
        self,
        access: FHIRAccess,
        keys: KeyRing,
        *,
        allow_http: bool,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._keys = keys
        self._allow_http = allow_http
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, SmartServer]] = {}

    def server(self, base: str) -> SmartServer:
        """What the server says of itself. `base` must be that of a client, never a caller's word.
        Raises `ProviderAwayError`."""
        known = self._known.get(base)
        if known is not None and self._monotonic() - known[0] < KNOWN_SECONDS:
            return known[1]
        deadline = time.monotonic() + SECONDS
        try:
            content = self._access.get_json(
                f"{base}/.well-known/smart-configuration", deadline=deadline
            )
        except FHIRAccessError as error:
            if error.kind not in _ELSEWHERE:
                raise ProviderAwayError(f"discovery: {_said(error)}") from None
            found = self._older(base, deadline)
        else:
            found = self._described(content)
        self._known[base] = (self._monotonic(), found)
        return found

    def address(
        self, registration: Registration, *, launch: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Where somebody is sent to sign in. Raises `ProviderAwayError`."""
        target = self.server(registration.base).authorization_endpoint
        asked = {
            "response_type": "code",
            "client_id": registration.client_id,
            "redirect_uri": registration.redirect_uri,
            "scope": " ".join(dict.fromkeys((*SCOPES, *registration.scopes))),
            "launch": launch,
            "aud": registration.base,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{target}{'&' if urlsplit(target).query else '?'}{urlencode(asked)}"

    def issuer(self, registration: Registration) -> str:
        """Who signs its ID tokens. Raises `ProviderAwayError` where that is not known."""
        issuer = registration.issuer or self.server(registration.base).issuer
        if issuer is None:
            raise ProviderAwayError("discovery: no issuer, and none was set")
        return issuer

    def redeem(
        self, registration: Registration, code: str, *, nonce: str, verifier: str
    ) -> Granted:
        """What a code stands for. Raises `ProviderAwayError` and `ProviderRefusedError`."""
        server, issuer = self.server(registration.base), self.issuer(registration)
        deadline = time.monotonic() + SECONDS
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": registration.redirect_uri,
            "code_verifier": verifier,
        }
        authorization = None
        if registration.assertion is not None:
            fields["client_assertion_type"] = ASSERTION_TYPE
            fields["client_assertion"] = registration.assertion(server.token_endpoint)
        elif registration.secret is not None and server.takes_basic:
            authorization = _basic(registration.client_id, registration.secret)
        elif registration.secret is not None:
            fields |= {"client_id": registration.client_id, "client_secret": registration.secret}
        else:
            fields["client_id"] = registration.client_id
        try:
            answer = self._access.post_form(
                server.token_endpoint, fields, deadline=deadline, authorization=authorization
            )
        except FHIRAccessError as error:
            if error.kind in _SAYS_NO:
                raise ProviderRefusedError(f"token endpoint: {_said(error)}") from None
            raise ProviderAwayError(f"token endpoint: {_said(error)}") from None
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise ProviderRefusedError("no ID token")
        claims = verified_claims(
            id_token,
            Expected(issuer, registration.client_id, nonce, access_token),
            keys=self._keys,
            jwks_uri=self._jwks_uri(server, issuer, deadline),
            at=self._clock(),
        )
        patient, app_context = answer.get("patient"), answer.get("appContext")
        return Granted(
            claims,
            patient if isinstance(patient, str) and _ID.fullmatch(patient) else None,
            app_context if isinstance(app_context, str) else None,
        )

    def _jwks_uri(self, server: SmartServer, issuer: str, deadline: float) -> str:
        """Where the keys of the issuer are: as its FHIR server says, or as it says itself (OpenID
        Connect Discovery 1.0)."""
        if server.jwks_uri is not None and server.issuer in (None, issuer):
            return server.jwks_uri
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            content = self._access.get_json(url, deadline=deadline)
        except FHIRAccessError as error:
            raise ProviderAwayError(f"keys: {_said(error)}") from None
        if content.get("issuer") != issuer:
            raise ProviderAwayError("keys: another issuer")
        return self._endpoint(content, "jwks_uri")

    def _described(self, content: Mapping[str, Any]) -> SmartServer:
        methods = content.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise ProviderAwayError("discovery: no S256")
        ways = content.get("token_endpoint_auth_methods_supported")
        issuer = content.get("issuer")
        return SmartServer(
            authorization_endpoint=self._endpoint(content, "authorization_endpoint"),
            token_endpoint=self._endpoint(content, "token_endpoint"),
            issuer=issuer if isinstance(issuer, str) else None,
            jwks_uri=self._endpoint(content, "jwks_uri") if "jwks_uri" in content else None,
            takes_basic=not isinstance(ways, list) or "client_secret_basic" in ways,
            states_issuer=content.get("authorization_response_iss_parameter_supported") is True,
        )

    def _older(self, base: str, deadline: float) -> SmartServer:
        """From the CapabilityStatement, as SMART App Launch 1 has it."""
        try:
            statement = self._access.get_json(f"{base}/metadata", deadline=deadline)
        except FHIRAccessError as error:
            raise ProviderAwayError(f"discovery: {_said(error)}") from None
        addresses = dict(_oauth_uris(statement))
        return SmartServer(
            authorization_endpoint=self._endpoint(addresses, "authorize"),
            token_endpoint=self._endpoint(addresses, "token"),
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        value = found.get(name)
        url = read_url(value, allow_private=self._allow_http) if isinstance(value, str) else None
        if url is None:
            raise ProviderAwayError(f"discovery: no {name} that may be used")
        return str(url)


def _oauth_uris(statement: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for rest in _objects(statement.get("rest")):
        security = rest.get("security")
        extensions = security.get("extension") if isinstance(security, dict) else None
        for extension in _objects(extensions):
            if extension.get("url") == OAUTH_URIS:
                found += [
                    (str(one.get("url")), one.get("valueUri"))
                    for one in _objects(extension.get("extension"))
                ]
    return found


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _basic(client_id: str, secret: str) -> str:
    """Id and secret in a header, each encoded first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _said(error: FHIRAccessError) -> str:
    """What may stand in a log: never a word of the server's own choosing."""
    detail = error.detail or ""
    is_ours = detail in _CODES or re.fullmatch(r"status \d{3}", detail) or " " in detail
    return detail if is_ours else error.kind.value
