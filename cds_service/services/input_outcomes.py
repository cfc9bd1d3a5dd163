"""How inputs go with outcomes, chunk by chunk, once every outcome window has passed."""

from typing import Any

import numpy as np

from cds_service.context import ProcessContext
from cds_service.services.alerts import cause_passed, raise_alert
from cds_service.services.input_findings import drift_findings, key_of
from cds_service.services.input_rows import measured, values_of, watched_inputs
from cds_service.services.input_state import State, as_json
from cds_service.storage.input_chunk_store import InputChunkStore
from cds_service.storage.session import reading
from fhir_mapping.outcomes import WINDOW_ELSE
from model.evaluation.alarm_limits import FEWEST_CHUNKS, Budget
from model.evaluation.drift import correlation
from model.evaluation.input_watch import Figure, Kind, judge, limits_of, quantity
from model.features import EXTRA_INPUTS
from model.severity import Severity
from model.small_cells import shown


class InputOutcomes:
    """Adds to chunks what became of their patients, the oldest first, each once."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self) -> tuple[int, int]:
        """Join chunks whose windows have passed; how many, and how many alerts were raised."""
        chunks = raised = 0
        while (done := self._next()) is not None:
            chunks += 1
            raised += done
        return chunks, raised

    def _next(self) -> int | None:
        """Join one chunk in one transaction: alerts raised; `None` if none is due."""
        at = self._context.clock()
        label_version = self._context.terminology.label_version
        with reading(self._context.engine) as connection:
            store = InputChunkStore(connection)
            chunk = store.without_outcomes()
            if chunk is None or chunk["ended_at"] + WINDOW_ELSE > at:
                return None
            start, end = chunk["started_at"], chunk["ended_at"]
            rows = store.rows(start, end)
            categories = store.categories(start, end, label_version)
            before = State.of(store.outcomes_of(chunk["number"] - 1).get("state"))
        found = [categories.get(row["id"]) for row in rows]
        acute = np.asarray([np.nan if c is None else c == Severity.ACUTE for c in found], float)
        features = [row["features"] or {} for row in rows]
        names = watched_inputs(n for n in EXTRA_INPUTS if any(n in row for row in features))
        figures = {}
        for name in measured(names):
            goes = correlation(values_of(features, name), acute)
            if goes is not None:
                figures[quantity(Kind.CORRELATION, name)] = Figure(goes.value, goes.n)
        budget = Budget(**chunk["result"]["tails"])
        judged = {}
        for name, figure in figures.items():
            reference = before.reference(name) if before.size(name) >= FEWEST_CHUNKS else []
            limits = limits_of(name, figure, reference, budget)
            judged[name] = judge(name, figure, limits, before.before(name))
        told = {name: before.told(name) for name in figures}
        findings = drift_findings(
            judged,
            {},
            before,
            number=chunk["number"],
            rows=chunk["rows"],
            told=told,
            model_version=chunk["model_version"],
        )
        after = before.after(
            chunk["number"], judged, (), most=self._context.settings.reference_chunks
        )
        outcomes: dict[str, Any] = {
            "label_version": label_version,
            "verified": shown(int(np.count_nonzero(np.isfinite(acute)))),
            "acute": shown(int(np.count_nonzero(acute == 1.0))),
            "quantities": {
                name: as_json(one) | {"reference": told[name]} for name, one in judged.items()
            },
            "state": after.as_json(),
        }
        with self._context.engine.begin() as connection:
            if not InputChunkStore(connection).add_outcomes(chunk["number"], outcomes):
                return 0
            for name in before.quiet_twice(judged):
                resolution = f"Within its limits in two chunks running, up to {chunk['number']}."
                cause_passed(connection, key_of(name), at=at, resolution=resolution)
            return sum(raise_alert(connection, finding, at=at) for finding in findings)
