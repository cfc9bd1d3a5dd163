"""Options of `clients add` and `clients set`, and the settings they stand for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cds_service.errors import ServiceError
from cds_service.security.clients import Right
from cds_service.security.permissions import Role
from cds_service.services.agreements import SANDBOX_DEFAULTS, VENDOR_DEFAULTS
from hooks.cards import Indicator, Vendor
from model.severity import Severity

_LARGEST_FILE = 1_000_000

Many = list[str] | None
Issuer = Annotated[str | None, typer.Option(help="`iss` of its tokens, exactly.")]
JwksUrl = Annotated[
    Many,
    typer.Option(help="Where its public keys are, as its tokens say in `jku`; may be repeated."),
]
JwksFile = Annotated[
    Path | None, typer.Option(help="JWKS with its public keys, where it has no URL for them.")
]
Audience = Annotated[
    Many, typer.Option(help="`aud` that is accepted beside the URL called; may be repeated.")
]
Tenant = Annotated[Many, typer.Option(help="`tenant` that is let in; may be repeated.")]
Subject = Annotated[Many, typer.Option(help="`sub` that is let in; may be repeated.")]
FhirServer = Annotated[
    Many,
    typer.Option(
        help="FHIR base URL that may be read with its tokens; the first is where its patients "
        "belong. May be repeated."
    ),
]
Alias = Annotated[
    Many, typer.Option(help="What it calls a prefetch key: theirs=ours. May be repeated.")
]
LookbackHours = Annotated[float | None, typer.Option(help="How old a reading may be, h.")]
Language = Annotated[Literal["en", "es"] | None, typer.Option(help="Language of its cards.")]
VendorOption = Annotated[
    Vendor | None, typer.Option("--vendor", help="Whose system it is: how cards are shaped.")
]
Sandbox = Annotated[
    bool | None,
    typer.Option("--sandbox/--no-sandbox", help="An EHR vendor's test environment: live at once."),
]
SandboxCdsHooks = Annotated[
    bool,
    typer.Option(
        "--sandbox-cds-hooks",
        help="The public CDS Hooks sandbox, whose private key is public: development mode only.",
    ),
]
Category = Annotated[
    list[Severity] | None, typer.Option(help="Category that makes a card; may be repeated.")
]
LowestIndicator = Annotated[
    Indicator | None, typer.Option(help="Cards of less prominence are not shown.")
]
NoData = Annotated[
    Literal["card", "none"] | None, typer.Option(help="What is shown without enough readings.")
]
Critical = Annotated[
    bool | None, typer.Option("--critical/--no-critical", help="Whether `critical` may be used.")
]
SilenceUnchanged = Annotated[
    bool | None,
    typer.Option(
        "--silence-unchanged/--no-silence-unchanged",
        help="Say the same only once in an encounter.",
    ),
]
OverrideHours = Annotated[
    float | None, typer.Option(help="Silence after a card was overridden, h; 0: none.")
]
Care = Annotated[
    bool | None, typer.Option("--care/--no-care", help="Its data may be used for cards.")
]
Retraining = Annotated[
    bool | None,
    typer.Option("--retraining/--no-retraining", help="Its data may be used for training."),
]
AllowRestricted = Annotated[
    bool | None,
    typer.Option(
        "--allow-restricted/--no-allow-restricted",
        help="Restricted resources may be stored and learnt from.",
    ),
]
ExtraInput = Annotated[
    Many,
    typer.Option(help="Input beyond vital signs: abo_group or exercise_days; may be repeated."),
]
ExplanationLink = Annotated[
    bool | None,
    typer.Option(
        "--explanation-link/--no-explanation-link",
        help="Whether its cards lead to the explanation: by SMART launch, or after signing in.",
    ),
]
TestPatientTag = Annotated[
    Many, typer.Option(help="`meta.tag` of its test patients: SYSTEM|CODE. May be repeated.")
]
TokenUrl = Annotated[str | None, typer.Option(help="Token endpoint of its FHIR server.")]
BackendClientId = Annotated[
    str | None, typer.Option(help="Our client id there (SMART Backend Services).")
]
BackendKeyFile = Annotated[
    Path | None, typer.Option(help="Our private key: a JWK, or PEM. Only its path is stored.")
]
BackendKeyId = Annotated[str | None, typer.Option(help="`kid` of that key.")]
BackendAlgorithm = Annotated[
    Literal["RS384", "ES384"] | None, typer.Option(help="Algorithm of that key.")
]
BackendScope = Annotated[str | None, typer.Option(help="Scopes to ask for there.")]
SmartClientId = Annotated[
    str | None,
    typer.Option(help="What its health record calls us: explanations open by SMART launch."),
]
SmartSecretFile = Annotated[
    Path | None, typer.Option(help="File with the secret agreed for that. Only its path is stored.")
]
SmartKeyFile = Annotated[
    Path | None, typer.Option(help="Our private key in the place of a secret: a JWK, or PEM.")
]
SmartKeyId = Annotated[str | None, typer.Option(help="`kid` of that key.")]
SmartAlgorithm = Annotated[
    Literal["RS384", "ES384"] | None, typer.Option(help="Algorithm of that key.")
]
SmartIssuer = Annotated[
    str | None, typer.Option(help="`iss` of its ID tokens, where its FHIR server does not say it.")
]
SmartScope = Annotated[
    Many,
    typer.Option(help="Scope it needs beside launch, openid and fhirUser; may be repeated."),
]
SmartRole = Annotated[
    list[Role] | None,
    typer.Option(help="What its users are here: clinician, reviewer; may be repeated."),
]
SmartFrame = Annotated[
    Many, typer.Option(help="Origin that shows our pages inside its own; may be repeated.")
]
Unset = Annotated[
    Many, typer.Option(help="Setting to give its default again, as `show` names it (set only).")
]
Secret = Annotated[
    str | None,
    typer.Option(
        help="Issue a bearer secret for /fhir with these rights: conditions,assess,read (add only)."
    ),
]


@dataclass(frozen=True, slots=True)
class Given:
    """Options as typed; `None` and empty: not given."""

    values: Mapping[str, Any]

    def changes(self, *, adding: bool) -> dict[str, Any]:
        """Settings that were asked for. A vendor's defaults hold for a new client only.

        Raises `ServiceError` and `typer.BadParameter`.
        """
        values = self.values
        changes: dict[str, Any] = {}
        if adding and values["vendor"] is not None and values["issuer"] is None:
            changes |= VENDOR_DEFAULTS[values["vendor"]]
        if values["sandbox_cds_hooks"]:
            changes |= SANDBOX_DEFAULTS
        for option, setting in _PLAIN.items():
            value = values[option]
            if value is not None and value != []:
                changes[setting] = value
        if values["jwks_file"] is not None:
            changes["jwks"] = _read_json(values["jwks_file"])
        if values["alias"]:
            changes["prefetch_aliases"] = _pairs(values["alias"])
        parts = (("fatigue", _FATIGUE), ("backend", _BACKEND), ("smart", _SMART))
        for part, members in parts:
            given = {
                member: str(values[option]) if isinstance(values[option], Path) else values[option]
                for option, member in members.items()
                if values[option] is not None and values[option] != []
            }
            if given:
                changes[part] = given
        return changes


_PLAIN = {
    "vendor": "vendor",
    "issuer": "issuer",
    "jwks_url": "jwks_urls",
    "audience": "audiences",
    "tenant": "tenants",
    "subject": "subjects",
    "fhir_server": "fhir_servers",
    "lookback_hours": "lookback_hours",
    "language": "language",
    "sandbox": "sandbox",
    "care": "allow_care",
    "retraining": "allow_retraining",
    "allow_restricted": "allow_restricted",
    "extra_input": "extra_inputs",
    "explanation_link": "explanation_link",
    "test_patient_tag": "test_patient_tags",
}
_FATIGUE = {
    "category": "categories",
    "lowest_indicator": "lowest_indicator",
    "no_data": "no_data",
    "critical": "critical",
    "silence_unchanged": "silence_unchanged",
    "override_hours": "silence_after_override_hours",
}
_BACKEND = {
    "token_url": "token_url",
    "backend_client_id": "client_id",
    "backend_key_file": "key_file",
    "backend_key_id": "key_id",
    "backend_algorithm": "algorithm",
    "backend_scope": "scope",
}
_SMART = {
    "smart_client_id": "client_id",
    "smart_secret_file": "secret_file",
    "smart_key_file": "key_file",
    "smart_key_id": "key_id",
    "smart_algorithm": "algorithm",
    "smart_issuer": "issuer",
    "smart_scope": "scopes",
    "smart_role": "roles",
    "smart_frame": "frames",
}


def parse_rights(text: str) -> list[Right]:
    """Read `conditions,assess,read`. Raises `typer.BadParameter`."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    known = [right.value for right in Right]
    if not names or any(name not in known for name in names):
        raise typer.BadParameter(f"'{text}' is no list of rights: {', '.join(known)}")
    return [Right(name) for name in names]


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ServiceError(f"{path} is larger than any JWKS.")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ServiceError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise ServiceError(f"{path} is not JSON.") from None


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        theirs, separator, ours = text.partition("=")
        if not separator or not theirs.strip() or not ours.strip():
            raise typer.BadParameter(f"'{text}' is not theirs=ours, like vitalSigns=vitals")
        pairs[theirs.strip()] = ours.strip()
    return pairs
