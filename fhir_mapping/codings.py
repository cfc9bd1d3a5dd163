"""Codings as they arrive, in one spelling: system, code, and the order they are read in (C15).

See https://hl7.org/fhir/R4/datatypes.html#Coding.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fhir_mapping.code_systems import (
    ICD_9_CM,
    ICD_10,
    ICD_10_CM,
    OMIM,
    ORPHANET,
    SNOMED_CT,
    normal_system,
)

SYSTEM_ORDER: tuple[str, ...] = (ICD_10_CM, ICD_10, SNOMED_CT, ORPHANET, OMIM, ICD_9_CM)
"""Codings are read in this order, those of other systems last, ties as received.

ICD-10-CM is first because HCUP's chronic indicator was made for it; the WHO's codes go through
the same indicator; SNOMED CT is read from a list of frequent problems, so it says less. A national
variant of ICD-10 stands where the system stands whose rules it is read by.
"""

_TOKEN = re.compile(r"[A-Za-z0-9._:/+-]{1,40}")
_ICD_10 = re.compile(r"[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_IRI = re.compile(r"https?://(?:[a-z0-9.-]+/)+", re.IGNORECASE)
_ORPHA = re.compile(
    r"(?:ORDO:)?(?:ORPHA(?:NET|CODE)?[:_#\s-]?)?\s?([1-9][0-9]{0,6})", re.IGNORECASE
)
_OMIM = re.compile(r"(?:O?MIM[:_\s-]?)?\s?[#*+%^]?([1-9][0-9]{5})", re.IGNORECASE)


class NormalCoding(NamedTuple):
    """A code with the canonical URI of its system."""

    system: str
    """One of `SYSTEM_ORDER`, another system's URI, or `UNKNOWN_SYSTEM`."""
    code: str | None
    """ICD with its dot and in upper case (`E11.9`); `ORPHA:558`; `OMIM:154700`; `None` if it does
    not have the form of a code of its system."""


def normal_code(system: str, code: object) -> str | None:
    """`code` as its system spells it; `None` if it cannot be one of its codes.

    ICD-10 is read without dots and in lower case too, and without the WHO's dagger and asterisk.
    """
    if not isinstance(code, str):
        return None
    text = code.strip()
    if system in (ICD_10_CM, ICD_10):
        plain = text.upper().rstrip("†*+!").replace(".", "").strip()
        if not _ICD_10.fullmatch(plain):
            return None
        return plain if len(plain) == 3 else f"{plain[:3]}.{plain[3:]}"
    for rare, pattern, prefix in ((ORPHANET, _ORPHA, "ORPHA"), (OMIM, _OMIM, "OMIM")):
        if system == rare:
            match = pattern.fullmatch(_IRI.sub("", text, count=1))
            return None if match is None else f"{prefix}:{match[1]}"
    form = _SNOMED if system == SNOMED_CT else _TOKEN
    return text if form.fullmatch(text) else None


def read_codings(concept: object, variants: Mapping[str, str]) -> tuple[NormalCoding, ...]:
    """The codings of a CodeableConcept, normalised, in `SYSTEM_ORDER`; never raises.

    `variants` are those of `code_systems.read_variants`: a coding of one keeps its own system, and
    its code is spelled as the rules want it. Texts and displays are not read: they are free text.
    """
    coding = concept.get("coding") if isinstance(concept, Mapping) else None
    return in_order(
        (
            (entry.get("system"), entry["code"])
            for entry in (coding if isinstance(coding, list) else ())
            if isinstance(entry, Mapping) and entry.get("code") is not None
        ),
        variants,
    )


def in_order(
    pairs: Iterable[tuple[object, object]], variants: Mapping[str, str]
) -> tuple[NormalCoding, ...]:
    """Systems and codes in any spelling as codings, each once, in `SYSTEM_ORDER`."""
    found: dict[NormalCoding, None] = {}
    for name, code in pairs:
        system = normal_system(name)
        found[NormalCoding(system, normal_code(variants.get(system, system), code))] = None
    return tuple(
        sorted(found, key=lambda coding: _rank(variants.get(coding.system, coding.system)))
    )


def _rank(system: str) -> int:
    return SYSTEM_ORDER.index(system) if system in SYSTEM_ORDER else len(SYSTEM_ORDER)


def raw_codes(concept: Any, systems: tuple[str, ...]) -> list[str]:
    """Codes of a CodeableConcept of a small FHIR code system, lower case, in the order received.

    A coding without a system counts, since these elements are bound to one system; a plain string,
    as FHIR wrote such elements before R4, is the code itself.
    """
    if isinstance(concept, str):
        return [concept.strip().lower()]
    coding = concept.get("coding") if isinstance(concept, Mapping) else None
    return [
        entry["code"].strip().lower()
        for entry in (coding if isinstance(coding, list) else ())
        if isinstance(entry, Mapping)
        and isinstance(entry.get("code"), str)
        and entry.get("system") in (None, *systems)
    ]
