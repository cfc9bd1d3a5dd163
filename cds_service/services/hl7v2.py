"""Diagnoses from HL7 v2 messages, out of files and over MLLP."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.security.clients import Client
from cds_service.services.deliveries import Incoming, Received
from cds_service.services.ingesting import add
from cds_service.services.outcomes import OutcomeService
from cds_service.services.resource_files import chunks
from cds_service.storage.message_store import MessageStore
from cds_service.storage.session import reading
from fhir_mapping.hl7v2 import HL7Error, acknowledgement, read_message, split_messages
from fhir_mapping.hl7v2_diagnoses import Diagnoses, Reading, read_diagnoses
from fhir_mapping.patient_links import Merge

CHANNEL: Final = "hl7v2"
BATCH = 500
"""Messages of a file in one transaction, or fewer large ones:"""
BATCH_BYTES = 20_000_000
REMEMBERED: Final = timedelta(days=30)
"""How long a message that comes again is known: longer than interface engines keep a queue."""
ACCEPTED, FAILED, REJECTED = "AA", "AE", "AR"
"""HL7 table 0008. A sender sends again what failed, not what was rejected."""


@dataclass
class Taken:
    """What became of messages."""

    messages: int = 0
    repeated: int = 0
    """Taken before, so nothing was done."""
    received: Received = field(default_factory=Received)
    skipped: Counter[str] = field(default_factory=Counter)
    """What messages said that is no diagnosis of anybody, by reason."""
    faults: Counter[str] = field(default_factory=Counter)
    """Messages that could not be read, by field and reason."""
    issues: list[str] = field(default_factory=list)
    """Of those messages and of invalid Conditions: message number and reason, without values."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A message that can be taken."""

    number: int
    key: str
    """Its keyed hash."""
    diagnoses: Diagnoses


class HL7Service:
    """Takes the messages of one client."""

    def __init__(
        self, context: ProcessContext, client: Client, *, base: str, reading: Reading, actor: str
    ) -> None:
        """`base` is the FHIR base URL the patients belong to (C3). Where `reading` has no zone
        it is that of the site."""
        self._context = context
        self._client = client
        self._base = base
        if reading.zone is None and context.settings.time_zone is not None:
            reading = replace(reading, zone=context.zone)
        self._reading = reading
        self._actor = actor

    def take_files(self, paths: Sequence[Path], *, progress: Callable[[str, float], None]) -> Taken:
        """Take the messages of files, in their order.

        A message that cannot be read is counted with its number and passed over; the same file
        again changes nothing. Raises `IngestError` for a file that cannot be opened.
        """
        total = Taken()
        size = sum(path.stat().st_size for path in paths if path.is_file()) or 1
        done = 0

        def counted(path: Path) -> Iterable[bytes]:
            nonlocal done
            for chunk, read in chunks(path):
                progress(path.name, min((done + read) / size, 1.0))
                yield chunk
            done += path.stat().st_size

        for path in paths:
            batch: list[bytes] = []
            first, held = 1, 0
            name = path.name if len(paths) > 1 else ""
            for message in split_messages(counted(path)):
                batch.append(message)
                held += len(message)
                if len(batch) == BATCH or held > BATCH_BYTES:
                    self._take_all(batch, first, name, total)
                    first, batch, held = first + len(batch), [], 0
            self._take_all(batch, first, name, total)
        return total

    def answer(self, message: bytes) -> bytes:
        """Take one message and acknowledge it, after it is committed.

        AA: taken, known already, or nothing for us. AE: it could not be stored. AR: it cannot be
        read, or is of another kind. Never raises, so that the connection goes on.
        """
        code, text, counts = self._answered(message)
        LOGGER.info("hl7v2 message", extra={"code": code, **counts})
        return self._acknowledgement(message, code, text)

    def refuse(self, beginning: bytes, why: str) -> bytes:
        """The acknowledgement of a message that was not read to its end."""
        return self._acknowledgement(beginning, REJECTED, why)

    def _acknowledgement(self, message: bytes, code: str, text: str) -> bytes:
        return acknowledgement(
            message, code, text, at=self._context.clock(), control_id=uuid4().hex[:20]
        )

    def _answered(self, message: bytes) -> tuple[str, str, dict[str, int]]:
        try:
            read = self._read(message, 1)
        except HL7Error as error:
            return REJECTED, _said(error), {}
        try:
            if self._known([read.key]):
                return ACCEPTED, "Taken before", {"repeated": 1}
            received = self._store([read])
            if not (received.skipped["invalid"] or read.diagnoses.unusable):
                self._remember({read.key})
        except SQLAlchemyError:
            LOGGER.exception("hl7v2 message not stored")
            return FAILED, "The database cannot be reached; send again", {}
        except Exception:
            LOGGER.exception("hl7v2 message not stored")
            return FAILED, "The message could not be stored; the fault is logged", {}
        counts = {"stored": received.stored, "unchanged": received.unchanged}
        if received.skipped["invalid"]:
            return FAILED, "A diagnosis is not valid as a FHIR Condition", counts
        if read.diagnoses.unusable:
            return FAILED, "No identifier of the type and authority asked for", counts
        if read.diagnoses.skipped["test_message"]:
            return ACCEPTED, "Not stored because MSH-11 names no production message", counts
        return ACCEPTED, "", counts

    def _take_all(self, messages: Sequence[bytes], first: int, name: str, total: Taken) -> None:
        total.messages += len(messages)
        read: dict[str, _Read] = {}
        for number, message in enumerate(messages, start=first):
            try:
                one = self._read(message, number)
            except HL7Error as error:
                total.faults[_said(error)] += 1
                total.issues.append(f"{_place(name, number)}: {_said(error)}")
                continue
            total.repeated += one.key in read
            read.setdefault(one.key, one)
        known = self._known(list(read))
        total.repeated += len(known)
        new = [one for one in read.values() if one.key not in known]
        invalid = set[int]()
        for run in _runs(new):
            received = self._store(run)
            invalid |= {one for one, _ in _numbered(received.issues, run)}
            total.issues += [
                f"{_place(name, number)}: {words}"
                for number, words in _numbered(received.issues, run)
            ]
            received.issues = []
            add(total.received, received)
        for one in new:
            total.skipped += one.diagnoses.skipped
        self._remember({o.key for o in new if o.number not in invalid and not o.diagnoses.unusable})

    def _read(self, message: bytes, number: int) -> _Read:
        diagnoses = read_diagnoses(read_message(message), self._reading)
        # With the way it is read: what is understood otherwise now is no repetition.
        way = f"{self._reading.spelled()} {self._context.terminology.label_version}"
        content = sha256(message + way.encode()).hexdigest()
        key = self._context.secrecy.source_keys(self._base, f"hl7v2/{content}")[0]
        return _Read(number, key, diagnoses)

    def _store(self, messages: Sequence[_Read]) -> Received:
        """Merges first, then Conditions, in one transaction; nothing for messages without."""
        merges = [
            Merge(self._base, merge.from_id, merge.into_id)
            for one in messages
            for merge in one.diagnoses.merges
        ]
        incoming = [
            Incoming(
                resource=resource,
                base=self._base,
                patient_id=one.diagnoses.patient_id,
                encounter_id=one.diagnoses.encounter_id,
                ended_at_home=one.diagnoses.ended_at_home,
            )
            for one in messages
            for resource in one.diagnoses.conditions
        ]
        if not merges and not incoming:
            return Received()
        return OutcomeService(self._context).receive(
            incoming,
            client=self._client.name,
            channel=CHANNEL,
            actor=self._actor,
            allow_restricted=self._client.settings.allow_restricted,
            merges=merges,
        )

    def _known(self, keys: Sequence[str]) -> set[str]:
        with reading(self._context.engine) as connection:
            return MessageStore(connection, self._client.name).known(keys)

    def _remember(self, keys: set[str]) -> None:
        now = self._context.clock()
        try:
            with self._context.engine.begin() as connection:
                MessageStore(connection, self._client.name).remember(keys, now, now + REMEMBERED)
        except IntegrityError:
            # The same message over two connections at once: both found it new, one remembers it.
            LOGGER.info("hl7v2 message taken twice")


def _runs(messages: Sequence[_Read]) -> Iterable[list[_Read]]:
    """Messages that may be stored together: a merge only before all Conditions after it."""
    run: list[_Read] = []
    for one in messages:
        if one.diagnoses.merges and any(earlier.diagnoses.conditions for earlier in run):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _numbered(issues: Sequence[str], messages: Sequence[_Read]) -> list[tuple[int, str]]:
    """Issues by the number of the message instead of that of the Condition."""
    numbers = [one.number for one in messages for _ in one.diagnoses.conditions]
    found = []
    for issue in issues:
        index, _, words = issue.partition(": ")
        found.append((numbers[int(index) - 1], words))
    return found


def _place(name: str, number: int) -> str:
    return f"{name}: message {number}" if name else f"message {number}"


def _said(error: HL7Error) -> str:
    return f"{error.element}: {error}"
