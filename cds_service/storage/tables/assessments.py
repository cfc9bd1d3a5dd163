"""Assessments, their cards and the feedback on them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import JSON_, UTCDateTime


class AssessmentRow(SQLModel, table=True):
    """One answered `disease-severity` call."""

    __tablename__ = "assessments"
    __table_args__ = (
        UniqueConstraint("client", "service", "hook_instance"),
        Index(None, "patient_key", "prediction_time"),
        # Holds all that the dashboard counts, so that no row is read for it: they are large.
        Index(
            "ix_assessments_counted",
            "prediction_time",
            "client",
            "service",
            "situation",
            "category",
            "suppressed",
            "encounter_class",
            "model_version",
            "id",
        ),
    )

    id: str = Field(primary_key=True)
    client: str
    service: str
    hook_instance: str
    request_hash: str
    """Of hook, context, FHIR server and prefetch: the same call again has the same (C12)."""
    prediction_time: datetime = Field(sa_type=UTCDateTime)
    patient_key: str
    encounter_key: str | None = None
    encounter_class: str | None = None
    situation: str
    """`scored`, `out_of_population`, `insufficient_data`, `model_failed`, `excluded`."""
    features: dict[str, Any] | None = Field(default=None, sa_type=JSON_)
    """The feature row as scored, with `minutes_before`."""
    provenance: dict[str, Any] | None = Field(default=None, sa_type=JSON_)
    """Readings as received beside the converted values, what was missing and what was skipped."""
    probabilities: dict[str, Any] | None = Field(default=None, sa_type=JSON_)
    category: str | None = None
    prediction_set: list[str] | None = Field(default=None, sa_type=JSON_)
    contributions: dict[str, Any] | None = Field(default=None, sa_type=JSON_)
    atypicality: float | None = None
    model_version: str | None = None
    indicator: str | None = None
    suppressed: str | None = None
    """Why no card was shown, or null if one was."""
    advice_hash: str | None = None
    """Of encounter, readings, model and category: the same advice again has the same (C12)."""
    identifiers: bytes = Field(sa_type=LargeBinary)
    """AES-GCM: user, patient, encounter and Observation ids."""
    response: bytes = Field(sa_type=LargeBinary)
    """AES-GCM: the answer as sent; the same `hookInstance` gets it again (C12)."""


class CardRow(SQLModel, table=True):
    """A card that was sent; feedback names it."""

    __tablename__ = "cards"

    uuid: str = Field(primary_key=True)
    assessment_id: str = Field(foreign_key="assessments.id", index=True)
    kind: str
    indicator: str
    suggestion_uuid: str | None = None


class FeedbackRow(SQLModel, table=True):
    """What a clinician did with a card; unknown cards are kept too (R54)."""

    __tablename__ = "feedback"

    id: str = Field(primary_key=True)
    client: str
    service: str
    card_uuid: str = Field(index=True)
    known_card: bool
    outcome: str
    outcome_timestamp: datetime = Field(sa_type=UTCDateTime)
    received_at: datetime = Field(sa_type=UTCDateTime)
    reason_system: str | None = None
    reason_code: str | None = None
    accepted_suggestions: list[str] | None = Field(default=None, sa_type=JSON_)
    comment: bytes | None = Field(default=None, sa_type=LargeBinary)
    """AES-GCM: comment, display and extension, which are free text and may name the patient."""
