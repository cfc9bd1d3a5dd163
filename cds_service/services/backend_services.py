"""Access of our own to a client's FHIR server: SMART Backend Services.

See https://hl7.org/fhir/smart-app-launch/backend-services.html and
https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html. Access tokens and
assertions live in memory only: they are never stored and never logged.
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.clients import Backend, Client
from cds_service.security.keys import MIN_RSA_BITS
from fhir_mapping.errors import AccessFault, FHIRAccessError

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME: Final = timedelta(minutes=4)
"""SMART allows no more than five minutes; one is left for clocks that differ."""
RENEW_BEFORE: Final = timedelta(seconds=30)
"""A token is not used this shortly before it expires."""
DEFAULT_LIFETIME: Final = 300.0
"""Lifetime of a token that states none, s: SMART asks for `expires_in`, and for five minutes."""
TOKEN_SECONDS: Final = 20.0

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey


class BackendError(ServiceError):
    """The access of our own is not set up rightly; the words say what to change."""

    status = 400
    code = "value"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and how it is named."""

    key: PrivateKey = field(repr=False)
    key_id: str | None
    algorithm: Literal["RS384", "ES384"]


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    backend: Backend
    until: datetime


class BackendTokens:
    """Access tokens of one process, one for each client, renewed shortly before they expire."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._tokens: dict[str, _Token] = {}
        self._lock = threading.Lock()

    def token(self, client: Client) -> str:
        """A token for the FHIR server of `client`.

        Raises `BackendError` without a usable key, `FHIRAccessError` if the token endpoint gives
        none.
        """
        backend = client.settings.backend
        if backend is None:
            raise BackendError(f"The client {client.name} has no access of our own (--token-url).")
        # One at a time: a hundred patients at once need one token.
        with self._lock:
            now = self._context.clock()
            known = self._tokens.get(client.name)
            if known is not None and known.backend == backend and now < known.until:
                return known.value
            granted = self._context.fhir.post_form(
                backend.token_url,
                {
                    "grant_type": "client_credentials",
                    "scope": backend.scope,
                    "client_assertion_type": ASSERTION_TYPE,
                    "client_assertion": assertion(backend, now),
                },
                deadline=time.monotonic() + TOKEN_SECONDS,
            )
            value, lifetime = _granted(granted)
            self._tokens[client.name] = _Token(value, backend, now + lifetime - RENEW_BEFORE)
            return value

    def forget(self, client: Client) -> None:
        """Ask for a new token next time: the server does not take this one."""
        with self._lock:
            self._tokens.pop(client.name, None)


def assertion(backend: Backend, now: datetime) -> str:
    """A signed JWT that says who we are, for one token request. Raises `BackendError`."""
    key = read_key(backend)
    claims = {
        "iss": backend.client_id,
        "sub": backend.client_id,
        "aud": backend.token_url,
        "iat": int(now.timestamp()),
        "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        "jti": str(uuid4()),
    }
    headers = {} if key.key_id is None else {"kid": key.key_id}
    return jwt.encode(claims, key.key, algorithm=key.algorithm, headers=headers)


def public_jwks(backend: Backend) -> dict[str, Any]:
    """What the EHR must know of the key: a JWKS with its public part. Raises `BackendError`."""
    key = read_key(backend)
    if isinstance(key.key, RSAPrivateKey):
        public = RSAAlgorithm.to_jwk(key.key.public_key(), as_dict=True)
    else:
        public = ECAlgorithm.to_jwk(key.key.public_key(), as_dict=True)
    public.pop("key_ops", None)
    named = {} if key.key_id is None else {"kid": key.key_id}
    return {"keys": [public | named | {"use": "sig", "alg": key.algorithm}]}


def read_key(backend: Backend) -> SigningKey:
    """The private key of `backend.key_file`: a JWK, a JWKS or PEM.

    Raises `BackendError`, which names the file and never holds anything of it.
    """
    path = Path(backend.key_file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BackendError(f"The key file {path} cannot be read ({error.strerror}).") from None
    if content.lstrip().startswith(b"{"):
        key, key_id = _jwk(content, backend, path)
    else:
        key, key_id = _pem(content, path), None
    return SigningKey(_fitting(key, backend, path), backend.key_id or key_id, backend.algorithm)


def _jwk(content: bytes, backend: Backend, path: Path) -> tuple[object, str | None]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise BackendError(f"The key file {path} is neither JSON nor PEM.") from None
    listed = parsed.get("keys") if "keys" in parsed else [parsed]
    chosen = [
        key
        for key in (listed if isinstance(listed, list) else [])
        if isinstance(key, dict) and (backend.key_id is None or key.get("kid") == backend.key_id)
    ]
    if "keys" not in parsed:
        chosen = [parsed]
    private = [key for key in chosen if "d" in key]
    if len(private) != 1:
        raise BackendError(
            f"The key file {path} must hold one private key"
            + (f" named {backend.key_id}." if backend.key_id and "keys" in parsed else ".")
        )
    try:
        key: object = jwt.PyJWK(private[0], algorithm=backend.algorithm).key
    except Exception:  # PyJWT lets through what cryptography raises; it may quote the key.
        raise BackendError(
            f"The key in {path} is no private key for {backend.algorithm}."
        ) from None
    key_id = private[0].get("kid")
    return key, key_id if isinstance(key_id, str) else None


def _pem(content: bytes, path: Path) -> object:
    try:
        return serialization.load_pem_private_key(content, password=None)
    except TypeError:
        raise BackendError(
            f"The key in {path} is encrypted; give it without a password, readable to the "
            "service's user alone."
        ) from None
    except Exception:  # Whatever cryptography finds wrong with it; it may quote the key.
        raise BackendError(f"The key file {path} holds no private key in PEM or JWK.") from None


def _fitting(key: object, backend: Backend, path: Path) -> PrivateKey:
    if backend.algorithm == "RS384":
        if not isinstance(key, RSAPrivateKey):
            raise BackendError(f"RS384 needs an RSA key; {path} holds another.")
        if key.key_size < MIN_RSA_BITS:
            raise BackendError(f"The RSA key in {path} must have at least {MIN_RSA_BITS} bits.")
        return key
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP384R1):
        raise BackendError(f"ES384 needs a key on the curve P-384; {path} holds another.")
    return key


def _granted(answer: Mapping[str, Any]) -> tuple[str, timedelta]:
    """The token and how long it lasts."""
    value, kind, lifetime = (
        answer.get(name) for name in ("access_token", "token_type", "expires_in")
    )
    if not isinstance(value, str) or not value or str(kind).lower() != "bearer":
        raise FHIRAccessError(AccessFault.MALFORMED, "no bearer token")
    try:
        seconds = float(lifetime) if lifetime is not None else DEFAULT_LIFETIME
        return value, timedelta(seconds=min(max(seconds, 0.0), 86_400.0))
    except (TypeError, ValueError, OverflowError):
        raise FHIRAccessError(AccessFault.MALFORMED, "no lifetime") from None
