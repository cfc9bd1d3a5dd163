"""What runs, ran and was asked for: each run of a job or command that works for a while, with its
progress, and comparisons that people asked for."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import UTCDateTime


class RunRow(SQLModel, table=True):
    """One run. Its process writes how far it is; nothing in it is about a patient."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_kind_started_at", "kind", "started_at"),)

    id: str = Field(primary_key=True)
    kind: str
    """Name of the job, or `train` or `retrain`."""
    actor: str
    state: str = Field(index=True)
    """`running`, `done`, `failed`, or `left` where it was not finished."""
    started_at: datetime = Field(sa_type=UTCDateTime, index=True)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    """The last sign of life of its process."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    step: str = ""
    """What it is at, in a few words."""
    share: float | None = None
    """Of the whole that is done, 0 to 1; empty where it does not tell."""
    result: str | None = None
    """A sentence, never data."""


class ComparisonRequestRow(SQLModel, table=True):
    """Two versions that a person wants compared, and what came of it."""

    __tablename__ = "comparison_requests"
    __table_args__ = (
        Index("ix_comparison_requests_pair", "first", "second", "asked_at"),
        # Who asks twice while it waits is shown the first.
        Index(
            "uq_comparison_requests_waiting",
            "first",
            "second",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: str = Field(primary_key=True)
    first: str
    """The version to hold against."""
    second: str
    """The version to judge."""
    asked_by: str
    asked_at: datetime = Field(sa_type=UTCDateTime)
    state: str
    """`waiting`, `done` or `failed`."""
    tries: int = 0
    """How often it was begun."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    result: str | None = None
    """A sentence, never data."""
