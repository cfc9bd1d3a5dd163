"""Whether what was agreed with a client can be kept safely."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from cds_service.errors import ServiceError
from cds_service.security.clients import TRIAGE, Client, ClientSettings, SmartLaunch
from cds_service.security.keys import (
    PRIVATE_MEMBERS,
    SANDBOX_ISSUER,
    SANDBOX_JWKS,
    key_set,
    usable_count,
)
from cds_service.settings import Settings
from fhir_mapping.addresses import read_url
from hooks.cards import Vendor

CERNER_ISSUER = "https://cds-hooks.cerner.com"
CERNER_JWKS = "https://authorization.cerner.com/jwk"
"""Oracle Health signs for all its customers with one issuer (fhir.cerner.com, `cds_hooks.md`)."""
_SCOPE = re.compile(r"[!#-\[\]-~]+")
"""RFC 6749, 3.3."""
PREFETCH_KEYS = ("patient", "vitals", "encounter", "conditions", "blood_group", "exercise")
"""Our names of what a client may send."""

VENDOR_DEFAULTS: Mapping[Vendor, Mapping[str, Any]] = {
    Vendor.STANDARD: {},
    Vendor.EPIC: {},
    Vendor.CERNER: {"issuer": CERNER_ISSUER, "jwks_urls": (CERNER_JWKS,)},
}
"""What `--vendor` sets where nothing else is said."""
SANDBOX_DEFAULTS: Mapping[str, Any] = {
    "issuer": SANDBOX_ISSUER,
    "jwks": SANDBOX_JWKS,
    "sandbox": True,
}
"""What `--sandbox-cds-hooks` sets."""


class AgreementError(ServiceError):
    """Settings of a client that would let in the wrong caller, or nobody."""

    status = 422
    code = "business-rule"


def require_sound(
    name: str, settings: ClientSettings, others: Sequence[Client], process: Settings
) -> None:
    """Raise `AgreementError`, in a sentence, for settings that must not be stored.

    `others` are the clients beside this one: no token may fit two.
    """
    if not process.development:
        _refuse_public_sandbox(settings)
        if not process.fhir_allow_private:
            _require_https(settings)
    _require_keys(settings)
    if settings.issuer == CERNER_ISSUER and not settings.tenants:
        raise AgreementError(
            "Oracle Health signs for all its customers as one issuer: name the tenants that may "
            "call, with --tenant."
        )
    for alias, key in settings.prefetch_aliases.items():
        if key not in PREFETCH_KEYS or not alias:
            raise AgreementError(
                f"--alias {alias}={key}: {key} is none of our prefetch keys, which are "
                + ", ".join(PREFETCH_KEYS)
                + "."
            )
    for tag in settings.test_patient_tags:
        if "|" not in tag:
            raise AgreementError(f"--test-patient-tag {tag} is not SYSTEM|CODE.")
    if settings.smart is not None:
        _require_launch(name, settings, settings.smart, others, process)
    for other in others:
        if settings.issuer is not None and _overlap(settings, other.settings):
            raise AgreementError(
                f"A token for {name} could be one for {other.name} as well, which has the same "
                "issuer: tell them apart with --tenant or --subject."
            )


def _require_https(settings: ClientSettings) -> None:
    urls = {
        "--jwks-url": settings.jwks_urls,
        "--fhir-server": settings.fhir_servers,
        "--token-url": () if settings.backend is None else (settings.backend.token_url,),
    }
    for option, listed in urls.items():
        for url in listed:
            if urlsplit(url).scheme != "https":
                raise AgreementError(
                    f"{option} {url} must be https. Plain http is for private networks, with "
                    "CDS_FHIR_ALLOW_PRIVATE, and for development mode."
                )


def _require_launch(
    name: str,
    settings: ClientSettings,
    smart: SmartLaunch,
    others: Sequence[Client],
    process: Settings,
) -> None:
    """SMART launch: whoever comes must be known by the FHIR server they come from."""
    if name == TRIAGE:
        raise AgreementError("Nothing is launched from the triage page.")
    if not settings.fhir_servers:
        raise AgreementError(
            "SMART launch needs the FHIR server it comes from (`iss`): name it with --fhir-server."
        )
    if smart.secret_file is not None and smart.key_file is not None:
        raise AgreementError(
            "We show who we are with --smart-secret-file or with --smart-key-file, not with both."
        )
    if not smart.roles:
        raise AgreementError("Without --smart-role nobody could open anything.")
    may_be_http = process.development or process.fhir_allow_private
    if smart.issuer is not None and read_url(smart.issuer, allow_private=may_be_http) is None:
        raise AgreementError(f"--smart-issuer {smart.issuer} is no absolute https URL.")
    for scope in smart.scopes:
        if not _SCOPE.fullmatch(scope):
            raise AgreementError(f"--smart-scope {scope} is no scope.")
    for frame in smart.frames:
        url = read_url(frame, allow_private=may_be_http)
        origin = None if url is None else f"{url.scheme}://{url.netloc.decode()}"
        if frame != origin or set(frame) & set("*;,"):
            raise AgreementError(
                f"--smart-frame {frame} is no origin, like https://ehr.hospital.example."
            )
    for other in others:
        shared = set(settings.fhir_servers) & set(other.settings.fhir_servers)
        if other.settings.smart is not None and shared:
            raise AgreementError(
                f"A launch from {min(shared)} could be one for {other.name} as well, which has "
                "SMART launch from the same FHIR server."
            )


def _refuse_public_sandbox(settings: ClientSettings) -> None:
    xs = {jwk["x"] for jwk in SANDBOX_JWKS["keys"]}
    if (
        (settings.issuer or "").rstrip("/") == SANDBOX_ISSUER
        or any(url.startswith(SANDBOX_ISSUER) for url in settings.jwks_urls)
        or any(jwk.get("x") in xs for jwk in key_set(settings.jwks))
    ):
        raise AgreementError(
            "The private key of the public CDS Hooks sandbox is published, so anybody can sign as "
            "it: it is let in in development mode only, where tokens are not asked for."
        )


def _require_keys(settings: ClientSettings) -> None:
    for url in settings.jwks_urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise AgreementError(f"--jwks-url {url} is no absolute URL.")
    if settings.jwks is None:
        return
    if settings.jwks_urls:
        raise AgreementError(
            "Keys come from --jwks-url or from --jwks-file, not from both; `clients set --unset "
            "jwks` or `--unset jwks_urls` drops one."
        )
    keys = key_set(settings.jwks)
    if any(PRIVATE_MEMBERS & set(jwk) for jwk in keys):
        raise AgreementError(
            "The JWKS file holds private or shared keys. Give the public part only, and take the "
            "private key as known to others from now on."
        )
    if not usable_count(keys) and settings.issuer != SANDBOX_ISSUER:
        raise AgreementError(
            "The JWKS file holds no key that can be used: EC (P-256, P-384) or RSA of 2048 bits or "
            "more, each with a `kid`."
        )


def _overlap(one: ClientSettings, other: ClientSettings) -> bool:
    """Whether a token could fit both equally: who names a tenant or subject goes before who does
    not, so that only like and like can clash."""
    return (
        one.issuer == other.issuer
        and _clash(one.tenants, other.tenants)
        and _clash(one.subjects, other.subjects)
    )


def _clash(one: Iterable[str], other: Iterable[str]) -> bool:
    mine, theirs = set(one), set(other)
    return bool(mine & theirs) or not (mine or theirs)
