"""Public keys that CDS clients sign with: from listed URLs or pinned (R58, R60, R61)."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from cds_service.security.clients import ClientSettings

FRESH_SECONDS = 600.0
"""How long fetched keys are used without asking again."""
UNKNOWN_KEY_SECONDS = 60.0
"""A key id nobody knows is a reason to ask again, but no more often: tokens are free to invent."""
RETRY_SECONDS = 15.0
"""How often a URL that does not answer is tried."""
STALE_SECONDS = 4 * 3600.0
"""How long keys outlive the last answer of their URL. Our own choice: a night's maintenance goes
unnoticed, a withdrawn key does not live on for days."""
MAX_WAITING = 16
"""Calls that may wait for keys at a time, for all clients together: a quarter of the threads that
answer (`cds_service.app`). Unknown key ids are free to invent, and a JWKS may hang."""
MAX_KEYS = 100
MIN_RSA_BITS = 2048
"""NIST SP 800-131A."""

_KINDS: Mapping[str, tuple[str, str | None]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
}
ALGORITHMS = tuple(_KINDS)
"""The only algorithms that are accepted (R60): never `none`, never one with a shared secret."""
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of a JWK that only its owner may have (RFC 7518, 6)."""

SANDBOX_ISSUER = "https://sandbox.cds-hooks.org"
SANDBOX_JWKS: dict[str, Any] = {
    "keys": [
        {
            "kty": "EC",
            "use": "sig",
            "alg": "ES384",
            "crv": "P-384",
            "kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
            "x": "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB",
            "y": "Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy",
        }
    ]
}
"""Public part of the key of the public CDS Hooks sandbox (`.well-known/jwks.json` of its
repository)."""
_KNOWN_TO_EVERYBODY = frozenset(
    {
        SANDBOX_JWKS["keys"][0]["x"],
        # The sandbox's earlier key, P-256.
        "QWI9fI8TcNtdikhVs_M1N_Szb7BOj19etvIKfrQMa9k",
    }
)
"""`x` of keys whose private part is published: they prove nothing."""

Fetch = Callable[[str], object]
"""Reads the JSON at a URL; raises whatever it likes if it cannot."""


class TokenRefusedError(Exception):
    """A token was not accepted. `reason` is a word for the log, never for the caller (R64)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: tuple[Mapping[str, Any], ...]
    at: float


@dataclass(slots=True)
class _Source:
    """What is known of one URL."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    fetched: _Fetched | None = None
    tried: float = float("-inf")


class KeyRing:
    """The keys of all clients, one a process; safe to use from several threads."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._sources: dict[str, _Source] = {}
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    def find(
        self, settings: ClientSettings, *, key_id: str, algorithm: str, jku: str | None
    ) -> list[PyJWK]:
        """The keys of that id that fit the algorithm; there may be two of one id.

        A `jku` is fetched only if the client lists exactly that URL (R61); a client with pinned
        keys alone needs none. Raises `TokenRefusedError`.
        """
        if settings.jwks_urls:
            if jku is not None and jku not in settings.jwks_urls:
                raise TokenRefusedError("jku_not_listed")
            candidates = self._fetched(jku or settings.jwks_urls[0], key_id)
        else:
            candidates = key_set(settings.jwks)
        named = [jwk for jwk in candidates if jwk.get("kid") == key_id]
        if not named:
            raise TokenRefusedError("unknown_key")
        found = [key for jwk in named if (key := usable(jwk, algorithm)) is not None]
        if not found:
            raise TokenRefusedError("key_does_not_fit")
        return found

    def _fetched(self, url: str, key_id: str) -> tuple[Mapping[str, Any], ...]:
        source = self._sources.setdefault(url, _Source())
        if self._is_due(source, key_id):
            # One asks for all. Whoever has older keys that will do does not wait for the answer.
            will_do = self._keys(source) is not None and self._knows(source, key_id)
            if self._places.acquire(blocking=False):
                try:
                    self._ask_once(url, source, key_id, wait=not will_do)
                finally:
                    self._places.release()
            elif not will_do:
                raise TokenRefusedError("too_many_wait_for_keys")
        keys = self._keys(source)
        if keys is None:
            raise TokenRefusedError("keys_not_available")
        return keys

    def _ask_once(self, url: str, source: _Source, key_id: str, *, wait: bool) -> None:
        if source.lock.acquire(blocking=wait):
            try:
                if self._is_due(source, key_id):
                    self._ask(url, source)
            finally:
                source.lock.release()

    def _is_due(self, source: _Source, key_id: str) -> bool:
        now = self._monotonic()
        if source.fetched is None or now - source.fetched.at >= FRESH_SECONDS:
            return now - source.tried >= RETRY_SECONDS
        return not self._knows(source, key_id) and now - source.tried >= UNKNOWN_KEY_SECONDS

    def _knows(self, source: _Source, key_id: str) -> bool:
        fetched = source.fetched
        return fetched is not None and any(jwk.get("kid") == key_id for jwk in fetched.keys)

    def _keys(self, source: _Source) -> tuple[Mapping[str, Any], ...] | None:
        fetched = source.fetched
        if fetched is None or self._monotonic() - fetched.at >= STALE_SECONDS:
            return None
        return fetched.keys

    def _ask(self, url: str, source: _Source) -> None:
        try:
            keys = key_set(self._fetch(url))
        except Exception:
            # Whatever it was: older keys go on for a while, or the token is refused.
            keys = ()
        source.tried = self._monotonic()
        if keys:
            source.fetched = _Fetched(keys, source.tried)


def key_set(content: object) -> tuple[Mapping[str, Any], ...]:
    """The keys of a JWKS; none if it is not one."""
    keys = content.get("keys") if isinstance(content, Mapping) else None
    if not isinstance(keys, list):
        return ()
    return tuple(jwk for jwk in keys[:MAX_KEYS] if isinstance(jwk, Mapping))


def usable(jwk: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    """The key, if it may verify a signature of this algorithm; else `None`.

    Kind and curve come from the key, never from the token (R60); `alg`, `use` and `key_ops` are
    kept to where the key states them (RFC 7517, 4).
    """
    kind = _KINDS.get(algorithm)
    if kind is None or (jwk.get("kty"), jwk.get("crv")) != kind:
        return None
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if any(jwk.get("x") == x for x in _KNOWN_TO_EVERYBODY):
        return None
    public = {name: value for name, value in jwk.items() if name not in PRIVATE_MEMBERS}
    try:
        key = PyJWK.from_dict(public, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS:
        return None
    return key


def usable_count(keys: Iterable[Mapping[str, Any]]) -> int:
    """How many of these keys can verify a token at all."""
    return sum(
        isinstance(jwk.get("kid"), str) and any(usable(jwk, name) for name in ALGORITHMS)
        for jwk in keys
    )
