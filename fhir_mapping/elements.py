"""The parts of FHIR R4 elements that the hot path reads, decoded typed with msgspec.

Only fields that are used are declared; everything else in a resource is skipped unread. A field
of the wrong JSON type fails the decoding of its own resource only. JSON `null` counts as absent,
of a member given twice the last counts (as in `json` of the standard library).
"""

from typing import TypeVar

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises: not JSON or the wrong type; not UTF-8; nested too deeply."""

_StructT = TypeVar("_StructT", bound=msgspec.Struct)

Raw = bytes | msgspec.Raw


class Element(msgspec.Struct, rename="camel", gc=False):
    """Base: FHIR's camel-case names, and no reference cycles for the collector to look for."""


class Coding(Element):
    """https://hl7.org/fhir/R4/datatypes.html#Coding"""

    system: str | None = None
    code: str | None = None


class CodeableConcept(Element):
    """https://hl7.org/fhir/R4/datatypes.html#CodeableConcept"""

    coding: list[Coding] | None = None

    def codes(self, systems: frozenset[str]) -> list[str]:
        """The codes from one of `systems`, in the order received."""
        return [c.code for c in self.coding or () if c.code and c.system in systems]


class Reference(Element):
    """https://hl7.org/fhir/R4/references.html"""

    reference: str | None = None


class Quantity(Element):
    """https://hl7.org/fhir/R4/datatypes.html#Quantity"""

    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Period(Element):
    """https://hl7.org/fhir/R4/datatypes.html#Period"""

    start: str | None = None
    end: str | None = None


class Timing(Element):
    """https://hl7.org/fhir/R4/datatypes.html#Timing"""

    event: list[str] | None = None


class Meta(Element):
    """https://hl7.org/fhir/R4/resource.html#Meta"""

    last_updated: str | None = None


class Measured(Element):
    """What an Observation and its components share: a code and a value, or why there is none.

    Only that the last values are given matters, so their content is not checked.
    """

    code: CodeableConcept | None = None
    value_quantity: Quantity | None = None
    value_integer: object = None
    value_codeable_concept: object = None
    value_string: object = None
    value_boolean: object = None
    value_range: object = None
    value_ratio: object = None
    value_sampled_data: object = None
    value_time: object = None
    value_date_time: object = None
    value_period: object = None
    data_absent_reason: object = None
    modifier_extension: object = None

    def has_other_value(self) -> bool:
        """Whether a `value[x]` is given that is neither a Quantity nor an integer."""
        return any(
            value is not None
            for value in (
                self.value_codeable_concept,
                self.value_string,
                self.value_boolean,
                self.value_range,
                self.value_ratio,
                self.value_sampled_data,
                self.value_time,
                self.value_date_time,
                self.value_period,
            )
        )


class Head(Element):
    """What can be told of any resource."""

    resource_type: str | None = None
    id: str | None = None


class Outline(Head):
    """What is still read of an Observation that does not decode: of whom, of what, and when."""

    code: CodeableConcept | None = None
    subject: Reference | None = None
    effective_date_time: object = None


class Observation(Measured):
    """https://hl7.org/fhir/R4/observation.html"""

    resource_type: str | None = None
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    subject: Reference | None = None
    focus: list[Reference] | None = None
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    effective_timing: Timing | None = None
    issued: str | None = None
    has_member: list[Reference] | None = None
    component: list[Measured] | None = None


class Condition(Head):
    """https://hl7.org/fhir/R4/condition.html"""

    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    onset_date_time: str | None = None
    abatement_date_time: str | None = None
    recorded_date: str | None = None
    modifier_extension: object = None


class Encounter(Head):
    """https://hl7.org/fhir/R4/encounter.html"""

    status: str | None = None
    class_: Coding | None = msgspec.field(default=None, name="class")
    subject: Reference | None = None
    period: Period | None = None


def decode(raw: Raw, as_type: type[_StructT]) -> _StructT | None:
    """`raw` read as `as_type`; `None` where it is not JSON or does not have that shape."""
    try:
        return msgspec.json.decode(raw, type=as_type)
    except UNREADABLE:
        return None


def head(raw: Raw) -> Head:
    """Type and id of a resource, as far as they can be read."""
    return decode(raw, Head) or Head()
