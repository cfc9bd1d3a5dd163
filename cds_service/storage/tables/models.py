"""Model versions, what they learnt from and how they were judged."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import JSON_, UTCDateTime


class ModelVersionRow(SQLModel, table=True):
    """A registered model version and where its artefact lies."""

    __tablename__ = "model_versions"

    version: str = Field(primary_key=True)
    location: str
    checksum: str
    kind: str
    simulated: bool
    created_at: datetime = Field(sa_type=UTCDateTime)
    created_by: str
    note: str
    history_id: str | None = Field(default=None, foreign_key="history_files.id")
    history_ids: list[str] = Field(default_factory=list, sa_type=JSON_)
    """Every history file it learnt from. Versions of before there could be several have none
    here and theirs in `history_id`."""
    metrics: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


class ReleaseRow(SQLModel, table=True):
    """Who made which version live, when and why. The newest row is the champion."""

    __tablename__ = "releases"

    id: int | None = Field(default=None, primary_key=True)
    version: str = Field(foreign_key="model_versions.version")
    action: str
    """`promote`, `rollback`, or `rare-update`: the same model with other heads of rare diseases."""
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str
    reason: str


class HistoryRow(SQLModel, table=True):
    """A history file that was cleaned and kept for retraining."""

    __tablename__ = "history_files"

    id: str = Field(primary_key=True)
    sha256: str
    location: str
    label_version: str
    rows: int
    added_at: datetime = Field(sa_type=UTCDateTime)
    report: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


class EvaluationRow(SQLModel, table=True):
    """The result of `evaluate` or of a comparison in `retrain`."""

    __tablename__ = "evaluations"

    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime)
    kind: str
    """`evaluate`, `retrain`, `compare` or `rare-update`."""
    model_version: str | None = None
    result: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


class HeldOutLookRow(SQLModel, table=True):
    """One look at a held-out part: the more often it is looked at, the less it proves."""

    __tablename__ = "held_out_looks"

    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str
    purpose: str
    """`train`, `retrain`, `compare` or `report`."""
    fingerprint: str = Field(index=True)
    """Of the held-out rows: the same part has the same."""
    rows: int
    held_out_from: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Start of the newest window; null where rows have no times."""
    model_version: str | None = None


class ModelCardEntryRow(SQLModel, table=True):
    """What a person wrote on a model card. The newest of an attribute counts; history stays."""

    __tablename__ = "model_card_entries"
    __table_args__ = (Index(None, "model_version", "attribute"),)

    id: int | None = Field(default=None, primary_key=True)
    model_version: str = Field(foreign_key="model_versions.version")
    attribute: str
    language: str
    """`en` or `es`."""
    content: str
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str
