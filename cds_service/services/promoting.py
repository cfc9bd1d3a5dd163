"""Which version is live: promoted, rolled back, approved or withdrawn by a person; audited.

It needs neither the registry nor anything that trains, so that a page can do what commands do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from cds_service.context import Clock
from cds_service.services.releasing import Action, ModelRuleError, make_live, withdraw
from cds_service.storage.challenger_store import WAITING, ChallengerStore
from cds_service.storage.look_store import LookStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.errors import ArtefactError
from model.scorer import Scorer
from model.severity import Severity

COMPARISONS = ("retrain", "compare")
"""Kinds of evaluations that hold the decision of the gates."""


class Promotions:
    """Decides which version is live."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def released(self, version: str) -> None:
        """Told after a version was made live."""

    def comparisons(self, version: str) -> list[dict[str, Any]]:
        """Comparisons of a version as challenger, newest first: `at` and the decision."""
        with reading(self._engine) as connection:
            return [
                {"at": row["at"], "kind": row["kind"]} | row["result"]
                for row in ModelStore(connection).evaluations(version)
                if row["kind"] in COMPARISONS and "gates" in row["result"]
            ]

    def challenger(self, version: str) -> dict[str, Any] | None:
        """Where a version stands on its way; `None` for one that is no challenger."""
        with reading(self._engine) as connection:
            return ChallengerStore(connection).get(version)

    def looks(self, version: str) -> list[dict[str, Any]]:
        """Looks taken at held-out rows for a version, oldest first."""
        with reading(self._engine) as connection:
            return LookStore(connection).of_version(version)

    def versions(self) -> list[dict[str, Any]]:
        """Every version, oldest first, with `live` true for the champion."""
        with reading(self._engine) as connection:
            store = ModelStore(connection)
            champion = store.champion()
            live = None if champion is None else champion["version"]
            return [row | {"live": row["version"] == live} for row in store.versions()]

    def releases(self) -> list[dict[str, Any]]:
        """Who made which version live, newest first."""
        with reading(self._engine) as connection:
            return ModelStore(connection).releases()

    def champion(self) -> dict[str, Any] | None:
        """The live version."""
        with reading(self._engine) as connection:
            return ModelStore(connection).champion()

    def version(self, version: str) -> dict[str, Any]:
        """One version. Raises `ModelRuleError` if there is none of that number."""
        for row in self.versions():
            if row["version"] == version:
                return row
        raise ModelRuleError(
            f"There is no model version {version}; see cds-service models list.",
            problem="no_version",
        )

    def promote(
        self,
        version: str,
        *,
        actor: str,
        reason: str,
        allow_fewer_categories: bool = False,
        stages: Sequence[str] | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a version live; with `stages` only a challenger that is in one of them.

        `detail` goes into the audit trail beside the reason. Raises `ModelRuleError` without a
        reason, if it is live already or if a category would be lost (C19), and `ArtefactError` if
        its files are damaged.
        """
        _require_reason(reason)
        row = self.version(version)
        if row["live"]:
            raise ModelRuleError(
                f"Model version {version} is live already.", problem="live_already"
            )
        candidate = self.load(row)
        champion = self.champion()
        if champion is not None and not allow_fewer_categories:
            lost = self._covered_by_champion(champion) - _covered(candidate)
            if lost:
                raise ModelRuleError(
                    f"Model version {version} does not know {_words(lost)}, which the champion "
                    "does. Use --allow-fewer-categories if that is meant.",
                    problem="lost",
                )
        self._release(
            version,
            "promote",
            actor,
            reason,
            instead_of=None if champion is None else champion["version"],
            stages=stages,
            detail=detail,
        )

    def rollback(self, *, actor: str, reason: str) -> str:
        """Make the version live that was live before; returns it.

        Raises `ModelRuleError` without a reason or an earlier version, and `ArtefactError` if its
        files are damaged.
        """
        _require_reason(reason)
        live = self._live_ones()
        if len(live) < 2:
            raise ModelRuleError(
                "There is no earlier model version to go back to.", problem="none_earlier"
            )
        previous = live[-2]
        self.load(self.version(previous))
        self._release(previous, "rollback", actor, reason, instead_of=live[-1])
        return previous

    def earlier(self) -> str | None:
        """The version that `rollback` would make live."""
        live = self._live_ones()
        return live[-2] if len(live) > 1 else None

    def _live_ones(self) -> list[str]:
        """Versions that were live one after the other, without those that were rolled back."""
        live: list[str] = []
        for release in reversed(self.releases()):
            if release["action"] == "rollback":
                # More than one version, where the first of them were updates of rare diseases.
                while live and live[-1] != release["version"]:
                    live.pop()
            else:
                live.append(release["version"])
        return live

    def roll_back_to(
        self,
        previous: str,
        instead_of: str,
        *,
        actor: str,
        reason: str,
        detail: Mapping[str, Any] | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> None:
        """Make an earlier version live again instead of the one that is live.

        `within` is done first in the same transaction; what it raises undoes all. Raises
        `ModelRuleError` if `instead_of` is not live any more, and `ArtefactError` if the files of
        `previous` are damaged.
        """
        self.load(self.version(previous))
        self._release(
            previous,
            "rollback",
            actor,
            reason,
            instead_of=instead_of,
            detail=detail,
            within=within,
        )

    def approve(self, version: str, *, actor: str, reason: str) -> None:
        """A named person makes a waiting challenger live. Raises `ModelRuleError`."""
        row = self._on_its_way(version)
        if row["stage"] != WAITING:
            raise ModelRuleError(
                f"Version {version} does not wait for approval: it is {row['stage']}. To make it "
                f"live all the same: cds-service models promote {version} --reason …",
                problem="not_waiting",
            )
        self.promote(version, actor=actor, reason=reason, stages=(WAITING,))

    def withdraw(self, version: str, *, actor: str, reason: str) -> None:
        """Take a challenger off its way. Raises `ModelRuleError`."""
        row = self._on_its_way(version)
        _require_reason(reason)
        at = self._clock()
        with self._engine.begin() as connection:
            if not withdraw(connection, version, at=at, actor=actor, reason=reason):
                raise ModelRuleError(
                    f"Version {version} is at the end of its way: it is {row['stage']}.",
                    problem="ended",
                )

    def _on_its_way(self, version: str) -> dict[str, Any]:
        row = self.challenger(version)
        if row is None:
            raise ModelRuleError(
                f"Version {version} is no challenger; see cds-service models challengers.",
                problem="no_challenger",
            )
        return row

    @staticmethod
    def load(row: dict[str, Any]) -> Scorer:
        """The scorer of a version row. Raises `ArtefactError`."""
        return Scorer.load(
            Path(row["location"]), version=row["version"], expected_checksum=row["checksum"]
        )

    def _covered_by_champion(self, champion: dict[str, Any]) -> set[Severity]:
        try:
            return _covered(self.load(champion))
        except ArtefactError:
            raise ModelRuleError(
                f"The files of version {champion['version']}, which is live, cannot be read, so "
                "that nobody can say which categories would be lost. Use "
                "--allow-fewer-categories to replace it all the same.",
                problem="unreadable",
            ) from None

    def _release(
        self,
        version: str,
        action: Action,
        actor: str,
        reason: str,
        *,
        instead_of: str | None,
        stages: Sequence[str] | None = None,
        detail: Mapping[str, Any] | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> None:
        at = self._clock()
        with self._engine.begin() as connection:
            if within is not None:
                within(connection)
            make_live(
                connection,
                version,
                action,
                at=at,
                actor=actor,
                reason=reason,
                instead_of=instead_of,
                stages=stages,
                detail=detail,
            )
        self.released(version)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ModelRuleError(
            "A reason is needed; it is kept in the audit trail.", problem="no_reason"
        )


def _covered(scorer: Scorer) -> set[Severity]:
    return set(scorer.facts.base_rates)


def _words(categories: Iterable[Severity]) -> str:
    return ", ".join(sorted(categories))
