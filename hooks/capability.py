"""What the service offers as FHIR R4: CapabilityStatement and OperationDefinition.

Made from one table of what is routed, so that neither can promise more than there is.
See https://hl7.org/fhir/R4/capabilitystatement.html.
"""

from dataclasses import dataclass
from typing import Any, Final

from hooks.risk_assessment import OPERATION

CHANGED: Final = "2026-11-21"
"""Day on which what is offered changed last."""
FHIR_VERSION: Final = "4.0.1"


@dataclass(frozen=True, slots=True)
class Offer:
    """One interaction and the route that answers it."""

    method: str
    path: str
    """As routed, `{…}` for what varies."""
    interaction: str | None
    """Of value set type- or system-restful-interaction; `None` for an operation and for what is no
    FHIR interaction."""
    resource_type: str | None = None
    """`None` for an interaction of the whole system."""
    note: str | None = None


_CONDITIONS_ONLY = (
    "Diagnoses to learn from: classified and compared with assessments. The resource itself is "
    "not kept, so it cannot be read or searched."
)
_ENTRIES = (
    "Entries: Condition (create, update, delete); Patient and Encounter (create, update) are read "
    "as context."
)
_MERGES = "Only `link` is read: patients that were merged. The resource is not kept."

OFFERS: tuple[Offer, ...] = (
    Offer("GET", "/fhir/metadata", None),
    Offer("POST", f"/fhir/${OPERATION}", None),
    Offer("POST", "/fhir", "batch", note=_ENTRIES),
    Offer("POST", "/fhir", "transaction", note=_ENTRIES),
    Offer("GET", "/fhir/CodeSystem/severity-category", "read", "CodeSystem"),
    Offer("GET", "/fhir/CodeSystem/card-topic", "read", "CodeSystem"),
    Offer("POST", "/fhir/Condition", "create", "Condition"),
    Offer("PUT", "/fhir/Condition/{condition_id}", "update", "Condition"),
    Offer("DELETE", "/fhir/Condition/{condition_id}", "delete", "Condition"),
    Offer("GET", f"/fhir/OperationDefinition/{OPERATION}", "read", "OperationDefinition"),
    Offer("POST", "/fhir/Patient", "create", "Patient"),
    Offer("PUT", "/fhir/Patient/{patient_id}", "update", "Patient"),
    Offer("GET", "/fhir/RiskAssessment/{identifier}", "read", "RiskAssessment"),
    Offer("POST", "/fhir/subscriptions", None),
    Offer("PUT", "/fhir/subscriptions/{type_name}/{identifier}", None),
    Offer("DELETE", "/fhir/subscriptions/{type_name}/{identifier}", None),
    Offer("GET", "/fhir/ValueSet/severity-category", "read", "ValueSet"),
)
"""Every route under `/fhir`; a test compares it with the routes of the application."""

_TYPES: dict[str, dict[str, Any]] = {
    "CodeSystem": {"documentation": "The severity categories, and what a card can be about."},
    "Condition": {
        "documentation": _CONDITIONS_ONLY,
        "versioning": "versioned-update",
        "readHistory": False,
        "updateCreate": True,
        "conditionalCreate": False,
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
    },
    "OperationDefinition": {"documentation": f"What ${OPERATION} takes and gives."},
    "Patient": {"documentation": _MERGES, "updateCreate": True},
    "RiskAssessment": {
        "documentation": (
            "An assessment made before, by the operation or for a card; a caller reads its own. "
            "probabilityDecimal is a percentage."
        )
    },
    "ValueSet": {"documentation": "All severity categories."},
}


def operation_url(public_url: str) -> str:
    """Canonical URL of the OperationDefinition under the service's public URL."""
    return f"{public_url.rstrip('/')}/fhir/OperationDefinition/{OPERATION}"


def capability_statement(public_url: str, *, software_version: str) -> dict[str, Any]:
    """The CapabilityStatement of this instance."""
    base = f"{public_url.rstrip('/')}/fhir"
    operation = {"name": OPERATION, "definition": operation_url(public_url)}
    return {
        "resourceType": "CapabilityStatement",
        "id": "cds-service",
        "url": f"{base}/metadata",
        "version": software_version,
        "name": "CDSService",
        "title": "Severity from vital signs",
        "status": "active",
        "date": CHANGED,
        "description": (
            "Assessments of severity from age and vital signs, and diagnoses to compare them with. "
            "Decision support, not a diagnosis."
        ),
        "kind": "instance",
        "software": {"name": "cds-service", "version": software_version},
        "implementation": {"description": "Severity from vital signs", "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "What holds no patient data is public. POST /fhir/subscriptions takes "
                    "Subscription notifications. There is no search."
                ),
                "security": {
                    "description": (
                        "Bearer token: a signed JWT of a CDS client that is agreed on, or a secret "
                        "issued to it with the rights assess, read or conditions."
                    ),
                },
                "resource": [_resource(name) for name in sorted(_TYPES)],
                "interaction": [
                    {"code": offer.interaction, "documentation": offer.note}
                    for offer in OFFERS
                    if offer.interaction is not None and offer.resource_type is None
                ],
                "operation": [operation],
            }
        ],
    }


def assess_severity_definition(public_url: str) -> dict[str, Any]:
    """The OperationDefinition of `$assess-severity`."""
    return {
        "resourceType": "OperationDefinition",
        "id": OPERATION,
        "url": operation_url(public_url),
        "version": "1.0.0",
        "name": "AssessSeverity",
        "title": "Assess severity from vital signs",
        "status": "active",
        "kind": "operation",
        "experimental": False,
        "date": CHANGED,
        "description": (
            "Assesses one patient from a Patient and Observations, and stores the assessment. The "
            "body is Parameters, or a Bundle of the same resources by itself. The same "
            "Idempotency-Key with the same body gets the same answer. Of a patient who is not "
            "assessed (deceased, a test patient, opted out) the answer is an OperationOutcome."
        ),
        "affectsState": True,
        "code": OPERATION,
        "system": True,
        "type": False,
        "instance": False,
        "parameter": [
            _parameter("patient", 0, "1", "Patient", "Required here or in `bundle`."),
            _parameter(
                "observation", 0, "*", "Observation", "Vital signs, each with subject and time."
            ),
            _parameter(
                "encounter",
                0,
                "1",
                "Encounter",
                "How old readings may be depends on its class. A Reference is taken too.",
            ),
            _parameter(
                "condition", 0, "*", "Condition", "A known pregnancy is recognised by them."
            ),
            _parameter("bundle", 0, "1", "Bundle", "All of these in one."),
            _parameter(
                "subject",
                0,
                "1",
                "Reference",
                "Who the patient is, where the Patient has no id.",
            ),
            _parameter(
                "return",
                0,
                "1",
                "RiskAssessment",
                "One prediction for each category; none, and a note why, without a category.",
                use="out",
            ),
        ],
    }


def _resource(name: str) -> dict[str, Any]:
    codes = [offer.interaction for offer in OFFERS if offer.resource_type == name]
    interactions = [{"code": code} for code in dict.fromkeys(codes)]
    return {"type": name, **_TYPES[name], "interaction": interactions}


def _parameter(
    name: str, least: int, most: str, kind: str, documentation: str, *, use: str = "in"
) -> dict[str, Any]:
    return {
        "name": name,
        "use": use,
        "min": least,
        "max": most,
        "documentation": documentation,
        "type": kind,
    }
