"""Code systems of diagnoses: the many ways to name one, and the one URI it has here.

Systems come as URIs, with or without a slash at the end, and as OIDs (Epic writes
`urn:oid:2.16.840.1.113883.6.90`); HL7 v2 has short names (table 0396). OIDs are those of the FHIR
code-system registry (https://hl7.org/fhir/R4/terminologies-systems.html) and of HL7's own
(https://terminology.hl7.org, NamingSystem), where no other source is named. An OID that is not
here stays one, as `urn:oid:…`.
"""

import re
from collections.abc import Mapping
from typing import Final

ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"
"""The WHO's ICD-10. The same code can mean another thing in ICD-10-CM (R65.2 does)."""
SNOMED_CT: Final = "http://snomed.info/sct"
ORPHANET: Final = "https://www.orpha.net"
OMIM: Final = "http://www.omim.org"
ICD_9_CM: Final = "http://hl7.org/fhir/sid/icd-9-cm"
ICD_10_GM: Final = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD_11: Final = "http://id.who.int/icd/release/11/mms"
ICD_O_3: Final = "http://terminology.hl7.org/CodeSystem/icd-o-3"
ICPC_1: Final = "http://hl7.org/fhir/sid/icpc-1"
ICPC_2: Final = "http://hl7.org/fhir/sid/icpc-2"
UNKNOWN_SYSTEM: Final = "unknown"
OTHER_SYSTEM: Final = "other system"
"""What reports call a system whose name may hold anything."""

RULE_SYSTEMS: Mapping[str, str] = {"icd-10-cm": ICD_10_CM, "icd-10": ICD_10}
"""The rules a national variant of ICD-10 may be read by, as settings name them."""

_ICD_10_NL = "http://hl7.org/fhir/sid/icd-10-nl"
_ICD_10_CA = "http://hl7.org/fhir/sid/icd-10-ca"
_OIDS: Mapping[str, str] = {
    "2.16.840.1.113883.6.90": ICD_10_CM,
    "2.16.840.1.113883.6.3": ICD_10,
    # The WHO's codes with American spelling.
    "2.16.840.1.113883.6.3.1": ICD_10,
    "2.16.840.1.113883.6.3.2": _ICD_10_NL,
    "2.16.840.1.113883.6.96": SNOMED_CT,
    "1.3.6.1.4.1.12559.11.10.1.3.1.44.5": ORPHANET,
    # France: Agence du numérique en santé, "OrphaCodes".
    "1.2.250.1.213.2.49": ORPHANET,
    "2.16.840.1.113883.6.174": OMIM,
    "2.16.840.1.113883.6.103": ICD_9_CM,
    "2.16.840.1.113883.6.347": ICD_11,
    "2.16.840.1.113883.6.43.1": ICD_O_3,
    "2.16.840.1.113883.6.138": ICPC_1,
    "2.16.840.1.113883.6.139": ICPC_2,
    "2.16.840.1.113883.2.4.4.31.1": "http://hl7.org/fhir/sid/icpc-1-nl",
}
_PLACES: Mapping[str, str] = {
    "hl7.org/fhir/sid/icd-10-cm": ICD_10_CM,
    "hl7.org/fhir/sid/icd-10": ICD_10,
    "terminology.hl7.org/codesystem/icd10": ICD_10,
    "terminology.hl7.org/codesystem/icd10cm": ICD_10_CM,
    "hl7.org/fhir/sid/icd-10-nl": _ICD_10_NL,
    "hl7.org/fhir/sid/icd-10-ca": _ICD_10_CA,
    "hl7.org/fhir/sid/icd-9-cm": ICD_9_CM,
    "snomed.info/sct": SNOMED_CT,
    "orpha.net": ORPHANET,
    "omim.org": OMIM,
    "omim.org/entry": OMIM,
    "id.who.int/icd/release/11/mms": ICD_11,
    "terminology.hl7.org/codesystem/icd-o-3": ICD_O_3,
    "hl7.org/fhir/sid/icpc-1": ICPC_1,
    "terminology.hl7.org/codesystem/icpc": ICPC_1,
    "hl7.org/fhir/sid/icpc-2": ICPC_2,
    "fhir.de/codesystem/bfarm/icd-10-gm": ICD_10_GM,
    # The name of the institute that publishes it until 2020.
    "fhir.de/codesystem/dimdi/icd-10-gm": ICD_10_GM,
}
_BRANCHES: tuple[tuple[str, str], ...] = (
    # A SNOMED edition or version may follow: http://snomed.info/sct/731000124108.
    ("snomed.info/sct/", SNOMED_CT),
    # Orphanet's ontology: http://www.orpha.net/ORDO/.
    ("orpha.net/", ORPHANET),
)
# HL7 table 0396 and the spellings that interfaces use for the same, letters and digits only.
_V2_NAMES: Mapping[str, str] = {
    "I10": ICD_10,
    "ICD10": ICD_10,
    "I10C": ICD_10_CM,
    "I10CM": ICD_10_CM,
    "ICD10CM": ICD_10_CM,
    "ICD10CA": _ICD_10_CA,
    "I9": ICD_9_CM,
    "ICD9": ICD_9_CM,
    "I9C": ICD_9_CM,
    "I9CDX": ICD_9_CM,
    "I9CM": ICD_9_CM,
    "ICD9CM": ICD_9_CM,
    "ICD11": ICD_11,
    "ICDO3": ICD_O_3,
    "ICPC2": ICPC_2,
    "SCT": SNOMED_CT,
    "SCT2": SNOMED_CT,
    "SNOMED": SNOMED_CT,
    "SNOMEDCT": SNOMED_CT,
    "ORPHA": ORPHANET,
    "ORPHANET": ORPHANET,
    "OMIM": OMIM,
    "MIM": OMIM,
}
_V2_GERMAN = re.compile(r"I(?:CD)?10GM?[0-9]{0,4}")
"""ICD-10-GM has a name a year: ICD10GM2011, before that I10G2004."""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){2,30}")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]{1,250}", re.IGNORECASE)
_SHOWN_OID = re.compile(r"urn:oid:[0-9.]{3,100}")
_SHOWN_URL = re.compile(r"https?://[a-z0-9.-]{1,80}(?::[0-9]{1,5})?(?:/[a-z0-9._/-]{0,100})?", re.I)
_LONG_NUMBER = re.compile(r"[0-9]{6}")
"""As long as a date of birth or a record number is."""

KNOWN_SYSTEMS: frozenset[str] = frozenset({*_OIDS.values(), *_PLACES.values()})
_NO_VARIANTS = frozenset(
    {ICD_10_CM, SNOMED_CT, ORPHANET, OMIM, ICD_9_CM, ICD_11, ICD_O_3, ICPC_1, ICPC_2}
)


def normal_system(system: object) -> str:
    """The canonical URI of a system; another URI or OID as a URI; else `UNKNOWN_SYSTEM`."""
    if not isinstance(system, str):
        return UNKNOWN_SYSTEM
    text = system.strip()
    lowered = text.lower()
    oid = lowered.removeprefix("urn:").removeprefix("oid:")
    if _OID.fullmatch(oid):
        return _OIDS.get(oid, f"urn:oid:{oid}")
    place = lowered.removeprefix("https://").removeprefix("http://").rstrip("/")
    place = place.removeprefix("www.")
    if place in _PLACES:
        return _PLACES[place]
    for branch, known in _BRANCHES:
        if place.startswith(branch):
            return known
    return text.rstrip("/") if _URI.fullmatch(text) else UNKNOWN_SYSTEM


def system_of_v2(name: object) -> str:
    """The URI of a code system that an HL7 v2 message names (CWE.3, table 0396; CWE.14 an OID).

    `I10` is the WHO's ICD-10, as the table says. A hospital whose interface means ICD-10-CM by it
    says so with `CDS_ICD10_VARIANTS`. Local names (`L`, `99…`) are `UNKNOWN_SYSTEM`.
    """
    if not isinstance(name, str):
        return UNKNOWN_SYSTEM
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    if _V2_GERMAN.fullmatch(plain):
        return ICD_10_GM
    return _V2_NAMES.get(plain) or normal_system(name)


def shown_system(system: str) -> str:
    """How reports, screens and the audit trail may name a system.

    A known system, an OID, or a plain web address; everything else, which may be free text that a
    sender put there, is `OTHER_SYSTEM`.
    """
    if system in KNOWN_SYSTEMS or system == UNKNOWN_SYSTEM or _SHOWN_OID.fullmatch(system):
        return system
    plain = _SHOWN_URL.fullmatch(system) and not _LONG_NUMBER.search(system)
    return system if plain else OTHER_SYSTEM


def read_variants(variants: Mapping[str, str]) -> dict[str, str]:
    """National variants of ICD-10: canonical URI → the system whose rules its codes follow.

    `variants` names systems as URI or OID, and rules as in `RULE_SYSTEMS`. `ICD_10` itself may be
    read by the rules of ICD-10-CM, for senders that mean it. Raises `ValueError`, in words for an
    operator, for what is no system, or one that is no variant of ICD-10.
    """
    found: dict[str, str] = {}
    for name, rules in variants.items():
        system = normal_system(name)
        if system == UNKNOWN_SYSTEM:
            raise ValueError("a key is neither a URI nor an OID of a code system")
        if rules not in RULE_SYSTEMS:
            raise ValueError(f"{shown_system(system)} must follow {' or '.join(RULE_SYSTEMS)}")
        if system in _NO_VARIANTS:
            raise ValueError(f"{system} is no national variant of ICD-10")
        if RULE_SYSTEMS[rules] == system:
            continue
        if found.setdefault(system, RULE_SYSTEMS[rules]) != RULE_SYSTEMS[rules]:
            raise ValueError(f"{shown_system(system)} is named twice, with different rules")
    return found
