"""Keyed patient hashes (C3) and encrypted identifiers (design, decision 8)."""

import base64
import hmac
import os
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12  # Bytes; NIST SP 800-38D, 8.2.
_DEFAULT_PORT = {"http": 80, "https": 443}


class Secrecy:
    """Hashes and encrypts with the newest key; reads what any of the keys has written."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: 32 bytes each, newest first."""
        self._hash_keys = [derive_key(key, b"patient-hash") for key in keys]
        self._sign_keys = [derive_key(key, b"signatures") for key in keys]
        self._ciphers = [AESGCM(derive_key(key, b"fields")) for key in keys]

    def patient_keys(self, base: str, patient_id: str) -> list[str]:
        """HMAC(FHIR base URL of the source, Patient id) under every key, newest first (C3)."""
        return self._hashes("patient", base, patient_id)

    def encounter_keys(self, base: str, encounter_id: str) -> list[str]:
        """The same for an encounter, so that two Conditions can be told to share one."""
        return self._hashes("encounter", base, encounter_id)

    def source_keys(self, base: str, reference: str) -> list[str]:
        """The same for a resource, so that it is stored once (server, id)."""
        return self._hashes("resource", base, reference)

    def sampling_place(self, identifier: str) -> float:
        """A number from 0 to below 1 that belongs to an identifier: even, the same each time, and
        not to be told without the key. Below 0.01 lie one in a hundred."""
        (digest, *_) = self._hashes("sampling", "", identifier)
        return int(digest[:13], 16) / float(1 << 52)

    def encrypt(self, data: bytes) -> bytes:
        """AES-256-GCM with a random nonce in front."""
        nonce = os.urandom(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, data, None)

    def decrypt(self, data: bytes) -> bytes:
        """What `encrypt` was given. Raises `ValueError` if no key fits."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(data[:_NONCE], data[_NONCE:], None)
            except InvalidTag:
                continue
        raise ValueError("no secret key decrypts this field")

    def sign(self, purpose: str, text: str) -> str:
        """HMAC of a text for one purpose, under the newest key (base64url, 43 characters)."""
        return _signature(self._sign_keys[0], purpose, text)

    def is_signed(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `sign` made this signature, under any key."""
        return any(self.same(_signature(key, purpose, text), signature) for key in self._sign_keys)

    @staticmethod
    def same(one: str, other: str) -> bool:
        """Whether two texts are the same; takes the same time whatever differs."""
        return hmac.compare_digest(
            one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
        )

    def _hashes(self, kind: str, base: str, identifier: str) -> list[str]:
        message = "\0".join((kind, normalise_base(base), identifier)).encode()
        return [hmac.new(key, message, sha256).hexdigest() for key in self._hash_keys]


def normalise_base(base: str) -> str:
    """One spelling for a FHIR base URL (RFC 3986, 6.2.2 and 6.2.3), so that one server is one.

    Scheme and host in lower case, no default port, no trailing slash; the path is case-sensitive.
    What is no http(s) URL stays as it is.
    """
    try:
        url = urlsplit(base)
        port = url.port
    except ValueError:
        return base
    if url.scheme not in _DEFAULT_PORT or not url.hostname:
        return base
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    if port is not None and port != _DEFAULT_PORT[url.scheme]:
        host = f"{host}:{port}"
    return f"{url.scheme}://{host}{url.path.rstrip('/')}"


def _signature(key: bytes, purpose: str, text: str) -> str:
    message = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.new(key, message, sha256).digest()).decode().rstrip("=")


def derive_key(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose alone, of 32 bytes (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"cds-service " + purpose).derive(
        key
    )
