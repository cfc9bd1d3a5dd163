"""Diagnoses, the outcomes decided from them, and how they come."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import JSON_, UTCDateTime


class ConditionRow(SQLModel, table=True):
    """A Condition as received, classified. A corrected one supersedes it; history stays."""

    __tablename__ = "conditions"
    __table_args__ = (Index(None, "source_key", "superseded_at"),)

    id: str = Field(primary_key=True)
    source_key: str
    """Keyed hash of (server, Condition id): the same Condition is stored once."""
    content_hash: str
    """Of the resource and of what was made of it: what is read otherwise now is no repetition."""
    client: str
    channel: str
    """How it came; one of `cds_service.services.deliveries.CHANNELS`."""
    patient_key: str = Field(index=True)
    encounter_key: str | None = None
    received_at: datetime = Field(sa_type=UTCDateTime)
    superseded_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    pregnancy_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Until when it says that the patient is pregnant (C1)."""
    label_version: str
    facts: dict[str, Any] = Field(sa_type=JSON_)
    """`fhir_mapping.labels.ConditionFacts` without ids and free text."""


class OutcomeRow(SQLModel, table=True):
    """The diagnosis an assessment is held against (C16), one per version of the rules (C17).

    A corrected one supersedes it; history stays. At most one of an assessment and a rule version
    is not superseded.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        Index(
            "uq_outcomes_current",
            "assessment_id",
            "label_version",
            unique=True,
            sqlite_where=text("superseded_at IS NULL"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    assessment_id: str = Field(foreign_key="assessments.id", index=True)
    label_version: str
    category: str | None = None
    classes: list[str] = Field(default_factory=list, sa_type=JSON_)
    pre_existing: list[str] = Field(default_factory=list, sa_type=JSON_)
    reason: str | None = None
    """Why there is no category, or `reviewed`."""
    known_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    after_diagnosis: bool = False
    prompted: bool = False
    """A Condition made from our own suggestion (C14, C18)."""
    needs_second_source: bool = False
    """A rare disease not yet confirmed twice (C20)."""
    rare_codes: list[str] = Field(default_factory=list, sa_type=JSON_)
    condition_ids: list[str] = Field(default_factory=list, sa_type=JSON_)
    author: str | None = None
    """Who confirmed it in review; null where it was decided from Conditions."""
    decided_at: datetime = Field(sa_type=UTCDateTime)
    superseded_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class PatientMergeRow(SQLModel, table=True):
    """Two patients that turned out to be one: what comes for the first belongs to the second."""

    __tablename__ = "patient_merges"

    id: str = Field(primary_key=True)
    from_key: str = Field(index=True)
    into_key: str = Field(index=True)
    client: str
    channel: str
    at: datetime = Field(sa_type=UTCDateTime)


class OutcomePullRow(SQLModel, table=True):
    """Conditions of an assessment's patient that are due to be asked for, or were."""

    __tablename__ = "outcome_pulls"

    assessment_id: str = Field(foreign_key="assessments.id", primary_key=True)
    day: int = Field(primary_key=True)
    """Days after the assessment: 1, 7 or 30."""
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UTCDateTime, index=True)
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    result: str | None = None
    """Counts or the kind of fault, never data."""


class NotificationRow(SQLModel, table=True):
    """A notice that Conditions have changed, kept until they have been read."""

    __tablename__ = "notifications"

    id: str = Field(primary_key=True)
    client: str = Field(index=True)
    received_at: datetime = Field(sa_type=UTCDateTime)
    focus: bytes | None = Field(default=None, sa_type=LargeBinary)
    """AES-GCM: JSON list of references to read; null for an empty ping."""
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UTCDateTime, index=True)
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    result: str | None = None


class SubscriptionCursorRow(SQLModel, table=True):
    """The last event of a subscription that was told, so that a missed one is noticed."""

    __tablename__ = "subscription_cursors"

    client: str = Field(primary_key=True)
    subscription_key: str = Field(primary_key=True)
    """Hash of what the notifications call their subscription."""
    last_event: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=UTCDateTime)


class RareCaseReviewRow(SQLModel, table=True):
    """A reviewer's word on one case of a rare disease (C20). The newest counts."""

    __tablename__ = "rare_case_reviews"
    __table_args__ = (Index(None, "patient_key", "rare_code"),)

    id: int | None = Field(default=None, primary_key=True)
    patient_key: str
    rare_code: str
    """ORPHAcode."""
    decision: str
    """`confirmed`, `rejected`, or `withdrawn`: what this actor said is taken back."""
    reason: str
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str
