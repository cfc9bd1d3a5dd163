"""An assessment as a FHIR R4 RiskAssessment (clinical rules C7, C9 to C11, C19 and C22). Pure.

See https://hl7.org/fhir/R4/riskassessment.html. `when` stays empty: what is estimated is a present
state.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from fhir_mapping.readings import Reading, Skipped
from fhir_mapping.skipping import NOT_USED, OPERATION_OUTCOME, SUPERSEDED, UNPAIRED, WRONG_TYPE
from hooks.card_text import TOP_REASONS, CardText
from hooks.findings import Findings
from hooks.protocol import operation_outcome
from hooks.reading_text import ReadingText
from hooks.severity_codes import severity_coding
from hooks.wording import Wording, from_data, sentence
from model.severity import SEVERITIES, Severity

OPERATION: Final = "assess-severity"
"""Code of the FHIR operation that makes one."""
DEVICE_ID: Final = "service"
"""Id of the contained Device that performed the assessment."""
MAX_NOT_USED: Final = 20
"""Resources that were not used and are named; how many more there are is said."""

_NO_FAULT = (SUPERSEDED, UNPAIRED, NOT_USED, WRONG_TYPE, OPERATION_OUTCOME)
"""Reasons of resources there is nothing wrong with; of an error, newer readings may exist."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a RiskAssessment is made of. Ids are not shown by `repr`."""

    id: str
    """Of the assessment."""
    at: datetime
    """The prediction time, aware."""
    subject: str = field(repr=False)
    """Reference to the patient, as received."""
    encounter_id: str | None = field(repr=False)
    findings: Findings = field(repr=False)
    model_kind: str | None
    """`xgboost`, `logistic`; `None` if it is not known any more."""
    sandbox: bool = False
    """For a test environment, which the text names (C13)."""
    places: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`Observation/{id}` → where it stood in what was posted."""


def risk_assessment(
    told: Told,
    wording: Wording,
    *,
    public_url: str,
    software_version: str,
    held_back: str | None = None,
) -> dict[str, Any]:
    """The resource, without empty elements.

    One prediction for each category the model covers, in the order of the categories;
    `probabilityDecimal` is a percentage. A probability that would lower concern where that is not
    allowed (C7, C9) is not stated, and its `rationale` says so. The category chosen by the
    operating thresholds is the one with a `qualitativeRisk`. Without a category there is no
    prediction, and `note` says why. `held_back` is why the client is told nothing (C13): then
    the status is `registered`, and there is no more than a note.
    """
    findings = told.findings
    say = wording.say
    resource: dict[str, Any] = {
        "resourceType": "RiskAssessment",
        "id": told.id,
        "language": wording.language,
        "contained": [_device(told, wording, software_version)],
        "status": "preliminary" if findings.maybe_not_latest else "final",
        "method": {"text": _method(told, wording)},
        "code": {"text": say("source")},
        "subject": {"reference": told.subject},
        "encounter": {"reference": f"Encounter/{told.encounter_id}"},
        "occurrenceDateTime": told.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "performer": {"reference": f"#{DEVICE_ID}"},
        "basis": _basis(findings.extraction.readings, wording),
        "prediction": _predictions(findings, wording, public_url),
        "note": [{"text": text} for text in _notes(told, wording)],
    }
    if told.encounter_id is None:
        del resource["encounter"]
    resource = {name: value for name, value in resource.items() if value != []}
    return resource if held_back is None else without_result(resource, held_back)


def without_result(resource: Mapping[str, Any], held_back: str) -> dict[str, Any]:
    """The same while the client is told nothing: no prediction, and a note that says why.

    `held_back` is a reason of `cds_service.security.clients.held_back`.
    """
    wording = Wording("es" if resource.get("language") == "es" else "en")
    note = wording.say("risk.held_back", reason=wording.say(f"risk.held_back.{held_back}"))
    kept = {name: value for name, value in resource.items() if name != "prediction"}
    return kept | {"status": "registered", "note": [{"text": note}]}


def _device(told: Told, wording: Wording, software_version: str) -> dict[str, Any]:
    """The service that assessed, with its version and that of the model."""
    versions = [{"type": {"text": "software"}, "value": software_version}]
    if told.findings.facts is not None:
        versions.append({"type": {"text": "model"}, "value": told.findings.facts.version})
    return {
        "resourceType": "Device",
        "id": DEVICE_ID,
        "deviceName": [{"name": "cds-service", "type": "other"}],
        "type": {"text": wording.say("source")},
        "version": versions,
    }


def _method(told: Told, wording: Wording) -> str:
    """Which model estimated, and whether it learnt from simulated patients."""
    facts = told.findings.facts
    if facts is None:
        return wording.say("risk.method.none")
    version = from_data(facts.version)
    if told.model_kind is not None:
        version = f"{version} ({from_data(told.model_kind)})"
    text = wording.say("risk.method", version=version)
    return f"{text} {wording.say('simulated')}" if facts.simulated else text


def _basis(readings: Sequence[Reading], wording: Wording) -> list[dict[str, str]]:
    """The Observations used, each once. One without an id is named by what it measured."""
    basis: list[dict[str, str]] = []
    for reading in readings:
        if reading.reference is None:
            name = sentence(wording.say(f"feature.{reading.feature}"))
            given = {"type": "Observation", "display": f"{name}, {reading.received_time}"}
        else:
            given = {"reference": reading.reference}
        if given not in basis:
            basis.append(given)
    return basis


def _predictions(findings: Findings, wording: Wording, public_url: str) -> list[dict[str, Any]]:
    assessment = findings.assessment
    if assessment is None:
        return []
    predictions = []
    for severity in SEVERITIES:
        if severity not in assessment.probabilities:
            continue  # Not covered by the history: no probability, never 0 (C19).
        prediction: dict[str, Any] = {
            "outcome": {
                "coding": [severity_coding(severity, public_url, wording.language)],
                "text": wording.display(severity),
            }
        }
        if findings.may_state(severity):
            percent = 100 * assessment.probabilities[severity]
            prediction["probabilityDecimal"] = round(percent, 2)
            if severity is findings.category:
                prediction["qualitativeRisk"] = {"text": wording.say("risk.chosen")}
            prediction["rationale"] = _rationale(findings, severity, wording)
        else:
            why = findings.why_not_stated(severity)
            prediction["rationale"] = wording.say(f"risk.not_stated.{why}")
        predictions.append(prediction)
    return predictions


def _rationale(findings: Findings, severity: Severity, wording: Wording) -> str:
    """The percentage against the usual one, and what moved the prediction most (C11)."""
    assessment, facts, say = findings.assessment, findings.facts, wording.say
    if assessment is None:
        raise ValueError("no rationale without an assessment")
    percent = _percent(assessment.probabilities[severity], wording)
    texts = []
    if severity is Severity.TERMINAL and findings.category is severity:
        texts.append(say("terminal") + ".")
    if facts is None or severity not in facts.base_rates:
        texts.append(say("risk.estimate.alone", percent=percent))
    else:
        usual = _percent(facts.base_rates[severity], wording)
        usual = say("usual.simulated", usual=usual) if facts.simulated else usual
        texts.append(say("risk.estimate", percent=percent, usual=usual))
    readings = ReadingText(findings.extraction, wording)
    given = assessment.contributions.get(severity, ())
    reasons = [
        say(
            "reason.for" if reason.value > 0 else "reason.against",
            reading=readings.reason(reason.reason),
        )
        for reason in given
        if reason.value != 0
    ][:TOP_REASONS]
    if reasons:
        heading = say("reasons", category=wording.category(severity))
        texts.append(f"{heading} {'; '.join(reasons)}.")
    return " ".join(texts)


def _percent(probability: float, wording: Wording) -> str:
    """ "83 %"; under 1 and over 99 no more than that: a model is never that sure (C11)."""
    percent = round(probability * 100, 9)
    if percent < 1:
        return wording.say("risk.percent.below")
    if percent > 99:
        return wording.say("risk.percent.above")
    return wording.say("risk.percent", n=math.floor(percent + 0.5))


def _notes(told: Told, wording: Wording) -> list[str]:
    """What a card would say, and what of the resources sent was not used."""
    text = CardText(told.findings, wording, sandbox=told.sandbox)
    not_used = _not_used(told.findings.extraction.skipped, told.places, wording)
    return [text.summary(), text.detail(), *([not_used] if not_used else [])]


def _not_used(
    skipped: Sequence[Skipped], places: Mapping[str, str], wording: Wording
) -> str | None:
    """Resources that could not be used: where they stand, or how many, and why."""
    counts: dict[tuple[str, str], int] = {}
    for item in skipped:
        if item.reason not in _NO_FAULT:
            place = places.get(item.reference or "", _resource_type(item.resource_type, wording))
            named = place, wording.say(f"missing.{item.reason}")
            counts[named] = counts.get(named, 0) + 1
    if not counts:
        return None
    texts = [
        wording.say("missing.group", names=f"{n} {place}" if n > 1 else place, reason=reason)
        for (place, reason), n in counts.items()
    ]
    shown = ", ".join(texts[:MAX_NOT_USED])
    if len(texts) > MAX_NOT_USED:
        shown = wording.say("list.more", names=shown, n=len(texts) - MAX_NOT_USED)
    return wording.say("risk.not_used", names=shown)


def _resource_type(name: str, wording: Wording) -> str:
    """A resource type as received, escaped; what it is not, is said."""
    return wording.say("risk.resource") if name == "unknown" else from_data(name)


def not_assessed(wording: Wording) -> dict[str, Any]:
    """The OperationOutcome in its place for a patient who is not assessed; why is not told (C2)."""
    return operation_outcome("information", "informational", wording.say("risk.not_assessed"))
