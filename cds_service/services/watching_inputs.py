"""The watch over the inputs: assessments in chunks, each held against a reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.alerts import Finding, cause_passed
from cds_service.services.input_codes import Received, with_new
from cds_service.services.input_faults import InputFaults, tell
from cds_service.services.input_findings import drift_findings, key_of
from cds_service.services.input_outcomes import InputOutcomes
from cds_service.services.input_references import FEWEST_VALUES, InputReferences
from cds_service.services.input_rows import (
    category_figures,
    measured,
    missing_table,
    share_figures,
    values_of,
    watched_inputs,
)
from cds_service.services.input_shown import shown_of
from cds_service.services.input_state import State, as_json
from cds_service.services.serving_skew import SkewCheck
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.input_chunk_store import InputChunkStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.evaluation.alarm_limits import BUDGET, FEWEST_CHUNKS
from model.evaluation.drift import distance
from model.evaluation.input_watch import (
    Figure,
    Judgement,
    Kind,
    budget_of,
    judge_all,
    parts,
    quantity,
)
from model.features import EXTRA_INPUTS

LAG = timedelta(hours=1)
"""How far chunks stay behind the clock: an assessment is committed seconds after its time."""
_INSTANT = timedelta(microseconds=1)
FEWEST_CLIENT_ROWS = 300
"""Of a client in a chunk, for figures of its own."""
_CATEGORY_SHARE = 0.5
"""Of a chunk that must be answers of the live version, for the shares of its categories."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The next chunk, and what was known when it was cut."""

    number: int
    end: datetime
    rows: list[dict[str, Any]]
    version: dict[str, Any]
    """Live at its end."""
    alike: Sequence[str]
    """It and those it answers as, the newest first: heads of rare diseases change no category."""
    state: State
    learnt: Sequence[str] = ()
    """Inputs that alarm, and that the version now live has learnt from as they are."""


@dataclass(slots=True)
class Watched:
    """What was found of a chunk."""

    result: dict[str, Any]
    state: State
    findings: list[Finding] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)
    """Key of an alert → how it was resolved."""


class InputWatchService:
    """Cuts assessments into chunks and tells when their inputs are not what they were."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._settings = context.settings
        self._references = InputReferences(context)
        self._skew = SkewCheck()
        self._faults = InputFaults(context, self._skew)
        self._outcomes = InputOutcomes(context)

    def run(self, *, actor: str) -> str:
        """Watch every chunk that is complete; one transaction each. Returns what was done."""
        chunks = raised = 0
        while (cut := self._next()) is not None:
            found = self._watch(cut)
            kept = self._keep(cut, found, actor=actor)
            chunks += kept is not None
            raised += kept or 0
        raised += self._faults.look_ahead()
        matured, more = self._outcomes.run()
        raised += more
        said = f"{_count(chunks, 'chunk')} of inputs watched, {_count(raised, 'alert')} raised."
        return said if not matured else f"{said} Outcomes of {_count(matured, 'chunk')} joined."

    def accept(self, name: str, *, actor: str, reason: str) -> None:
        """Take a quantity that alarms as it is now: its last chunks begin a new reference.

        Resolves its alert. Raises `ServiceError` without a reason, or if it does not alarm.
        """
        if not reason.strip():
            raise ServiceError("A reason is needed; it is kept in the audit trail.")
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            store = InputChunkStore(connection)
            store.lock()
            newest = next(iter(store.newest()), None)
            state = State.of(None if newest is None else newest["state"])
            if newest is None or name not in state.alarmed:
                alarmed = ", ".join(sorted(state.alarmed)) or "none"
                raise ServiceError(f"{name} does not alarm. Quantities that do: {alarmed}.")
            state = state.renew(name, most=self._settings.reference_chunks)
            store.set_state(newest["number"], state.as_json())
            AlertStore(connection).resolve(key_of(name), at=at, by=actor, resolution=reason)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="accept-inputs",
                object_type="input-chunk",
                object_id=str(newest["number"]),
                detail={"quantity": name, "reason": reason},
            )

    def newest(self, count: int = 1) -> list[dict[str, Any]]:
        """The newest chunks, newest first."""
        with reading(self._context.engine) as connection:
            return InputChunkStore(connection).newest(count)

    def _next(self) -> Cut | None:
        """The next chunk, if it is complete and there is a model."""
        size = self._settings.input_chunk_rows
        before = self._context.clock() - LAG
        with reading(self._context.engine) as connection:
            store = InputChunkStore(connection)
            newest = next(iter(store.newest()), None)
            since = None if newest is None else newest["ended_at"]
            times = store.times(since, before, size)
            if len(times) < size:
                return None
            end = times[-1] + _INSTANT
            version = _live_at(ModelStore(connection).releases(), end)
            if version is None:
                return None
            alike = ModelStore(connection).alike(str(version["version"]))
            return Cut(
                number=1 if newest is None else newest["number"] + 1,
                end=end,
                rows=store.rows(since, end),
                version=version,
                alike=alike,
                state=State.of(None if newest is None else newest["state"]),
                learnt=self._learnt(connection, newest, version, alike[-1]),
            )

    def _learnt(
        self,
        connection: Connection,
        newest: Mapping[str, Any] | None,
        version: Mapping[str, Any],
        answers_as: str,
    ) -> list[str]:
        """Inputs whose distance alarms, if a version was promoted that has learnt from rows since
        they moved: for it they are as they should be."""
        state = State.of(None if newest is None else newest["state"])
        moved = {
            name: int(rows[0][0])
            for name, rows in state.moved.items()
            if name in state.alarmed and parts(name)[0] is Kind.DISTANCE
        }
        if not moved or state.version == answers_as:
            return []
        scorer = self._skew.scorer(str(version["version"]), version)
        through = None if scorer is None else scorer.trained_through
        if through is None:
            return []
        starts = {
            n: start for n, start, _ in InputChunkStore(connection).bounds(list(moved.values()))
        }
        return [name for name, chunk in moved.items() if starts[chunk] <= through]

    def _watch(self, cut: Cut) -> Watched:
        """Measure a chunk and hold it against its reference."""
        state = cut.state.under(cut.alike[-1])
        for name in cut.learnt:
            state = state.renew(name, most=self._settings.reference_chunks)
        features = [row["features"] or {} for row in cut.rows]
        names = watched_inputs(n for n in EXTRA_INPUTS if any(n in row for row in features))
        values = {name: values_of(features, name) for name in measured(names)}
        references, told = self._references.of(cut.version, state, tuple(values))
        figures = share_figures(cut.rows, names)
        fewest = max(FEWEST_VALUES, round(_CATEGORY_SHARE * len(cut.rows)))
        figures |= category_figures(cut.rows, cut.alike, fewest=fewest)
        for name, column in values.items():
            n = int(np.count_nonzero(np.isfinite(column)))
            if name in references and n >= FEWEST_VALUES:
                figures[name] = Figure(distance(column, references[name].values), n)
        watched = {
            *figures,
            *values,
            *(quantity(Kind.CORRELATION, name) for name in values),
        }
        judged = judge_all(
            figures,
            {n: state.reference(n) for n in figures if state.size(n) >= FEWEST_CHUNKS},
            references,
            {name: state.before(name) for name in figures},
            watched=watched,
        )
        for name in figures:
            told.setdefault(name, state.told(name))
        shown = {
            name: shown_of(name, column, references.get(name)) for name, column in values.items()
        }
        found = Watched(
            result={
                "budget": BUDGET,
                "tails": as_json(budget_of(watched)),
                "watched": len(watched),
                "quantities": {
                    name: as_json(one) | {"reference": told[name]} for name, one in judged.items()
                },
                "inputs": shown,
                "missing": missing_table(cut.rows, names),
                "situations": _situations(cut.rows),
                "clients": self._by_client(cut.rows, names),
            },
            state=state,
        )
        self._settle(cut, found, judged, shown, told)
        self._settle_faults(cut, found)
        state = found.state
        size = self._settings.reference_chunks
        accepted = [name for name in values if name not in judged or not judged[name].beyond]
        found.state = state.after(cut.number, judged, accepted, most=size)
        return found

    def _settle(
        self,
        cut: Cut,
        found: Watched,
        judged: Mapping[str, Judgement],
        shown: Mapping[str, Mapping[str, Any]],
        told: Mapping[str, str],
    ) -> None:
        """Alerts of this chunk, and those whose cause has passed."""
        state = found.state
        found.findings += drift_findings(
            judged,
            shown,
            state,
            number=cut.number,
            rows=len(cut.rows),
            told=told,
            model_version=str(cut.version["version"]),
        )
        for name in state.left_behind:
            found.passed[key_of(name)] = (
                f"Version {cut.version['version']} is live: its answers have a reference of their "
                "own."
            )
        for name in cut.learnt:
            found.passed[key_of(name)] = (
                f"Version {cut.version['version']} is live and has learnt from patients since then."
            )
        for name in state.quiet_twice(judged):
            found.passed[key_of(name)] = (
                f"Within its limits in two chunks running, the last of them {cut.number}."
            )

    def _settle_faults(self, cut: Cut, found: Watched) -> None:
        """What is told at its first occurrence: unseen codes and units, and skew."""
        received, state = Received.of(cut.rows), found.state
        # Before the first chunk nothing was known.
        known = None if cut.number == 1 else state
        version, where = str(cut.version["version"]), f"in chunk {cut.number}"
        told = self._faults.of(cut.rows, received, known, where, version)
        found.findings += told.findings
        found.result["skew"] = told.skew.as_json()
        state.codes = with_new(state.codes, received.codes)
        state.units = with_new(state.units, received.units)
        for key in state.without_faults([fault.key for fault in told.skewed]):
            found.passed[key] = (
                f"What was stored agrees again in two chunks running, the last {cut.number}."
            )

    def _by_client(self, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        """Rates of each client that sent enough of the chunk."""
        found = {}
        for client in sorted({row["client"] for row in rows}):
            own = [row for row in rows if row["client"] == client]
            if len(own) >= FEWEST_CLIENT_ROWS:
                found[client] = {
                    "rows": len(own),
                    "shares": {n: f.value for n, f in share_figures(own, names).items()},
                }
        return found

    def _keep(self, cut: Cut, found: Watched, *, actor: str) -> int | None:
        """Record a chunk with its alerts; how many were raised, `None` if it was kept before, or
        rests on what is no longer so."""
        at = self._context.clock()
        raised = 0
        with self._context.engine.begin() as connection:
            store = InputChunkStore(connection)
            store.lock()
            newest = next(iter(store.newest()), None)
            if State.of(None if newest is None else newest["state"]) != cut.state:
                return None  # A person took a quantity as it is while this chunk was measured.
            added = store.add(
                {
                    "id": str(uuid4()),
                    "number": cut.number,
                    "started_at": cut.rows[0]["prediction_time"],
                    "ended_at": cut.end,
                    "rows": len(cut.rows),
                    "model_version": cut.version["version"],
                    "at": at,
                    "result": found.result,
                    "state": found.state.as_json(),
                }
            )
            if not added:
                return None
            for key, resolution in found.passed.items():
                cause_passed(connection, key, at=at, resolution=resolution)
            raised = tell(connection, found.findings, at=at)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="watch-inputs",
                object_type="input-chunk",
                object_id=str(cut.number),
                detail={"rows": len(cut.rows), "alerts": [one.key for one in found.findings]},
            )
        return raised


def _live_at(releases: Sequence[dict[str, Any]], at: datetime) -> dict[str, Any] | None:
    """The version that was live at a time; the first one for what came before it."""
    for release in releases:
        if release["at"] <= at:
            return release
    return releases[-1] if releases else None


def _situations(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    names = [row["situation"] for row in rows]
    return {name: names.count(name) for name in sorted(set(names))}


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
