"""The ABO group of an Observation 883-9 or 882-1: from a code, else from a text that is clear.

A group is a finding, not a measurement: no unit, no limits. Codings that name two groups, or a
code that names none, are not read (clinical rule C5: nothing is guessed).
"""

from typing import NamedTuple

import msgspec

from fhir_mapping.codes import ABO_ANSWERS, ABO_FINDINGS, LOINC_SYSTEMS, SNOMED_SYSTEMS
from fhir_mapping.elements import CodeableConcept, Measured
from fhir_mapping.readings import MissingReason
from model.features import read_abo_group


class BloodGroup(NamedTuple):
    """A blood group and what named it."""

    value: str
    """One of `model.features.ABO_GROUPS`."""
    received_value: str
    """The code or the text as received."""
    received_unit: str = ""
    """A group has none."""


class _Value(CodeableConcept):
    text: object = None


def read_blood_group(item: Measured) -> BloodGroup | MissingReason:
    """The group an Observation states, or why there is none.

    Codes of LOINC and SNOMED CT outweigh the text beside them; a text counts where no coding is
    of these systems. A value beside a `dataAbsentReason` breaks invariant obs-6 and is not
    trusted.
    """
    if item.modifier_extension:
        return MissingReason.MALFORMED
    if item.data_absent_reason is not None:
        return MissingReason.DATA_ABSENT
    if item.value_string is not None:
        return _from_text(item.value_string)
    if item.value_codeable_concept is None:
        other = item.value_quantity is not None or item.value_integer is not None
        return (
            MissingReason.MALFORMED
            if other or item.has_other_value()
            else MissingReason.DATA_ABSENT
        )
    try:
        value = msgspec.convert(item.value_codeable_concept, _Value)
    except msgspec.ValidationError:
        return MissingReason.MALFORMED
    named = [(code, ABO_ANSWERS.get(code)) for code in value.codes(LOINC_SYSTEMS)]
    named += [(code, ABO_FINDINGS.get(code)) for code in value.codes(SNOMED_SYSTEMS)]
    if not named:
        return _from_text(value.text)
    groups = {group for _, group in named}
    code, group = named[0]
    if len(groups) > 1 or group is None:
        return MissingReason.MALFORMED
    return BloodGroup(group, code)


def _from_text(text: object) -> BloodGroup | MissingReason:
    if text is None:
        return MissingReason.DATA_ABSENT
    group = read_abo_group(text) if isinstance(text, str) else None
    # A text that names a group is short and plain (`read_abo_group`), and so may be kept.
    return MissingReason.MALFORMED if group is None else BloodGroup(group, str(text).strip())
