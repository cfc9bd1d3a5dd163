"""What an ID token says, once it is known who signed it, for whom and when.

OpenID Connect Core 1.0, 3.1.3.7; the rules are Authlib's.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import jwt
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from cds_service.security.clients import ClientSettings
from cds_service.security.keys import ALGORITHMS, KeyRing, TokenRefusedError

LEEWAY: Final = 30
"""Seconds by which clocks may differ."""


class ProviderAwayError(Exception):
    """The provider does not answer, or not with what it should; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderRefusedError(Exception):
    """The provider, or what it said, lets nobody in; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must be about."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str = field(repr=False)
    """Came with it; where the token names its hash, the hash must fit."""


def verified_claims(
    id_token: str, expected: Expected, *, keys: KeyRing, jwks_uri: str, at: datetime
) -> dict[str, Any]:
    """The claims of an ID token, checked at a time (aware).

    Raises `ProviderAwayError` where the keys cannot be had, `ProviderRefusedError` for a token that
    says nothing for sure.
    """
    try:
        header = jwt.get_unverified_header(id_token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise ProviderRefusedError("algorithm not allowed")
        if not isinstance(key_id, str):
            raise ProviderRefusedError("no kid")
        found = keys.find(
            ClientSettings(jwks_urls=(jwks_uri,)), key_id=key_id, algorithm=algorithm, jku=None
        )
        claims = _signed_by_one(id_token, found, algorithm)
        CodeIDToken(
            claims,
            header,
            {
                "iss": {"essential": True, "value": expected.issuer},
                "aud": {"essential": True, "value": expected.client_id},
            },
            {
                "nonce": expected.nonce,
                "client_id": expected.client_id,
                "access_token": expected.access_token,
            },
        ).validate(int(at.timestamp()), LEEWAY)
    except TokenRefusedError as error:
        if error.reason == "keys_not_available":
            raise ProviderAwayError("keys: not available") from None
        raise ProviderRefusedError(f"ID token: {error.reason}") from None
    except JoseError as error:
        named = getattr(error, "claim", None)
        raise ProviderRefusedError(f"ID token: {error.error} {named or ''}".rstrip()) from None
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise ProviderRefusedError("ID token: cannot be read") from None
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise ProviderRefusedError("ID token: no subject")
    return claims


def _signed_by_one(token: str, keys: list[jwt.PyJWK], algorithm: str) -> dict[str, Any]:
    """The claims, if one of the keys signed them; their meaning is checked elsewhere."""
    options: Any = {f"verify_{name}": False for name in ("aud", "exp", "iat", "iss", "nbf", "sub")}
    for key in keys:
        try:
            return dict(jwt.decode(token, key.key, algorithms=[algorithm], options=options))
        except jwt.InvalidSignatureError:
            continue
    raise ProviderRefusedError("ID token: bad signature")
