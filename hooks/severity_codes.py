"""The one CodeSystem of severity categories and its ValueSet, as FHIR R4 (clinical rule C22).

Used as the topic of a card, in override reasons and in RiskAssessment. The word "terminal" is a
code here and part of a formal Spanish designation; a card shows the other designation (C11).
"""

from collections.abc import Mapping
from typing import Any

from model.severity import SEVERITIES, Severity

VERSION = "1.0.0"
"""Version of CodeSystem and ValueSet; changes with any code, display or definition."""

DISPLAYS: Mapping[str, Mapping[Severity, str]] = {
    "en": {
        Severity.NOT_ILL: "Not ill",
        Severity.MILD: "Mild illness",
        Severity.ACUTE: "Acute illness",
        Severity.CHRONIC: "Chronic illness",
        Severity.TERMINAL: "Advanced or life-limiting illness",
    },
    "es": {
        Severity.NOT_ILL: "No enfermo",
        Severity.MILD: "Enfermedad leve",
        Severity.ACUTE: "Enfermedad aguda",
        Severity.CHRONIC: "Enfermedad crónica",
        Severity.TERMINAL: "Enfermedad avanzada o limitante de la vida",
    },
}
"""What a clinician reads, by language (C11)."""

_FORMAL_SPANISH: Mapping[Severity, str] = {
    Severity.TERMINAL: "Enfermedad avanzada o terminal",
}

_DEFINITIONS: Mapping[Severity, str] = {
    Severity.NOT_ILL: "Seen, and no disease found.",
    Severity.MILD: "Self-limiting disease of low acuity.",
    Severity.ACUTE: "Sudden or severe disease that needs care now.",
    Severity.CHRONIC: "Disease that lasts 12 months or more, or is so classified.",
    Severity.TERMINAL: (
        "Disease in palliative, hospice or end-stage care, as recorded by clinicians."
    ),
}


def code_system_url(public_url: str) -> str:
    """Canonical URL of the CodeSystem under the service's public URL."""
    return f"{public_url.rstrip('/')}/fhir/CodeSystem/severity-category"


def value_set_url(public_url: str) -> str:
    """Canonical URL of the ValueSet under the service's public URL."""
    return f"{public_url.rstrip('/')}/fhir/ValueSet/severity-category"


def severity_coding(severity: Severity, public_url: str, language: str) -> dict[str, str]:
    """The category as a Coding with its display in `language` (`en`, `es`)."""
    return {
        "system": code_system_url(public_url),
        "code": severity.value,
        "display": DISPLAYS[language][severity],
    }


def severity_code_system(public_url: str) -> dict[str, Any]:
    """The CodeSystem resource, English displays with Spanish designations."""
    return {
        "resourceType": "CodeSystem",
        "id": "severity-category",
        "url": code_system_url(public_url),
        "version": VERSION,
        "name": "SeverityCategory",
        "title": "Severity category",
        "status": "active",
        "experimental": False,
        "description": "Severity of a patient's present state, in five exclusive categories.",
        "caseSensitive": True,
        "valueSet": value_set_url(public_url),
        "content": "complete",
        "count": len(SEVERITIES),
        "concept": [_concept(severity) for severity in SEVERITIES],
    }


def severity_value_set(public_url: str) -> dict[str, Any]:
    """The ValueSet resource: every code of the CodeSystem."""
    return {
        "resourceType": "ValueSet",
        "id": "severity-category",
        "url": value_set_url(public_url),
        "version": VERSION,
        "name": "SeverityCategory",
        "title": "Severity category",
        "status": "active",
        "experimental": False,
        "description": "All severity categories.",
        "compose": {"include": [{"system": code_system_url(public_url)}]},
    }


def _concept(severity: Severity) -> dict[str, Any]:
    spanish = [DISPLAYS["es"][severity]]
    if severity in _FORMAL_SPANISH:
        spanish.insert(0, _FORMAL_SPANISH[severity])
    return {
        "code": severity.value,
        "display": DISPLAYS["en"][severity],
        "definition": _DEFINITIONS[severity],
        "designation": [{"language": "es", "value": text} for text in spanish],
    }
