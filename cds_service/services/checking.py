"""`clients check`: everything a client needs, tried one after the other."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.clients import Backend, Client, held_back
from cds_service.security.explanation_links import LAUNCH
from cds_service.security.id_tokens import ProviderAwayError
from cds_service.security.keys import key_set, usable_count
from cds_service.security.smart import SmartServers
from cds_service.services.agreements import require_sound
from cds_service.services.clients import ClientService
from cds_service.services.smart_launch import (
    CALLBACK,
    LaunchError,
    registration_of,
    signer_of,
)
from fhir_mapping.errors import AccessFault, FHIRAccessError
from fhir_mapping.extract import extract
from hooks.discovery import discovery_document
from hooks.disease_severity import HOOK, SERVICE_ID
from hooks.protocol import encode
from model.errors import ModelError

STEP_SECONDS = 10.0
"""How long one step may wait for another machine."""
HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
"""Marks a test patient: nothing is said of it and nothing kept but the call (C2)."""

_FAULTS: Mapping[AccessFault, str] = {
    AccessFault.REFUSED: "the address is not allowed: it must be https and public, unless "
    "CDS_FHIR_ALLOW_PRIVATE is set, and no redirect is followed",
    AccessFault.UNAUTHORIZED: "it asks for authorisation (401 or 403)",
    AccessFault.NOT_FOUND: "there is nothing at this address (404)",
    AccessFault.REJECTED: "it answers with an error",
    AccessFault.TIMEOUT: f"no answer within {STEP_SECONDS:g} s",
    AccessFault.UNAVAILABLE: "no connection, a certificate that is not trusted here, or a server "
    "that fails",
    AccessFault.MALFORMED: "the answer is not JSON of this kind",
}


class Verdict(StrEnum):
    """How a step went."""

    OK = "ok"
    NOTE = "note"
    """Nothing failed, but it should be known."""
    FAILED = "FAIL"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    verdict: Verdict
    sentence: str

    @property
    def failed(self) -> bool:
        """Whether the client cannot work like this."""
        return self.verdict is Verdict.FAILED


def _ok(sentence: str) -> Step:
    return Step(Verdict.OK, sentence)


def _note(sentence: str) -> Step:
    return Step(Verdict.NOTE, sentence)


def _failed(sentence: str) -> Step:
    return Step(Verdict.FAILED, sentence)


def endpoints(base_url: str) -> list[str]:
    """The URLs a CDS client calls: what it must know, and `aud` of its tokens (R59)."""
    root = f"{base_url}/cds-services"
    ids = [service["id"] for service in discovery_document(None, "en")["services"]]
    return [root, *(f"{root}/{name}" for name in ids), f"{root}/{SERVICE_ID}/feedback"]


class CheckService:
    """Tries what `clients add` was told, from this machine, and changes nothing."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._clients = ClientService(context.engine, context.settings, context.clock)

    def steps(self, name: str) -> Iterator[Step]:
        """Each step as it is done. Raises `ClientRuleError` if there is no such client."""
        client = self._clients.client(name)
        yield from self._settings(client)
        yield from self._callers(client)
        yield from self._audiences(client)
        yield from self._fhir_servers(client)
        yield from self._backend(client)
        yield from self._launch(client)
        yield from self._model(client)
        yield from self._running()

    def _settings(self, client: Client) -> Iterator[Step]:
        others = [listed.client for listed in self._clients.clients()]
        try:
            require_sound(
                client.name,
                client.settings,
                [other for other in others if other.name != client.name],
                self._context.settings,
            )
        except ServiceError as error:
            yield _failed(str(error))
        else:
            yield _ok("The settings are sound.")
        if self._context.settings.development:
            yield _note(
                "CDS_DEVELOPMENT is set: everybody is let in without a token. Check again without."
            )

    def _callers(self, client: Client) -> Iterator[Step]:
        settings = client.settings
        secrets = [row for row in self._clients.secrets(client.name) if row["revoked_at"] is None]
        if secrets:
            yield _ok(f"Bearer secrets for /fhir: {len(secrets)}.")
        if settings.issuer is None:
            sentence = "No --issuer: it cannot call /cds-services with tokens."
            yield _note(sentence) if secrets or client.development else _failed(sentence)
            return
        yield _ok(f"Tokens of issuer {settings.issuer}.")
        for url in settings.jwks_urls:
            yield self._keys(url)
        if settings.jwks is not None and not settings.jwks_urls:
            count = usable_count(key_set(settings.jwks))
            sentence = f"Pinned keys that can be used: {count}."
            yield _ok(sentence) if count else _failed(sentence)

    def _keys(self, url: str) -> Step:
        try:
            content = self._context.fhir.get_json(url, deadline=time.monotonic() + STEP_SECONDS)
        except FHIRAccessError as error:
            return _failed(f"Keys at {url} cannot be read: {_said(error)}.")
        keys = key_set(content)
        count = usable_count(keys)
        if not count:
            return _failed(
                f"Keys at {url}: none of {len(keys)} can be used (EC P-256, P-384, or RSA of 2048 "
                "bits or more, each with a `kid`)."
            )
        return _ok(f"Keys at {url}: {count} of {len(keys)} can be used.")

    def _audiences(self, client: Client) -> Iterator[Step]:
        if client.settings.issuer is None:
            return
        yield _note("Type these exactly into the EHR, as endpoints and as `aud` of its tokens:")
        ours = endpoints(self._context.settings.base_url)
        for url in dict.fromkeys((*ours, *client.settings.audiences)):
            yield _note(f"  {url}")

    def _fhir_servers(self, client: Client) -> Iterator[Step]:
        shared = self._context.settings.allowed_fhir_servers
        servers = list(dict.fromkeys((*client.settings.fhir_servers, *shared)))
        if not servers:
            yield _note(
                "No FHIR server may be read for it (--fhir-server): what prefetch does not bring "
                "is missing."
            )
        for base in servers:
            yield self._fhir_server(base)

    def _fhir_server(self, base: str) -> Step:
        deadline = time.monotonic() + STEP_SECONDS
        try:
            statement = self._context.fhir.get_json(f"{base}/metadata", deadline=deadline)
        except FHIRAccessError as error:
            if error.kind is AccessFault.UNAUTHORIZED:
                return _note(
                    f"FHIR server {base} answers, and asks for a token even for its /metadata: "
                    "whether the tokens of its calls are enough is seen with the first call."
                )
            return _failed(f"FHIR server {base} cannot be read: {_said(error)}.")
        version = statement.get("fhirVersion")
        if statement.get("resourceType") != "CapabilityStatement":
            return _failed(f"{base}/metadata is no CapabilityStatement: no FHIR base URL?")
        if not isinstance(version, str) or not version.startswith("4."):
            return _failed(f"FHIR server {base} does not speak FHIR R4.")
        return _ok(f"FHIR server {base} answers and may be read with its tokens.")

    def _backend(self, client: Client) -> Iterator[Step]:
        backend = client.settings.backend
        if backend is not None:
            yield _key(backend, backend.token_url)

    def _launch(self, client: Client) -> Iterator[Step]:
        """SMART launch: whether its FHIR servers say where to sign in."""
        smart, context = client.settings.smart, self._context
        if smart is None:
            return
        servers = SmartServers(
            context.fhir,
            context.keys,
            allow_http=context.settings.fhir_allow_private,
            clock=context.clock,
        )
        for base in client.settings.fhir_servers:
            try:
                registration = registration_of(smart, base, context)
                issuer = servers.issuer(registration)
            except LaunchError:
                yield _failed(f"The secret in {smart.secret_file} cannot be read.")
            except ProviderAwayError as error:
                yield _failed(f"SMART launch from {base}: {error.reason}.")
            else:
                yield _ok(f"SMART launch from {base}, with ID tokens of {issuer}.")
        signer = signer_of(smart, "SMART launch")
        if signer is not None:
            yield _key(signer, signer.token_url)
        base_url = context.settings.base_url
        yield _note("Register these in the EHR, exactly, as launch URL and as redirect URI:")
        yield _note(f"  {base_url}{LAUNCH}")
        yield _note(f"  {base_url}{CALLBACK}")
        if not smart.frames:
            yield _note("No --smart-frame: it opens in a tab of its own alone.")

    def _model(self, client: Client) -> Iterator[Step]:
        self._context.champion.refresh()
        scorer = self._context.champion.scorer
        if scorer is None:
            yield _failed("No model is live: run cds-service train.")
            return
        extraction = extract(
            self._chart(),
            patient_id="check",
            fhir_server=None,
            prediction_time=self._context.clock(),
        )
        try:
            scorer.assess(extraction.row)
        except (ModelError, ValueError, ArithmeticError):
            yield _failed(f"Model version {scorer.facts.version} fails on an invented patient.")
        else:
            yield _ok(f"Model version {scorer.facts.version} scores an invented patient.")
        reason = held_back(client, scorer.facts, paused=self._clients.paused())
        if reason is None:
            yield _ok("It gets cards.")
        else:
            yield _note(f"It gets no cards now: {_NO_CARDS[reason]}")

    def _chart(self) -> dict[str, Any]:
        return {
            key: msgspec.Raw(encode(value)) for key, value in self._sample()["prefetch"].items()
        }

    def _sample(self) -> dict[str, Any]:
        """A request about an invented patient, marked as a test patient."""
        at = (self._context.clock() - timedelta(minutes=5)).isoformat()
        return {
            "hook": HOOK,
            "hookInstance": str(uuid4()),
            "context": {"userId": "Practitioner/check", "patientId": "check"},
            "prefetch": {
                "patient": {
                    "resourceType": "Patient",
                    "id": "check",
                    "meta": {"tag": [HTEST]},
                    "birthDate": "1960-01-01",
                },
                "vitals": {
                    "resourceType": "Bundle",
                    "type": "searchset",
                    "entry": [
                        {
                            "resource": {
                                "resourceType": "Observation",
                                "status": "final",
                                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                                "subject": {"reference": "Patient/check"},
                                "effectiveDateTime": at,
                                "valueQuantity": {
                                    "value": value,
                                    "system": "http://unitsofmeasure.org",
                                    "code": unit,
                                },
                            }
                        }
                        for code, value, unit in _READINGS
                    ],
                },
            },
        }

    def _running(self) -> Iterator[Step]:
        """The service as its clients see it, under its public URL."""
        base = self._context.settings.base_url
        try:
            # As everywhere: no proxy of the environment, but its SSL_CERT_FILE.
            trusted = httpx.create_ssl_context()
            with httpx.Client(timeout=STEP_SECONDS, trust_env=False, verify=trusted) as http:
                ready = http.get(f"{base}/health/ready").status_code
                body = self._sample()
                answered = http.post(f"{base}/cds-services/{SERVICE_ID}", json=body).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            yield _failed(
                f"The service does not answer at {base} from this machine: is it running, is "
                "CDS_PUBLIC_URL right, is the proxy's certificate trusted here?"
            )
            return
        if ready == HTTPStatus.OK:
            yield _ok(f"The service at {base} is ready.")
        else:
            yield _failed(f"The service at {base} is not ready ({ready}); see /health/ready.")
        expected = _expected_status(development=self._context.settings.development)
        said = "a sample call without a token (a test patient: nothing is kept of it)"
        if answered == expected:
            yield _ok(f"It answers {answered} to {said}, as it should.")
        else:
            yield _failed(f"It answers {answered} to {said}; {expected} was expected.")


def _key(backend: Backend, used_for: str) -> Step:
    """Whether a private key of ours is there and can be used."""
    try:
        content = Path(backend.key_file).read_bytes()
    except OSError as error:
        return _failed(f"Our key {backend.key_file} cannot be read ({error.strerror}).")
    try:
        if content.lstrip().startswith(b"{"):
            PyJWK.from_json(content.decode(), backend.algorithm)
        else:
            load_pem_private_key(content, None)
    except (PyJWTError, ValueError, TypeError):
        return _failed(f"Our key {backend.key_file} is neither a JWK nor PEM without password.")
    return _ok(f"Our key {backend.key_file} can be read, for {used_for}.")


def _said(error: FHIRAccessError) -> str:
    detail = f" ({error.detail})" if error.detail else ""
    return f"{_FAULTS[error.kind]}{detail}"


def _expected_status(*, development: bool) -> int:
    return HTTPStatus.OK if development else HTTPStatus.UNAUTHORIZED


_READINGS: Sequence[tuple[str, float, str]] = (
    ("8867-4", 72, "/min"),
    ("8310-5", 36.8, "Cel"),
    ("8480-6", 124, "mm[Hg]"),
    ("8462-4", 76, "mm[Hg]"),
)
_NO_CARDS: Mapping[str, str] = {
    "paused": "it, or the whole service, is paused (clients resume).",
    "no_permission": "its data may not be used for cards (--care).",
    "silent_mode": "its mode is silent: assessments are stored, nothing is shown (clients mode).",
    "simulated_model": "the live model was trained on simulated patients (C13).",
}
