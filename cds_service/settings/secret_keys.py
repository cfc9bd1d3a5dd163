"""The secret keys: from the environment or a file."""

import base64
import json
import os
import secrets
from pathlib import Path

from cds_service.errors import ConfigurationError
from cds_service.settings.serving import ServingSettings

KEY_BYTES = 32
"""Length of a secret key: AES-256 and HMAC-SHA-256."""


def read_secret_keys(settings: ServingSettings) -> list[bytes]:
    """The secret keys, newest first, each of 32 bytes.

    In development the file `secret-keys` is written if there is none. Raises
    `ConfigurationError` if there is no key, or one that is not 32 bytes of base64.
    """
    path = settings.data_dir / "secret-keys"
    if settings.secret_keys is not None:
        text, origin = settings.secret_keys.get_secret_value(), "CDS_SECRET_KEYS"
    else:
        if settings.development:
            _write_first_key(path)
        try:
            text, origin = path.read_text("utf-8"), str(path)
        except FileNotFoundError:
            raise ConfigurationError(
                "CDS_SECRET_KEYS is not set: give a JSON list of base64 keys of 32 bytes, newest "
                "first, for example from: openssl rand -base64 32"
            ) from None
    try:
        keys = [base64.b64decode(key, validate=True) for key in json.loads(text)]
    except (ValueError, TypeError):
        raise ConfigurationError(f"{origin} is not a JSON list of base64 keys") from None
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigurationError(f"{origin}: every key must be {KEY_BYTES} bytes of base64")
    return keys


def _write_first_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        json.dump([base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()], file)
