"""`clients explain`: what a saved request leads to. It says no value, id, name or date."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.clients import DEVELOPMENT_CLIENT, Client, held_back
from cds_service.security.secrecy import normalise_base
from cds_service.services.charts import Chart, ChartReader
from cds_service.services.clients import ClientService
from fhir_mapping.bundles import PrefetchState, read_contents
from fhir_mapping.elements import head
from fhir_mapping.extract import extract
from fhir_mapping.readings import Extraction
from hooks import prefetch
from hooks.contexts import PatientViewContext, parse_patient_view
from hooks.disease_severity import (
    HOOK,
    Situation,
    decide_situation,
    exclusion_reason,
    population_reason,
)
from hooks.errors import HookError
from hooks.protocol import CDSRequest, parse_request
from model.features import FEATURE

MAX_FILE = 20_000_000
"""As a request body."""
_TYPES = ("Patient", "Observation", "Encounter", "Condition", "Bundle", "OperationOutcome")
"""Resource types that are named; any other text could be anything."""
_STATES: Mapping[PrefetchState, str] = {
    PrefetchState.ABSENT: "not sent",
    PrefetchState.NULL: "null: the client looked and has nothing",
    PrefetchState.OPERATION_OUTCOME: "an OperationOutcome: the client's search failed",
    PrefetchState.MALFORMED: "not a FHIR resource",
}


class ExplainService:
    """Reads a saved request as a client's would be read, and stores nothing."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def lines(self, path: Path, name: str | None, at: datetime | None = None) -> Iterator[str]:
        """What is used, skipped and missing, line by line.

        The readings' ages are counted up to `at`, by default the time of the file. Raises
        `ServiceError` for a file that is no request, naming the element.
        """
        body, saved = _read(path)
        client = self._client(name)
        try:
            request = parse_request(body, service_hook=HOOK)
            context = parse_patient_view(request.context)
        except HookError as error:
            where = "" if error.element is None else f" ({error.element})"
            raise ServiceError(f"{path}: answered {error.status}: {error}{where}.") from None
        at = at or saved
        chart = ChartReader(self._context).from_prefetch(request, client)
        yield f"As client {client.name} ({client.settings.vendor.value})."
        until = "the file, which --at replaces" if at == saved else "the call, as --at says"
        yield f"Ages of readings are counted up to the time of {until}."
        yield ""
        yield from _prefetch(request, chart, client)
        yield ""
        yield from self._server(request, chart, context, client)
        if chart.unusable:
            keys = ", ".join(chart.unusable)
            yield f"Without the FHIR server the answer would be 412, for {keys}."
            return
        yield ""
        extraction = extract(
            chart.resources,
            patient_id=context.patient_id,
            fhir_server=request.fhirServer,
            prediction_time=at,
            lookback_hours=client.settings.lookback_hours or self._context.settings.lookback_hours,
        )
        yield from _readings(extraction)
        yield ""
        yield from self._verdict(extraction, context, client)

    def _client(self, name: str | None) -> Client:
        if name is None:
            return DEVELOPMENT_CLIENT
        service = ClientService(self._context.engine, self._context.settings, self._context.clock)
        return service.client(name)

    def _server(
        self, request: CDSRequest, chart: Chart, context: PatientViewContext, client: Client
    ) -> Iterator[str]:
        """What the FHIR server would be asked for, and whether it may be."""
        wanted = ChartReader(self._context).wanted(chart, context)
        if not wanted:
            yield "FHIR server: nothing is left to be read from it."
            return
        yield f"FHIR server: wanted from it are {', '.join(wanted)}."
        if request.fhirServer is None:
            yield "  The request names none (fhirServer)."
            return
        allowed = (*client.settings.fhir_servers, *self._context.settings.allowed_fhir_servers)
        if normalise_base(request.fhirServer) not in map(normalise_base, allowed):
            yield "  The one it names is not allowed to this client: clients set --fhir-server."
            return
        token = "with" if request.fhirAuthorization is not None else "without"
        yield f"  The one it names may be read; the request comes {token} an access token."
        yield "  It is not asked now: the token of a saved request is not used."

    def _verdict(
        self, extraction: Extraction, context: PatientViewContext, client: Client
    ) -> Iterator[str]:
        self._context.champion.refresh()
        scorer = self._context.champion.scorer
        facts = None if scorer is None else scorer.facts
        situation = decide_situation(extraction, facts, context.user_id)
        why = None
        if situation is Situation.EXCLUDED:
            why = exclusion_reason(extraction, context.user_id)
        elif situation is Situation.OUT_OF_POPULATION:
            why = population_reason(extraction, facts)
        yield f"Situation: {situation.value}{'' if why is None else f' ({why})'}."
        if facts is None:
            yield "No model is live, so a call would be 503."
            return
        held = held_back(client, facts, paused=self._context.directory.paused)
        if held is not None:
            yield f"No card would be shown: {held}."


def _read(path: Path) -> tuple[bytes, datetime]:
    try:
        status = path.stat()
        if status.st_size > MAX_FILE:
            raise ServiceError(f"{path} is larger than a request may be.")
        return path.read_bytes(), datetime.fromtimestamp(status.st_mtime, UTC)
    except OSError as error:
        raise ServiceError(f"{path} cannot be read ({error.strerror}).") from None


def _prefetch(request: CDSRequest, chart: Chart, client: Client) -> Iterator[str]:
    """What came under which key. Keys of the client's own are counted, not repeated."""
    aliases = client.settings.prefetch_aliases
    given = request.prefetch or {}
    known = prefetch.templates(client.settings.extra_inputs)
    named = {name for name in given if name in known or aliases.get(name) in known}
    yield "Prefetch:"
    for key, state in chart.states.items():
        sent = _STATES.get(state) or _contents(chart.resources.get(key, ()))
        if key in chart.incomplete:
            sent += "; more pages follow"
        yield f"  {key}: {sent}"
    others = [raw for name, raw in given.items() if name not in named]
    if others:
        yield f"  Keys of other names: {len(others)}; what is in them was recognised by its type."
    empty = sum(all(entry.outcome for entry in read_contents(raw).entries) for raw in others)
    if empty:
        yield (
            f"  {empty} of them have nothing inside to tell them by, and count as not sent: name "
            "them with clients set --alias THEIRS=OURS."
        )


def _contents(values: Iterable[msgspec.Raw]) -> str:
    counts: Counter[str] = Counter()
    for value in values:
        for entry in read_contents(value).entries:
            counts[
                "OperationOutcome" if entry.outcome else _type(head(entry.raw).resource_type)
            ] += 1
    return _counted(counts) or "a Bundle without entries: nothing on record"


def _readings(extraction: Extraction) -> Iterator[str]:
    yield "Used:"
    for reading in extraction.readings:
        unit = FEATURE[reading.feature].unit
        flags = f" ({', '.join(reading.flags)})" if reading.flags else ""
        yield (
            f"  {reading.feature}: LOINC {reading.code}, in {unit}, "
            f"{reading.minutes_before:.0f} min old{flags}"
        )
    if extraction.patient.age is not None:
        yield "  age: from the birth date"
    if extraction.patient.sex is not None:
        yield "  sex"
    if extraction.missing:
        yield "Missing:"
        for missing in extraction.missing:
            yield f"  {missing.feature}: {missing.reason.value}"
    if extraction.skipped:
        yield "Skipped:"
        groups = Counter(
            (_type(skipped.resource_type), skipped.feature, skipped.reason)
            for skipped in extraction.skipped
        )
        for (kind, feature, reason), count in sorted(groups.items(), key=str):
            about = "" if feature is None else f" ({feature})"
            yield f"  {count} {kind}{about}: {reason}"
    if extraction.pregnant:
        yield "A pregnancy is known."
    if extraction.maybe_not_latest:
        yield "Paging was cut short: newer readings may exist."


def _type(name: str | None) -> str:
    return name if name in _TYPES else "other resource"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
