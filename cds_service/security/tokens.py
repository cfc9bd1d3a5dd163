"""JWTs of CDS clients, checked claim by claim (CDS Hooks 2.0 and 3.0, R57 to R66)."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from cds_service.security.clients import Client
from cds_service.security.keys import ALGORITHMS, KeyRing, TokenRefusedError

MAX_TOKEN = 16_000
"""Characters. Tokens of EHRs have one or two thousand."""
LEEWAY = 30.0
"""Seconds by which clocks may differ; the sandbox rounds `iat` up (R65)."""
MAX_LIFETIME = 3600.0
"""Longest `exp` - `iat`, s: `jti` is remembered for at most an hour (R63). With `exp` not passed it
also bounds the age of `iat`."""
_LATEST = 1e11
"""A NumericDate beyond any date; larger numbers are not calculated with."""

_jws = PyJWS(algorithms=list(ALGORITHMS), options={"enforce_minimum_key_length": True})


@dataclass(frozen=True, slots=True)
class Use:
    """What is remembered of a token, so that it is not accepted twice (R63)."""

    issuer: str
    jti_hash: str
    expires_at: datetime


class TokenVerifier:
    """Says whose call a token proves, or raises `TokenRefusedError`."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def verify(
        self,
        token: str,
        *,
        clients: Callable[[str], Sequence[Client]],
        audiences: Iterable[str],
        now: datetime,
        first_use: Callable[[Use], bool],
    ) -> Client:
        """The client that signed `token`.

        `clients` gives those of an issuer, `audiences` are the URLs that `aud` may name here, and
        `first_use` remembers a token and says whether it is new. The order is that of R62; a key
        is looked for only when everything the token says of itself is right.
        """
        header, claims = _read(token)
        key_id, algorithm, jku = _header(header)
        issuer = claims.get("iss")
        known = clients(issuer) if isinstance(issuer, str) else ()
        if not isinstance(issuer, str) or not known:
            raise TokenRefusedError("unknown_issuer")
        here = {url.rstrip("/") for url in audiences}
        addressed = [client for client in known if _is_meant(claims.get("aud"), here, client)]
        if not addressed:
            raise TokenRefusedError("wrong_audience")
        expires = _times(claims, now.timestamp())
        client = _the_one(addressed, claims)
        keys = self._keys.find(client.settings, key_id=key_id, algorithm=algorithm, jku=jku)
        if not any(_is_signed(token, key, algorithm) for key in keys):
            raise TokenRefusedError("bad_signature")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise TokenRefusedError("no_jti")
        use = Use(
            issuer,
            sha256(jti.encode("utf-8", "surrogatepass")).hexdigest(),
            datetime.fromtimestamp(expires, UTC) + timedelta(seconds=LEEWAY),
        )
        if not first_use(use):
            raise TokenRefusedError("replayed")
        return client


def issuer_of(token: str) -> str | None:
    """The `iss` a token states, unchecked: for a log line only."""
    try:
        issuer = _read(token)[1].get("iss")
    except TokenRefusedError:
        return None
    return issuer if isinstance(issuer, str) else None


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, not yet trusted."""
    if len(token) > MAX_TOKEN or not token.isascii():
        raise TokenRefusedError("malformed")
    try:
        parts = _jws.decode_complete(token, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (PyJWTError, ValueError, RecursionError):
        raise TokenRefusedError("malformed") from None
    if not isinstance(claims, dict):
        raise TokenRefusedError("malformed")
    return parts["header"], claims


def _header(header: dict[str, Any]) -> tuple[str, str, str | None]:
    """`kid`, `alg`, `jku` (R58). `typ` may be absent, as RFC 7519 (5.1) allows."""
    kind, key_id, jku = header.get("typ", "JWT"), header.get("kid"), header.get("jku")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise TokenRefusedError("wrong_type")
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise TokenRefusedError("algorithm_not_allowed")
    if not isinstance(key_id, str) or not key_id:
        raise TokenRefusedError("no_kid")
    if jku is not None and not isinstance(jku, str):
        raise TokenRefusedError("malformed")
    return key_id, algorithm, jku


def _is_meant(claimed: object, here: set[str], client: Client) -> bool:
    """Whether `aud` names the URL that was called, or what was agreed with the client (R66)."""
    listed = claimed if isinstance(claimed, list) else [claimed]
    accepted = here | {audience.rstrip("/") for audience in client.settings.audiences}
    return any(isinstance(one, str) and one.rstrip("/") in accepted for one in listed)


def _times(claims: dict[str, Any], now: float) -> float:
    """Check `exp`, `nbf`, `iat`; returns `exp` (s since 1970)."""
    expires, issued = _date(claims, "exp"), _date(claims, "iat")
    if expires is None or issued is None:
        raise TokenRefusedError("no_times")
    if expires <= now - LEEWAY:
        raise TokenRefusedError("expired")
    not_before = _date(claims, "nbf")
    if not_before is not None and not_before > now + LEEWAY:
        raise TokenRefusedError("not_yet_valid")
    if issued > now + LEEWAY:
        raise TokenRefusedError("issued_in_future")
    if not 0 <= expires - issued <= MAX_LIFETIME:
        raise TokenRefusedError("lives_too_long")
    return expires


def _date(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519, 2); JSON numbers only."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefusedError("malformed")
    if (isinstance(value, float) and not math.isfinite(value)) or abs(value) > _LATEST:
        raise TokenRefusedError("malformed")
    return float(value)


def _the_one(clients: Sequence[Client], claims: dict[str, Any]) -> Client:
    """The client of that tenant and subject: several may share an issuer.

    Who names the tenant or subject goes before who lets in any.
    """
    for claim, reason in (("tenant", "wrong_tenant"), ("sub", "wrong_subject")):
        value = claims.get(claim)
        naming = [c for c in clients if value is not None and value in _listed(c, claim)]
        clients = naming or [c for c in clients if not _listed(c, claim)]
        if not clients:
            raise TokenRefusedError(reason)
    if len(clients) > 1:
        raise TokenRefusedError("several_clients_fit")
    return clients[0]


def _listed(client: Client, claim: str) -> tuple[str, ...]:
    return client.settings.tenants if claim == "tenant" else client.settings.subjects


def _is_signed(token: str, key: Any, algorithm: str) -> bool:
    try:
        _jws.decode_complete(token, key, algorithms=[algorithm])
    except PyJWTError:
        return False
    return True
