"""Where files go and come from: a folder, or object storage, as a URL of fsspec."""

from pathlib import Path
from urllib.parse import urlsplit

EXTRAS = {"s3": "s3", "s3a": "s3", "abfs": "abfs", "abfss": "abfs", "gs": "gs", "gcs": "gs"}
"""Scheme to the extra that brings its package."""
_MEMORY = "memory"
_LIKE = "a folder, or begin with s3://, abfs:// or gs://"


def location_url(text: str, *, development: bool) -> str:
    """The URL of a location in one spelling: a scheme, no credentials, no slash at the end.

    In development also memory://, which ends with the process. Raises `ValueError`, in words for
    an operator and without the URL.
    """
    stripped = text.strip()
    scheme, separator, rest = stripped.partition("://")
    if not separator:
        scheme, rest = "file", stripped
    if scheme == "file":
        if not rest or "\0" in rest:
            raise ValueError(f"must be {_LIKE}")
        return f"file://{Path(rest).expanduser().resolve()}"
    if scheme not in EXTRAS and not (development and scheme == _MEMORY):
        raise ValueError(f"must be {_LIKE}")
    parts = urlsplit(stripped)
    # In abfs://container@account a name stands before the @, and never a password.
    if ":" in parts.netloc.rpartition("@")[0] or parts.query or parts.fragment:
        raise ValueError("must hold no password and no query: there are storage options for that")
    below = parts.path.strip("/")
    if not parts.netloc or (below and {".", "..", ""} & set(below.split("/"))):
        raise ValueError(f"must be {_LIKE}")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"
