"""Conditions from files: Bundles, NDJSON and the folders of bulk exports."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cds_service.context import ProcessContext
from cds_service.security.clients import Client
from cds_service.security.secrecy import normalise_base
from cds_service.services.deliveries import Incoming, Received, Withdrawal
from cds_service.services.outcomes import OutcomeService
from cds_service.services.resource_files import (
    Entry,
    IngestError,
    entries,
    files_of,
    manifest_gaps,
)
from fhir_mapping.encounters import ended_at_home
from fhir_mapping.patient_links import Merge, merges_of
from fhir_mapping.subjects import encounter_of, subject_of

__all__ = ["IngestError", "Ingested", "add", "ingest_conditions"]

BATCH = 1_000
"""Conditions in one transaction."""
_FIRST_LOOK = 0.3
"""Share of the work that looking for Encounters and merged patients takes."""


@dataclass
class Ingested:
    """What became of the resources of files."""

    received: Received = field(default_factory=Received)
    """Its issues begin with file and line."""
    faults: Counter[str] = field(default_factory=Counter)
    """Lines that hold no resource, by reason."""


@dataclass
class _Known:
    """What a first look at the files told."""

    homes: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether an encounter ended at home, by server and id, where that is recorded."""
    merges: list[Merge] = field(default_factory=list)


@dataclass
class _Batch:
    """What goes into one transaction."""

    incoming: list[Incoming] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    withdrawn: list[Withdrawal] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.incoming) + len(self.withdrawn)


def ingest_conditions(
    context: ProcessContext,
    paths: Sequence[Path],
    *,
    client: Client,
    base: str,
    actor: str,
    progress: Callable[[str, float], None],
) -> Ingested:
    """Take every Condition of files and folders.

    Encounters among them tell whether they ended at home, Patients whether they were merged, and
    deletions of a bulk export take Conditions back. `base` is the FHIR base URL of the patients
    where the file does not tell it (C3). Files are read twice and line by line: a line that
    cannot be used is counted and passed over. Raises `IngestError` for a file that cannot be
    opened or is no FHIR at all.
    """
    progress("looking", 0.0)
    base = normalise_base(base)
    gaps = manifest_gaps(paths)
    files = files_of(paths)
    known = _look(files, base, progress)
    total = Ingested()
    total.received.issues += gaps
    channel = "bulk" if any(_is_bulk(path) for path in files) else "ingest"
    service = OutcomeService(context)

    def store(batch: _Batch, merges: Sequence[Merge] = ()) -> None:
        if not batch and not merges:
            return
        received = service.receive(
            batch.incoming,
            client=client.name,
            channel=channel,
            actor=actor,
            allow_restricted=client.settings.allow_restricted,
            withdrawn=batch.withdrawn,
            merges=merges,
        )
        received.issues = [_placed(issue, batch.places) for issue in received.issues]
        add(total.received, received)

    store(_Batch(), known.merges)
    batch = _Batch()
    for entry in _all(files, "storing", _FIRST_LOOK, 1.0, progress):
        if entry.fault is not None:
            total.faults[entry.fault] += 1
            total.received.issues.append(f"{entry.place}: {entry.fault}")
        elif entry.deleted is not None:
            batch.withdrawn += _withdrawal(entry.deleted, base)
        elif _is_a(entry.resource, "Condition"):
            batch.incoming.append(_incoming(entry, base, known.homes))
            batch.places.append(entry.place)
        if len(batch) >= BATCH:
            store(batch)
            batch = _Batch()
    store(batch)
    return total


def add(total: Received, part: Received) -> None:
    """Add the counts of one transaction to those of all, without what is kept of each Condition."""
    total.stored += part.stored
    total.unchanged += part.unchanged
    total.withdrawn += part.withdrawn
    total.merged += part.merged
    total.skipped += part.skipped
    total.undetermined += part.undetermined
    total.issues += part.issues


def _look(files: Sequence[Path], base: str, progress: Callable[[str, float], None]) -> _Known:
    known = _Known()
    for entry in _all(files, "looking", 0.0, _FIRST_LOOK, progress):
        resource = entry.resource
        if _is_a(resource, "Encounter") and isinstance(resource.get("id"), str):
            home = ended_at_home(resource)
            if home is not None:
                server = _server(entry.full_url, resource) or base
                known.homes[server, resource["id"]] = home
        elif _is_a(resource, "Patient"):
            known.merges += merges_of(resource, _server(entry.full_url, resource) or base)
    return known


def _all(
    files: Sequence[Path],
    step: str,
    start: float,
    end: float,
    progress: Callable[[str, float], None],
) -> Iterator[Entry]:
    """The entries of all files, telling how far it is."""
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
    total, done, told = sum(sizes) or 1, 0, start
    for path, size in zip(files, sizes, strict=True):
        for entry in entries(path):
            share = start + (end - start) * min((done + entry.read) / total, 1.0)
            if share - told >= 0.001:
                progress(f"{step} {path.name}", share)
                told = share
            yield entry
        done += size


def _incoming(entry: Entry, base: str, homes: Mapping[tuple[str, str], bool]) -> Incoming:
    resource = entry.resource
    subject = subject_of(resource)
    encounter = encounter_of(resource)
    here = _server(entry.full_url, resource) or base
    named = None if subject is None else subject.base
    where = here if named is None else normalise_base(named)
    home = None if encounter is None else homes.get((where, encounter))
    return Incoming(
        resource=resource,
        base=where,
        patient_id=None if subject is None else subject.id,
        encounter_id=encounter,
        ended_at_home=home,
    )


def _server(full_url: str | None, resource: Mapping[str, Any]) -> str | None:
    """The server an entry was read from: `https://server/fhir/Condition/1` names it."""
    ending = f"/{resource.get('resourceType')}/{resource.get('id')}"
    if full_url and full_url.startswith("http") and full_url.endswith(ending):
        return normalise_base(full_url.removesuffix(ending))
    return None


def _withdrawal(deleted: str, base: str) -> list[Withdrawal]:
    """The Condition that `[base/]Condition/id` names; nothing for other resources."""
    place, _, identifier = deleted.rpartition("/")
    server, _, kind = place.rpartition("/")
    if kind != "Condition" or not identifier:
        return []
    return [Withdrawal(server if server.startswith("http") else base, identifier)]


def _placed(issue: str, places: Sequence[str]) -> str:
    """An issue with file and line in the place of its number."""
    number, _, words = issue.partition(": ")
    return f"{places[int(number) - 1]}: {words}"


def _is_a(resource: Any, type_name: str) -> bool:
    return isinstance(resource, dict) and resource.get("resourceType") == type_name


def _is_bulk(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith((".ndjson", ".jsonl"))
