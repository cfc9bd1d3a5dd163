"""A folder or a bucket: files are listed, read, and put in place whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from pydantic import SecretStr

from cds_service.errors import ServiceError
from cds_service.location_urls import EXTRAS


class LocationError(ServiceError):
    """A location cannot be used. Its words hold no name of a file and no credential."""

    status = 503
    code = "transient"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it was found."""

    name: str
    """Below the location."""
    size: int
    """Bytes."""
    changed: str
    """What the storage says of its last change, as text: another text is another state."""


class Location:
    """Files below one URL."""

    def __init__(self, url: str, files: AbstractFileSystem, root: str) -> None:
        self.url = url
        """Without credentials."""
        self._files = files
        self._root = root.rstrip("/")

    @classmethod
    def open(cls, url: str, options: SecretStr | None) -> Self:
        """Open a URL of `location_url`; `options` is a JSON object for fsspec.

        Raises `LocationError` where a package is missing or the storage cannot be set up.
        """
        scheme = url.partition("://")[0]
        given: dict[str, Any] = {}
        if options is not None and scheme in EXTRAS:
            given = json.loads(options.get_secret_value())
        try:
            files, root = url_to_fs(url, **given)
        except ImportError:
            raise LocationError(
                f"{scheme}:// needs the extra `{EXTRAS[scheme]}`: "
                f"pip install 'cds-service[{EXTRAS[scheme]}]'"
            ) from None
        except Exception as error:
            raise _cannot("be opened", error) from None
        return cls(url, files, root)

    def below(self, folder: str) -> Self:
        """A folder of it as a location of its own."""
        return type(self)(f"{self.url}/{folder}", self._files, f"{self._root}/{folder}")

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place. Nobody sees half of it: a folder gets it under another name first,
        object storage shows an object when it is complete. Raises `LocationError`."""
        path = self._path(name)
        with _faults("be written"):
            if isinstance(self._files, LocalFileSystem):
                _write_local(Path(path), data)
            else:
                self._files.pipe_file(path, data)

    def listed(self) -> list[FoundFile]:
        """Files right below the location, by name; none where it does not exist.

        Raises `LocationError`.
        """
        with _faults("be listed"):
            self._files.invalidate_cache()
            try:
                entries = self._files.ls(self._root or "/", detail=True)
            except FileNotFoundError:
                return []
        found = [
            FoundFile(
                name=str(entry["name"]).rstrip("/").rpartition("/")[2],
                size=int(entry["size"] or 0),
                changed=_changed(entry),
            )
            for entry in entries
            # A bucket may have an empty object for the folder itself.
            if entry["type"] == "file" and _bare(entry["name"]) != _bare(self._root)
        ]
        return sorted(found, key=lambda one: one.name)

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file here. Raises `LocationError`."""
        with _faults("be read"):
            self._files.get_file(self._path(name), str(to))

    def move(self, name: str, to: str) -> None:
        """Give a file another name below the location. Raises `LocationError`."""
        with _faults("be written"):
            if isinstance(self._files, LocalFileSystem):  # Buckets have no folders.
                self._files.makedirs(self._path(to).rpartition("/")[0], exist_ok=True)
            self._files.mv(self._path(name), self._path(to))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _bare(path: object) -> str:
    return str(path).strip("/")


def _write_local(path: Path, data: bytes) -> None:
    # For the group of the folder too, who analyses them; never for everybody.
    for folder in reversed([path.parent, *path.parent.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o750, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            temporary.replace(path)
        except FileNotFoundError:
            if not path.exists():
                raise
            # Another process put the same file in place just now, and cleared up as below.
    finally:
        temporary.unlink(missing_ok=True)
    for left in path.parent.glob(f".{escape(path.name)}.*.partial"):
        left.unlink(missing_ok=True)  # By a process that was killed at this file.


def _changed(entry: dict[str, Any]) -> str:
    """Time, tag or generation of a file, whichever the storage has."""
    names = ("mtime", "LastModified", "last_modified", "updated", "created", "ETag", "etag")
    return "|".join(str(entry[name]) for name in names if entry.get(name) is not None)


@contextmanager
def _faults(doing: str) -> Iterator[None]:
    """Faults of any storage in our words: theirs may hold names, URLs and keys."""
    try:
        yield
    except Exception as error:
        raise _cannot(doing, error) from None


def _cannot(doing: str, error: Exception) -> LocationError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return LocationError(f"The location cannot {doing} ({why}).")
