"""Bearer secrets for `/fhir/*`: made, taken apart and compared."""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

PREFIX = "cds_"
"""Every secret begins with it, so that scanners find one that was published by mistake."""
_SECRET = re.compile(r"cds_(?P<id>[a-z0-9]{8})_[A-Za-z0-9_-]{43}")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made; `text` is shown once and kept nowhere."""

    id: str
    text: str
    hash: str

    def __repr__(self) -> str:
        return f"NewSecret(id={self.id!r})"


def new_secret() -> NewSecret:
    """A random secret of 256 bits."""
    name = "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
    text = f"{PREFIX}{name}_{secrets.token_urlsafe(32)}"
    return NewSecret(name, text, hash_of(text))


def hash_of(text: str) -> str:
    """SHA-256 of the whole secret, which is too random to be guessed from it."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(text: str) -> str | None:
    """The public first part; `None` if this is no secret of ours."""
    match = _SECRET.fullmatch(text)
    return None if match is None else match["id"]


def matches(text: str, stored_hash: str) -> bool:
    """Whether the secret has this hash; takes the same time whatever differs."""
    return hmac.compare_digest(hash_of(text), stored_hash)
