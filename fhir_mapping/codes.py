"""Codes of the hot path: which LOINC code is which input, and the systems they come in.

LOINC: https://loinc.org. Vital signs of FHIR R4: https://hl7.org/fhir/R4/observation-vitalsigns.html.
A code is read only together with its system: "8867-4" without one is not LOINC.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final


def _spellings(uri: str, oid: str) -> frozenset[str]:
    """A system's URI, the same with a trailing slash, and its OID, as Epic writes it."""
    return frozenset({uri, uri + "/", f"urn:oid:{oid}"})


LOINC_SYSTEMS = _spellings("http://loinc.org", "2.16.840.1.113883.6.1")
UCUM: Final = "http://unitsofmeasure.org"
UCUM_SYSTEMS = _spellings(UCUM, "2.16.840.1.113883.6.8")
SNOMED_SYSTEMS = _spellings("http://snomed.info/sct", "2.16.840.1.113883.6.96")
ICD_10_SYSTEMS = _spellings(
    "http://hl7.org/fhir/sid/icd-10-cm", "2.16.840.1.113883.6.90"
) | _spellings("http://hl7.org/fhir/sid/icd-10", "2.16.840.1.113883.6.3")
ACT_CODE_SYSTEMS = _spellings(
    "http://terminology.hl7.org/CodeSystem/v3-ActCode", "2.16.840.1.113883.5.4"
) | {"http://hl7.org/fhir/v3/ActCode"}
"""v3-ActCode; the last spelling is that of FHIR before R4, still sent."""
ACT_REASON_SYSTEMS = _spellings(
    "http://terminology.hl7.org/CodeSystem/v3-ActReason", "2.16.840.1.113883.5.8"
) | {"http://hl7.org/fhir/v3/ActReason"}

BLOOD_PRESSURE: Final = "blood_pressure"
"""What a blood-pressure panel is; its components are the two pressures."""
PREGNANCY_STATUS: Final = "pregnancy_status"
INVASIVE: Final = "invasive"
"""A pressure from inside a vessel: never pooled with cuff readings (clinical rule C6)."""

# Within an input the order decides between readings of the same time. Heart rate: C6.
# Temperature: the generic code, then from the core outwards, because peripheral thermometers
# agree poorly with central ones (Niven 2015).
LOINC_OF: Mapping[str, tuple[str, ...]] = {
    "heart_rate": (
        "8867-4",
        "8889-8",  # by pulse oximetry
        "8893-0",  # peripheral artery, by palpation
    ),
    "body_temperature": (
        "8310-5",
        "8329-5",  # core
        "8332-9",  # rectal
        "8331-1",  # oral
        "8333-7",  # tympanic membrane
        "75539-7",  # temporal artery
        "8328-7",  # axillary
    ),
    "systolic_bp": ("8480-6",),
    "diastolic_bp": ("8462-4",),
    "respiratory_rate": ("9279-1",),
    "oxygen_saturation": ("2708-6", "59408-5"),  # 59408-5: by pulse oximetry; US Core sends both
    "abo_group": ("883-9", "882-1"),  # 882-1: ABO and Rh group
    "exercise_days": ("89555-7",),  # days a week with moderate to strenuous activity
    BLOOD_PRESSURE: ("85354-9", "55284-4"),  # 55284-4: the panel code before R4, still sent
    PREGNANCY_STATUS: ("82810-3",),
    INVASIVE: ("76215-3", "76213-8", "76214-6"),  # systolic, diastolic, mean
}
"""Input, or one of the three names above → its LOINC codes, the preferred first."""

MEANING: Mapping[str, str] = {code: name for name, codes in LOINC_OF.items() for code in codes}
"""LOINC code → the input it measures, or one of the three names above."""

RANK: Mapping[str, int] = {
    code: rank for codes in LOINC_OF.values() for rank, code in enumerate(codes)
}
"""LOINC code → its place among the codes of the same input; the lowest is preferred."""

EXTRA_PREFETCH: Mapping[str, str] = {"abo_group": "blood_group", "exercise_days": "exercise"}
"""Extra input → the prefetch key that asks for it."""
EXTRA_LOOKBACK: Mapping[str, timedelta | None] = {
    "abo_group": None,
    "exercise_days": timedelta(days=365),
}
"""How old an Observation of an extra input may be; `None` is any age: a blood group stays."""

# LOINC answer lists LL2419-1 (883-9, ABO group) and LL2972-9 (882-1, with the Rh factor). SNOMED
# CT: the eHDSI value set Blood Group, which has those of the International Patient Summary
# (lab-blood-abo-rh-grp-uv-ips) and the four groups without Rh factor.
ABO_ANSWERS: Mapping[str, str] = {
    code: group
    for group, codes in {
        "A": ("LA19710-5", "LA21325-8", "LA21326-6"),
        "B": ("LA19709-7", "LA21327-4", "LA21328-2"),
        "AB": ("LA28449-9", "LA21323-3", "LA21324-1"),
        "O": ("LA19708-9", "LA21321-7", "LA21322-5"),
    }.items()
    for code in codes
}
"""LOINC answer → ABO group."""
ABO_FINDINGS: Mapping[str, str] = {
    code: group
    for group, codes in {
        "A": ("112144000", "278149003", "278152006"),
        "B": ("112149005", "278150003", "278153001"),
        "AB": ("165743006", "278151004", "278154007"),
        "O": ("58460004", "278147001", "278148006"),
    }.items()
    for code in codes
}
"""SNOMED CT finding → ABO group."""

USED_STATUSES: frozenset[str] = frozenset({"final", "amended", "corrected", "preliminary"})
"""Values of Observation.status whose values are used; `preliminary` is flagged."""

PREGNANT_ANSWERS: frozenset[str] = frozenset({"LA15173-0"})
"""LOINC answers to 82810-3 that say "pregnant" (value set pregnancy-status-uv-ips of the
International Patient Summary)."""
NOT_PREGNANT_ANSWERS: frozenset[str] = frozenset({"LA26683-5"})
PREGNANT_FINDINGS: frozenset[str] = frozenset({"77386006", "72892002"})
"""SNOMED CT: pregnant; normal pregnancy."""
NOT_PREGNANT_FINDINGS: frozenset[str] = frozenset({"60001007"})

ENCOUNTER_CLASSES: Mapping[str, str] = {
    "EMER": "emergency",
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    # A bed in the hospital for hours to days: watched like an inpatient.
    "OBSENC": "inpatient",
    "SS": "inpatient",
    "AMB": "ambulatory",
    "PRENC": "ambulatory",
    "HH": "home",
    "FLD": "field",
    "VR": "virtual",
}
"""v3-ActCode of Encounter.class → the word used here.
See https://hl7.org/fhir/R4/v3/ActEncounterCode/vs.html."""
