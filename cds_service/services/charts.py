"""The chart of one request: what came as prefetch, and the rest read from the FHIR server (R19).

The request's own token is used, for the time of the request only: it is never stored, logged or
used after the answer (R28, R29).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Protocol

import msgspec

from cds_service.context import ProcessContext
from cds_service.errors import FHIRServerTimeoutError, FHIRServerUnavailableError
from cds_service.logs import LOGGER
from cds_service.security.clients import Client
from cds_service.security.secrecy import normalise_base
from cds_service.services.records import Resources
from fhir_mapping.bundles import PrefetchState, next_link, read_contents
from fhir_mapping.client import FHIRSession
from fhir_mapping.elements import head
from fhir_mapping.encounter_class import LOOKBACK_HOURS
from fhir_mapping.errors import AccessFault, FHIRAccessError
from hooks import prefetch
from hooks.contexts import PatientViewContext
from hooks.protocol import CDSRequest

_PAGE = ("_count", "100")

_WHY: Mapping[AccessFault, str] = {
    AccessFault.REFUSED: "the FHIR server leads to an address that is not followed",
    AccessFault.UNAUTHORIZED: "the FHIR server did not accept the access token",
    AccessFault.NOT_FOUND: "the FHIR server does not have it",
    AccessFault.REJECTED: "the FHIR server answered with an error",
}
"""Faults that another try would not mend: 412."""

_NOT_ALLOWED = "the FHIR server is none this service may read for this client"
_OTHER_PATIENT = "the access token is for another patient"
_EXPIRED = "the access token has expired"
_WRONG_PATIENT = "the FHIR server answered with another patient"


@dataclass(frozen=True, slots=True)
class Chart:
    """What a request brought of the data that is asked for."""

    resources: Mapping[str, Sequence[msgspec.Raw]] = field(repr=False)
    """By our keys."""
    states: Mapping[str, PrefetchState]
    """Of every key that is offered to the client."""
    incomplete: frozenset[str]
    """Keys whose Bundle has a next page (R21) or lacks a part."""

    @property
    def unusable(self) -> dict[str, PrefetchState]:
        """Required keys that came in no usable form, in order."""
        return {
            key: self.states[key]
            for key in prefetch.REQUIRED
            if self.states[key] in prefetch.UNUSABLE
        }


class _Read(Protocol):
    """Reads one key; what it returns takes the place of what came."""

    def __call__(self, session: FHIRSession) -> list[msgspec.Raw]: ...


class ChartReader:
    """Completes the prefetch of requests."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def from_prefetch(self, request: CDSRequest, client: Client) -> Chart:
        """What the request brought, under our keys, and what is still unanswered (R17 to R19)."""
        keys = self._templates(client)
        found = prefetch.recognise(
            request.prefetch, aliases=client.settings.prefetch_aliases, keys=keys
        )
        contents = {key: read_contents(found.get(key)) for key in keys}
        return Chart(
            resources=found,
            states={key: read.state for key, read in contents.items()},
            incomplete=frozenset(key for key, read in contents.items() if read.cut_short),
        )

    def _templates(self, client: Client) -> dict[str, str]:
        scorer = self._context.champion.scorer
        return prefetch.templates(client.extra_inputs(None if scorer is None else scorer.facts))

    def needs_server(
        self, chart: Chart, request: CDSRequest, context: PatientViewContext, client: Client
    ) -> bool:
        """Whether `complete` would ask a FHIR server."""
        return bool(self.wanted(chart, context)) and self._base(request, client) is not None

    def complete(
        self,
        chart: Chart,
        request: CDSRequest,
        context: PatientViewContext,
        client: Client,
        *,
        prediction_time: datetime,
        deadline: float,
    ) -> Resources:
        """The chart with what the FHIR server adds, until `deadline` (`time.monotonic`).

        Read are keys that are absent, required ones also where an error came, and the pages that
        follow a Bundle, all at once. What is not required may take half of the time and may fail.
        Raises `PreconditionError` (412) where required data can be had nowhere,
        `FHIRServerTimeoutError` (504) and `FHIRServerUnavailableError` (503), the latter also where
        too many calls wait for that server already.
        """
        wanted = self.wanted(chart, context)
        if not wanted:
            return _collapsed(chart.resources)
        base, why = self._base(request, client), self._no_access(request, context)
        if base is None or why is not None:
            if not chart.unusable:
                return _collapsed(chart.resources)
            if base is None and request.fhirServer is not None:
                why = _NOT_ALLOWED
            raise prefetch.unavailable(
                chart.unusable, {} if why is None else dict.fromkeys(chart.unusable, why)
            )
        reads = self._reads(wanted, chart, context, client, prediction_time)
        read: dict[str, list[msgspec.Raw] | FHIRAccessError]
        with self._context.places.place(base) as free:
            if free:
                read = self._read_all(reads, chart, request, base, deadline)
            else:
                busy = FHIRAccessError(AccessFault.UNAVAILABLE, "too many calls wait for it")
                read = dict.fromkeys(reads, busy)
        faults = {key: found for key, found in read.items() if isinstance(found, FHIRAccessError)}
        for key, fault in faults.items():
            LOGGER.warning(
                "FHIR server not read",
                extra={
                    "client": client.name,
                    "key": key,
                    "why": fault.kind.value,
                    "detail": fault.detail,
                },
            )
        self._check(chart, faults)
        added = {key: found for key, found in read.items() if isinstance(found, list)}
        return _collapsed({**chart.resources, **added})

    def wanted(self, chart: Chart, context: PatientViewContext) -> list[str]:
        """Keys the server is asked for, those without an answer and those with more pages."""
        wanted = []
        for key, state in chart.states.items():
            required = key in prefetch.REQUIRED
            unanswered = state in prefetch.UNUSABLE if required else state is PrefetchState.ABSENT
            if key == "encounter" and context.encounter_id is None:
                continue
            if unanswered or key in chart.incomplete:
                wanted.append(key)
        return wanted

    def _base(self, request: CDSRequest, client: Client) -> str | None:
        """The server of the request in one spelling, if it may be read for this client (R32)."""
        if request.fhirServer is None:
            return None
        base = normalise_base(request.fhirServer)
        allowed = (*self._context.settings.allowed_fhir_servers, *client.settings.fhir_servers)
        return base if base in map(normalise_base, allowed) else None

    def _no_access(self, request: CDSRequest, context: PatientViewContext) -> str | None:
        """Why the token must not be used, in words. No token is no reason: a server may be open."""
        granted = request.fhirAuthorization
        if granted is None:
            return None
        if granted.expires_in is not None and granted.expires_in <= 0:
            return _EXPIRED
        patient = (granted.patient or "").removeprefix("Patient/")
        return _OTHER_PATIENT if patient and patient != context.patient_id else None

    def _reads(
        self,
        wanted: Sequence[str],
        chart: Chart,
        context: PatientViewContext,
        client: Client,
        prediction_time: datetime,
    ) -> dict[str, _Read]:
        """How each key is read."""
        offered = self._templates(client)
        hours = (
            client.settings.lookback_hours
            or self._context.settings.lookback_hours
            or LOOKBACK_HOURS
        )
        since = (prediction_time - timedelta(hours=hours)).astimezone(UTC)
        narrow = {"vitals": [("date", since.strftime("ge%Y-%m-%dT%H:%M:%SZ"))]}
        reads: dict[str, _Read] = {}
        for key in wanted:
            kind, target = prefetch.query(offered[key], context)
            fetch: _Read
            if isinstance(target, str):
                fetch = partial(_instance, kind=kind, resource_id=target)
            else:
                plain = [one for one in target if not one[0].startswith("_")]
                first = [*plain, *narrow.get(key, []), _PAGE]
                fetch = partial(_search, kind=kind, attempts=(first, plain))
            if chart.states[key] not in prefetch.UNUSABLE:
                fetch = partial(_more, values=chart.resources[key], fetch=fetch)
            reads[key] = fetch
        return reads

    def _read_all(
        self,
        reads: Mapping[str, _Read],
        chart: Chart,
        request: CDSRequest,
        base: str,
        deadline: float,
    ) -> dict[str, list[msgspec.Raw] | FHIRAccessError]:
        """Everything at once; returns when the last read has ended, so that none outlives the
        answer (R29)."""
        granted = request.fhirAuthorization
        token = None if granted is None else granted.access_token
        start = monotonic()
        if granted is not None and granted.expires_in is not None:
            deadline = start + min(deadline - start, granted.expires_in)
        half = start + (deadline - start) / 2

        def run(key: str, read: _Read) -> list[msgspec.Raw] | FHIRAccessError:
            until = deadline if key in chart.unusable else half
            try:
                return read(self._context.fhir.session(base, token=token, deadline=until))
            except FHIRAccessError as error:
                return error

        with ThreadPoolExecutor(len(reads), thread_name_prefix="fhir") as pool:
            running: dict[str, Future[list[msgspec.Raw] | FHIRAccessError]] = {
                key: pool.submit(run, key, read) for key, read in reads.items()
            }
        return {key: future.result() for key, future in running.items()}

    def _check(self, chart: Chart, faults: Mapping[str, FHIRAccessError]) -> None:
        """Raise unless every required key came or was read."""
        failed = {key: faults[key] for key in chart.unusable if key in faults}
        if not failed:
            return
        lasting = {
            key: fault.detail if fault.detail == _WRONG_PATIENT else _WHY[fault.kind]
            for key, fault in failed.items()
            if fault.kind in _WHY
        }
        if lasting:
            raise prefetch.unavailable({key: chart.states[key] for key in lasting}, lasting)
        names = ", ".join(f"`{key}`" for key in failed)
        element = f"prefetch.{next(iter(failed))}"
        if any(fault.kind is AccessFault.TIMEOUT for fault in failed.values()):
            raise FHIRServerTimeoutError(
                f"The FHIR server did not answer in time for {names}.", element=element
            )
        raise FHIRServerUnavailableError(
            f"The FHIR server gave no usable answer for {names}: it cannot be reached, fails, or "
            "does not answer with FHIR.",
            element=element,
        )


def _instance(session: FHIRSession, *, kind: str, resource_id: str) -> list[msgspec.Raw]:
    body = session.read(kind, resource_id)
    # A server may answer for a merged patient with the one that survived.
    if kind == "Patient" and head(body).id != resource_id:
        raise FHIRAccessError(AccessFault.REJECTED, _WRONG_PATIENT)
    return [msgspec.Raw(body)]


def _search(
    session: FHIRSession, *, kind: str, attempts: Sequence[Sequence[tuple[str, str]]]
) -> list[msgspec.Raw]:
    """Search; a server that does not take the parameters is asked with fewer (R22)."""
    for number, parameters in enumerate(attempts):
        try:
            found = session.search(kind, parameters)
        except FHIRAccessError as error:
            if error.kind is not AccessFault.REJECTED or number + 1 == len(attempts):
                raise
        else:
            return [msgspec.Raw(bundle) for bundle in found.bundles]
    raise AssertionError("the last attempt returns or raises")


def _more(
    session: FHIRSession, *, values: Sequence[msgspec.Raw], fetch: _Read
) -> list[msgspec.Raw]:
    """The values that came, with the pages that follow them; of a part that failed, the whole is
    fetched once more. What cannot be had leaves them as they were."""
    found: list[msgspec.Raw] = []
    failed: list[msgspec.Raw] = []
    for value in values:
        if read_contents(value).state in prefetch.UNUSABLE:
            failed.append(value)
        elif next_link(value) is None:
            found.append(value)
        else:
            found += [msgspec.Raw(page) for page in session.follow(value).bundles]
    if failed:
        try:
            found += fetch(session)
        except FHIRAccessError:
            found += failed
    return found


def _collapsed(resources: Mapping[str, Sequence[msgspec.Raw]]) -> Resources:
    """A single value stands for itself."""
    return {key: values[0] if len(values) == 1 else values for key, values in resources.items()}
