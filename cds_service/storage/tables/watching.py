"""Evaluation, drift, alerts, retraining and review: the service watching itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import JSON_, UTCDateTime


class AlertRow(SQLModel, table=True):
    """Something an administrator should look at. It blocks nothing by itself.

    It is raised once and kept open until it is resolved; at most one of a key is open.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_open",
            "key",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    kind: str
    """Such as `business_floor`."""
    key: str
    """What it is about: the same again is the same alert."""
    severity: str
    """`info`, `warning` or `critical`."""
    model_version: str | None = None
    message: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)
    last_seen_at: datetime = Field(sa_type=UTCDateTime)
    times_seen: int = 1
    acknowledged_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    acknowledged_by: str | None = None
    note: str | None = None
    """What whoever is at it says of it."""
    resolved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    resolved_by: str | None = None
    """A person, or `service` where the cause has passed."""
    resolution: str | None = None


class AlertDeliveryRow(SQLModel, table=True):
    """News of an alert, or a digest, on its way to one channel."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (UniqueConstraint("alert_id", "event", "channel"),)

    id: str = Field(primary_key=True)
    alert_id: str = Field(index=True)
    """Of the alert, or `digest-<release>`."""
    event: str
    """`raised`, `acknowledged`, `resolved` or `digest`."""
    channel: str
    """`webhook` or `email`."""
    content: dict[str, Any] = Field(sa_type=JSON_)
    created_at: datetime = Field(sa_type=UTCDateTime)
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UTCDateTime, index=True)
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    result: str | None = None
    """`sent`, `given up`, or the kind of the last fault."""


class InputChunkRow(SQLModel, table=True):
    """A chunk of assessments whose inputs were held against the reference."""

    __tablename__ = "input_chunks"

    id: str = Field(primary_key=True)
    number: int = Field(unique=True)
    started_at: datetime = Field(sa_type=UTCDateTime)
    """Of the first prediction time, included."""
    ended_at: datetime = Field(sa_type=UTCDateTime)
    """Up to here, not included."""
    rows: int
    model_version: str
    """Whose reference it was held against."""
    at: datetime = Field(sa_type=UTCDateTime)
    result: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)
    """Figures beside their limits, and what is shown of the inputs; no small counts of values."""
    state: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)
    """What the next chunk is held against: counts and figures of the reference chunks, and the
    codes and units that came until here."""
    outcomes: dict[str, Any] | None = Field(default=None, sa_type=JSON_)
    """How inputs went with outcomes, once all outcome windows have passed."""


class EvaluationChunkRow(SQLModel, table=True):
    """A chunk of index assessments whose outcome windows have passed, as it was judged.

    A late outcome judges it anew: another row of the same number with a later revision.
    """

    __tablename__ = "evaluation_chunks"
    __table_args__ = (UniqueConstraint("number", "revision"),)

    id: str = Field(primary_key=True)
    number: int
    revision: int
    started_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime = Field(sa_type=UTCDateTime)
    """Up to here, not included."""
    label_version: str
    fingerprint: str
    """Of its assessments, their outcomes and the versions judged: when it differs, it is judged
    anew."""
    rows: int
    verified: int
    at: datetime = Field(sa_type=UTCDateTime)
    run_id: str | None = None
    """In MLflow."""
    result: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


class ShadowScoreRow(SQLModel, table=True):
    """What a version that was not live would have said, from the stored row, after the answer."""

    __tablename__ = "shadow_scores"

    assessment_id: str = Field(foreign_key="assessments.id", primary_key=True)
    model_version: str = Field(foreign_key="model_versions.version", primary_key=True)
    probabilities: dict[str, Any] = Field(sa_type=JSON_)
    category: str
    at: datetime = Field(sa_type=UTCDateTime)


class JobRow(SQLModel, table=True):
    """A job of `schedule`: when it is due, and who is at it."""

    __tablename__ = "jobs"

    name: str = Field(primary_key=True)
    due_at: datetime = Field(sa_type=UTCDateTime)
    owner: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Until when nobody else starts it; its owner renews it."""
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    failures: int = 0
    """In a row."""
    result: str | None = None
    """A sentence, never data."""
    asked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When a person asked for it out of turn, until somebody takes it."""
    asked_by: str | None = None


class ChallengerRow(SQLModel, table=True):
    """A version on its way to become champion."""

    __tablename__ = "challengers"

    version: str = Field(foreign_key="model_versions.version", primary_key=True)
    origin: str
    """`refresh`, `search`, `recalibration`, `alert`, `outcomes` or `manual`: what asked for it.
    What it is stands in `detail["kind"]`."""
    stage: str
    """`gate`, `refused`, `undecided`, `shadow`, `waiting`, `promoted` or `withdrawn`."""
    champion: str
    """The version it is held against."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    shadow_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    decided_by: str | None = None
    reason: str = ""
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


class ReleaseWatchRow(SQLModel, table=True):
    """A promotion that is watched: two looks at the matured outcomes, then it stays or goes."""

    __tablename__ = "release_watches"

    release_id: int = Field(foreign_key="releases.id", primary_key=True)
    version: str
    previous: str
    state: str
    """`watching`, `kept`, `rolled_back`, or `replaced` by another promotion."""
    looks: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON_)
    digest: dict[str, Any] | None = Field(default=None, sa_type=JSON_)
    """What changed with the promotion."""
    at: datetime = Field(sa_type=UTCDateTime)


class ReviewItemRow(SQLModel, table=True):
    """An assessment that a reviewer is asked about."""

    __tablename__ = "review_items"

    id: str = Field(primary_key=True)
    assessment_id: str = Field(foreign_key="assessments.id", unique=True)
    reasons: list[str] = Field(sa_type=JSON_)
    """Of `threshold`, `wide_set`, `atypical`, `overridden`, `rare`, `audit`."""
    priority: float
    """The higher, the sooner it is shown."""
    queued_at: datetime = Field(sa_type=UTCDateTime)
    state: str = Field(index=True)
    """`open`, `answered`, `skipped` or `expired`."""
    closed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ReviewAnswerRow(SQLModel, table=True):
    """What a reviewer said of an assessment. The newest counts; history stays."""

    __tablename__ = "review_answers"

    id: int | None = Field(default=None, primary_key=True)
    assessment_id: str = Field(foreign_key="assessments.id", index=True)
    answer: str
    """`category`, `undetermined` or `skip`."""
    category: str | None = None
    rare_code: str | None = None
    """ORPHAcode."""
    agreed: bool | None = None
    """With the prediction, which the reviewer saw only afterwards (C18)."""
    at: datetime = Field(sa_type=UTCDateTime)
    reviewer: str


class ExportPartRow(SQLModel, table=True):
    """A file of an export that is in place."""

    __tablename__ = "export_parts"
    __table_args__ = (UniqueConstraint("target", "name"),)

    id: str = Field(primary_key=True)
    target: str
    """Where to, without credentials."""
    dataset: str
    """`assessments`, `outcomes` or `reports`."""
    day: str
    name: str
    """Path below the target."""
    rows: int
    sha256: str
    state: str
    """`planned` until the file is in place, then `written`."""
    at: datetime = Field(sa_type=UTCDateTime)


class ExportedRowRow(SQLModel, table=True):
    """A row that belongs to a part, so that it is in none other."""

    __tablename__ = "exported_rows"
    __table_args__ = (UniqueConstraint("target", "dataset", "row_id"),)

    id: int | None = Field(default=None, primary_key=True)
    target: str
    dataset: str
    row_id: str
    part_id: str = Field(foreign_key="export_parts.id", index=True)


class WatchedFileRow(SQLModel, table=True):
    """A history file that was found in the watched location."""

    __tablename__ = "watched_files"

    id: str = Field(primary_key=True)
    name: str
    sha256: str = Field(index=True)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    state: str
    """`read`, `known` or `set_aside`."""
    history_id: str | None = Field(default=None, foreign_key="history_files.id")
    report: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)
