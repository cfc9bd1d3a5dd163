"""What asks for a new challenger: open alerts and new outcomes. Months are the schedule's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from cds_service.services.models import fitted_at
from cds_service.settings import Settings
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.challenger_store import ON_THE_WAY, ChallengerStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.model_store import ModelStore

REFRESH, SEARCH, RECALIBRATION = "refresh", "search", "recalibration"
PREVALENCE_SHIFT, LOSS_RISE, INPUT_DRIFT = "prevalence_shift", "loss_rise", "input_drift"
"""Kinds of alerts that ask for one."""
_SAME: Final[Mapping[str, tuple[str, ...]]] = {
    REFRESH: (REFRESH, SEARCH),
    SEARCH: (SEARCH,),
    RECALIBRATION: (RECALIBRATION,),
}
"""By kind, what makes another of it needless: a search fits to the same rows as a refresh."""
PATIENCE: Final = timedelta(days=14)
"""How long a shift may last, or stay after a recalibration, before a model is trained for it."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be trained, and why."""

    kind: str
    """`refresh` or `recalibration`."""
    origin: str
    """`alert` or `outcomes`."""
    reason: str
    """One sentence."""


def due(connection: Connection, now: datetime, settings: Settings, label_version: str) -> list[Due]:
    """What open alerts and new outcomes ask for and is not on its way, the first asked first.

    An alert is answered once: by a challenger that was trained after it was raised. A prevalence
    shift asks for other priors first, and for a refresh where that did not end it within
    `PATIENCE`; a drift of inputs is waited for as long.
    """
    champion = ModelStore(connection).champion()
    if champion is None:
        return []
    challengers = ChallengerStore(connection).all()
    found = [
        _asked(alert, challengers, champion, now) for alert in AlertStore(connection).unresolved()
    ]
    found.append(_new_outcomes(connection, challengers, champion, settings, label_version))
    first = {one.kind: one for one in reversed(found) if one is not None}
    free = [one for one in first.values() if busy_with(one.kind, challengers) is None]
    return sorted(free, key=found.index)


def busy_with(kind: str, challengers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The challenger on its way that makes another of this kind needless."""
    for row in challengers:
        if row["stage"] in ON_THE_WAY and row["detail"].get("kind") in _SAME[kind]:
            return row
    return None


def newest(kind: str, challengers: Sequence[Mapping[str, Any]]) -> datetime | None:
    """When the last challenger was trained that does for one of this kind."""
    return _newest(challengers, _SAME[kind])


def _asked(
    alert: Mapping[str, Any],
    challengers: Sequence[Mapping[str, Any]],
    champion: Mapping[str, Any],
    now: datetime,
) -> Due | None:
    kind, raised = alert["kind"], alert["at"]
    trained = _newest(challengers, (REFRESH, SEARCH))
    refreshed = trained is not None and trained > raised
    reason = f"An alert of {raised:%Y-%m-%d} is open: {str(kind).replace('_', ' ')}."
    if kind == PREVALENCE_SHIFT:
        recalibrated = _newest(challengers, (RECALIBRATION,))
        if refreshed:
            return None
        answered = recalibrated is not None and recalibrated > raised
        # There may be too few outcomes to find other priors by: then it is waited for as long.
        if now - (recalibrated if answered and recalibrated else raised) >= PATIENCE:
            return Due(REFRESH, "alert", reason)
        return None if answered else Due(RECALIBRATION, "alert", reason)
    if kind == LOSS_RISE and alert["model_version"] in (None, champion["version"]):
        return None if refreshed else Due(REFRESH, "alert", reason)
    if kind == INPUT_DRIFT and now - raised >= PATIENCE:
        return None if refreshed else Due(REFRESH, "alert", reason)
    return None


def _new_outcomes(
    connection: Connection,
    challengers: Sequence[Mapping[str, Any]],
    champion: Mapping[str, Any],
    settings: Settings,
    label_version: str,
) -> Due | None:
    if not settings.retrain_new_outcomes:
        return None
    last = _newest(challengers, (REFRESH, SEARCH))
    since = max(fitted_at(champion), last or fitted_at(champion))
    count = OutcomeStore(connection).decided_since(label_version, since)
    if count < settings.retrain_new_outcomes:
        return None
    return Due(REFRESH, "outcomes", f"{count} outcomes are new since {since:%Y-%m-%d}.")


def _newest(challengers: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> datetime | None:
    return max(
        (row["created_at"] for row in challengers if row["detail"].get("kind") in kinds),
        default=None,
    )
