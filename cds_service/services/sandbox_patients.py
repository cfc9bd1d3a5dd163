"""The invented patients of the sandbox, and the diagnoses that can be sent back for them.

Readings are chosen within what `model.training.simulation_presentations` cites for each illness;
no person was measured. Ages and times count back from the moment at which a chart is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from fhir_mapping.code_systems import ICD_10_CM, ORPHANET
from model.severity import Severity

Quantity = Literal[
    "heart_rate",
    "body_temperature",
    "systolic_bp",
    "diastolic_bp",
    "respiratory_rate",
    "oxygen_saturation",
]
QUANTITIES: Final[tuple[Quantity, ...]] = (
    "heart_rate",
    "body_temperature",
    "systolic_bp",
    "diastolic_bp",
    "respiratory_rate",
    "oxygen_saturation",
)
"""What the chart has a line for, in this order."""

Sex = Literal["female", "male"]
EncounterClass = Literal["AMB", "EMER"]
"""v3-ActCode: seen and sent home, or in the emergency department."""

UNITS: Final[Mapping[str, str]] = {
    "/min": "/min",
    "Cel": "°C",
    "[degF]": "°F",
    "": "",
    "mm[Hg]": "mmHg",
    "%": "%",
}
"""UCUM code, empty where the unit was left out → the sign beside the value."""
UNIT_OF: Final[Mapping[Quantity, str]] = {
    "heart_rate": "/min",
    "body_temperature": "Cel",
    "systolic_bp": "mm[Hg]",
    "diastolic_bp": "mm[Hg]",
    "respiratory_rate": "/min",
    "oxygen_saturation": "%",
}
TEMPERATURE_UNITS: Final = ("Cel", "[degF]", "")
"""What a thermometer is read in; the last is a reading whose unit was left out."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value."""

    value: float
    unit: str
    """A key of `UNITS`."""
    minutes: float = 10.0
    """How long ago it was taken."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnosis, by one code."""

    code: str
    system: str
    display: str
    """As the code system has it, in English; the words of pages are in `web/sandbox_*`."""


@dataclass(frozen=True, slots=True)
class SandboxPatient:
    """Somebody invented; what the story is, is in the words of the page (`story.<key>`)."""

    key: str
    name: str
    age: int
    """Years."""
    sex: Sex
    encounter: EncounterClass
    readings: Mapping[Quantity, Reading]
    problems: tuple[Problem, ...] = ()
    """Known for years."""
    pregnant: bool = False
    """So it was answered a month ago (LOINC 82810-3)."""


def _readings(
    heart_rate: float | None = None,
    body_temperature: float | None = None,
    pressure: tuple[float, float] | None = None,
    respiratory_rate: float | None = None,
    oxygen_saturation: float | None = None,
    *,
    unit: str = "Cel",
    minutes: float = 10.0,
) -> dict[Quantity, Reading]:
    """What was measured at one time; `None` was not."""
    systolic, diastolic = pressure or (None, None)
    values = (
        heart_rate,
        body_temperature,
        systolic,
        diastolic,
        respiratory_rate,
        oxygen_saturation,
    )
    return {
        name: Reading(value, unit if name == "body_temperature" else UNIT_OF[name], minutes)
        for name, value in zip(QUANTITIES, values, strict=True)
        if value is not None
    }


_HYPERTENSION = Problem("I10", ICD_10_CM, "Essential (primary) hypertension")
_FABRY = Problem("324", ORPHANET, "Fabry disease")

PATIENTS: Final[tuple[SandboxPatient, ...]] = (
    SandboxPatient(
        "septic", "Carmen Ruiz", 71, "female", "EMER", _readings(112, 38.4, (98, 56), 23, 94)
    ),
    SandboxPatient(
        "healthy", "Amina Diallo", 29, "female", "AMB", _readings(68, 36.7, (112, 72), 14, 99)
    ),
    SandboxPatient(
        "mild", "Jonas Weber", 34, "male", "AMB", _readings(88, 38.2, (124, 78), 17, 98)
    ),
    SandboxPatient(
        "chronic",
        "Robert Hughes",
        63,
        "male",
        "AMB",
        _readings(78, 36.6, (158, 94), 16, 96, minutes=25),
        problems=(
            _HYPERTENSION,
            Problem("E11.9", ICD_10_CM, "Type 2 diabetes mellitus without complications"),
        ),
    ),
    SandboxPatient(
        "advanced",
        "Helen Clarke",
        84,
        "female",
        "AMB",
        _readings(96, 36.4, (104, 58), 20, 92, minutes=40),
        problems=(Problem("C25.9", ICD_10_CM, "Malignant neoplasm of pancreas, unspecified"),),
    ),
    SandboxPatient("child", "Leo Martín", 6, "male", "AMB", _readings(118, 38.4, (98, 60), 24, 98)),
    SandboxPatient(
        "missing",
        "Ingrid Olsen",
        57,
        "female",
        "AMB",
        {
            "heart_rate": Reading(92, "/min", 12),
            "body_temperature": Reading(37.9, "Cel", 30 * 60),
        },
    ),
    SandboxPatient(
        "fahrenheit",
        "Daniel Brooks",
        45,
        "male",
        "AMB",
        _readings(96, 101.8, (126, 80), 18, 97, unit="[degF]"),
    ),
    SandboxPatient(
        "no-unit",
        "Grace Okafor",
        45,
        "female",
        "AMB",
        _readings(96, 101.8, (126, 80), 18, 97, unit=""),
    ),
    SandboxPatient(
        "pregnant",
        "Lucía Gómez",
        31,
        "female",
        "AMB",
        _readings(94, 36.9, (108, 66), 18, 98),
        pregnant=True,
    ),
    SandboxPatient(
        "rare",
        "Tomás Vidal",
        38,
        "male",
        "AMB",
        _readings(82, 36.8, (138, 86), 16, 97),
        problems=(_FABRY,),
    ),
)

BY_KEY: Final[Mapping[str, SandboxPatient]] = {one.key: one for one in PATIENTS}

DIAGNOSES: Final[Mapping[Severity | None, tuple[Problem, ...]]] = {
    Severity.ACUTE: (
        Problem("A41.9", ICD_10_CM, "Sepsis, unspecified organism"),
        Problem("J18.9", ICD_10_CM, "Pneumonia, unspecified organism"),
        Problem("I63.9", ICD_10_CM, "Cerebral infarction, unspecified"),
    ),
    Severity.MILD: (
        Problem("J00", ICD_10_CM, "Acute nasopharyngitis [common cold]"),
        Problem("A08.4", ICD_10_CM, "Viral intestinal infection, unspecified"),
    ),
    Severity.CHRONIC: (
        _HYPERTENSION,
        Problem("J44.9", ICD_10_CM, "Chronic obstructive pulmonary disease, unspecified"),
    ),
    Severity.TERMINAL: (Problem("Z51.5", ICD_10_CM, "Encounter for palliative care"),),
    Severity.NOT_ILL: (
        Problem(
            "Z00.00",
            ICD_10_CM,
            "Encounter for general adult medical examination without abnormal findings",
        ),
    ),
    None: (Problem("R07.9", ICD_10_CM, "Chest pain, unspecified"),),
}
"""What can be sent back, by the category that the rules of labels (C15) read from the code; under
`None` stands what says no category by itself."""

DIAGNOSIS_BY_CODE: Final[Mapping[str, Problem]] = {
    problem.code: problem for group in DIAGNOSES.values() for problem in group
}
