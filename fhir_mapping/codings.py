"""Codings as they arrive, in one spelling: system, code, and the order they are read in (C15).

See https://hl7.org/fhir/R4/datatypes.html#Coding. Systems come as URIs, with or without a slash
at the end, and as OIDs (Epic writes `urn:oid:2.16.840.1.113883.6.90`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"
"""The WHO's ICD-10. The same code can mean another thing in ICD-10-CM (R65.2 does)."""
SNOMED_CT: Final = "http://snomed.info/sct"
ORPHANET: Final = "https://www.orpha.net"
OMIM: Final = "http://www.omim.org"
ICD_9_CM: Final = "http://hl7.org/fhir/sid/icd-9-cm"
UNKNOWN_SYSTEM: Final = "unknown"

SYSTEM_ORDER: tuple[str, ...] = (ICD_10_CM, ICD_10, SNOMED_CT, ORPHANET, OMIM, ICD_9_CM)
"""Codings are read in this order, those of other systems last, ties as received.

ICD-10-CM is first because HCUP's chronic indicator was made for it; the WHO's codes go through
the same indicator; SNOMED CT is read from a list of frequent problems, so it says less.
"""

_OIDS: Mapping[str, str] = {
    "2.16.840.1.113883.6.90": ICD_10_CM,
    "2.16.840.1.113883.6.3": ICD_10,
    "2.16.840.1.113883.6.96": SNOMED_CT,
    "1.3.6.1.4.1.12559.11.10.1.3.1.44.5": ORPHANET,
    "2.16.840.1.113883.6.174": OMIM,
    "2.16.840.1.113883.6.103": ICD_9_CM,
}
_PLACES: Mapping[str, str] = {
    "hl7.org/fhir/sid/icd-10-cm": ICD_10_CM,
    "hl7.org/fhir/sid/icd-10": ICD_10,
    "hl7.org/fhir/sid/icd-9-cm": ICD_9_CM,
    "snomed.info/sct": SNOMED_CT,
    "orpha.net": ORPHANET,
    "omim.org": OMIM,
}
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]{1,250}", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9._:/+-]{1,40}")
_ICD_10 = re.compile(r"[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_ORPHA = re.compile(r"(?:ORPHA(?:NET)?[:_\s]?)?([1-9][0-9]{0,6})", re.IGNORECASE)
_OMIM = re.compile(r"(?:O?MIM[:\s]?)?[#*+%^]?([1-9][0-9]{5})", re.IGNORECASE)


class NormalCoding(NamedTuple):
    """A code with the canonical URI of its system."""

    system: str
    """One of `SYSTEM_ORDER`, another system's URI as received, or `UNKNOWN_SYSTEM`."""
    code: str | None
    """ICD with its dot and in upper case (`E11.9`); `ORPHA:558`; `OMIM:154700`; `None` if it does
    not have the form of a code of its system."""


def normal_system(system: object) -> str:
    """The canonical URI of a system; another URI as it is; else `UNKNOWN_SYSTEM`."""
    if not isinstance(system, str):
        return UNKNOWN_SYSTEM
    text = system.strip()
    lowered = text.lower()
    known = _OIDS.get(lowered.removeprefix("urn:oid:"))
    if known is not None:
        return known
    place = lowered.removeprefix("https://").removeprefix("http://").rstrip("/")
    place = place.removeprefix("www.")
    # A SNOMED edition or version may follow: http://snomed.info/sct/731000124108.
    if place.startswith("snomed.info/sct/"):
        return SNOMED_CT
    if place in _PLACES:
        return _PLACES[place]
    return text if _URI.fullmatch(text) else UNKNOWN_SYSTEM


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
            match = pattern.fullmatch(text)
            return None if match is None else f"{prefix}:{match[1]}"
    form = _SNOMED if system == SNOMED_CT else _TOKEN
    return text if form.fullmatch(text) else None


def read_codings(concept: object) -> tuple[NormalCoding, ...]:
    """The codings of a CodeableConcept, normalised, in `SYSTEM_ORDER`; never raises.

    Texts and displays are not read: they are free text.
    """
    coding = concept.get("coding") if isinstance(concept, Mapping) else None
    found: list[NormalCoding] = []
    for entry in coding if isinstance(coding, list) else ():
        if isinstance(entry, Mapping) and entry.get("code") is not None:
            system = normal_system(entry.get("system"))
            found.append(NormalCoding(system, normal_code(system, entry["code"])))
    return tuple(sorted(dict.fromkeys(found), key=_rank))


def _rank(coding: NormalCoding) -> int:
    known = coding.system in SYSTEM_ORDER
    return SYSTEM_ORDER.index(coding.system) if known else len(SYSTEM_ORDER)


def rare_code(codings: tuple[NormalCoding, ...]) -> str | None:
    """The first Orphanet code, else the first OMIM number (C20); `None` if there is neither."""
    return next((c.code for c in codings if c.system in (ORPHANET, OMIM) and c.code), None)


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
