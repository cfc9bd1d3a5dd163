"""What the inputs of a chunk are held against: rows the champion learnt from, or local chunks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.logs import LOGGER
from cds_service.services.input_rows import FEMALE, values_of
from cds_service.services.input_state import State, local_chunks
from cds_service.services.models import ModelService
from cds_service.services.training import STARTER_ROWS, STARTER_SEED, TrainingService
from cds_service.storage.input_chunk_store import InputChunkStore
from cds_service.storage.session import reading
from model.errors import ModelError
from model.evaluation.alarm_limits import FEWEST_CHUNKS
from model.evaluation.drift import Reference
from model.features import FloatArray
from model.training.design import TrainingSettings
from model.training.selection import eligible_rows
from model.training.simulation import simulate_cohort
from model.training.splits import TRAIN, split

MOST_CHUNKS = 60
"""Of the rows a model learnt from: more would change no limit."""
FEWEST_VALUES = 50
"""Values of an input in a chunk, without which it has no distance there."""

Distances = dict[str, Reference]


class TrainingReference:
    """Chunks of the training part of a version, cut as local ones are."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._known: dict[tuple[str, tuple[str, ...]], Distances] = {}

    def of(self, version: Mapping[str, Any], names: Sequence[str]) -> Distances:
        """Reference of each input that the training part has enough of; empty without rows."""
        key = (version["version"], tuple(names))
        if key not in self._known:
            frame = self._rows(version)
            self._known[key] = {} if frame is None else self._cut(frame, names)
        return self._known[key]

    def _rows(self, version: Mapping[str, Any]) -> pd.DataFrame | None:
        design = TrainingSettings()
        try:
            if version["simulated"]:
                frame = simulate_cohort(STARTER_ROWS, STARTER_SEED)
            else:
                given = version.get("history_ids") or [version["history_id"]]
                context = self._context
                training = TrainingService(context.engine, context.settings, context.clock)
                frames = [training.history_frame(h, any_rules=True) for h in given if h]
                if not frames:
                    return None
                frame = pd.concat(frames, ignore_index=True)
                design = _population(version)
            eligible = eligible_rows(frame, design, simulated=bool(version["simulated"]))
        except (ServiceError, ModelError, OSError) as error:
            said = type(error).__name__ if isinstance(error, OSError) else error
            LOGGER.warning("%s Inputs are not held against what the model learnt from.", said)
            return None
        rows = eligible.frame.reset_index(drop=True)
        return rows[split(rows, learn_newest=design.learn_newest).rows(TRAIN)]

    def _cut(self, frame: pd.DataFrame, names: Sequence[str]) -> Distances:
        size = self._context.settings.input_chunk_rows
        if "recorded_at" in frame and frame["recorded_at"].notna().all():
            frame = frame.sort_values("recorded_at", kind="stable")
        starts = np.arange(0, len(frame) - size + 1, size)
        if len(starts) > MOST_CHUNKS:
            chosen = np.linspace(0, len(starts) - 1, MOST_CHUNKS).round().astype(int)
            starts = starts[chosen]
        columns = {name: _column(frame, name) for name in names if name in frame}
        return _references(
            {
                name: [column[start : start + size] for start in starts]
                for name, column in columns.items()
            }
        )


class InputReferences:
    """Chooses between the two, input by input."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._training = TrainingReference(context)

    def of(
        self, version: Mapping[str, Any], state: State, names: Sequence[str]
    ) -> tuple[Distances, dict[str, str]]:
        """What the distance of each input is taken from, and that in words.

        Local chunks as soon as there are `CDS_REFERENCE_CHUNKS`, or `FEWEST_CHUNKS` where the
        version learnt from nothing that could be a reference.
        """
        settings = self._context.settings
        size, always = settings.reference_chunks, settings.input_reference == "training"
        local = {name: state.accepted(name) for name in names}
        asked = [
            name
            for name in names
            if always or (name not in state.renewed and len(local[name]) < size)
        ]
        trained: Distances = {}
        if asked and (always or not version["simulated"]):
            found = self._training.of(version, tuple(names))
            trained = {name: found[name] for name in asked if name in found}
        ready = {
            name: numbers
            for name, numbers in local.items()
            if not always and name not in trained and len(numbers) >= FEWEST_CHUNKS
        }
        references: Distances = dict(trained)
        if ready:
            with reading(self._context.engine) as connection:
                references |= _local(connection, ready)
        words = (
            f"the rows that version {version['version']} learnt from "
            f"({{}} chunks of {settings.input_chunk_rows})"
        )
        told = {
            name: words.format(len(one.distances)) if name in trained else local_chunks(ready[name])
            for name, one in references.items()
        }
        return references, told


def _local(connection: Connection, chunks: Mapping[str, Sequence[int]]) -> Distances:
    """Input → reference of the local chunks of these numbers."""
    store = InputChunkStore(connection)
    numbers = sorted({number for wanted in chunks.values() for number in wanted})
    rows = {n: store.features(start, end) for n, start, end in store.bounds(numbers)}
    return _references(
        {
            name: [values_of(rows[n], name) for n in wanted if n in rows]
            for name, wanted in chunks.items()
        }
    )


def _references(chunks: Mapping[str, Sequence[FloatArray]]) -> Distances:
    found = {}
    for name, arrays in chunks.items():
        enough = [a for a in arrays if np.count_nonzero(np.isfinite(a)) >= FEWEST_VALUES]
        if len(enough) >= 2:
            found[name] = Reference.of(enough)
    return found


def _column(frame: pd.DataFrame, name: str) -> FloatArray:
    column = frame[name].map(FEMALE) if name == "sex" else frame[name]
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _population(version: Mapping[str, Any]) -> TrainingSettings:
    """Who a version was made for, so that its rows are divided as they were."""
    scorer = ModelService.load(dict(version))
    return TrainingSettings(
        min_age=scorer.facts.min_age,
        max_age=scorer.facts.max_age,
        learn_newest=scorer.shared_from is not None,
    )
