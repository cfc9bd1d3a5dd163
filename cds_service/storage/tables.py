"""The tables. Nothing here names a patient: only keyed hashes and encrypted fields (C3)."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Index,
    LargeBinary,
    MetaData,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

# Named by rule, so that a migration can drop what another database named by itself.
SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


class UTCDateTime(TypeDecorator[datetime]):
    """An instant. SQLite forgets the zone, so it is UTC going in and coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware datetimes only; a naive one raises `ValueError`."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JSON_ = JSON(none_as_null=True)


class AssessmentRow(SQLModel, table=True):
    """One answered `disease-severity` call."""

    __tablename__ = "assessments"
    __table_args__ = (
        UniqueConstraint("client", "service", "hook_instance"),
        Index(None, "patient_key", "prediction_time"),
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
    """Why there is no category."""
    known_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    after_diagnosis: bool = False
    prompted: bool = False
    """A Condition made from our own suggestion (C14, C18)."""
    needs_second_source: bool = False
    """A rare disease not yet confirmed twice (C20)."""
    rare_codes: list[str] = Field(default_factory=list, sa_type=JSON_)
    condition_ids: list[str] = Field(default_factory=list, sa_type=JSON_)
    decided_at: datetime = Field(sa_type=UTCDateTime)
    superseded_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ClientRow(SQLModel, table=True):
    """A CDS Client: an EHR, or a sender of Conditions."""

    __tablename__ = "clients"

    name: str = Field(primary_key=True)
    settings: dict[str, Any] = Field(sa_type=JSON_)
    """`cds_service.security.clients.ClientSettings`."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    updated_at: datetime = Field(sa_type=UTCDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Removed clients stay, because rows name them; nobody is let in by them."""


class ClientSecretRow(SQLModel, table=True):
    """A bearer secret for `/fhir/*`, hashed."""

    __tablename__ = "client_secrets"

    id: str = Field(primary_key=True)
    """Public first part of the secret."""
    client: str = Field(foreign_key="clients.name", index=True)
    secret_hash: str
    """SHA-256 of the whole secret, which is random and too long to guess."""
    rights: list[str] = Field(sa_type=JSON_)
    """Of `conditions`, `assess`, `read`."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class UsedTokenRow(SQLModel, table=True):
    """A JWT that was accepted; none is accepted twice (R63)."""

    __tablename__ = "used_tokens"

    issuer: str = Field(primary_key=True)
    jti_hash: str = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)


class SwitchRow(SQLModel, table=True):
    """A switch of the whole service, such as `paused` (C13)."""

    __tablename__ = "switches"

    name: str = Field(primary_key=True)
    value: bool
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str


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
    metrics: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


class ReleaseRow(SQLModel, table=True):
    """Who made which version live, when and why. The newest row is the champion."""

    __tablename__ = "releases"

    id: int | None = Field(default=None, primary_key=True)
    version: str = Field(foreign_key="model_versions.version")
    action: str
    """`promote` or `rollback`."""
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
    """`evaluate`, `retrain` or `compare`."""
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


class AlertRow(SQLModel, table=True):
    """Something an administrator should look at. It blocks nothing by itself."""

    __tablename__ = "alerts"

    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    kind: str
    """Such as `business_floor`."""
    model_version: str | None = None
    message: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)
    resolved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


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


class RareCaseReviewRow(SQLModel, table=True):
    """A reviewer's word on one case of a rare disease (C20). The newest counts."""

    __tablename__ = "rare_case_reviews"
    __table_args__ = (Index(None, "patient_key", "rare_code"),)

    id: int | None = Field(default=None, primary_key=True)
    patient_key: str
    rare_code: str
    """ORPHAcode."""
    decision: str
    """`confirmed` or `rejected`."""
    reason: str
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str


class AuditRow(SQLModel, table=True):
    """Who did what to which object; written in the transaction of the change itself."""

    __tablename__ = "audit_events"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    actor: str
    action: str
    object_type: str
    object_id: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)


ASSESSMENTS = SQLModel.metadata.tables["assessments"]
CARDS = SQLModel.metadata.tables["cards"]
FEEDBACK = SQLModel.metadata.tables["feedback"]
CONDITIONS = SQLModel.metadata.tables["conditions"]
OUTCOMES = SQLModel.metadata.tables["outcomes"]
CLIENTS = SQLModel.metadata.tables["clients"]
CLIENT_SECRETS = SQLModel.metadata.tables["client_secrets"]
USED_TOKENS = SQLModel.metadata.tables["used_tokens"]
SWITCHES = SQLModel.metadata.tables["switches"]
PATIENT_MERGES = SQLModel.metadata.tables["patient_merges"]
OUTCOME_PULLS = SQLModel.metadata.tables["outcome_pulls"]
NOTIFICATIONS = SQLModel.metadata.tables["notifications"]
SUBSCRIPTION_CURSORS = SQLModel.metadata.tables["subscription_cursors"]
MODEL_VERSIONS = SQLModel.metadata.tables["model_versions"]
RELEASES = SQLModel.metadata.tables["releases"]
HISTORY_FILES = SQLModel.metadata.tables["history_files"]
EVALUATIONS = SQLModel.metadata.tables["evaluations"]
HELD_OUT_LOOKS = SQLModel.metadata.tables["held_out_looks"]
ALERTS = SQLModel.metadata.tables["alerts"]
MODEL_CARD_ENTRIES = SQLModel.metadata.tables["model_card_entries"]
RARE_CASE_REVIEWS = SQLModel.metadata.tables["rare_case_reviews"]
AUDIT_EVENTS = SQLModel.metadata.tables["audit_events"]
