"""Our own key: read in the forms it comes in, and refused in plain words."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.security.clients import Backend
from cds_service.services.backend_services import BackendError, assertion, public_jwks
from tests.support.jwts import Key, ec_key, rsa_key
from tests.support.stored import SEEN


def backend(path: Path, **more: Any) -> Backend:
    return Backend.model_validate(
        {"token_url": "https://ehr.example/token", "client_id": "id", "key_file": str(path)} | more
    )


def pem(key: Key, password: bytes | None = None) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    written: bytes = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    return written


def jwk(key: Key) -> dict[str, Any]:
    method = RSAAlgorithm if key.algorithm.startswith("RS") else ECAlgorithm
    return method.to_jwk(key.private, as_dict=True) | {"kid": key.kid, "alg": key.algorithm}


@pytest.mark.parametrize("key", [rsa_key(), ec_key("ES384", "k3")], ids=["RS384", "ES384"])
@pytest.mark.parametrize("form", ["pem", "jwk", "jwks"])
def test_what_we_sign_is_proved_by_what_we_publish(tmp_path: Path, key: Key, form: str) -> None:
    path = tmp_path / "key"
    whole = {"jwk": jwk(key), "jwks": {"keys": [jwk(ec_key("ES384", "other")), jwk(key)]}}
    path.write_bytes(pem(key) if form == "pem" else json.dumps(whole[form]).encode())
    ours = backend(path, algorithm=key.algorithm, key_id=key.kid if form != "jwk" else None)
    (published,) = public_jwks(ours)["keys"]
    assert published["kid"] == key.kid
    assert published["alg"] == key.algorithm
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(published)
    signed = assertion(ours, SEEN)
    assert jwt.get_unverified_header(signed) == {
        "alg": key.algorithm,
        "kid": key.kid,
        "typ": "JWT",
    }
    claims = jwt.decode(
        signed,
        jwt.PyJWK(published).key,
        algorithms=[key.algorithm],
        audience="https://ehr.example/token",
        options={"verify_exp": False},
    )
    assert claims["iss"] == claims["sub"] == "id"
    assert claims["exp"] - claims["iat"] == 240
    assert (
        claims["jti"]
        != jwt.decode(assertion(ours, SEEN), options={"verify_signature": False})["jti"]
    )


def public_pem() -> bytes:
    written: bytes = (
        rsa_key()
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return written


P256 = Key(ec.generate_private_key(ec.SECP256R1()), "ES256", "k")


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        (None, {}, "cannot be read"),
        (b"", {}, "holds no private key in PEM or JWK"),
        (b"Xqzsecret", {}, "holds no private key in PEM or JWK"),
        (b'{"Xqzsecret"', {}, "neither JSON nor PEM"),
        (b"{}", {}, "must hold one private key"),
        (b'{"kty": "RSA", "d": "Xqzsecret"}', {}, "no private key for RS384"),
        (json.dumps(rsa_key().public()).encode(), {}, "must hold one private key"),
        (json.dumps({"keys": [jwk(rsa_key())]}).encode(), {"key_id": "k9"}, "named k9"),
        (json.dumps({"keys": "Xqzsecret"}).encode(), {}, "must hold one private key"),
        (public_pem(), {}, "holds no private key in PEM or JWK"),
        (pem(rsa_key(), b"Xqzsecret"), {}, "is encrypted"),
        (pem(ec_key()), {}, "RS384 needs an RSA key"),
        (pem(rsa_key()), {"algorithm": "ES384"}, "ES384 needs a key on the curve P-384"),
        (pem(P256), {"algorithm": "ES384"}, "ES384 needs a key on the curve P-384"),
        (pem(rsa_key(1024)), {}, "at least 2048 bits"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_of_in_plain_words(
    tmp_path: Path, content: bytes | None, more: dict[str, Any], words: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackendError, match=words) as caught:
        assertion(backend(path, **more), SEEN)
    assert str(path) in str(caught.value)
    assert "Xqz" not in str(caught.value)
