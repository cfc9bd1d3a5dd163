"""The one table of features, shared by training, scoring, FHIR mapping and the card.

Names, UCUM units, and the limits of clinical rule C5: a value outside `possible` is never
used; one outside `usual` is used, flagged `extreme`, and the card asks to re-measure.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

MAX_MINUTES_APART = 60.0
"""Derived features use readings at most this far apart, min (clinical rule C4)."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the model."""

    name: str
    unit: str
    """UCUM; empty for a category."""
    core: bool
    possible: tuple[float, float]
    """Closed interval outside which a value is `implausible` (C5)."""
    usual: tuple[float, float]
    """Closed interval outside which a possible value is `extreme` (C5)."""
    sentinels: tuple[float, ...] = ()
    """Values that public files use for "not measured" (C5)."""
    decimals: int = 0
    """Decimals shown to a clinician."""


# Limits of `possible`: clinical rule C5. Respiratory rate and age are our own: above 120/min
# no device counts breaths reliably, and nobody has been documented to live past 122 years.
# Limits of `usual` are our own reading of C5 ("300/150, say"), set where a re-measurement is
# routine before acting: heart rate above 220 - age at birth (Fox 1971), temperature below 32 Cel
# (moderate hypothermia, Brown 2012) or above 42 Cel (end of clinical thermometer scales).
FEATURES: tuple[Feature, ...] = (
    Feature("age", "a", True, (0, 122), (0, 110), decimals=0),
    Feature("heart_rate", "/min", True, (1, 350), (30, 220), (998, -9, -8, -7, 0)),
    Feature(
        "body_temperature", "Cel", True, (20, 46), (32, 42), (998, -9, -8, -7, 0, -17.8), decimals=1
    ),
    Feature("systolic_bp", "mm[Hg]", True, (20, 320), (60, 260), (998, -9, -8, -7, 0)),
    Feature("diastolic_bp", "mm[Hg]", True, (1, 220), (25, 149), (998, -9, -8, -7, 0)),
    Feature("respiratory_rate", "/min", False, (1, 120), (5, 60), (998, -9, -8, -7, 0)),
    Feature("oxygen_saturation", "%", False, (1, 100), (60, 100), (998, -9, -8, -7, 0)),
)
"""Numeric inputs in table order; `sex` is the one category beside them."""

FEATURE: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}
READINGS: tuple[str, ...] = tuple(f.name for f in FEATURES if f.name != "age")
"""Inputs that are measured, in table order."""
CORE: tuple[str, ...] = tuple(f.name for f in FEATURES if f.core)
SEXES: tuple[str, ...] = ("female", "male", "other", "unknown")


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The inputs of one assessment, in the units of `FEATURES`; `None` is missing."""

    age: float | None = None
    heart_rate: float | None = None
    body_temperature: float | None = None
    systolic_bp: float | None = None
    diastolic_bp: float | None = None
    respiratory_rate: float | None = None
    oxygen_saturation: float | None = None
    sex: str | None = None
    minutes_before: Mapping[str, float] = field(default_factory=dict)
    """Age of each reading at the prediction time, min; empty when all share one time."""

    def value(self, name: str) -> float | str | None:
        """The input called `name`; raises `KeyError` for a name that is not an input."""
        if name not in _ROW_NAMES:
            raise KeyError(name)
        return getattr(self, name)  # type: ignore[no-any-return]


_ROW_NAMES = frozenset(f.name for f in fields(FeatureRow)) - {"minutes_before"}
ROW_NAMES: tuple[str, ...] = (*(f.name for f in FEATURES), "sex")
"""Columns of history, `score` input and exports that the model may read."""


def is_possible(name: str, value: float) -> bool:
    """Whether `value` of the feature may be used at all (C5)."""
    feature = FEATURE[name]
    low, high = feature.possible
    # NaN fails every comparison, and so is not possible.
    return low <= value <= high and not any(abs(value - s) < 0.05 for s in feature.sentinels)


def is_extreme(name: str, value: float) -> bool:
    """Whether a possible value calls for a second measurement (C5)."""
    low, high = FEATURE[name].usual
    return not low <= value <= high


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """One column of the model matrix and the readings a clinician knows it by."""

    name: str
    uses: tuple[str, ...]
    """Inputs it is computed from."""
    shown_as: tuple[str, ...]
    """Reasons on the card its contribution is shared among, equally."""
    rule: str = "as measured"


# Pulse pressure, mean arterial pressure: (systolic - diastolic), diastolic + a third of it.
# Shock index: Allgöwer and Burri 1967. Blood-pressure category: ACC/AHA guideline 2017
# (Whelton 2018), 0 normal to 4 crisis. Fever-adjusted rate: about 10 beats per Cel above 37
# (Davies and Maconochie 2009, children; Karjalainen and Viitasalo 1986, adults 8.5).
MODEL_COLUMNS: tuple[ModelColumn, ...] = (
    ModelColumn("age", ("age",), ("age",)),
    ModelColumn("heart_rate", ("heart_rate",), ("heart_rate",)),
    ModelColumn("body_temperature", ("body_temperature",), ("body_temperature",)),
    ModelColumn("systolic_bp", ("systolic_bp",), ("blood_pressure",)),
    ModelColumn("diastolic_bp", ("diastolic_bp",), ("blood_pressure",)),
    ModelColumn("respiratory_rate", ("respiratory_rate",), ("respiratory_rate",)),
    ModelColumn("oxygen_saturation", ("oxygen_saturation",), ("oxygen_saturation",)),
    ModelColumn("is_female", ("sex",), ("sex",), "1 female, 0 male, missing otherwise"),
    ModelColumn(
        "pulse_pressure",
        ("systolic_bp", "diastolic_bp"),
        ("blood_pressure",),
        "systolic - diastolic",
    ),
    ModelColumn(
        "mean_arterial_pressure",
        ("systolic_bp", "diastolic_bp"),
        ("blood_pressure",),
        "diastolic + (systolic - diastolic)/3",
    ),
    ModelColumn(
        "shock_index",
        ("heart_rate", "systolic_bp"),
        ("heart_rate", "blood_pressure"),
        "heart rate/systolic",
    ),
    ModelColumn(
        "fever_adjusted_heart_rate",
        ("heart_rate", "body_temperature"),
        ("heart_rate", "body_temperature"),
        "heart rate - 8.5 (temperature - 37)",
    ),
    ModelColumn(
        "blood_pressure_category",
        ("systolic_bp", "diastolic_bp"),
        ("blood_pressure",),
        "ACC/AHA 2017: 0 normal, 1 elevated, 2 stage 1, 3 stage 2, 4 crisis",
    ),
)

REASONS: tuple[str, ...] = (
    "age",
    "heart_rate",
    "body_temperature",
    "blood_pressure",
    "respiratory_rate",
    "oxygen_saturation",
    "sex",
)
"""What contributions are folded onto, in table order."""


def model_matrix(
    columns: Mapping[str, ArrayLike], minutes_before: Mapping[str, ArrayLike] | None = None
) -> FloatArray:
    """Compute the model columns, derived ones included, for training and serving alike.

    `columns` holds arrays of length n under the names of `ROW_NAMES` (`sex` as text; an absent
    column is missing throughout). `minutes_before` holds, per reading, how long before the
    prediction time it was taken, min; a derived column of readings more than
    `MAX_MINUTES_APART` apart is missing. Returns float64 of shape (n, len(MODEL_COLUMNS)), NaN
    where missing. Nothing is imputed (C8).
    """
    n = len(np.atleast_1d(np.asarray(next(iter(columns.values())), dtype=object)))
    values: dict[str, FloatArray] = {}
    for feature in FEATURES:
        given = columns.get(feature.name)
        values[feature.name] = (
            np.full(n, np.nan) if given is None else np.asarray(given, dtype=np.float64).reshape(n)
        )
    sex = columns.get("sex")
    female = np.full(n, np.nan)
    if sex is not None:
        text = np.asarray(sex, dtype=object).reshape(n)
        female[text == "female"] = 1.0
        female[text == "male"] = 0.0
    heart_rate, temperature = values["heart_rate"], values["body_temperature"]
    systolic, diastolic = values["systolic_bp"], values["diastolic_bp"]
    pair = _together(systolic, "systolic_bp", "diastolic_bp", minutes_before)
    pulse = systolic - diastolic + pair
    shock = heart_rate / systolic + _together(systolic, "heart_rate", "systolic_bp", minutes_before)
    adjusted = (
        heart_rate
        - 8.5 * (temperature - 37.0)
        + _together(systolic, "heart_rate", "body_temperature", minutes_before)
    )
    derived = {
        "is_female": female,
        "pulse_pressure": pulse,
        "mean_arterial_pressure": diastolic + pulse / 3.0,
        "shock_index": shock,
        "fever_adjusted_heart_rate": adjusted,
        "blood_pressure_category": _pressure_category(systolic, diastolic) + pair,
    }
    return np.column_stack([(values | derived)[column.name] for column in MODEL_COLUMNS])


def row_matrix(row: FeatureRow) -> FloatArray:
    """The model matrix of one row, float64 of shape (1, len(MODEL_COLUMNS))."""
    columns: dict[str, ArrayLike] = {
        name: [np.nan if (value := row.value(name)) is None else value] for name in ROW_NAMES
    }
    return model_matrix(columns, {k: [v] for k, v in row.minutes_before.items()})


def _together(
    like: FloatArray, first: str, second: str, minutes_before: Mapping[str, ArrayLike] | None
) -> FloatArray:
    """0 where two readings may be combined, NaN where they lie too far apart (C4)."""
    if not minutes_before or first not in minutes_before or second not in minutes_before:
        return np.zeros_like(like)
    gap = np.abs(
        np.asarray(minutes_before[first], dtype=np.float64)
        - np.asarray(minutes_before[second], dtype=np.float64)
    )
    return np.where(gap > MAX_MINUTES_APART, np.nan, 0.0)


def _pressure_category(systolic: FloatArray, diastolic: FloatArray) -> FloatArray:
    """ACC/AHA 2017 category of the higher of the two pressures; NaN if either is missing."""
    by_systolic = np.select(
        [systolic > 180, systolic >= 140, systolic >= 130, systolic >= 120], [4.0, 3.0, 2.0, 1.0]
    )
    by_diastolic = np.select([diastolic > 120, diastolic >= 90, diastolic >= 80], [4.0, 3.0, 2.0])
    known = np.isfinite(systolic) & np.isfinite(diastolic)
    return np.where(known, np.maximum(by_systolic, by_diastolic), np.nan)


def schema_hash(names: tuple[str, ...]) -> str:
    """Hash of the model columns `names` and of the input rows they use.

    A model stores it; loading refuses a model whose rows mean something else now. A new optional
    feature does not change the hash of the columns an old model uses. Raises `KeyError` for a
    column that no longer exists.
    """
    table = {column.name: column for column in MODEL_COLUMNS}
    rows: list[object] = []
    for name in names:
        column = table[name]
        inputs = [
            [used, FEATURE[used].unit, list(FEATURE[used].possible)]
            for used in column.uses
            if used in FEATURE
        ]
        rows.append([column.name, list(column.uses), column.rule, inputs])
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()
