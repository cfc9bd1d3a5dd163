"""Stored assessments as RiskAssessments: `GET /fhir/RiskAssessment/{id}`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.logs import LOGGER
from cds_service.security.clients import Client, held_back
from cds_service.services.records import row_of
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from fhir_mapping.errors import MappingError
from fhir_mapping.readings import (
    Extraction,
    Missing,
    MissingReason,
    PatientFacts,
    RareOnRecord,
    Reading,
    Skipped,
)
from fhir_mapping.resources import validate_outgoing
from hooks.disease_severity import DEFAULT_POPULATION, Situation
from hooks.findings import Findings, find
from hooks.protocol import encode
from hooks.risk_assessment import OPERATION, Told, risk_assessment, without_result
from hooks.wording import Language, Wording
from model.assessment import Assessment, Contribution, ModelFacts, RareMatch
from model.errors import ModelError
from model.scorer import Scorer
from model.severity import SEVERITIES, Severity

SOFTWARE_VERSION: Final = version("cds-service")
HELD_BACK = frozenset({"paused", "no_permission", "silent_mode", "simulated_model"})
"""Reasons of `held_back`, as they are stored in the column `suppressed`."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class RiskAssessmentService:
    """Reads assessments back."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def read(self, identifier: str, client: Client, language: Language | None = None) -> bytes:
        """One assessment of this client, however it was asked for; the reading is audited.

        What `$assess-severity` answered is given again as it was; what answered `patient-view`
        with cards is made from what is stored. Of what was held back (C13), or is while the
        client or the service is paused, there is no result. Raises `NotFoundError` for another
        client's, and for a patient who was not assessed (C2).
        """
        row = self._row(identifier, client) if _UUID.fullmatch(identifier) else None
        if row is None:
            raise NotFoundError("There is no such RiskAssessment.", element="id")
        chosen = client.settings.language or language or self._context.settings.language
        try:
            resource = self._resource(row, client, Wording(chosen))
        except _UnreadableError:
            raise NotFoundError(
                "The RiskAssessment cannot be read any more: its secret key is gone.", element="id"
            ) from None
        held = held_of(self._context, row, client)
        if held is not None:
            resource = without_result(resource, held)
        self._audit(row, client)
        return encode(sendable(resource))

    def _row(self, identifier: str, client: Client) -> dict[str, Any] | None:
        with reading(self._context.engine) as connection:
            row = AssessmentStore(connection).get(identifier, client.name)
        excluded = row is not None and row["situation"] == Situation.EXCLUDED.value
        return None if excluded else row

    def _audit(self, row: Mapping[str, Any], client: Client) -> None:
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=f"client:{client.name}",
                action="read",
                object_type="assessment",
                object_id=row["id"],
            )

    def _resource(self, row: Mapping[str, Any], client: Client, wording: Wording) -> dict[str, Any]:
        if row["service"] == OPERATION:
            answered: dict[str, Any] = msgspec.json.decode(self._decrypt(row["response"]))
            return answered
        identifiers = msgspec.json.decode(self._decrypt(row["identifiers"]))
        kind, facts = model_of(self._context, row)
        told = Told(
            id=row["id"],
            at=row["prediction_time"],
            subject=f"Patient/{identifiers['patient']}",
            encounter_id=identifiers["encounter"],
            findings=stored_findings(row, identifiers, facts),
            model_kind=kind,
            sandbox=client.policy.sandbox,
        )
        return risk_assessment(
            told,
            wording,
            public_url=self._context.settings.base_url,
            software_version=SOFTWARE_VERSION,
        )

    def _decrypt(self, data: bytes) -> bytes:
        try:
            return self._context.secrecy.decrypt(data)
        except ValueError:
            raise _UnreadableError from None


class _UnreadableError(Exception):
    """No secret key reads the row any more."""


def identifiers_of(context: ProcessContext, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Whose assessment it is; `None` where nothing was kept of the patient (C2), or no key reads it
    any more."""
    if row["situation"] == Situation.EXCLUDED.value:
        return None
    try:
        found: dict[str, Any] = msgspec.json.decode(context.secrecy.decrypt(row["identifiers"]))
    except ValueError:
        return None
    return found


def held_of(context: ProcessContext, row: Mapping[str, Any], client: Client) -> str | None:
    """Why nothing is told of a stored assessment (C13): it was held back, or its client is now."""
    if row["suppressed"] in HELD_BACK:
        return str(row["suppressed"])
    scorer = context.champion.scorer
    facts = _unknown(row, simulated=False) if scorer is None else scorer.facts
    return held_back(client, facts, paused=context.directory.paused)


def model_of(context: ProcessContext, row: Mapping[str, Any]) -> tuple[str | None, ModelFacts]:
    """Kind and facts of the model that assessed, which may not be the live one any more."""
    scorer = context.champion.scorer
    if scorer is not None and scorer.facts.version == row["model_version"]:
        return scorer.artefact.estimator.kind, scorer.facts
    with reading(context.engine) as connection:
        model = ModelStore(connection).version(row["model_version"])
    if model is None:
        return None, _unknown(row, simulated=False)
    try:
        return _load_facts(model["location"], model["version"], model["checksum"])
    except (ModelError, OSError) as error:
        LOGGER.warning(
            "model of an assessment not read",
            extra={"version": model["version"], "why": str(error)},
        )
        return None, _unknown(row, simulated=model["simulated"])


def scorer_of(context: ProcessContext, row: Mapping[str, Any]) -> Scorer | None:
    """The model that assessed, or `None` if its files cannot be read any more."""
    scorer = context.champion.scorer
    if scorer is not None and scorer.facts.version == row["model_version"]:
        return scorer
    with reading(context.engine) as connection:
        model = ModelStore(connection).version(row["model_version"])
    if model is None:
        return None
    try:
        return _load_scorer(model["location"], model["version"], model["checksum"])
    except (ModelError, OSError):
        # `model_of` has logged it.
        return None


def sendable(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource, checked as FHIR R4 (1 ms). Raises `RuntimeError`: a fault of ours."""
    try:
        validate_outgoing(resource)
    except MappingError as error:
        raise RuntimeError(f"a resource of ours is not valid: {error}") from None
    return resource


def stored_findings(
    row: Mapping[str, Any], identifiers: Mapping[str, Any], facts: ModelFacts
) -> Findings:
    """The findings of a row of `assessments`, with its decrypted `identifiers`.

    The same as at the time of the call, but for the ids of resources that were skipped, which
    are not stored.
    """
    extraction = _extraction(row, identifiers)
    situation = Situation(row["situation"])
    assessment = _assessment(row, facts) if situation is Situation.SCORED else None
    found = find(extraction, assessment, facts, situation)
    if Severity.ACUTE in facts.thresholds or assessment is None:
        return found
    # Its threshold went with the model's files. Less than was shown would lower concern (C9, C10).
    was_flagged = row["indicator"] == "critical" or (
        row["indicator"] == "warning" and not found.red
    )
    return replace(found, acute_flagged=was_flagged)


def _extraction(row: Mapping[str, Any], identifiers: Mapping[str, Any]) -> Extraction:
    provenance, features = row["provenance"], row_of(row["features"])
    references = identifiers["observations"]
    missing = tuple(msgspec.convert(provenance["missing"], list[Missing]))
    reasons: dict[str, MissingReason] = {item.feature: item.reason for item in missing}
    readings = [
        entry | {"reference": references.get(entry["feature"])} for entry in provenance["readings"]
    ]
    skipped = [entry | {"reference": None} for entry in provenance["skipped"]]
    return Extraction(
        row=features,
        patient=PatientFacts(
            age=features.age,
            age_reason=reasons.get("age"),
            age_is_approximate=provenance.get("age_is_approximate", False),
            sex=features.sex,
            deceased=False,
            test_patient=False,
            opted_out=False,
        ),
        readings=tuple(msgspec.convert(readings, list[Reading])),
        missing=missing,
        skipped=tuple(msgspec.convert(skipped, list[Skipped])),
        pregnant=provenance["pregnant"],
        encounter_class=row["encounter_class"],
        maybe_not_latest=provenance["maybe_not_latest"],
        # Rows from before this was read have none.
        rare=tuple(
            RareOnRecord(code, identifiers.get("rare_names", {}).get(code))
            for code in provenance.get("rare", ())
        ),
        known_before=frozenset(map(Severity, provenance.get("known_before", ()))),
    )


def _assessment(row: Mapping[str, Any], facts: ModelFacts) -> Assessment:
    given = row["probabilities"]
    probabilities = {code: given[code.value] for code in SEVERITIES if code.value in given}
    return Assessment(
        probabilities=probabilities,
        category=Severity(row["category"]),
        prediction_set=tuple(Severity(code) for code in row["prediction_set"]),
        contributions={
            Severity(code): tuple(Contribution(reason, value) for reason, value in reasons.items())
            for code, reasons in row["contributions"].items()
        },
        baseline={},
        atypicality=row["atypicality"],
        rare_matches=tuple(
            msgspec.convert(row["provenance"].get("rare_matches", ()), list[RareMatch])
        ),
        above_threshold={
            code: probability >= facts.thresholds[code]
            for code, probability in probabilities.items()
            if code in facts.thresholds
        },
    )


@lru_cache(maxsize=16)
def _load_facts(location: str, name: str, checksum: str) -> tuple[str, ModelFacts]:
    scorer = Scorer.load(Path(location), version=name, expected_checksum=checksum)
    return scorer.artefact.estimator.kind, scorer.facts


@lru_cache(maxsize=2)
def _load_scorer(location: str, name: str, checksum: str) -> Scorer:
    return Scorer.load(Path(location), version=name, expected_checksum=checksum)


def _unknown(row: Mapping[str, Any], *, simulated: bool) -> ModelFacts:
    """What is left to say of a model whose files are gone."""
    low, high = DEFAULT_POPULATION
    return ModelFacts(
        version=row["model_version"],
        simulated=simulated,
        min_age=low,
        max_age=high,
        base_rates={},
        missing_categories=(),
        coverage=0.0,
        excludable=(),
    )
