"""People who sign in: local accounts, sessions, and attempts that failed."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import JSON_, UTCDateTime


class UserRow(SQLModel, table=True):
    """A local account, for sites without a provider of identities."""

    __tablename__ = "users"

    name: str = Field(primary_key=True)
    roles: list[str] = Field(sa_type=JSON_)
    password_hash: str
    """Argon2id, with its parameters and salt."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    updated_at: datetime = Field(sa_type=UTCDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Removed accounts stay, because audit events name them; nobody is let in by them."""


class SessionRow(SQLModel, table=True):
    """Somebody who signed in, until they sign out or the time is over."""

    __tablename__ = "sessions"

    id: str = Field(primary_key=True)
    """SHA-256 of the secret in the cookie, which is random and too long to guess."""
    actor: str
    name: str
    how: str
    """`password`, `openid` or `smart`."""
    account: str | None = Field(default=None, foreign_key="users.name", index=True)
    """The local account, whose roles count; without one it is somebody of the provider."""
    roles: list[str] = Field(sa_type=JSON_)
    """As the provider gave them; of a local account as they were at sign-in."""
    fhir_user: str | None = None
    """Who the health record says this is (`Practitioner/1`), where it says so."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    last_seen_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class PolicyConsentRow(SQLModel, table=True):
    """Somebody who agreed to one version of the data-use policy."""

    __tablename__ = "policy_consents"

    actor: str = Field(primary_key=True)
    """As in the audit trail."""
    version: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime)


class UsedLinkRow(SQLModel, table=True):
    """A link from a card to an explanation that was followed; it opens once."""

    __tablename__ = "used_links"

    link: str = Field(primary_key=True)
    """SHA-256 of its address, which nobody can make up."""
    ends_at: datetime = Field(sa_type=UTCDateTime, index=True)
    """When the link is too old to be followed; the row is forgotten after that."""


class SignInAttemptRow(SQLModel, table=True):
    """Failed attempts to sign in with one account, or from one address."""

    __tablename__ = "sign_in_attempts"

    key: str = Field(primary_key=True)
    """Keyed hash of the account or address."""
    failures: int
    last_at: datetime = Field(sa_type=UTCDateTime, index=True)
    blocked_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
