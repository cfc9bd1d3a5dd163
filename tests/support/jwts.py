"""CDS clients that sign: keys, tokens and a server of public keys."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.context import ProcessContext
from cds_service.security.clients import Right
from cds_service.services.clients import ClientService
from tests.support.service import new_context

ISSUER = "https://ehr.example/fhir"
PUBLIC = "https://cds.example"
ENDPOINT = f"{PUBLIC}/cds-services/disease-severity"


@dataclass(frozen=True)
class Key:
    """A key pair of a client."""

    private: Any
    algorithm: str
    kid: str

    def public(self, **changes: object) -> dict[str, Any]:
        """Its public JWK; a change to `None` leaves the member out."""
        method = RSAAlgorithm if self.algorithm.startswith(("RS", "PS")) else ECAlgorithm
        jwk = method.to_jwk(self.private.public_key(), as_dict=True)
        jwk = {name: value for name, value in jwk.items() if name != "key_ops"}
        jwk |= {"kid": self.kid, "alg": self.algorithm, "use": "sig"} | changes
        return {name: value for name, value in jwk.items() if value is not None}


def ec_key(algorithm: str = "ES384", kid: str | None = None) -> Key:
    """A new elliptic-curve key."""
    curve = ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1()
    return Key(ec.generate_private_key(curve), algorithm, kid or uuid4().hex)


@cache
def rsa_key(bits: int = 2048) -> Key:
    """An RSA key, one of each size: making one takes long. Its id is of the kind Epic has."""
    return Key(rsa.generate_private_key(65537, bits), "RS384", "a+b/c0ZGVm==")


def jwks(*keys: Key) -> dict[str, Any]:
    """The public parts of keys."""
    return {"keys": [key.public() for key in keys]}


def claims(now: datetime, **changes: object) -> dict[str, Any]:
    """Claims of a token made at `now`, for five minutes; a change to `None` leaves one out."""
    at = int(now.timestamp())
    made = {
        "iss": ISSUER,
        "aud": ENDPOINT,
        "exp": at + 300,
        "iat": at,
        "jti": uuid4().hex,
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def sign(key: Key, payload: Mapping[str, Any], *, headers: Mapping[str, Any] | None = None) -> str:
    """The token of these claims; headers as an EHR's, changed by `headers`."""
    return jwt.encode(
        dict(payload), key.private, key.algorithm, headers={"kid": key.kid} | dict(headers or {})
    )


def put_together(header: Mapping[str, Any], payload: Mapping[str, Any], signature: bytes) -> str:
    """A token no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@dataclass
class KeyServer:
    """Serves a JWKS on 127.0.0.1 and remembers what was asked for."""

    url: str = ""
    content: Any = field(default_factory=dict)
    status: int = 200
    delay: float = 0
    """Seconds before it answers."""
    asked: list[str] = field(default_factory=list)


@contextmanager
def key_server(*keys: Key) -> Iterator[KeyServer]:
    """A server of these keys at `/jwks.json`, and of its log."""
    state = KeyServer(content=jwks(*keys))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            time.sleep(state.delay)
            body = json.dumps(state.content).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as inherited
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token or a secret."""
    return {"Authorization": f"Bearer {token}"}


def production(folder: Path, database_url: str | None = None, **settings: Any) -> ProcessContext:
    """A process outside development mode, with an empty, migrated database. It may fetch keys
    from 127.0.0.1."""
    chosen = {"development": False, "public_url": PUBLIC, "fhir_allow_private": True}
    keys = json.dumps([base64.b64encode(bytes(range(32))).decode()])
    return new_context(folder, database_url, **chosen | {"secret_keys": keys} | settings)


def add_client(
    context: ProcessContext, name: str = "ehr", *, rights: Sequence[Right] = (), **changes: Any
) -> str | None:
    """Add a client as the command does; its secret, if it gets rights."""
    service = ClientService(context.engine, context.settings, context.clock)
    _, secret = service.add(name, changes, actor="cli:test", rights=rights)
    context.directory.refresh()
    return None if secret is None else secret.text
