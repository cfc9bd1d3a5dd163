"""Conditions from files: Bundles and NDJSON."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.outcomes import Incoming, OutcomeService, Received
from fhir_mapping.encounters import ended_at_home
from fhir_mapping.subjects import encounter_of, subject_of

BATCH = 1_000
"""Conditions in one transaction."""

Entry = tuple[str | None, Any]
"""fullUrl and resource."""


class IngestError(ServiceError):
    """A file that cannot be read."""

    status = 400
    code = "structure"


def ingest_conditions(
    context: ProcessContext,
    path: Path,
    *,
    client: str,
    base: str,
    actor: str,
    progress: Callable[[str, float], None],
) -> Received:
    """Take every Condition of a file; Encounters in it tell whether they ended at home.

    `base` is the FHIR base URL of the patients where the file does not tell it (C3). The file is
    read whole before anything is stored. Raises `IngestError` if it is not JSON that can be used,
    naming the line.
    """
    progress("reading", 0.0)
    entries = list(_entries(path))
    homes = {
        resource["id"]: ended_at_home(resource)
        for _, resource in entries
        if _is_a(resource, "Encounter") and isinstance(resource.get("id"), str)
    }
    conditions = [entry for entry in entries if _is_a(entry[1], "Condition")]
    total = Received()
    service = OutcomeService(context)
    for start in range(0, len(conditions), BATCH):
        progress("storing", start / len(conditions))
        batch = [
            _incoming(full_url, resource, base, homes)
            for full_url, resource in conditions[start : start + BATCH]
        ]
        done = service.receive(batch, client=client, channel="ingest", actor=actor, first=start + 1)
        total.stored += done.stored
        total.unchanged += done.unchanged
        total.skipped += done.skipped
        total.undetermined += done.undetermined
        total.issues += done.issues
    return total


def _incoming(
    full_url: str | None, resource: Mapping[str, Any], base: str, homes: Mapping[str, bool | None]
) -> Incoming:
    subject = subject_of(resource)
    encounter = encounter_of(resource)
    here = _server(full_url, resource) or base
    return Incoming(
        resource=resource,
        base=here if subject is None or subject.base is None else subject.base,
        patient_id=None if subject is None else subject.id,
        encounter_id=encounter,
        ended_at_home=None if encounter is None else homes.get(encounter),
    )


def _server(full_url: str | None, resource: Mapping[str, Any]) -> str | None:
    """The server an entry was read from: `https://server/fhir/Condition/1` names it."""
    ending = f"/Condition/{resource.get('id')}"
    if full_url and full_url.startswith("http") and full_url.endswith(ending):
        return full_url.removesuffix(ending)
    return None


def _entries(path: Path) -> Iterator[Entry]:
    try:
        with _open(path) as file:
            text = file.read()
    except FileNotFoundError:
        raise IngestError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, EOFError, zlib.error):
        raise IngestError(f"{path} cannot be read as UTF-8 text.") from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        yield from _lines(path, text)
        return
    yield from _unpacked(content, path)


def _lines(path: Path, text: str) -> Iterator[Entry]:
    """NDJSON: one resource a line."""
    # By line feeds only: other separators of lines may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            resource = json.loads(line)
        except (ValueError, RecursionError):
            raise IngestError(
                f"{path} is neither one JSON value nor NDJSON: line {number} is not JSON."
            ) from None
        yield from _unpacked(resource, path)


def _unpacked(content: Any, path: Path) -> Iterator[Entry]:
    if not isinstance(content, dict):
        raise IngestError(f"{path} holds no FHIR resource, Bundle or NDJSON.")
    if content.get("resourceType") != "Bundle":
        yield None, content
        return
    entries = content.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            url = entry.get("fullUrl")
            yield (url if isinstance(url, str) else None), entry.get("resource")


def _is_a(resource: Any, type_name: str) -> bool:
    return isinstance(resource, dict) and resource.get("resourceType") == type_name


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")
