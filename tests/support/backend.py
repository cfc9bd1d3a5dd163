"""A client that gave us access of our own, and the keys for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from cds_service.context import ProcessContext
from cds_service.security.clients import ClientSettings
from cds_service.storage.client_store import ClientStore
from tests.support.fhir_server import FHIRServer
from tests.support.jwts import rsa_key

TOKEN_URL = "https://ehr.example/oauth2/token"
CLIENT_ID = "cds-backend"


def pem_file(folder: Path) -> Path:
    """The private key of `rsa_key()` as PEM."""
    path = folder / "backend.pem"
    path.write_bytes(
        rsa_key().private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def add_backend_client(
    context: ProcessContext, server: FHIRServer, folder: Path, name: str = "ehr", **more: Any
) -> None:
    """A client whose FHIR server and token endpoint is `server`."""
    settings = ClientSettings.model_validate(
        {
            "fhir_servers": [server.url],
            "backend": {
                "token_url": f"{server.url}/token",
                "client_id": CLIENT_ID,
                "key_file": str(pem_file(folder)),
                "key_id": "k1",
            },
        }
        | more
    )
    with context.engine.begin() as connection:
        ClientStore(connection).add(name, settings.model_dump(mode="json"), context.clock())
    context.directory.refresh()


class TokenEndpoint:
    """Grants numbered tokens to who signs with `rsa_key()`."""

    __test__ = False

    def __init__(self, server: FHIRServer, *, expires_in: object = 300) -> None:
        self.server = server
        self.expires_in = expires_in
        self.claims: list[Mapping[str, Any]] = []
        self.headers: list[Mapping[str, Any]] = []
        server.tokens = self.grant
        server.token = "xqz-token-1"

    def grant(self, form: dict[str, str]) -> tuple[int, object]:
        """A token, or the error of RFC 6749."""
        given = form.get("client_assertion", "")
        try:
            claims = jwt.decode(
                given,
                rsa_key().private.public_key(),
                algorithms=["RS384"],
                audience=f"{self.server.url}/token",
                # The clock of a test stands elsewhere.
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return 400, {"error": "invalid_client"}
        self.claims.append(claims | {"form": form})
        self.headers.append(jwt.get_unverified_header(given))
        self.server.token = f"xqz-token-{len(self.claims)}"
        granted = {"access_token": self.server.token, "token_type": "bearer"}
        return 200, granted | ({} if self.expires_in is None else {"expires_in": self.expires_in})
