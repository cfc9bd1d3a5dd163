"""Model cards: the facts of a version, and what people wrote beside them."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from cds_service.context import Clock
from cds_service.errors import NotFoundError, ServiceError
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.model_card_store import ModelCardStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from hooks.wording import LANGUAGES, Language
from model.artefact import documents
from model.errors import ArtefactError
from model.model_card import Registered, card_facts
from model.source_attributes import SOURCE_ATTRIBUTE

CHAMPION = "champion"
"""Stands for the version in use."""
LONGEST_TEXT = 4_000
"""Characters of a text on a card: a page of print."""


class UnreadableCardError(ServiceError):
    """The artefact of a version is missing or was changed."""

    status = 500
    code = "exception"


class CardTextError(ServiceError):
    """A text that cannot be put on a card."""

    status = 422
    code = "value"


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote of an attribute."""

    text: str
    at: str
    """ISO 8601."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a version and what was written of it."""

    facts: dict[str, Any]
    written: dict[str, dict[Language, Written]]
    """By attribute and language."""


class ModelCardService:
    """Reads cards, and keeps what people write on them. Needs nothing that trains."""

    def __init__(self, engine: Engine, clock: Clock, data_dir: Path) -> None:
        """`data_dir` holds the reports of versions (`CDS_DATA_DIR`)."""
        self._engine = engine
        self._reports = data_dir / "reports"
        self._clock = clock

    def card(self, version: str) -> ModelCard:
        """The card of a version, or of `champion`.

        Raises `NotFoundError` if there is no such version, and `UnreadableCardError` if its files
        are missing or were changed.
        """
        with reading(self._engine) as connection:
            store = ModelStore(connection)
            row = _row(store, version)
            releases = store.releases()
            since = [r["at"] for r in releases if r["version"] == row["version"]]
            registered = Registered(
                version=row["version"],
                checksum=row["checksum"],
                chosen=row["kind"],
                created_at=row["created_at"],
                live=bool(releases) and releases[0]["version"] == row["version"],
                live_since=since[0] if since else None,
            )
            alike = store.alike(row["version"])
            evaluation = next(
                (
                    one["result"] | {"at": one["at"].isoformat()}
                    for name in alike
                    for one in store.evaluations(name)
                    if one["kind"] == "evaluate"
                ),
                None,
            )
            newest = ModelCardStore(connection).newest(alike)
            chunks = EvaluationChunkStore(connection)
            judged = (chunks.newest_of(name) for name in alike)
            chunk = next((one for one in judged if one is not None), None)
        written: dict[str, dict[Language, Written]] = {}
        for (attribute, language), entry in newest.items():
            for known in LANGUAGES:
                if known == language:
                    text = Written(entry["content"], entry["at"].isoformat())
                    written.setdefault(attribute, {})[known] = text
        try:
            content = documents(Path(row["location"]), row["checksum"])
            facts = card_facts(registered, content, evaluation, self._study(alike), chunk)
        except (ArtefactError, OSError, KeyError, TypeError, ValueError) as error:
            raise UnreadableCardError(
                f"The files of model version {row['version']} are missing or were changed."
            ) from error
        return ModelCard(facts, written)

    def _study(self, versions: Sequence[str]) -> dict[str, Any] | None:
        """What the report of the first version that has one found."""
        for version in versions:
            try:
                record = json.loads((self._reports / version / "report.json").read_text("utf-8"))
            except FileNotFoundError:
                continue
            study: dict[str, Any] = record["study"]
            return study
        return None

    def write(
        self, version: str, attribute: str, text: str, *, language: Language, actor: str
    ) -> str:
        """Keep a text; an empty one takes back what was written. Returns the version.

        Raises `NotFoundError` for an unknown version or attribute, and `CardTextError` for a text
        that is too long or holds control characters.
        """
        if attribute not in SOURCE_ATTRIBUTE:
            raise NotFoundError(
                f"There is no attribute {attribute}; cds-service models card lists them."
            )
        content = "\n".join(line.strip() for line in text.strip().splitlines())
        if len(content) > LONGEST_TEXT:
            raise CardTextError(f"The text is longer than {LONGEST_TEXT} characters.")
        if any(unicodedata.category(one) == "Cc" for one in content.replace("\n", "")):
            raise CardTextError("The text holds control characters.")
        at = self._clock()
        with self._engine.begin() as connection:
            name = str(_row(ModelStore(connection), version)["version"])
            ModelCardStore(connection).add(
                {
                    "model_version": name,
                    "attribute": attribute,
                    "language": language,
                    "content": content,
                    "at": at,
                    "actor": actor,
                }
            )
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="write-model-card" if content else "clear-model-card",
                object_type="model",
                object_id=name,
                detail={"attribute": attribute, "language": language},
            )
        return name


def _row(store: ModelStore, version: str) -> dict[str, Any]:
    if version == CHAMPION:
        row = store.champion()
    else:  # PostgreSQL takes no NUL.
        row = None if "\0" in version else store.version(version)
    if row is None:
        raise NotFoundError("There is no such model version.")
    return row
