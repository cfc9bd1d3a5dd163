"""What a provider may say, and what is not believed."""

import base64
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from cds_service.security.id_tokens import ProviderAwayError, ProviderRefusedError
from cds_service.security.openid import OpenID, Relation
from cds_service.security.permissions import Role
from cds_service.services.openid_sign_in import claim_of, roles_of
from fhir_mapping.errors import AccessFault, FHIRAccessError
from fhir_mapping.exchange import Reply
from tests.support.jwts import Key, ec_key, jwks, rsa_key, sign

ISSUER = "https://id.example/realm"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = ec_key("ES256")
ACCESS = "access"


class Provider:
    """A provider in the place of the connections to it."""

    def __init__(self) -> None:
        self.key = KEY
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example/auth?tenant=1",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://id.example/keys",
            "userinfo_endpoint": "https://id.example/me",
        }
        self.userinfo: Any = {"sub": "u-1", "roles": ["doctors"], "name": "Other"}
        self.token: Any = None
        self.status = 200
        self.away: set[str] = set()
        self.seconds = 1_000.0
        self.asked: list[tuple[str, Mapping[str, str], bytes]] = []

    def id_token(self) -> str:
        at = int(NOW.timestamp())
        made = {
            "iss": ISSUER,
            "aud": "cds",
            "sub": "u-1",
            "iat": at,
            "exp": at + 300,
            "nonce": "n",
        } | self.claims
        payload = {name: value for name, value in made.items() if value is not None}
        return sign(self.key, payload, headers={"typ": "JWT", "jku": None} | self.header)

    def get(self, url: httpx.URL, headers: Mapping[str, str], *, deadline: float) -> Reply:
        assert deadline > time.monotonic()
        self.asked.append((str(url), headers, b""))
        if str(url) in self.away:
            raise FHIRAccessError(AccessFault.UNAVAILABLE, "no connection")
        content = {
            f"{ISSUER}/.well-known/openid-configuration": self.metadata,
            "https://id.example/keys": jwks(self.key),
            "https://id.example/me": self.userinfo,
        }[str(url)]
        return Reply(200, {}, json.dumps(content).encode())

    def post(
        self, url: httpx.URL, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Reply:
        assert deadline > time.monotonic()
        self.asked.append((str(url), headers, body))
        token = self.token
        if token is None:
            token = {"access_token": ACCESS, "id_token": self.id_token(), "token_type": "Bearer"}
        content = token if isinstance(token, bytes) else json.dumps(token).encode()
        return Reply(self.status, {}, content)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def provider() -> Provider:
    return Provider()


def openid(provider: Provider, **changes: Any) -> OpenID:
    agreed: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "cds",
        "client_secret": "a+b %:c",
        "scopes": ("openid", "profile"),
        "redirect_uri": "https://cds.example/sign-in/callback",
        "allow_http": False,
    } | changes
    made = OpenID(Relation(**agreed), clock=lambda: NOW, monotonic=lambda: provider.seconds)
    made.close()
    made._exchange = provider  # type: ignore[assignment]  # Speaks as one.
    return made


def redeem(provider: Provider, *, userinfo: bool = False, **changes: Any) -> dict[str, Any]:
    return openid(provider, **changes).redeem(
        "the code", nonce="n", verifier="v" * 43, also=lambda _: userinfo
    )


def test_somebody_is_sent_away_with_state_nonce_and_a_challenge(provider: Provider) -> None:
    address = openid(provider).address(state="s", nonce="n", verifier="v" * 43)
    parts = urlsplit(address)
    assert address.startswith("https://id.example/auth?tenant=1&")
    asked = {name: value for name, (value,) in parse_qs(parts.query).items()}
    challenge = base64.urlsafe_b64encode(sha256(b"v" * 43).digest()).decode().rstrip("=")
    assert asked == {
        "tenant": "1",
        "response_type": "code",
        "client_id": "cds",
        "redirect_uri": "https://cds.example/sign-in/callback",
        "scope": "openid profile",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


def test_a_code_becomes_claims(provider: Provider) -> None:
    provider.claims = {"name": "Ana"}
    assert redeem(provider)["name"] == "Ana"
    url, headers, body = next(one for one in provider.asked if one[2])
    assert url == "https://id.example/token"
    sent = {name: value for name, (value,) in parse_qs(body.decode()).items()}
    assert sent == {
        "grant_type": "authorization_code",
        "code": "the code",
        "redirect_uri": "https://cds.example/sign-in/callback",
        "code_verifier": "v" * 43,
    }
    # Encoded before it goes into the header (RFC 6749, 2.3.1).
    basic = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    assert basic == "cds:a%2Bb+%25%3Ac"
    assert "https://id.example/me" not in [asked[0] for asked in provider.asked]


def test_userinfo_adds_and_changes_nothing(provider: Provider) -> None:
    provider.claims = {"name": "Ana"}
    found = redeem(provider, userinfo=True)
    assert (found["name"], found["roles"]) == ("Ana", ["doctors"])
    assert provider.asked[-1][1]["Authorization"] == f"Bearer {ACCESS}"


@pytest.mark.parametrize("other", [{"sub": "u-2"}, {}, ["sub"], None])
def test_userinfo_of_somebody_else_is_refused(provider: Provider, other: Any) -> None:
    provider.userinfo = other
    with pytest.raises(ProviderRefusedError):
        redeem(provider, userinfo=True)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": None},
        {"aud": ["cds", "another"], "azp": "another"},
        {"nonce": "other"},
        {"nonce": None},
        {"exp": int(NOW.timestamp()) - 31},
        {"exp": None},
        {"iat": None},
        {"iat": int(NOW.timestamp()) + 600},
        {"nbf": int(NOW.timestamp()) + 600},
        {"sub": None},
        {"sub": ""},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
)
def test_an_id_token_for_another_purpose_is_refused(
    provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    with pytest.raises(ProviderRefusedError):
        redeem(provider)


def test_the_hash_of_the_access_token_may_be_there_and_fit(provider: Provider) -> None:
    half = sha256(ACCESS.encode()).digest()[:16]
    provider.claims = {"at_hash": base64.urlsafe_b64encode(half).decode().rstrip("=")}
    assert redeem(provider)["sub"] == "u-1"


def test_clocks_may_differ_by_half_a_minute(provider: Provider) -> None:
    at = int(NOW.timestamp())
    provider.claims = {"iat": at + 29, "exp": at + 300}
    assert redeem(provider)["sub"] == "u-1"


def forged(provider: Provider, kind: str) -> str:
    payload = jwt.decode(provider.id_token(), options={"verify_signature": False})
    if kind == "other key":
        other = ec_key("ES256", KEY.kid)
        return sign(other, payload, headers={"jku": None})
    if kind == "shared secret":
        return jwt.encode(payload, "a" * 64, algorithm="HS256", headers={"kid": KEY.kid})
    if kind == "none":
        return jwt.encode(payload, None, algorithm="none", headers={"kid": KEY.kid})  # type: ignore[arg-type]  # none has none
    if kind == "unknown kid":
        return sign(Key(KEY.private, "ES256", "other"), payload, headers={"jku": None})
    if kind == "no kid":
        return jwt.encode(payload, KEY.private, algorithm="ES256")
    head, _, rest = provider.id_token().partition(".")
    return {"changed": f"{head}.{'e30'}.{rest.partition('.')[2]}", "no JWT": "x.y"}[kind]


@pytest.mark.parametrize(
    "kind", ["other key", "shared secret", "none", "unknown kid", "no kid", "changed", "no JWT"]
)
def test_a_forged_id_token_is_refused(provider: Provider, kind: str) -> None:
    provider.token = {"access_token": ACCESS, "id_token": forged(provider, kind)}
    with pytest.raises(ProviderRefusedError):
        redeem(provider)


def test_rsa_is_taken_too(provider: Provider) -> None:
    provider.key = rsa_key()
    assert redeem(provider)["sub"] == "u-1"


@pytest.mark.parametrize(
    ("status", "token", "fault"),
    [
        (400, {"error": "invalid_grant", "error_description": "secret"}, ProviderRefusedError),
        (200, {"error": "<b>"}, ProviderRefusedError),
        (200, {"access_token": ACCESS}, ProviderRefusedError),
        (200, {"id_token": 1, "access_token": ACCESS}, ProviderRefusedError),
        (200, ["x"], ProviderAwayError),
        (200, b"<html>", ProviderAwayError),
        (502, b"<html>", ProviderAwayError),
    ],
)
def test_strange_answers_let_nobody_in(
    provider: Provider, status: int, token: Any, fault: type[Exception]
) -> None:
    provider.status, provider.token = status, token
    with pytest.raises(fault) as caught:
        redeem(provider)
    assert "secret" not in str(caught.value)
    assert "<" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"end_session_endpoint": "https://user:x@id.example/"},
    ],
)
def test_a_strange_description_is_no_provider(provider: Provider, change: dict[str, Any]) -> None:
    provider.metadata |= change
    with pytest.raises(ProviderAwayError):
        openid(provider).provider()


def test_away_is_away_and_comes_back(provider: Provider) -> None:
    made = openid(provider)
    provider.away.add(f"{ISSUER}/.well-known/openid-configuration")
    with pytest.raises(ProviderAwayError, match="no connection"):
        made.provider()
    provider.away.clear()
    with pytest.raises(ProviderAwayError, match="a moment ago"):
        made.provider()
    provider.seconds += 3
    assert made.provider().token_endpoint == "https://id.example/token"
    provider.away.add(f"{ISSUER}/.well-known/openid-configuration")
    provider.seconds += 3_599
    assert made.provider().takes_basic
    provider.seconds += 2
    with pytest.raises(ProviderAwayError):
        made.provider()


def test_keys_that_are_away_are_told_from_a_bad_token(provider: Provider) -> None:
    provider.away.add("https://id.example/keys")
    with pytest.raises(ProviderAwayError, match="keys"):
        redeem(provider)


MEANINGS = {"doctors": Role.CLINICIAN, "it": Role.ADMINISTRATOR, "the reviewers": Role.REVIEWER}


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        ("doctors", {Role.CLINICIAN}),
        ("the reviewers", {Role.REVIEWER}),
        ("doctors it", {Role.CLINICIAN, Role.ADMINISTRATOR}),
        (["it", "x", 1, None, {"it": 1}], {Role.ADMINISTRATOR}),
        ("clinician", set()),
        ("administrator", set()),
        (["Doctors"], set()),
        ({"doctors": True}, set()),
        (None, set()),
        (7, set()),
        ("", set()),
    ],
)
def test_only_what_was_agreed_gives_a_role(value: Any, roles: set[Role]) -> None:
    assert roles_of({"roles": value}, "roles", MEANINGS) == roles


def test_a_claim_may_be_inside_others() -> None:
    claims = {"realm_access": {"roles": ["it"]}, "https://h.example/r": "doctors", "a.b": 1}
    assert claim_of(claims, "realm_access.roles") == ["it"]
    assert claim_of(claims, "https://h.example/r") == "doctors"
    assert claim_of(claims, "a.b") == 1
    assert claim_of(claims, "realm_access.roles.x") is None
    assert claim_of(claims, "nothing.there") is None
