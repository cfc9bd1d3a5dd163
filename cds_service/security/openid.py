"""OpenID Connect as a relying party: authorization code with PKCE, state and nonce.

OpenID Connect Core 1.0 and Discovery 1.0 (2014, errata 2), PKCE (RFC 7636), RFC 9207. The protocol
is Authlib's; connections are our own, because the provider is asked while somebody waits: one
deadline, a limit on what is read, no redirects, nothing in the log.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client

from cds_service.security.id_tokens import (
    Expected,
    ProviderAwayError,
    ProviderRefusedError,
    verified_claims,
)
from cds_service.security.keys import KeyRing
from fhir_mapping.addresses import read_url
from fhir_mapping.errors import FHIRAccessError
from fhir_mapping.exchange import Exchange, Reply

SECONDS: Final = 6.0
"""For everything that one step asks of the provider."""
METADATA_SECONDS: Final = 3600.0
"""How long the provider's description is used without asking again."""
RETRY_SECONDS: Final = 3.0
"""How often a provider that does not answer is asked what it is."""
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Relation:
    """What was agreed with the provider."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    """Without one it is a public client, which PKCE alone protects."""
    scopes: tuple[str, ...]
    redirect_uri: str
    allow_http: bool
    """In development mode alone."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    takes_basic: bool
    """The client secret goes into a header, else into the body."""
    states_issuer: bool
    """It names itself when it sends people back (RFC 9207)."""


class OpenID:
    """Speaks with one provider; one a process, safe to use from several threads."""

    def __init__(
        self,
        relation: Relation,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.relation = relation
        self._clock = clock
        self._monotonic = monotonic
        # The operator chose the provider, so it may be inside the hospital's network.
        self._exchange = Exchange(allow_private=True)
        self._keys = KeyRing(lambda url: self._json(url, {}, self._deadline()), monotonic)
        self._lock = threading.Lock()
        self._known: tuple[float, Provider] | None = None
        self._failed = float("-inf")

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()

    def provider(self) -> Provider:
        """What the provider says of itself. Raises `ProviderAwayError`."""
        known = self._known
        if known is not None and self._monotonic() - known[0] < METADATA_SECONDS:
            return known[1]
        with self._lock:
            if self._known is not known and self._known is not None:
                return self._known[1]
            if self._monotonic() - self._failed < RETRY_SECONDS:
                # One asks for all: whoever waited for the lock does not wait for the same again.
                raise ProviderAwayError("tried a moment ago")
            try:
                found = self._discover()
            except ProviderAwayError:
                self._failed = self._monotonic()
                raise
            self._known = (self._monotonic(), found)
            return found

    def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where somebody is sent to sign in. Raises `ProviderAwayError`."""
        url, _ = self._client(None).create_authorization_url(
            self.provider().authorization_endpoint,
            state=state,
            nonce=nonce,
            code_verifier=verifier,
        )
        return str(url)

    def redeem(
        self, code: str, *, nonce: str, verifier: str, also: Callable[[Mapping[str, Any]], bool]
    ) -> dict[str, Any]:
        """Who a code stands for: the claims of its ID token.

        Where `also` says that they are not enough, those of userinfo are taken too. Raises
        `ProviderAwayError` and `ProviderRefusedError`.
        """
        provider, deadline = self.provider(), self._deadline()
        client = self._client(_Session(self._exchange, self._url, deadline))
        client.token_endpoint_auth_method = self._way_of_secret(provider)
        try:
            token = client.fetch_token(
                provider.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
            )
        except OAuth2Error as error:
            raise ProviderRefusedError(f"token endpoint: {_word(error.error)}") from None
        except (ValueError, httpx.HTTPError):
            raise ProviderAwayError("token endpoint: no JSON") from None
        id_token, access_token = token.get("id_token"), token.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise ProviderRefusedError("no ID token")
        claims = verified_claims(
            id_token,
            Expected(
                issuer=self.relation.issuer,
                client_id=self.relation.client_id,
                nonce=nonce,
                access_token=access_token,
            ),
            keys=self._keys,
            jwks_uri=provider.jwks_uri,
            at=self._clock(),
        )
        if also(claims) and provider.userinfo_endpoint is not None:
            bearer = {"Authorization": f"Bearer {access_token}"}
            more = self._json(provider.userinfo_endpoint, bearer, deadline)
            # Core, 5.3.2: another subject is another person.
            if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
                raise ProviderRefusedError("userinfo of another subject")
            claims = {**more, **claims}
        return claims

    def _discover(self) -> Provider:
        issuer = self.relation.issuer
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._json(url, {}, self._deadline())
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            raise ProviderAwayError("discovery: another issuer")
        secret_ways = found.get("token_endpoint_auth_methods_supported")
        return Provider(
            authorization_endpoint=self._endpoint(found, "authorization_endpoint"),
            token_endpoint=self._endpoint(found, "token_endpoint"),
            jwks_uri=self._endpoint(found, "jwks_uri"),
            userinfo_endpoint=self._optional(found, "userinfo_endpoint"),
            end_session_endpoint=self._optional(found, "end_session_endpoint"),
            takes_basic=not isinstance(secret_ways, list) or "client_secret_basic" in secret_ways,
            states_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        value = found.get(name)
        if not isinstance(value, str):
            raise ProviderAwayError(f"discovery: no {name}")
        return str(self._url(value))

    def _optional(self, found: Mapping[str, Any], name: str) -> str | None:
        return self._endpoint(found, name) if name in found else None

    def _url(self, text: str) -> httpx.URL:
        url = read_url(text, allow_private=self.relation.allow_http)
        if url is None:
            raise ProviderAwayError("an address that is not https")
        return url

    def _json(self, url: str, headers: Mapping[str, str], deadline: float) -> object:
        sent = {"Accept": "application/json", **headers}
        try:
            reply = self._exchange.get(self._url(url), sent, deadline=deadline)
        except FHIRAccessError as error:
            raise ProviderAwayError(error.detail or error.kind.value) from None
        if reply.status != _OK:
            raise ProviderAwayError(f"status {reply.status}")
        try:
            content: object = json.loads(reply.body)
        except (ValueError, RecursionError):
            raise ProviderAwayError("no JSON") from None
        return content

    def _client(self, session: "_Session | None") -> OAuth2Client:
        relation = self.relation
        client = OAuth2Client(
            session,
            client_id=relation.client_id,
            client_secret=relation.client_secret,
            scope=" ".join(relation.scopes),
            redirect_uri=relation.redirect_uri,
            code_challenge_method="S256",
        )
        client.register_client_auth_method(("client_secret_basic", _basic))
        return client

    def _way_of_secret(self, provider: Provider) -> str:
        if self.relation.client_secret is None:
            return "none"
        return "client_secret_basic" if provider.takes_basic else "client_secret_post"

    def _deadline(self) -> float:
        return time.monotonic() + SECONDS


class _Session:
    """What Authlib asks of a session of `requests`, over our own connections."""

    def __init__(
        self, exchange: Exchange, read: Callable[[str], httpx.URL], deadline: float
    ) -> None:
        self._exchange = exchange
        self._read = read
        self._deadline = deadline

    def post(
        self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any
    ) -> "_Answer":
        sent = dict(headers)
        target, sent, body = auth.prepare("POST", url, sent, urlencode(data))
        try:
            reply = self._exchange.post(
                self._read(target), sent, body.encode(), deadline=self._deadline
            )
        except FHIRAccessError as error:
            raise ProviderAwayError(error.detail or error.kind.value) from None
        return _Answer(reply)


class _Answer:
    """A reply as Authlib reads it."""

    def __init__(self, reply: Reply) -> None:
        self.status_code = reply.status
        self._body = reply.body

    def json(self) -> Any:
        return json.loads(self._body)

    def raise_for_status(self) -> None:
        if self.status_code != _OK:
            raise ProviderAwayError(f"token endpoint: status {self.status_code}")


def _basic(
    client: Any, method: str, uri: str, headers: dict[str, str], body: str
) -> tuple[str, dict[str, str], str]:
    """Id and secret in a header, each encoded first (RFC 6749, 2.3.1), which Authlib leaves out."""
    del method
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return uri, headers, body


def _word(text: object) -> str:
    """An error code of OAuth, if it is one (RFC 6749, 5.2)."""
    plain = isinstance(text, str) and text.replace("_", "").isalpha() and len(text) <= 40
    return str(text) if plain else "error"
