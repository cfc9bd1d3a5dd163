"""Every check of a JWT, one at a time: each token here is right but for one thing."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cds_service.security.clients import Client, ClientSettings
from cds_service.security.keys import KeyRing, TokenRefusedError
from cds_service.security.tokens import TokenVerifier, Use, issuer_of
from tests.support.jwts import (
    ENDPOINT,
    ISSUER,
    Key,
    claims,
    ec_key,
    jwks,
    put_together,
    rsa_key,
    sign,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
KEY = ec_key()


def nothing_is_fetched(url: str) -> object:
    raise AssertionError(url)


class Desk:
    """Takes tokens for the endpoint of `disease-severity`."""

    def __init__(self, *clients: Client) -> None:
        self.clients = clients or (client(),)
        self.uses: list[Use] = []
        self.verifier = TokenVerifier(KeyRing(nothing_is_fetched))

    def first_use(self, use: Use) -> bool:
        if any((use.issuer, use.jti_hash) == (old.issuer, old.jti_hash) for old in self.uses):
            return False
        self.uses.append(use)
        return True

    def take(self, token: str, *audiences: str) -> Client:
        return self.verifier.verify(
            token,
            clients=lambda issuer: [c for c in self.clients if c.settings.issuer == issuer],
            audiences=audiences or (ENDPOINT,),
            now=NOW,
            first_use=self.first_use,
        )

    def refuses(self, token: str) -> str:
        with pytest.raises(TokenRefusedError) as caught:
            self.take(token)
        # A token that was refused is not remembered: it could be anybody's.
        assert caught.value.reason == "replayed" or not self.uses
        return caught.value.reason


def client(name: str = "ehr", *keys: Key, **settings: Any) -> Client:
    known = {"issuer": ISSUER, "jwks": jwks(*(keys or (KEY,)))} | settings
    return Client(name, ClientSettings(**known))


def token(**changes: object) -> str:
    return sign(KEY, claims(NOW, **changes))


def test_a_right_token_is_accepted_and_remembered() -> None:
    desk = Desk()
    assert desk.take(token(jti="one")).name == "ehr"
    (use,) = desk.uses
    assert use == Use(
        ISSUER, sha256(b"one").hexdigest(), NOW + timedelta(seconds=300) + timedelta(seconds=30)
    )


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "RS384", "RS512"])
def test_every_algorithm_of_the_list_is_accepted(algorithm: str) -> None:
    made = rsa_key() if algorithm.startswith("RS") else ec_key(algorithm)
    key = Key(made.private, algorithm, made.kid)
    assert Desk(client("ehr", key)).take(sign(key, claims(NOW))).name == "ehr"


@pytest.mark.parametrize("typ", ["JWT", "jwt", None])
def test_typ_is_jwt_in_any_case_or_absent(typ: str | None) -> None:
    header = {"alg": "ES384", "kid": KEY.kid} | ({} if typ is None else {"typ": typ})
    signed = sign(KEY, claims(NOW), headers={"typ": typ})
    written = json.loads(base64.urlsafe_b64decode(signed.split(".")[0] + "=="))
    assert written == header
    Desk().take(signed)


@pytest.mark.parametrize("typ", ["at+jwt", "", 7])
def test_another_typ_is_refused(typ: object) -> None:
    header = {"alg": "ES384", "kid": KEY.kid, "typ": typ}
    assert Desk().refuses(put_together(header, claims(NOW), b"x")) == "wrong_type"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS384", "ES512", "PS384", "", 1])
def test_another_algorithm_is_refused(algorithm: object) -> None:
    header = {"alg": algorithm, "kid": KEY.kid, "typ": "JWT"}
    for signature in (b"", b"x" * 96):
        assert (
            Desk().refuses(put_together(header, claims(NOW), signature)) == "algorithm_not_allowed"
        )


@pytest.mark.parametrize("listed", ["HS256", None])
def test_a_public_key_is_no_shared_secret(listed: str | None) -> None:
    """The old trick: HMAC with the public key, which everybody has."""
    key = rsa_key()
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": key.kid, "typ": "JWT"}
    unsigned = put_together(header, claims(NOW), b"").rstrip(".")
    signature = hmac.new(pem, unsigned.encode(), "sha256").digest()
    confused = put_together(header, claims(NOW), signature)
    octets = {"kty": "oct", "k": base64.urlsafe_b64encode(pem).decode(), "kid": key.kid}
    keys = {"keys": [key.public(alg=listed), octets]}
    assert Desk(client(jwks=keys)).refuses(confused) == "algorithm_not_allowed"


@pytest.mark.parametrize(
    ("signed_as", "jwk"),
    [
        # The header says RS384, the key of that id is an elliptic one, and so on.
        ("RS384", KEY.public(alg=None)),
        ("ES256", KEY.public(alg=None)),
        ("ES384", {"kty": "oct", "k": "eA", "kid": KEY.kid}),
        ("ES384", KEY.public(alg="ES256")),
        ("ES384", KEY.public(use="enc")),
        ("ES384", KEY.public(use=None, key_ops=["sign"])),
        ("ES384", KEY.public(use=None, key_ops="verify")),
        ("ES384", KEY.public(x="!!")),
        ("ES384", KEY.public(x=None)),
        ("ES384", KEY.public(x=["a"])),
        ("ES384", KEY.public(kty=["EC"])),
    ],
)
def test_the_key_must_fit_the_algorithm(signed_as: str, jwk: dict[str, Any]) -> None:
    genuine = token()
    _, payload, signature = genuine.split(".")
    header = put_together({"alg": signed_as, "kid": KEY.kid, "typ": "JWT"}, {}, b"").split(".")[0]
    sent = genuine if signed_as == "ES384" else f"{header}.{payload}.{signature}"
    assert Desk(client(jwks={"keys": [jwk]})).refuses(sent) == "key_does_not_fit"


def test_what_a_key_may_do_can_be_stated_or_not() -> None:
    for jwk in (KEY.public(), KEY.public(alg=None, use=None), KEY.public(key_ops=["verify"])):
        assert Desk(client(jwks={"keys": [jwk]})).take(token()).name == "ehr"


def test_an_rsa_key_of_1024_bits_is_refused() -> None:
    weak = rsa_key(1024)
    with pytest.warns(match="below the minimum"):
        signed = sign(weak, claims(NOW))
    assert Desk(client("ehr", weak)).refuses(signed) == "key_does_not_fit"


def test_the_key_of_the_public_sandbox_proves_nothing() -> None:
    from cds_service.security.keys import SANDBOX_JWKS, usable

    (jwk,) = SANDBOX_JWKS["keys"]
    assert usable(jwk, "ES384") is None
    assert usable(KEY.public(), "ES384") is not None


def test_two_keys_of_one_id_are_both_tried() -> None:
    other = ec_key(kid=KEY.kid)
    assert Desk(client("ehr", other, KEY)).take(token()).name == "ehr"


def test_a_signature_by_another_key_is_refused() -> None:
    other = ec_key(kid=KEY.kid)
    assert Desk().refuses(sign(other, claims(NOW))) == "bad_signature"
    _, payload, signature = token().split(".")
    changed = put_together(
        {"alg": "ES384", "kid": KEY.kid, "typ": "JWT"}, claims(NOW, sub="x"), b""
    )
    assert Desk().refuses(changed + signature) == "bad_signature"
    assert payload


def test_a_key_id_nobody_has_is_refused() -> None:
    assert Desk().refuses(sign(ec_key(kid="other"), claims(NOW))) == "unknown_key"


@pytest.mark.parametrize("kid", [None, ""])
def test_a_token_without_a_key_id_is_refused(kid: str | None) -> None:
    header = {"alg": "ES384", "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    assert Desk().refuses(put_together(header, claims(NOW), b"x")) == "no_kid"


@pytest.mark.parametrize("issuer", [None, "https://other.example", ISSUER + "/", 7, [ISSUER], {}])
def test_iss_is_exactly_that_of_a_client(issuer: object) -> None:
    header = {"alg": "ES384", "kid": KEY.kid, "typ": "JWT"}
    sent = put_together(header, claims(NOW, iss=issuer), b"x")
    assert Desk().refuses(sent) == "unknown_issuer"


@pytest.mark.parametrize(
    "audience",
    [ENDPOINT, ENDPOINT + "/", [ENDPOINT], ["https://other.example", ENDPOINT], "typed by hand"],
)
def test_aud_names_the_endpoint_or_what_was_agreed(audience: object) -> None:
    agreed = client(audiences=("typed by hand",))
    assert Desk(agreed).take(token(aud=audience)) == agreed


@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        [],
        "https://cds.example",
        "https://cds.example/cds-services",
        ENDPOINT + "/feedback",
        ENDPOINT.upper(),
        ["https://other.example"],
        [[ENDPOINT]],
        {ENDPOINT: 1},
        7,
    ],
)
def test_another_aud_is_refused(audience: object) -> None:
    header = {"alg": "ES384", "kid": KEY.kid, "typ": "JWT"}
    assert Desk().refuses(put_together(header, claims(NOW, aud=audience), b"x")) == "wrong_audience"


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": AT + 0.5},
        {"iat": AT + 30},
        {"nbf": AT - 300},
        {"nbf": AT + 30},
        {"exp": AT - 29, "iat": AT - 300},
        {"exp": AT + 3600},
        {"exp": AT + 300.5},
    ],
)
def test_clocks_may_differ_by_half_a_minute(changes: dict[str, Any]) -> None:
    assert Desk().take(token(**changes)).name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": AT - 30, "iat": AT - 300}, "expired"),
        ({"exp": AT - 4000, "iat": AT - 4300}, "expired"),
        ({"nbf": AT + 31}, "not_yet_valid"),
        ({"iat": AT + 31}, "issued_in_future"),
        ({"exp": AT + 3601}, "lives_too_long"),
        ({"exp": AT + 10, "iat": AT + 20}, "lives_too_long"),
        ({"exp": AT + 10, "iat": AT - 3600}, "lives_too_long"),
        ({"exp": None}, "no_times"),
        ({"iat": None}, "no_times"),
        ({"exp": str(AT + 300)}, "malformed"),
        ({"iat": True}, "malformed"),
        ({"nbf": "soon"}, "malformed"),
        ({"exp": 10**400}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"iat": float("nan")}, "malformed"),
        ({"nbf": [AT]}, "malformed"),
    ],
)
def test_times_are_kept_to(changes: dict[str, Any], reason: str) -> None:
    header = {"alg": "ES384", "kid": KEY.kid, "typ": "JWT"}
    assert Desk().refuses(put_together(header, claims(NOW, **changes), b"x")) == reason


@pytest.mark.parametrize("jti", [None, "", 7])
def test_a_token_without_jti_is_refused(jti: object) -> None:
    assert Desk().refuses(sign(KEY, claims(NOW) | {"jti": jti})) == "no_jti"


def test_a_token_is_accepted_once() -> None:
    desk, sent = Desk(), token()
    desk.take(sent)
    assert desk.refuses(sent) == "replayed"
    # Another token of the same id is the same use; one of another issuer is not.
    desk.take(token(jti="again"))
    assert desk.refuses(token(jti="again", sub="x")) == "replayed"


def test_tenants_and_subjects_are_let_in_by_name() -> None:
    desk = Desk(client(tenants=("t1",), subjects=("s1",)))
    assert desk.take(token(tenant="t1", sub="s1")).name == "ehr"
    for changes, reason in (
        ({"sub": "s1"}, "wrong_tenant"),
        ({"tenant": "t2", "sub": "s1"}, "wrong_tenant"),
        ({"tenant": ["t1"], "sub": "s1"}, "wrong_tenant"),
        ({"tenant": "t1"}, "wrong_subject"),
        ({"tenant": "t1", "sub": "s2"}, "wrong_subject"),
    ):
        fresh = Desk(*desk.clients)
        header = {"alg": "ES384", "kid": KEY.kid, "typ": "JWT"}
        assert fresh.refuses(put_together(header, claims(NOW, **changes), b"x")) == reason


def test_clients_of_one_issuer_are_told_apart() -> None:
    """Oracle Health signs for all its customers; the key is that of the client found."""
    theirs = ec_key()
    clients = (
        client("one", tenants=("t1",)),
        client("two", theirs, tenants=("t2",)),
        client("any"),
    )
    assert Desk(*clients).take(token(tenant="t1")).name == "one"
    assert Desk(*clients).take(sign(theirs, claims(NOW, tenant="t2"))).name == "two"
    assert Desk(*clients).take(token(tenant="t3")).name == "any"
    assert Desk(*clients).take(token()).name == "any"
    assert Desk(*clients).refuses(sign(theirs, claims(NOW, tenant="t1"))) == "unknown_key"
    twins = (client("one"), client("two"))
    assert Desk(*twins).refuses(token()) == "several_clients_fit"


def test_an_audience_agreed_with_one_client_is_none_of_another() -> None:
    clients = (client("one", tenants=("t1",), audiences=("x",)), client("two", tenants=("t2",)))
    Desk(*clients).take(token(tenant="t1", aud="x"))
    assert Desk(*clients).refuses(token(tenant="t2", aud="x")) == "wrong_tenant"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "a",
        "a.b.c",
        "...",
        "é.é.é",
        "x" * 20_000,
        put_together({"alg": "ES384"}, {}, b"")[:-3],
        "W10.W10.W10",
        lambda: put_together({"alg": "ES384", "kid": "k", "crit": ["exp"]}, claims(NOW), b"x"),
        lambda: put_together({"alg": "ES384", "kid": "k", "b64": False}, claims(NOW), b"x"),
        lambda: put_together({"alg": "ES384", "kid": 7}, claims(NOW), b"x"),
        lambda: put_together({"alg": "ES384", "kid": "k", "jku": 7}, claims(NOW), b"x"),
        "eyJhbGciOiJFUzM4NCIsImtpZCI6ImsifQ." + base64.b64encode(b"[" * 9000).decode() + ".eA",
    ],
    ids=[
        *("empty", "one-part", "three-letters", "dots", "accents", "long", "short-signature"),
        *("lists", "critical", "unencoded", "numeric-kid", "numeric-jku", "deep"),
    ],
)
def test_what_is_no_token_is_refused(sent: str | Callable[[], str]) -> None:
    assert Desk().refuses(sent if isinstance(sent, str) else sent()) == "malformed"


def test_the_issuer_for_the_log_is_read_without_trust() -> None:
    assert issuer_of(token()) == ISSUER
    assert issuer_of("nonsense") is None
    assert issuer_of(put_together({"alg": "none"}, {"iss": ["x"]}, b"")) is None
