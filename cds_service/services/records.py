"""What is kept of an assessment, and what an integrator is shown of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from cds_service.security.clients import Client
from cds_service.security.secrecy import Secrecy
from fhir_mapping.readings import Extraction
from hooks.cards import CardDecision
from hooks.contexts import PatientViewContext
from hooks.disease_severity import Situation
from hooks.protocol import encode
from hooks.risk_assessment import without_result
from hooks.wording import Language
from model.assessment import Assessment
from model.features import ROW_NAMES, FeatureRow

EXTENSION = "org.cds-service.assessment"
"""Key of the extension that tells an integrator what was used and skipped, and why (R5)."""


Resources = Mapping[str, msgspec.Raw | Sequence[msgspec.Raw]]
"""Prefetch key → one value, or several that belong together, as raw JSON."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for an assessment, however it came, and what identifies it."""

    id: str
    """Of the assessment."""
    client: Client
    service: str
    """`disease-severity`, or `assess-severity` for `$assess-severity`."""
    instance: str
    """`hookInstance`: the same again is the same call (C12)."""
    context: PatientViewContext
    fhir_server: str | None
    """FHIR base URL the request names."""
    base: str
    """FHIR base URL the patient belongs to (C3)."""
    patient_keys: list[str]
    """Keyed hash of the patient, under the newest secret key first."""
    encounter_keys: list[str] | None
    """The same of the encounter; `None` if there is none."""
    prediction_time: datetime
    request_hash: str
    language: Language
    actor: str
    """Who asked, as it stands in the audit trail: the client, or a person at a page of ours."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one chart, and what it stands on."""

    extraction: Extraction
    assessment: Assessment | None
    decision: CardDecision
    response: bytes
    """The body as sent."""


def assessment_record(
    call: Call, answer: Answer, model_version: str, secrecy: Secrecy
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The rows of the tables `assessments` and `cards`.

    Of an excluded patient (C2) nothing is kept but that there was a call.
    """
    extraction, assessment, decision = answer.extraction, answer.assessment, answer.decision
    excluded = decision.kind is Situation.EXCLUDED
    record: dict[str, Any] = {
        "id": call.id,
        "client": call.client.name,
        "service": call.service,
        "hook_instance": call.instance,
        "request_hash": call.request_hash,
        "prediction_time": call.prediction_time,
        "patient_key": call.patient_keys[0],
        "encounter_key": None if call.encounter_keys is None else call.encounter_keys[0],
        "encounter_class": extraction.encounter_class,
        "situation": decision.kind.value,
        "features": None if excluded else feature_json(extraction.row),
        "provenance": None if excluded else _provenance(extraction),
        "probabilities": None,
        "category": None,
        "prediction_set": None,
        "contributions": None,
        "atypicality": None,
        "model_version": None if excluded else model_version,
        "indicator": None if decision.indicator is None else decision.indicator.value,
        "suppressed": decision.suppressed_reason,
        "advice_hash": None if excluded else advice_hash(call, answer, model_version),
        "identifiers": secrecy.encrypt(encode(_identifiers(call, extraction, excluded=excluded))),
        "response": secrecy.encrypt(answer.response),
    }
    if assessment is not None:
        record |= {
            "probabilities": {code.value: p for code, p in assessment.probabilities.items()},
            "category": assessment.category.value,
            "prediction_set": [code.value for code in assessment.prediction_set],
            "contributions": {
                code.value: {c.reason: c.value for c in contributions}
                for code, contributions in assessment.contributions.items()
            },
            "atypicality": assessment.atypicality,
        }
        # Not of a patient but of the model: their names may be kept as they are.
        record["provenance"]["rare_matches"] = msgspec.to_builtins(assessment.rare_matches)
    if not decision.cards:
        return record, None
    (shown,) = decision.cards
    return record, {
        "uuid": decision.card_uuid,
        "assessment_id": call.id,
        "kind": decision.kind.value,
        "indicator": shown["indicator"],
        "suggestion_uuid": decision.suggestion_uuid,
    }


def advice_hash(call: Call, answer: Answer, model_version: str) -> str:
    """Of what makes advice the same advice: encounter, readings, model, category, and rare
    diseases on record (C12)."""
    readings = [(r.feature, r.value, r.received_time) for r in answer.extraction.readings]
    encounter = None if call.encounter_keys is None else call.encounter_keys[0]
    said = (call.client.name, call.patient_keys[0], encounter, readings, model_version)
    decided = (answer.decision.kind, answer.decision.category, answer.decision.indicator)
    # Only where there are any, so that what was hashed before there were stays the same.
    rare = sorted(one.code for one in answer.extraction.rare)
    return sha256(encode([said, decided, *([rare] if rare else [])])).hexdigest()


def feature_json(row: FeatureRow) -> dict[str, Any]:
    """The row as it was scored, with the age of each reading (min)."""
    values = {name: row.value(name) for name in ROW_NAMES}
    return {name: value for name, value in values.items() if value is not None} | {
        "minutes_before": dict(row.minutes_before)
    }


def row_of(features: Mapping[str, Any]) -> FeatureRow:
    """The row `feature_json` was made from."""
    return FeatureRow(**features)


def integration_extension(assessment_id: str, extraction: Extraction) -> dict[str, Any]:
    """What was used, what is missing and what was skipped, each with its reason (R5: an object
    under a globally unique key)."""
    told = {
        "used": _entries(extraction.readings),
        "missing": _entries(extraction.missing),
        "skipped": _entries(extraction.skipped),
    }
    kept = {name: entries for name, entries in told.items() if entries}
    return {EXTENSION: {"assessment": assessment_id} | kept}


def _provenance(extraction: Extraction) -> dict[str, Any]:
    """Readings as received, without the ids that name the patient's resources."""
    told: dict[str, Any] = {
        "readings": msgspec.to_builtins(extraction.readings),
        "missing": msgspec.to_builtins(extraction.missing),
        "skipped": msgspec.to_builtins(extraction.skipped),
        "maybe_not_latest": extraction.maybe_not_latest,
        "pregnant": extraction.pregnant,
        "age_is_approximate": extraction.patient.age_is_approximate,
        "rare": [one.code for one in extraction.rare],
        "known_before": sorted(one.value for one in extraction.known_before),
    }
    for entry in (*told["readings"], *told["skipped"]):
        del entry["reference"]
    for entry in told["skipped"]:
        for name in ("code", "unit"):
            if entry[name] is None:
                del entry[name]
    return told


def _identifiers(call: Call, extraction: Extraction, *, excluded: bool) -> dict[str, Any]:
    context = call.context
    identifiers: dict[str, Any] = {"user": context.user_id, "base": call.base}
    if not excluded:
        identifiers |= {
            "patient": context.patient_id,
            "encounter": context.encounter_id,
            "observations": {r.feature: r.reference for r in extraction.readings},
            # Names come from the chart as free text.
            "rare_names": {one.code: one.name for one in extraction.rare},
        }
    return identifiers


def _entries(found: Any) -> list[dict[str, Any]]:
    """As JSON, one flat object each, without members that are null, "", [] or {} (R2)."""
    return [
        {name: value for name, value in entry.items() if value not in (None, "", (), [], {})}
        for entry in msgspec.to_builtins(found)
    ]


def withheld(response: bytes, held_back: str) -> bytes:
    """A stored answer for a client that is told nothing now (C13): no cards, no prediction.

    `held_back` is a reason of `security.clients.held_back`. What held no result stays as it is.
    """
    stored = msgspec.json.decode(response, type=dict[str, Any])
    if stored.get("cards"):
        return encode(stored | {"cards": []})
    if "prediction" in stored:
        return encode(without_result(stored, held_back))
    return response
