"""Who may call, switches of the whole service, and the audit trail."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import JSON_, UTCDateTime


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


class AuditRow(SQLModel, table=True):
    """Who did what to which object; written in the transaction of the change itself."""

    __tablename__ = "audit_events"
    __table_args__ = (
        # What is about anything but assessments is looked for among very many that are.
        Index(
            "ix_audit_events_object",
            "object_type",
            "object_id",
            sqlite_where=text("object_type <> 'assessment'"),
            postgresql_where=text("object_type <> 'assessment'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    actor: str
    action: str
    object_type: str
    object_id: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_)
