"""What a retraining learns from: kept histories and confirmed outcomes, by the present rules.

Histories of the champion's line, and those that were brought without training on them at once,
such as from the watched location. A file that another version was trained on by hand is that
version's alone until it is champion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.labelled import labelled
from cds_service.services.models import histories_of
from cds_service.services.outcomes import OutcomeService
from cds_service.services.training import TrainingService
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading


class NothingToLearnError(ServiceError):
    """There is no row to train on yet: no fault, but nothing can be trained."""


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows of history and outcomes."""

    frame: pd.DataFrame
    """Columns of history: those of the window, those without a time, and rare diseases."""
    older: pd.DataFrame
    """Those of before the window: who was ever learnt from is told by these too."""
    history_ids: tuple[str, ...]
    """Histories that rows of the present rules came from."""
    history_rows: int
    """In the window."""
    outcome_rows: int
    """In the window."""
    counts: Mapping[str, int]
    """Where every scored assessment went, as `Labelled.counts`."""
    notes: tuple[str, ...]


def training_rows(
    context: ProcessContext,
    training: TrainingService,
    champion: Mapping[str, Any],
    *,
    now: datetime,
    include_open: bool = False,
    histories: Sequence[str] | None = None,
) -> TrainingRows:
    """The rows that a successor of `champion` may learn from at `now`.

    `histories` are those it did learn from, where that is known. Raises `NothingToLearnError`
    if there is no row, `ServiceError` if those of a history are gone.
    """
    OutcomeService(context).refresh()
    with reading(context.engine) as connection:
        confirmed = labelled(
            connection,
            now=now,
            label_version=context.terminology.label_version,
            include_open=include_open,
            for_training=True,
        )
        store = ModelStore(connection)
        wanted = (
            line_of(champion, store.versions(), store.histories())
            if histories is None
            else list(histories)
        )
    found = {history_id: training.history_frame(history_id) for history_id in wanted}
    kept = [frame for frame in found.values() if len(frame)]
    history = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    frames = [frame for frame in (history, confirmed.frame) if len(frame)]
    if not frames:
        raise NothingToLearnError(
            "There is nothing to learn from: no history of the champion by the present label "
            f"rules, and no confirmed outcome ({words_of(confirmed.counts)})."
        )
    everything = pd.concat(frames, ignore_index=True)
    start = now - timedelta(days=context.settings.training_window_days)
    inside = in_window(everything, start)
    frame = everything[inside].reset_index(drop=True)
    older = everything[~inside].reset_index(drop=True)
    if not len(frame):
        raise NothingToLearnError(
            "There is nothing to learn from: every row is older than CDS_TRAINING_WINDOW_DAYS."
        )
    notes = [f"Outcomes: {words_of(confirmed.counts)}."]
    if histories_of(champion) and not any(len(found[one]) for one in histories_of(champion)):
        notes.append(
            "The history of the champion was labelled by other rules, so it was not learnt from."
        )
    added = [one for one in found if len(found[one]) and one not in histories_of(champion)]
    if added:
        notes.append(f"History files brought since the champion: {len(added)}.")
    if len(older):
        notes.append(f"Rows from before {start:%Y-%m-%d}, which were left out: {len(older)}.")
    from_history = int(inside[: len(history)].sum())
    return TrainingRows(
        frame,
        older,
        tuple(one for one in found if len(found[one])),
        from_history,
        len(frame) - from_history,
        confirmed.counts,
        tuple(notes),
    )


def line_of(
    champion: Mapping[str, Any],
    versions: Sequence[Mapping[str, Any]],
    histories: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Ids of the histories that a successor of `champion` may learn from, oldest first."""
    own = set(histories_of(champion))
    # A refresh keeps the `history_id` of its champion, so this names what was trained on by hand.
    of_others = {row["history_id"] for row in versions} - own
    return [row["id"] for row in histories if row["id"] in own or row["id"] not in of_others]


def in_window(frame: pd.DataFrame, start: datetime) -> NDArray[np.bool_]:
    """Which rows are from `start` on, have no time, or are cases of a rare disease, (n,).

    Of those there are too few for any to be too old.
    """
    if "recorded_at" not in frame:
        return np.ones(len(frame), dtype=bool)
    times = pd.to_datetime(frame["recorded_at"], utc=True)
    inside = times.isna() | (times >= start)
    if "rare_code" in frame:
        inside |= frame["rare_code"].notna()
    return np.asarray(inside, dtype=bool)


def words_of(counts: Mapping[str, int]) -> str:
    """Counts in words: `with outcome 12, window open 3`."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
