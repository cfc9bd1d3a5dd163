"""FHIR resources in files: one resource, a Bundle, NDJSON, or the folder of a bulk export.

NDJSON is read line by line and may be larger than memory. See
https://hl7.org/fhir/uv/bulkdata/export.html.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from cds_service.errors import ServiceError

CHUNK: Final = 1 << 20
MAX_LINE: Final = 50_000_000
"""Bytes of one NDJSON line."""
MAX_WHOLE: Final = 500_000_000
"""Bytes of a file that is one JSON value: it is read into memory."""
_ENDINGS = (".ndjson", ".json", ".jsonl", ".ndjson.gz", ".json.gz", ".jsonl.gz")
_USED = frozenset({"Condition", "Encounter", "Patient", "Bundle"})


class IngestError(ServiceError):
    """A file that cannot be read."""

    status = 400
    code = "structure"


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of a file, one deletion, or a line that is neither."""

    place: str
    """File and line, or file and entry of a Bundle."""
    read: int
    """Bytes of the file that have been read, as they lie on the disk."""
    full_url: str | None = None
    resource: Any = None
    deleted: str | None = None
    """What was deleted on its server, such as `Condition/1`."""
    fault: str | None = None


def chunks(path: Path) -> Iterator[tuple[bytes, int]]:
    """A file, unpacked if it ends in `.gz`, in pieces, with the bytes read from the disk so far.

    Raises `IngestError` if it cannot be opened, or is damaged further on.
    """
    zipped = path.suffix == ".gz"
    try:
        with path.open("rb") as stored:
            file = cast(IO[bytes], gzip.GzipFile(fileobj=stored)) if zipped else stored
            while chunk := file.read(CHUNK):
                yield chunk, stored.tell()
    except FileNotFoundError:
        raise IngestError(f"There is no file {path}.") from None
    except (OSError, EOFError, zlib.error):
        raise IngestError(
            f"{path} cannot be read to its end; what came before the fault was taken."
        ) from None


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and those in folders that hold JSON, by name. Raises `IngestError`."""
    found = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.is_file() and p.name.endswith(_ENDINGS)]
            if not inside:
                raise IngestError(f"There is no .ndjson or .json file in {path}.")
            found += [p for p in sorted(inside) if _is_used(p)]
        else:
            found.append(path)
    return found


def manifest_gaps(paths: Sequence[Path]) -> list[str]:
    """Files of Conditions that the manifest of an export names and that are not beside it.

    A manifest that names no file of the folder says nothing: servers may name downloads freely.
    """
    gaps = []
    for folder in (path for path in paths if path.is_dir()):
        names = {path.name.removesuffix(".gz") for path in folder.rglob("*")}
        for manifest in folder.glob("*.json"):
            output = _manifest_output(manifest)
            if any(name in names for _, name in output):
                gaps += [
                    f"{manifest.name} names {name}, which is not in the folder"
                    for kind, name in output
                    if kind == "Condition" and name not in names
                ]
    return gaps


def entries(path: Path) -> Iterator[Entry]:
    """The resources of a file, one at a time.

    A line that is no JSON object comes out as a fault. Raises `IngestError` for a file that is
    neither one JSON object nor NDJSON.
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        return
    second = next(lines, None)
    content = _decoded(first[1])
    if second is None and content is not None:
        yield from _whole(path, content, first[2])
        return
    if content is None and not _is_ndjson(path):
        whole = _read_whole(path)
        if whole is not None:
            yield from _whole(path, whole, path.stat().st_size)
            return
        if second is None or _decoded(second[1]) is None:
            raise IngestError(
                f"{path} is neither one JSON value nor NDJSON: line {first[0]} is not JSON."
            )
    begun = (first,) if second is None else (first, second)
    for number, line, read in chain(begun, lines):
        yield from _line(path, number, line, read)


def _line(path: Path, number: int, line: bytes, read: int) -> Iterator[Entry]:
    place = f"{path.name}:{number}"
    if len(line) > MAX_LINE:
        yield Entry(place, read, fault="the line is too long")
        return
    content = _decoded(line)
    if not isinstance(content, dict):
        yield Entry(place, read, fault="not JSON" if content is None else "not a resource")
    elif content.get("resourceType") == "Bundle":
        yield from _bundle(place, content, read)
    else:
        yield Entry(place, read, resource=content)


def _whole(path: Path, content: Any, read: int) -> Iterator[Entry]:
    if not isinstance(content, dict):
        raise IngestError(f"{path} holds no FHIR resource, Bundle or NDJSON.")
    if content.get("resourceType") == "Bundle":
        yield from _bundle(path.name, content, read)
    else:
        yield Entry(path.name, read, resource=content)


def _bundle(place: str, bundle: dict[str, Any], read: int) -> Iterator[Entry]:
    listed = bundle.get("entry")
    for number, entry in enumerate(listed if isinstance(listed, list) else [], start=1):
        if not isinstance(entry, dict):
            continue
        url, request = entry.get("fullUrl"), entry.get("request")
        deletes = isinstance(request, dict) and request.get("method") == "DELETE"
        target = request.get("url") if isinstance(request, dict) else None
        yield Entry(
            f"{place}: entry {number}",
            read,
            full_url=url if isinstance(url, str) else None,
            resource=None if deletes else entry.get("resource"),
            deleted=target if deletes and isinstance(target, str) else None,
        )


def _lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Lines that are not blank, with their number and the bytes read so far.

    By line feeds only: other separators of lines may stand inside a JSON string.
    """
    rest, number = b"", 0
    for chunk, read in chunks(path):
        # Beyond the limit a line is only counted: it cannot be taken anyway.
        whole = (rest[: MAX_LINE + 1] + chunk).split(b"\n")
        rest = whole.pop()
        for line in whole:
            number += 1
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield number, text, read
    text = rest.removeprefix(b"\xef\xbb\xbf") if number == 0 else rest
    if text.strip():
        yield number + 1, text, path.stat().st_size


def _read_whole(path: Path) -> Any:
    """The one JSON value of a file of many lines; `None` if it is none."""
    if path.stat().st_size > MAX_WHOLE:
        return None
    return _decoded(b"".join(chunk for chunk, _ in chunks(path)).removeprefix(b"\xef\xbb\xbf"))


def _decoded(text: bytes) -> Any:
    """`None` for what is no JSON, and for `null`."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _is_ndjson(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith((".ndjson", ".jsonl"))


def _is_used(path: Path) -> bool:
    """Whether the first resource of a file in a folder is of a type that says something here."""
    try:
        first = next(entries(path), None)
    except IngestError:
        return True  # To be told of when it is read.
    if first is None:
        return False
    if first.fault is not None or first.deleted is not None or ": entry" in first.place:
        return True
    resource = first.resource
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind in _USED


def _manifest_output(path: Path) -> list[tuple[str, str]]:
    """Type and last part of the URL of each file that a bulk manifest lists; empty if none."""
    content = _decoded(path.read_bytes()) if path.stat().st_size < MAX_LINE else None
    output = content.get("output") if isinstance(content, dict) else None
    return [
        (str(one.get("type")), str(one.get("url")).rsplit("/", 1)[-1])
        for one in (output if isinstance(output, list) else [])
        if isinstance(one, dict)
    ]
