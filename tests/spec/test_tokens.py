"""R58 to R60, R65 and R66 over HTTP, with tokens no library would sign."""

import base64
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.jwts import (
    ENDPOINT,
    ISSUER,
    PUBLIC,
    Key,
    KeyServer,
    add_client,
    bearer,
    claims,
    ec_key,
    key_server,
    production,
    rsa_key,
)
from tests.support.service import Service, running
from tests.support.wire import FEEDBACK, SERVICES, SEVERITY, release_kept

KEY, NAMELESS, CURVE, RSA = ec_key(), ec_key(), ec_key(kid="curve"), rsa_key()
OTHER = "https://other.example/fhir"
SHARED = b"a secret that two know is nobody's signature, and this one is long"


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    """Keys, among them what should not be in a key set: a shared secret, a key without id, and
    keys that do not say for which algorithm they are."""
    secret = {"kty": "oct", "kid": "shared", "k": _encoded(SHARED)}
    with key_server(KEY, RSA) as server:
        listed = [secret, NAMELESS.public(kid=None), CURVE.public(alg=None)]
        server.content["keys"] += listed
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, keys: KeyServer) -> Iterator[Service]:
    context = production(tmp_path_factory.mktemp("tokens"))
    release_kept(context)
    add_client(
        context, issuer=ISSUER, jwks_urls=[keys.url], audiences=["typed by the site"], sandbox=True
    )
    add_client(context, "other", issuer=OTHER, jwks_urls=[keys.url], sandbox=True)
    with running(context, context.clock) as started:
        yield started


def by_hand(
    service: Service, header: dict[str, Any], key: Key = KEY, digest: Any = None, **changes: object
) -> str:
    """A token with exactly this header, truly signed by the key."""
    payload = claims(service.clock(), **changes)
    signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(payload).encode())}"
    return f"{signed}.{_encoded(_signature(key, signed.encode(), digest or hashes.SHA384()))}"


def _signature(key: Key, signed: bytes, digest: Any) -> bytes:
    if isinstance(key.private, rsa.RSAPrivateKey):
        return key.private.sign(signed, padding.PKCS1v15(), digest)
    parts = decode_dss_signature(key.private.sign(signed, ec.ECDSA(digest)))
    size = (key.private.curve.key_size + 7) // 8
    return b"".join(part.to_bytes(size, "big") for part in parts)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def named(key: Key = KEY, **changes: object) -> dict[str, Any]:
    """The header of a right token; a change to `None` leaves a member out."""
    header = {"typ": "JWT", "alg": key.algorithm, "kid": key.kid} | changes
    return {name: value for name, value in header.items() if value is not None}


def status(service: Service, token: str, path: str = SEVERITY) -> int:
    body = service.request(service.vitals()) if path == SEVERITY else {}
    return service.http.post(path, json=body, headers=bearer(token)).status_code


@pytest.mark.requirement("R58")
def test_a_header_names_type_algorithm_and_key(service: Service, keys: KeyServer) -> None:
    right = [
        named(),
        named(jku=keys.url),
        # A type may be left out (RFC 7519, 5.1); it may not be another.
        named(typ="jwt"),
        named(typ=None),
        named(x5t="unheard of"),
    ]
    assert [status(service, by_hand(service, header)) for header in right] == [200] * 5
    wrong = [
        named(alg=None),
        named(alg=""),
        named(alg=["ES384"]),
        named(alg="es384"),
        named(kid=""),
        named(kid=7),
        named(kid="nobody's"),
        named(kid=RSA.kid),
        named(typ="at+jwt"),
        named(typ=""),
        named(typ=1),
        named(jku=keys.url + "?"),
        named(jku=[keys.url]),
        named(jku=""),
    ]
    for header in wrong:
        assert status(service, by_hand(service, header)) == 401, header
    # A key without an id is no answer to a token that names none.
    assert status(service, by_hand(service, named(kid=None), NAMELESS)) == 401
    assert status(service, by_hand(service, named(kid=None))) == 401


@pytest.mark.requirement("R59")
def test_a_payload_has_every_claim(service: Service) -> None:
    at = int(service.clock().timestamp())
    right: list[dict[str, object]] = [
        {},
        {"aud": [ENDPOINT]},
        {"aud": ["https://x.example", ENDPOINT]},
        {"tenant": "any", "sub": "anybody", "nbf": at - 300, "unheard": {"of": [1]}},
        {"iat": at - 60, "exp": at + 1},
        {"iat": float(at), "exp": at + 0.5},
    ]
    for changes in right:
        assert status(service, by_hand(service, named(), **changes)) == 200, changes
    wrong: list[dict[str, object]] = [
        {"iss": None},
        {"iss": ""},
        {"iss": [ISSUER]},
        {"iss": "https://x.example"},
        {"aud": None},
        {"aud": []},
        {"aud": ""},
        {"aud": [7]},
        {"aud": {"x": ENDPOINT}},
        {"aud": "https://x.example"},
        {"exp": None},
        {"exp": str(at + 300)},
        {"exp": True},
        {"exp": at - 60, "iat": at - 360},
        {"iat": None},
        {"iat": str(at)},
        {"iat": at + 60},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"nbf": at + 60},
    ]
    for changes in wrong:
        assert status(service, by_hand(service, named(), **changes)) == 401, changes


@pytest.mark.requirement("R60")
def test_a_token_without_signature_is_never_accepted(service: Service) -> None:
    assert status(service, by_hand(service, named())) == 200
    for algorithm in ("none", "None", "NONE", "nOnE"):
        header, payload, signature = by_hand(service, named(alg=algorithm)).split(".")
        assert status(service, f"{header}.{payload}.") == 401
        assert status(service, f"{header}.{payload}.{signature}") == 401


@pytest.mark.requirement("R60")
def test_a_shared_secret_is_never_accepted(service: Service) -> None:
    public = KEY.private.public_key()
    known = [
        SHARED,
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ]
    for algorithm, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        for kid in ("shared", KEY.kid):
            for secret in known:
                token = by_hand(service, named(alg=algorithm, kid=kid))
                signed = token.rsplit(".", 1)[0]
                proof = hmac.new(secret, signed.encode(), digest).digest()
                assert status(service, f"{signed}.{_encoded(proof)}") == 401


@pytest.mark.requirement("R60")
def test_the_key_says_the_algorithm_not_the_header(service: Service) -> None:
    assert status(service, by_hand(service, named(RSA), RSA)) == 200
    assert status(service, by_hand(service, named(CURVE), CURVE)) == 200
    # Each is a true signature of that algorithm, with a key that is for another.
    lying = [
        by_hand(service, named(RSA, alg="RS256"), RSA, hashes.SHA256()),
        by_hand(service, named(RSA, alg="RS512"), RSA, hashes.SHA512()),
        by_hand(service, named(CURVE, alg="ES256"), CURVE, hashes.SHA256()),
        by_hand(service, named(KEY, alg="RS384"), KEY),
        by_hand(service, named(RSA, alg="ES384"), RSA),
        by_hand(service, named(RSA, alg="PS384"), RSA),
    ]
    assert [status(service, token) for token in lying] == [401] * len(lying)


@pytest.mark.requirement("R65")
@pytest.mark.parametrize("path", [SEVERITY, FEEDBACK, "/cds-services"])
def test_half_a_second_from_the_future_is_now(service: Service, path: str) -> None:
    at = service.clock().timestamp()
    method = "GET" if path == "/cds-services" else "POST"
    for changes, wanted in (
        ({"iat": at + 0.5, "exp": at + 300.5}, True),
        ({"iat": at + 0.5, "nbf": at + 0.5}, True),
        ({"iat": at - 300, "exp": at - 0.5}, True),
        ({"iat": at + 120, "exp": at + 300}, False),
        ({"nbf": at + 120}, False),
        ({"iat": at - 300, "exp": at - 120}, False),
    ):
        token = by_hand(service, named(), aud=PUBLIC + path, **changes)
        response = service.http.request(method, path, headers=bearer(token))
        assert (response.status_code != 401) is wanted, changes


@pytest.mark.requirement("R66")
def test_aud_is_what_the_caller_called_or_the_site_typed_in(service: Service) -> None:
    internal = str(service.http.base_url).rstrip("/")
    for path in (*SERVICES, FEEDBACK):
        for audience in (PUBLIC + path, f"{PUBLIC}{path}/", "typed by the site", [PUBLIC + path]):
            token = by_hand(service, named(), aud=audience)
            assert status(service, token, path) != 401, (path, audience)
        for audience in (internal + path, PUBLIC, "typed by another", path, f"{PUBLIC}{path}x"):
            token = by_hand(service, named(), aud=audience)
            assert status(service, token, path) == 401, (path, audience)
    own = by_hand(service, named(), iss=OTHER)
    others = by_hand(service, named(), iss=OTHER, aud="typed by the site")
    assert [status(service, token) for token in (own, others)] == [200, 401]
    # Feedback may come under the URL of its service, never the other way round.
    assert status(service, by_hand(service, named(), aud=ENDPOINT), FEEDBACK) != 401
    assert status(service, by_hand(service, named(), aud=PUBLIC + FEEDBACK)) == 401
    assert status(service, by_hand(service, named(), aud=ENDPOINT), SERVICES[1]) == 401
