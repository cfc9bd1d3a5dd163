"""What was read from a chart: the values used, and why the others were not."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from model.features import FeatureRow
from model.severity import Severity


class MissingReason(StrEnum):
    """Why an input has no value. The card shows it; missing is never filled (C8)."""

    NOT_IN_PREFETCH = "not_in_prefetch"
    NULL_PREFETCH = "null_prefetch"
    NO_OBSERVATION = "no_observation"
    STALE = "stale"
    UNKNOWN_UNIT = "unknown_unit"
    IMPLAUSIBLE = "implausible"
    DATA_ABSENT = "data_absent"
    WRONG_STATUS = "wrong_status"
    WRONG_PATIENT = "wrong_patient"
    MAYBE_NOT_LATEST = "maybe_not_latest"
    MALFORMED = "malformed"
    NO_TIME = "no_time"
    FUTURE = "future"
    CONTRADICTORY = "contradictory"


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that was used, with what was received (clinical rule C4)."""

    feature: str
    value: float | str
    """In the UCUM unit of `model.features.FEATURES`; of `abo_group` one of `ABO_GROUPS`."""
    time: datetime
    """Aware; the instant the selection compared."""
    minutes_before: float
    """Age at the prediction time, min; never negative (clock skew counts as 0)."""
    code: str
    """The LOINC code it was recognised by."""
    received_value: float | str
    """A number, or the code or text that named a blood group."""
    received_unit: str
    """Empty for a blood group."""
    received_time: str
    status: str
    reference: str | None
    """`Observation/{id}`, or `None` where the resource has no id."""
    flags: tuple[str, ...] = ()
    """`extreme`, `preliminary`, `maybe_not_latest`, in that order."""


@dataclass(frozen=True, slots=True)
class Missing:
    """An input without a value."""

    feature: str
    reason: MissingReason


@dataclass(frozen=True, slots=True)
class Skipped:
    """A resource, or a component of one, that was not used."""

    resource_type: str
    reference: str | None
    reason: str
    """A `MissingReason`, or `not_used` (a code no input has), `superseded` (an older valid
    reading), `unpaired` (a valid pressure outside the pair used), `operation_outcome`,
    `wrong_type`."""
    feature: str | None = None
    code: str | None = field(default=None, compare=False, repr=False)
    """Of an Observation, as received: a LOINC code, or `system|code`. `None` if it is no code."""
    unit: str | None = field(default=None, compare=False, repr=False)
    """Of a value whose unit is not known, as received; `none` or `text` if it is no unit."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What of the Patient resource decides who may be assessed (C1, C2)."""

    age: float | None
    """Years at the prediction time, decimal; `None` if the birth date is missing or unusable."""
    age_reason: MissingReason | None
    """Why there is no age."""
    age_is_approximate: bool
    """The birth date is a year or a year and month."""
    sex: str | None
    """`female`, `male`, `other`, `unknown` or `None`."""
    deceased: bool
    test_patient: bool
    opted_out: bool


@dataclass(frozen=True, slots=True)
class RareOnRecord:
    """A rare disease that stands in the patient's chart."""

    code: str
    """`ORPHA:…` or `OMIM:…`."""
    name: str | None = field(default=None, repr=False)
    """What the chart calls it, as received; `None` if only the code is known."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """Everything one request told about one patient at one time."""

    row: FeatureRow
    patient: PatientFacts
    readings: tuple[Reading, ...]
    """Used values in the order of `model.features.ROW_NAMES`."""
    missing: tuple[Missing, ...]
    """Inputs without a value (age and sex among them, extra inputs only if they were asked for),
    in table order."""
    skipped: tuple[Skipped, ...]
    pregnant: bool
    """Known pregnancy (C1); `False` also where it is not known."""
    encounter_class: str | None
    """`emergency`, `inpatient`, `ambulatory`, … as read from an Encounter; `None` if unknown."""
    maybe_not_latest: bool
    """Paging was cut short: newer readings may exist (C7)."""
    rare: tuple[RareOnRecord, ...] = ()
    """Rare diseases on record: the model has hardly seen such patients."""
    known_before: frozenset[Severity] = frozenset()
    """Classes of the Conditions that came with the chart and were known before (C16): context."""
