"""What is no matter of chance among inputs, and is told at its first occurrence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.alerts import Finding, raise_alert
from cds_service.services.input_codes import Received, unseen
from cds_service.services.input_state import State
from cds_service.services.serving_skew import Skew, SkewCheck
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.input_chunk_store import InputChunkStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading

_INSTANT = timedelta(microseconds=1)
_ONCE = ("unseen_code", "unseen_unit")
"""Kinds of alerts that a person resolves, and that are not raised a second time."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What was found of some assessments."""

    fresh: list[Finding]
    """Codes and units that never came before."""
    skewed: list[Finding]
    skew: Skew

    @property
    def findings(self) -> list[Finding]:
        """All of them."""
        return [*self.fresh, *self.skewed]


class InputFaults:
    """Finds unseen codes and units, and skew."""

    def __init__(self, context: ProcessContext, skew: SkewCheck) -> None:
        self._context = context
        self._skew = skew

    def of(
        self,
        rows: Sequence[Mapping[str, Any]],
        received: Received,
        known: State | None,
        where: str,
        model_version: str | None,
    ) -> Faults:
        """What is wrong with assessments; `known` are the codes and units that came before,
        `None` if nothing is known of them. `where` names the assessments."""
        with reading(self._context.engine) as connection:
            versions = {str(row["version"]): row for row in ModelStore(connection).versions()}
        fresh = (
            []
            if known is None
            else unseen(
                received,
                known.codes,
                known.units,
                rows=len(rows),
                where=where,
                model_version=model_version,
            )
        )
        skew = self._skew.of(rows, versions)
        return Faults(fresh, skew.findings(where), skew)

    def look_ahead(self) -> int:
        """Tell of assessments that make no chunk yet; how many alerts were raised.

        Nothing of it is kept but the alerts, for the chunk will find it again.
        """
        at = self._context.clock()
        with reading(self._context.engine) as connection:
            store = InputChunkStore(connection)
            newest = next(iter(store.newest()), None)
            if newest is None:
                return 0
            rows = store.rows(newest["ended_at"], at + _INSTANT)
        if not rows:
            return 0
        where = f"after chunk {newest['number']}"
        known, version = State.of(newest["state"]), _newest_version(rows)
        findings = self.of(rows, Received.of(rows), known, where, version).findings
        if not findings:
            return 0
        with self._context.engine.begin() as connection:
            open_keys = {alert["key"] for alert in AlertStore(connection).unresolved()}
            return tell(connection, [one for one in findings if one.key not in open_keys], at=at)


def tell(connection: Connection, findings: Sequence[Finding], *, at: datetime) -> int:
    """Raise alerts, but for codes and units that one was raised for before: a person has seen
    them. How many were raised."""
    once = [finding.key for finding in findings if finding.kind in _ONCE]
    told = InputChunkStore(connection).ever_raised(once)
    new = [finding for finding in findings if finding.key not in told]
    return sum(raise_alert(connection, finding, at=at) for finding in new)


def _newest_version(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The version that answered last; charts without enough data have none."""
    return next((row["model_version"] for row in reversed(rows) if row["model_version"]), None)
