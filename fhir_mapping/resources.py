"""FHIR R4 resources validated whole, in and out: the only importer of `fhir.resources`.

Its R4B models (4.3.0) are those of R4 (4.0.1) for the resources used here. Importing it takes
0.2 s and validating a chart of 200 Observations 30 ms, so the hot path reads with
`fhir_mapping.elements`, and a test holds that serving `disease-severity` does not import this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

import msgspec
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from fhir_mapping.errors import MappingError

OUTGOING: tuple[str, ...] = (
    "CapabilityStatement",
    "CodeSystem",
    "ConceptMap",
    "Condition",
    "OperationDefinition",
    "OperationOutcome",
    "RiskAssessment",
    "ValueSet",
)
"""Resource types this service sends."""

MAX_ISSUES: Final = 20
"""Issues told of one resource; a longer list helps nobody."""

# What pydantic found, in words that hold nothing of what was received.
_MESSAGES: Mapping[str, str] = {
    "missing": "is missing",
    "model_field_validation.missing": "is missing",
    "extra_forbidden": "holds an element that FHIR R4 does not have here",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "json_invalid": "must be an object",
    "json_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_type": "must be text",
    "string_pattern_mismatch": "does not have the form FHIR asks for",
    "string_too_short": "is empty",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "url_parsing": "must be a URL",
}
_OTHER = "is not valid in FHIR R4"
_BETWEEN = "breaks a rule between its elements, such as one value of a choice like onset[x]"


@dataclass(frozen=True, slots=True)
class Issue:
    """One reason why a resource is not valid FHIR R4."""

    element: str
    """FHIRPath of the element, `Condition.code.coding[0].system`."""
    message: str
    """What is wrong with it, without anything of the patient's."""

    def __str__(self) -> str:
        return f"{self.element} {self.message}"


def parse_resource(type_name: str, data: bytes | Mapping[str, Any]) -> dict[str, Any] | list[Issue]:
    """A resource as plain JSON values if it is a valid `type_name`, else what is wrong with it.

    `data` is JSON in UTF-8 or already decoded; the values are given back as received. Structure,
    types, cardinality and choices are checked; FHIRPath invariants, bindings and references are
    not. Never raises for what `data` holds; raises `ValueError` if FHIR R4 has no `type_name`.
    """
    model = get_fhir_model_class(type_name)
    try:
        resource = msgspec.json.decode(data) if isinstance(data, bytes) else dict(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [Issue(type_name, "is not JSON")]
    if not isinstance(resource, dict):
        return [Issue(type_name, "must be an object")]
    if resource.get("resourceType") != type_name:
        return [Issue(f"{type_name}.resourceType", f"must be {type_name}")]
    try:
        valid = model.model_validate(resource)
        taken_wrongly = _taken_wrongly(resource, valid.model_dump(), type_name)
        if taken_wrongly is not None:
            return [taken_wrongly]
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        issues = [_issue(type_name, dict(entry)) for entry in found]
        return list(dict.fromkeys(issues))[:MAX_ISSUES]
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError):
        # The models raise these, instead of a ValidationError, for some malformed contents.
        return [Issue(type_name, _OTHER)]
    return resource


def validate_outgoing(resource: Mapping[str, Any]) -> None:
    """Check a resource before it is sent.

    Raises `MappingError` with its first issue; `ValueError` for a type that is not in `OUTGOING`.
    """
    type_name = str(resource.get("resourceType"))
    if type_name not in OUTGOING:
        raise ValueError(f"This service sends {', '.join(OUTGOING)}, nothing else.")
    parsed = parse_resource(type_name, resource)
    if isinstance(parsed, list):
        raise MappingError(str(parsed[0]), element=parsed[0].element)


def _taken_wrongly(received: object, read: object, path: str) -> Issue | None:
    """A text that the models took for JSON of an object, or a number that they took for a time;
    `None` if there is none."""
    if isinstance(received, Mapping) and isinstance(read, Mapping):
        pairs = [(f"{path}.{name}", value, read.get(name)) for name, value in received.items()]
    elif isinstance(received, list) and isinstance(read, list):
        both = zip(received, read, strict=False)
        pairs = [(f"{path}[{index}]", *values) for index, values in enumerate(both)]
    else:
        if isinstance(received, str) and isinstance(read, Mapping):
            return Issue(path, _MESSAGES["dict_type"])
        if isinstance(received, int | float) and isinstance(read, date | time):
            return Issue(path, "must be text")
        return None
    found = (_taken_wrongly(value, other, place) for place, value, other in pairs)
    return next((issue for issue in found if issue is not None), None)


def _issue(type_name: str, error: Mapping[str, Any]) -> Issue:
    kind = str(error["type"])
    location = error["loc"]
    if kind == "value_error" and not location:
        return Issue(type_name, _BETWEEN)
    if kind == "extra_forbidden":
        location = location[:-1]  # Its name is the sender's, and may hold anything.
    path = type_name
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return Issue(path, _MESSAGES.get(kind, _OTHER))
