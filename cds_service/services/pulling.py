"""Outcomes are asked for: the Conditions of patients that were assessed, from their FHIR server.

On day 1, 7 and 30 after an assessment, with access of our own (SMART Backend Services).
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.logs import LOGGER
from cds_service.security.clients import Client
from cds_service.security.secrecy import normalise_base
from cds_service.services.backend_services import BackendError, BackendTokens
from cds_service.services.deliveries import Received
from cds_service.services.ingesting import add
from cds_service.services.outcomes import OutcomeService
from cds_service.services.patient_conditions import read_patient
from cds_service.storage.pull_store import Due, PullStore
from cds_service.storage.session import reading
from fhir_mapping.client import FHIRSession
from fhir_mapping.errors import AccessFault, FHIRAccessError

PATIENT_SECONDS: Final = 20.0
"""Time for all reads of one patient."""
PATIENTS_AT_ONCE: Final = 10
"""Patients that are claimed together: fewer than the lease of their pulls has time for."""
FIRST_RETRY: Final = timedelta(minutes=5)
LONGEST_RETRY: Final = timedelta(days=1)
MAX_ATTEMPTS: Final = 40
"""After these, about a month of days, a pull is given up."""
MAX_INCOMPLETE: Final = 5
"""A search that is cut short is taken as it is after so many attempts."""
FAULTS_IN_A_ROW: Final = 3
"""A server that does not answer is left alone until the next run."""
SCHEDULED_AT_ONCE: Final = 5_000
_SERVER_FAULTS = frozenset({AccessFault.UNAUTHORIZED, AccessFault.TIMEOUT, AccessFault.UNAVAILABLE})


@dataclass
class Pulled:
    """What came of one run."""

    asked: int = 0
    """Patients."""
    received: Received = field(default_factory=Received)
    notices: int = 0
    """Notices that were read."""
    ended: Counter[str] = field(default_factory=Counter)
    """Patients nobody asks for again, by reason."""
    failed: Counter[str] = field(default_factory=Counter)
    """Patients that are tried again, by the kind of fault."""
    problems: list[str] = field(default_factory=list)
    """Clients whose access is not set up rightly, in a sentence each."""
    next_due: datetime | None = None

    def __add__(self, other: "Pulled") -> "Pulled":
        """Both together; the next date is that of the other."""
        received = Received()
        add(received, self.received)
        add(received, other.received)
        return Pulled(
            asked=self.asked + other.asked,
            received=received,
            notices=self.notices + other.notices,
            ended=self.ended + other.ended,
            failed=self.failed + other.failed,
            problems=list(dict.fromkeys(self.problems + other.problems)),
            next_due=other.next_due,
        )

    @property
    def all_failed(self) -> bool:
        """Whether there was something to ask and nothing was answered."""
        tried = self.asked + self.notices
        return bool(self.problems or self.failed) and tried == self.failed.total()


@dataclass(frozen=True, slots=True)
class _Patient:
    """One patient to ask for, with what of the pulls is his or hers."""

    base: str
    id: str = field(repr=False)
    encounters: frozenset[str] = field(repr=False)
    """Encounters that were assessed."""
    pulls: tuple[Due, ...]


class OutcomePulls:
    """Asks for outcomes that are due."""

    def __init__(
        self, context: ProcessContext, *, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """`stopping` is asked between patients: a process that ends leaves the rest for later."""
        self._context = context
        self._stopping = stopping
        self._tokens = BackendTokens(context)

    def clients(self, name: str | None = None) -> list[Client]:
        """Clients with access of our own, or the one named.

        Raises `NotFoundError` for an unknown name, `BackendError` for one without access.
        """
        known = self._context.directory.by_name
        if name is None:
            return [client for client in known.values() if client.settings.backend is not None]
        client = known.get(name)
        if client is None:
            raise NotFoundError(f"There is no client {name}; see cds-service clients list.")
        if client.settings.backend is None:
            raise BackendError(
                f"The client {name} has no access of our own: cds-service clients set it with "
                "--token-url, --backend-client-id and --backend-key-file."
            )
        return [client]

    def run(self, *, actor: str, name: str | None = None, early: bool = False) -> Pulled:
        """Ask for all that is due; with `early` for all patients whose outcome is still open.

        What could not be read is tried again later. Several processes may run this at once: each
        patient is asked for by one of them.
        """
        pulled = Pulled()
        clients = self.clients(name)
        self._schedule(clients)
        for client in clients:
            self._client(client, pulled, actor, early=early)
        with reading(self._context.engine) as connection:
            pulled.next_due = PullStore(connection).next_due([one.name for one in clients])
        return pulled

    def session(self, client: Client, base: str) -> FHIRSession:
        """A session with our own token, for one patient.

        Raises `BackendError` and `FHIRAccessError`. The token goes to servers of this client only.
        """
        if base not in client.settings.fhir_servers:
            raise FHIRAccessError(AccessFault.REFUSED, "not a server of this client")
        token = self._tokens.token(client)
        return self._context.fhir.session(
            base, token=token, deadline=time.monotonic() + PATIENT_SECONDS
        )

    def forget_token(self, client: Client) -> None:
        """After the server refused it."""
        self._tokens.forget(client)

    def _schedule(self, clients: Sequence[Client]) -> None:
        names = [client.name for client in clients]
        while names:
            with reading(self._context.engine) as connection:
                new = PullStore(connection).unscheduled(names, SCHEDULED_AT_ONCE)
            if new:
                with self._context.engine.begin() as connection:
                    PullStore(connection).schedule(new)
            if len(new) < SCHEDULED_AT_ONCE:
                return

    def _client(self, client: Client, pulled: Pulled, actor: str, *, early: bool) -> None:
        with reading(self._context.engine) as connection:
            keys = PullStore(connection).patients(client.name, self._context.clock(), early=early)
        row = Counter[str]()
        for start in range(0, len(keys), PATIENTS_AT_ONCE):
            with self._context.engine.begin() as connection:
                pulls = PullStore(connection).claim(
                    client.name,
                    keys[start : start + PATIENTS_AT_ONCE],
                    self._context.clock(),
                    early=early,
                )
            patients = list(self._patients(pulls, pulled))
            for index, patient in enumerate(patients):
                if self._stopping():
                    self._leave(patients[index:])
                    return
                if not self._patient(client, patient, pulled, actor, row):
                    self._leave(patients[index + 1 :])
                    return

    def _patients(self, pulls: Sequence[Due], pulled: Pulled) -> Iterator[_Patient]:
        """The patients of pulls: of several assessments, and days, each is asked for once."""
        groups: dict[tuple[str, str], list[tuple[Due, str | None]]] = defaultdict(list)
        for due in pulls:
            try:
                known = json.loads(self._context.secrecy.decrypt(due.identifiers))
                place = (normalise_base(str(known["base"])), str(known["patient"]))
            except (ValueError, KeyError, TypeError):
                self._end([due], "no readable identifiers", pulled)
                continue
            groups[place].append((due, known.get("encounter")))
        for (base, identifier), listed in groups.items():
            yield _Patient(
                base,
                identifier,
                frozenset(encounter for _, encounter in listed if encounter),
                tuple(due for due, _ in listed),
            )

    def _patient(
        self,
        client: Client,
        patient: _Patient,
        pulled: Pulled,
        actor: str,
        row: Counter[str],
    ) -> bool:
        """Ask for one patient and note what came of it; `False` if the server does not answer."""
        if patient.base not in client.settings.fhir_servers:
            # The token must not go there; nor would any other try change it.
            self._end(patient.pulls, "not a server of this client", pulled)
            return True
        pulled.asked += 1
        try:
            found = read_patient(
                self.session(client, patient.base),
                base=patient.base,
                patient_id=patient.id,
                encounters=patient.encounters,
            )
        except BackendError as error:
            self._fail(patient, "backend not set up", pulled)
            pulled.problems.append(str(error))
            LOGGER.error("outcomes not pulled", extra={"client": client.name, "kind": "set-up"})
            return False
        except FHIRAccessError as error:
            return self._fault(client, patient, error, pulled, row)
        row.clear()
        received = OutcomeService(self._context).receive(
            found.incoming,
            client=client.name,
            channel="pull",
            actor=actor,
            allow_restricted=client.settings.allow_restricted,
            merges=found.merges,
        )
        received.issues = []
        add(pulled.received, received)
        if found.incomplete and patient.pulls[0].attempts < MAX_INCOMPLETE:
            self._fail(patient, "incomplete", pulled)
            return True
        said = f"stored {received.stored}, known {received.unchanged}"
        with self._context.engine.begin() as connection:
            PullStore(connection).done(patient.pulls, self._context.clock(), said)
        return True

    def _fault(
        self,
        client: Client,
        patient: _Patient,
        error: FHIRAccessError,
        pulled: Pulled,
        row: Counter[str],
    ) -> bool:
        if error.kind is AccessFault.NOT_FOUND:
            self._end(patient.pulls, "patient not found", pulled)
            return True
        if error.kind is AccessFault.UNAUTHORIZED:
            self.forget_token(client)
        LOGGER.warning("outcomes not pulled", extra={"client": client.name, "kind": error.kind})
        self._fail(patient, error.kind.value, pulled)
        row["faults"] += error.kind in _SERVER_FAULTS
        return row["faults"] < FAULTS_IN_A_ROW

    def _fail(self, patient: _Patient, kind: str, pulled: Pulled) -> None:
        if patient.pulls[0].attempts >= MAX_ATTEMPTS:
            self._end(patient.pulls, f"given up: {kind}", pulled)
            return
        pulled.failed[kind] += 1
        self._later(patient, kind)

    def _later(self, patient: _Patient, kind: str) -> None:
        doubled = min(patient.pulls[0].attempts - 1, 20)
        wait = min(FIRST_RETRY * 2**doubled, LONGEST_RETRY)
        with self._context.engine.begin() as connection:
            PullStore(connection).again(patient.pulls, self._context.clock() + wait, kind)

    def _leave(self, patients: Sequence[_Patient]) -> None:
        """Patients that were claimed and not asked for."""
        soon = self._context.clock() + FIRST_RETRY
        with self._context.engine.begin() as connection:
            for patient in patients:
                PullStore(connection).again(patient.pulls, soon, "not asked for")

    def _end(self, pulls: Sequence[Due], why: str, pulled: Pulled) -> None:
        pulled.ended[why] += 1
        with self._context.engine.begin() as connection:
            PullStore(connection).done(pulls, self._context.clock(), why)
