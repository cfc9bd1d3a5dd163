"""Styles, scripts and pictures of pages: our own files, named by their content."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent."""

    name: str
    content: bytes
    media_type: str
    version: str
    """First characters of the SHA-256 of its content."""

    @property
    def address(self) -> str:
        """Path and query under which it is served, new whenever its content is."""
        return f"/static/{self.name}?v={self.version}"


@cache
def static_files() -> dict[str, StaticFile]:
    """All of them by name; they are read once."""
    found = {}
    for entry in files("cds_service.web").joinpath("static").iterdir():
        media_type = _TYPES.get("." + entry.name.rpartition(".")[2])
        if media_type is not None:
            content = entry.read_bytes()
            version = sha256(content).hexdigest()[:16]
            found[entry.name] = StaticFile(entry.name, content, media_type, version)
    return found


def static_file(name: str) -> StaticFile:
    """One of them. Raises `KeyError`."""
    return static_files()[name]
