"""What stands about model versions: which is live, which are on their way, how two compare.

It reads what was kept when versions were trained, judged and released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.context import ProcessContext
from cds_service.services.kept_reports import PAGE, report_folder
from cds_service.services.promoting import Promotions
from cds_service.storage.challenger_store import ON_THE_WAY, ChallengerStore
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.release_watch_store import ReleaseWatchStore
from cds_service.storage.session import reading

SHOWN_RELEASES = 20


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version and where it stands."""

    row: Mapping[str, Any]
    state: str
    """`live`, `was_live`, the stage of a challenger, or `registered`."""
    has_report: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything on the page of models."""

    live: Mapping[str, Any] | None
    """The live version with its release."""
    watch: Mapping[str, Any] | None
    """The watch of that release."""
    earlier: str | None
    """What a rollback would make live."""
    versions: Sequence[Version]
    """Newest first."""
    on_the_way: Sequence[Mapping[str, Any]]
    ended: Sequence[Mapping[str, Any]]
    """Challengers at the end of their way, newest first."""
    releases: Sequence[Mapping[str, Any]]
    """The newest, newest first."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions side by side."""

    first: Mapping[str, Any]
    second: Mapping[str, Any]
    comparison: Mapping[str, Any] | None
    """What `models compare` or a retraining said of the second against the first, if any did."""
    turned: bool
    """It was the first that was judged against the second."""
    chunk: Mapping[str, Any] | None
    """The newest chunk of assessments in which both were judged."""


class ModelsView:
    """Reads."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self.promotions = Promotions(context.engine, context.clock)

    def standing(self) -> Standing:
        """Which version is what."""
        rows = self.promotions.versions()
        releases = self.promotions.releases()
        with reading(self._context.engine) as connection:
            challengers = ChallengerStore(connection).all()
            watches = ReleaseWatchStore(connection).all()
        stages = {row["version"]: row["stage"] for row in challengers}
        was_live = {row["version"] for row in releases}
        live = releases[0] if releases else None
        return Standing(
            live=live,
            watch=next(
                (w for w in watches if live is not None and w["release_id"] == live["release_id"]),
                None,
            ),
            earlier=self.promotions.earlier(),
            versions=[
                Version(row, _state(row, stages, was_live), self.has_report(row["version"]))
                for row in rows[::-1]
            ],
            on_the_way=[row for row in challengers if row["stage"] in ON_THE_WAY],
            ended=[row for row in challengers[::-1] if row["stage"] not in ON_THE_WAY],
            releases=releases[:SHOWN_RELEASES],
        )

    def pair(self, first: str, second: str) -> Pair:
        """Two versions, and the newest comparison of them. Raises `ModelRuleError`."""
        rows = [self.promotions.version(name) for name in (first, second)]
        found, turned = self._compared(first, second), False
        if found is None:
            found = self._compared(second, first)
            turned = found is not None
        with reading(self._context.engine) as connection:
            chunk = EvaluationChunkStore(connection).newest_of(first, second)
        return Pair(rows[0], rows[1], found, turned, chunk)

    def last_comparison(self, version: str) -> dict[str, Any] | None:
        """The newest comparison in which a version was judged."""
        found = self.promotions.comparisons(version)
        return found[0] if found else None

    def has_report(self, version: str) -> bool:
        """Whether a report of the version is kept here."""
        return (report_folder(self._context.settings, version) / PAGE).is_file()

    def _compared(self, champion: str, challenger: str) -> dict[str, Any] | None:
        for found in self.promotions.comparisons(challenger):
            if str(found.get("champion")) == champion:
                return found
        return None


def _state(row: Mapping[str, Any], stages: Mapping[str, str], was_live: set[str]) -> str:
    if row["live"]:
        return "live"
    if row["version"] in was_live:
        return "was_live"
    return stages.get(row["version"], "registered")
