"""Who calls, and what was agreed with them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cds_service.security.permissions import Role
from cds_service.security.secrecy import normalise_base
from hooks.cards import CardPolicy, Indicator, Vendor
from hooks.wording import Language
from model.assessment import ModelFacts
from model.severity import SEVERITIES, Severity


class Mode(StrEnum):
    """What a client's calls lead to (clinical rule C13)."""

    SILENT = "silent"
    """Assessed and stored; `cards` stays empty."""
    LIVE = "live"
    PAUSED = "paused"
    """No cards at all, as after a fault: set and lifted within seconds."""


class Right(StrEnum):
    """What a bearer secret allows on `/fhir/*`."""

    CONDITIONS = "conditions"
    ASSESS = "assess"
    READ = "read"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fatigue(_Settings):
    """Which cards a client wants (C12)."""

    categories: tuple[Severity, ...] = (Severity.ACUTE,)
    lowest_indicator: Indicator = Indicator.INFO
    no_data: Literal["card", "none"] = "card"
    critical: bool = True
    silence_unchanged: bool = True
    """Say nothing again for the same encounter, readings, model and category."""
    silence_after_override_hours: float = Field(12, ge=0)
    """Say nothing of a category whose card was overridden in this encounter, h. Our own choice: a
    shift; a dangerous reading is always told."""


class Backend(_Settings):
    """Access of our own to the client's FHIR server (SMART Backend Services)."""

    token_url: str
    client_id: str
    key_file: str
    """Path of the private key: a JWK, or PEM."""
    key_id: str | None = None
    algorithm: Literal["RS384", "ES384"] = "RS384"
    scope: str = "system/Condition.rs system/Patient.rs system/Encounter.rs"


class SmartLaunch(_Settings):
    """SMART App Launch from the client's health record: what was registered there."""

    client_id: str = Field(min_length=1)
    """What the health record calls this service."""
    secret_file: str | None = None
    """Path of the secret that was agreed; with neither secret nor key, PKCE alone protects."""
    key_file: str | None = None
    """Path of our private key, a JWK or PEM: in the place of a secret."""
    key_id: str | None = None
    algorithm: Literal["RS384", "ES384"] = "RS384"
    issuer: str | None = None
    """`iss` of its ID tokens; `None`: what its FHIR server says of itself."""
    scopes: tuple[str, ...] = ()
    """Asked for beside `launch openid fhirUser`, where the health record needs more."""
    roles: tuple[Literal[Role.CLINICIAN, Role.REVIEWER], ...] = (Role.CLINICIAN,)
    """What its users are here."""
    frames: tuple[str, ...] = ()
    """Origins that may show our pages inside their own."""


class ClientSettings(_Settings):
    """What `clients add` was told. Stored as JSON; holds no secret."""

    vendor: Vendor = Vendor.STANDARD
    issuer: str | None = None
    """`iss` of its JWTs, exactly."""
    jwks_urls: tuple[str, ...] = ()
    """`jku` values that may be fetched, exactly."""
    jwks: dict[str, Any] | None = None
    """Pinned public keys, for a client without a `jku`."""
    audiences: tuple[str, ...] = ()
    """`aud` values beside the URL that was called."""
    tenants: tuple[str, ...] = ()
    """`tenant` values that are let in; empty: any, also none."""
    subjects: tuple[str, ...] = ()
    """`sub` values that are let in; empty: any, also none."""
    fhir_servers: tuple[str, ...] = ()
    """Base URLs that may be read with its tokens; the first is the home of its patients (C3)."""
    backend: Backend | None = None
    prefetch_aliases: dict[str, str] = Field(default_factory=dict)
    """What the client calls a prefetch key → our key."""
    lookback_hours: float | None = Field(None, gt=0, le=24)
    language: Language | None = None
    """`None`: what `Accept-Language` asks for, else `CDS_LANGUAGE`."""
    mode: Mode = Mode.SILENT
    mode_before_pause: Mode | None = None
    """What `clients resume` goes back to."""
    approver: str | None = None
    """Who answers for the cards (C13)."""
    sandbox: bool = False
    """An EHR vendor's test environment: live from the start (C13)."""
    fatigue: Fatigue = Fatigue()
    test_patient_tags: tuple[str, ...] = ()
    """`system|code` in `meta.tag` that mark a test patient beside HTEST (C2)."""
    allow_care: bool = True
    """Its data may be used for cards (C21)."""
    allow_retraining: bool = False
    """Its assessments may be used for training (C21)."""
    allow_restricted: bool = False
    """Resources marked restricted may be stored and learnt from (C21)."""
    extra_inputs: tuple[Literal["abo_group", "exercise_days"], ...] = ()
    """Inputs beyond vital signs that are asked for; off by default."""
    smart: SmartLaunch | None = None
    """Its users may open explanations from the health record."""
    explanation_link: bool = True
    """Its cards lead to the explanation: by SMART launch, else where people sign in with a
    provider."""

    @field_validator("fhir_servers")
    @classmethod
    def _bases(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not url.startswith(("https://", "http://")):
                raise ValueError("a FHIR server must be an absolute http or https URL")
        return tuple(normalise_base(url) for url in urls)

    @model_validator(mode="after")
    def _keys(self) -> Self:
        if self.issuer and not self.jwks_urls and self.jwks is None:
            raise ValueError("an issuer needs keys: jwks_urls or jwks")
        return self


@dataclass(frozen=True, slots=True)
class Client:
    """A CDS Client: an EHR."""

    name: str
    settings: ClientSettings = field(default_factory=ClientSettings)
    development: bool = False
    is_page: bool = False
    """People at a page of ours, not a health record: nothing can be opened from its cards."""
    rights: frozenset[Right] = frozenset(Right)
    """On `/fhir/*`: those of the bearer secret; all for a JWT."""

    @property
    def base(self) -> str:
        """FHIR base URL its patients belong to where a request names none (C3)."""
        if self.is_page:
            return TRIAGE_BASE
        servers = self.settings.fhir_servers
        return servers[0] if servers else f"client:{self.name}"

    def extra_inputs(self, facts: ModelFacts | None) -> frozenset[str]:
        """Inputs beyond vital signs that are asked for: by it, or by the live model."""
        return frozenset(self.settings.extra_inputs) | frozenset(
            facts.extra_inputs if facts else ()
        )

    @property
    def policy(self) -> CardPolicy:
        """The cards it wants."""
        fatigue = self.settings.fatigue
        return CardPolicy(
            categories=frozenset(fatigue.categories),
            lowest_indicator=fatigue.lowest_indicator,
            no_data=fatigue.no_data,
            allow_critical=fatigue.critical,
            vendor=self.settings.vendor,
            sandbox=self.settings.sandbox and not self.development,
            suggests=not self.is_page,
        )


def patient_base(client: Client, fhir_server: str | None, allowed: Iterable[str]) -> str:
    """FHIR base URL that the patients of a request belong to (C3).

    What a request names in `fhirServer` is believed of the client's own servers, and of those that
    are `allowed` to all: else one hospital could speak of another's patients. A server that was
    agreed with nobody gets a name of its own under the client's.
    """
    if fhir_server is None:
        return client.base
    servers = client.settings.fhir_servers
    known = {normalise_base(one) for one in (*servers, *allowed)}
    if normalise_base(fhir_server) in known or (client.development and not servers):
        return fhir_server
    return f"client:{client.name} {normalise_base(fhir_server)}"


DEVELOPMENT_CLIENT = Client(
    "development",
    ClientSettings(
        mode=Mode.LIVE,
        sandbox=True,
        allow_retraining=True,
        fatigue=Fatigue(
            categories=SEVERITIES, silence_unchanged=False, silence_after_override_hours=0
        ),
    ),
    development=True,
)
"""Everybody, in development mode: sees every card (C12)."""


TRIAGE: Final = "triage"
"""Name of the built-in client that people at the triage page are."""
TRIAGE_BASE: Final = "urn:cds-service:triage"
"""Base of its patients: they have no FHIR server, and a local case number for an id (C3)."""


def triage_client(settings: ClientSettings | None = None, *, development: bool = False) -> Client:
    """People at the triage page, by default with built-in settings: told everything, once the
    client is live. Until then it is silent like any other, but in development mode (C13)."""
    built_in = ClientSettings(
        mode=Mode.LIVE if development else Mode.SILENT,
        extra_inputs=("abo_group", "exercise_days"),
        # Somebody has asked: what was asked for is told again.
        fatigue=Fatigue(
            categories=SEVERITIES, silence_unchanged=False, silence_after_override_hours=0
        ),
    )
    return Client(TRIAGE, settings or built_in, development=development, is_page=True)


def held_back(client: Client, facts: ModelFacts, *, paused: bool) -> str | None:
    """Why a client gets no cards, whatever would be said (C13, C21); `None`: it gets them.

    `paused` (the service or the client), `no_permission` (its data may not be used for cards),
    `silent_mode`, `simulated_model` (the starter model is no model of its patients).
    """
    settings = client.settings
    if paused or settings.mode is Mode.PAUSED:
        return "paused"
    if not settings.allow_care:
        return "no_permission"
    if settings.mode is Mode.SILENT:
        return "silent_mode"
    if facts.simulated and not settings.sandbox and not client.development:
        return "simulated_model"
    return None
