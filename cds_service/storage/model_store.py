"""Model versions, releases, history files and evaluations."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select

from cds_service.storage.locks import Lock, hold
from cds_service.storage.tables import EVALUATIONS, HISTORY_FILES, MODEL_VERSIONS, RELEASES

DERIVED_FROM = "derived_from"
"""Name among the metrics of a version that was made from another without fitting it again."""
SAME_ANSWERS_AS = "same_answers_as"
"""Name among the metrics of a version that answers as an earlier one, to the last bit."""


class ModelStore:
    """SQL of everything a model's life leaves behind."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest_release(self) -> int:
        """Id of the newest release, 0 if there is none: cheap enough to ask every second."""
        return self._connection.execute(select(func.max(RELEASES.c.id))).scalar_one() or 0

    def lock_releases(self) -> None:
        """Release alone until the transaction ends; SQLite has one writer anyway."""
        hold(self._connection, Lock.RELEASES)

    def champion(self) -> dict[str, Any] | None:
        """The live version, joined with its release."""
        releases = self.releases()
        return releases[0] if releases else None

    def releases(self) -> list[dict[str, Any]]:
        """Every release with its version, newest first."""
        query = (
            select(
                RELEASES.c.id.label("release_id"),
                RELEASES.c.action,
                RELEASES.c.at,
                RELEASES.c.actor,
                RELEASES.c.reason,
                MODEL_VERSIONS,
            )
            .join(MODEL_VERSIONS, MODEL_VERSIONS.c.version == RELEASES.c.version)
            .order_by(RELEASES.c.id.desc())
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def versions(self) -> list[dict[str, Any]]:
        """Every version, oldest first."""
        query = select(MODEL_VERSIONS).order_by(MODEL_VERSIONS.c.created_at)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def version(self, name: str) -> dict[str, Any] | None:
        """One version."""
        query = select(MODEL_VERSIONS).where(MODEL_VERSIONS.c.version == name)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else dict(row._mapping)

    def alike(self, version: str) -> list[str]:
        """A version and those it answers as, newest first: what is known of one holds for all."""
        found, row = [version], self.version(version)
        while row is not None:
            earlier = row["metrics"].get(SAME_ANSWERS_AS)
            if earlier is None or earlier in found:
                break
            found.append(str(earlier))
            row = self.version(found[-1])
        return found

    def add_version(self, version: Mapping[str, Any]) -> None:
        """Register a version."""
        self._connection.execute(insert(MODEL_VERSIONS), version)

    def add_release(self, release: Mapping[str, Any]) -> int:
        """Make a version live; returns the id of the release."""
        made = insert(RELEASES).values(**release).returning(RELEASES.c.id)
        return int(self._connection.execute(made).scalar_one())

    def add_history(self, history: Mapping[str, Any]) -> None:
        """Keep a cleaned history file."""
        self._connection.execute(insert(HISTORY_FILES), history)

    def history(self, history_id: str) -> dict[str, Any]:
        """One history file."""
        query = select(HISTORY_FILES).where(HISTORY_FILES.c.id == history_id)
        return dict(self._connection.execute(query).one()._mapping)

    def histories(self) -> list[dict[str, Any]]:
        """Every history file, oldest first."""
        query = select(HISTORY_FILES).order_by(HISTORY_FILES.c.added_at, HISTORY_FILES.c.id)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def history_with(self, sha256: str, label_version: str) -> dict[str, Any] | None:
        """The history file of this content, if it is already kept."""
        row = self._connection.execute(
            select(HISTORY_FILES).where(
                HISTORY_FILES.c.sha256 == sha256, HISTORY_FILES.c.label_version == label_version
            )
        ).one_or_none()
        return None if row is None else dict(row._mapping)

    def add_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Keep the result of an evaluation or a comparison."""
        self._connection.execute(insert(EVALUATIONS), evaluation)

    def evaluations(self, version: str) -> list[dict[str, Any]]:
        """Evaluations of one version, newest first."""
        query = (
            select(EVALUATIONS)
            .where(EVALUATIONS.c.model_version == version)
            .order_by(EVALUATIONS.c.at.desc())
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]
