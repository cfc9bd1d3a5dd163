"""Names of patients and assessments in exported files: keyed hashes under a key of their own.

They cannot be joined with the keyed hashes of the database, nor with the ids of assessments that
the EHR knows; who holds the key can find a patient's rows again, to erase them.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cds_service.security.secrecy import derive_key, normalise_base

KEY_BYTES: Final = 32
_LETTERS: Final = 32
"""128 bits of the hash, in hexadecimal."""


class Pseudonyms:
    """Gives the same name to the same patient, as long as the key is the same."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def derived(cls, secret_keys: Sequence[bytes]) -> "Pseudonyms":
        """Under a key derived from the oldest secret key, which stays when a new one is put in
        front; `secret_keys` newest first."""
        return cls(derive_key(secret_keys[-1], b"export"))

    def patient(self, base: str, patient_id: str) -> str:
        """Name of a patient of a FHIR server."""
        return self._name("patient", normalise_base(base), patient_id)

    def unknown_patient(self, patient_key: str) -> str:
        """Name of a patient whose id no secret key decrypts any more, from the keyed hash."""
        return self._name("key", patient_key)

    def assessment(self, identifier: str) -> str:
        """Name of an assessment."""
        return self._name("assessment", identifier)

    def outcome(self, identifier: str) -> str:
        """Name of one version of an outcome."""
        return self._name("outcome", identifier)

    def _name(self, *parts: str) -> str:
        return hmac.new(self._key, "\0".join(parts).encode(), sha256).hexdigest()[:_LETTERS]


def export_key(text: str) -> bytes:
    """Read CDS_EXPORT_KEY. Raises `ValueError`, in words for an operator."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"must be base64 of {KEY_BYTES} bytes, for example from: openssl rand -base64 32"
        )
    return key
