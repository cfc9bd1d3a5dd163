"""The one table of features, shared by training, scoring, FHIR mapping and the card.

Names, UCUM units, and the limits of clinical rule C5: a value outside `possible` is never
used; one outside `usual` is used, flagged `extreme`, and the card asks to re-measure.
"""

import hashlib
import json
import re
import unicodedata
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
    # Days of exercise are no measurement to repeat: nothing possible is extreme, and 0 is a value.
    Feature("exercise_days", "d/mo", False, (0, 30), (0, 30), (998, -9, -8, -7)),
)
"""Numeric inputs in table order; `sex` and `abo_group` are the categories beside them."""

EXTRA_INPUTS: tuple[str, ...] = ("abo_group", "exercise_days")
"""Inputs beyond vital signs, off by default: read and learnt from only where they are asked for."""
FEATURE: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}
READINGS: tuple[str, ...] = tuple(f.name for f in FEATURES if f.name not in ("age", *EXTRA_INPUTS))
"""Vital signs, in table order."""
CORE: tuple[str, ...] = tuple(f.name for f in FEATURES if f.core)
SEXES: tuple[str, ...] = ("female", "male", "other", "unknown")
ABO_GROUPS: tuple[str, ...] = ("A", "B", "AB", "O")


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
    abo_group: str | None = None
    exercise_days: float | None = None
    minutes_before: Mapping[str, float] = field(default_factory=dict)
    """Age of each vital sign at the prediction time, min; empty when all share one time."""

    def value(self, name: str) -> float | str | None:
        """The input called `name`; raises `KeyError` for a name that is not an input."""
        if name not in _ROW_NAMES:
            raise KeyError(name)
        return getattr(self, name)  # type: ignore[no-any-return]


_ROW_NAMES = frozenset(f.name for f in fields(FeatureRow)) - {"minutes_before"}
ROW_NAMES: tuple[str, ...] = ("age", *READINGS, "sex", *EXTRA_INPUTS)
"""Columns of history, `score` input and exports that the model may read."""
CATEGORIES: frozenset[str] = frozenset(ROW_NAMES) - frozenset(FEATURE)
"""Those of `ROW_NAMES` whose values are text."""


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


_DAYS_A_WEEK = 7.0
_DAYS_A_MONTH = 30.0


def exercise_days_per_month(days_per_week: float) -> float:
    """Days of exercise a month (d/mo) of as many a week (d/wk): × 30/7, at most 30.

    Rounded to two decimals. More days than a week has give a value that is not possible, and so
    is not used (C5).
    """
    days = days_per_week * _DAYS_A_MONTH / _DAYS_A_WEEK
    return round(min(days, _DAYS_A_MONTH) if days_per_week <= _DAYS_A_WEEK else days, 2)


# The whole text must name one group; its subgroup (A1, A2B) and the Rh factor may stand with it.
# A zero is the letter O only beside a word or a sign that says so: alone it may be a number.
_ABO_TEXT = re.compile(
    r"(?P<named>(?:abo\s*)?(?:blood\s*)?(?:group|type|grupo(?:\s+sangu[ií]neo)?)\s*:?\s*)?"
    r"(?P<group>a[12]?b|a[12]?|b|o|0)"
    r"(?P<rh>\s*,?\s*(?:rh(?:esus)?\s*(?:factor\s*)?(?:\(\s*d\s*\)|d)?\s*)?"
    r"(?:pos(?:itive|itivo)?|neg(?:ative|ativo)?|\(?[+-]\)?))?"
    r"(?:\s*\(finding\))?",
    re.IGNORECASE,
)
_MINUS_SIGNS = str.maketrans("−‐‑–—﹣", "------")
_LONGEST_ABO_TEXT = 60


def read_abo_group(text: str) -> str | None:
    """The ABO group (one of `ABO_GROUPS`) that a text such as "A", "O Rh-" or "AB pos" names.

    `None` for anything else: two groups, a doubt, a bare 0 or another number. The Rh factor is
    read over, for it is no input.
    """
    if len(text) > _LONGEST_ABO_TEXT:
        return None
    plain = unicodedata.normalize("NFKC", text).translate(_MINUS_SIGNS)
    match = _ABO_TEXT.fullmatch(plain.strip())
    if match is None:
        return None
    group = re.sub(r"[12]", "", match["group"]).upper()
    if group == "0":
        return "O" if match["named"] or match["rh"] else None
    return group


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
    *(
        ModelColumn(
            f"is_abo_{group.lower()}",
            ("abo_group",),
            ("abo_group",),
            f"1 group {group}, 0 another of A, B, AB, O, missing otherwise",
        )
        for group in ABO_GROUPS
    ),
    ModelColumn("exercise_days", ("exercise_days",), ("exercise_days",)),
)
ABO_COLUMNS: Mapping[str, str] = {f"is_abo_{group.lower()}": group for group in ABO_GROUPS}
"""Model column → the group it stands for."""

REASONS: tuple[str, ...] = (
    "age",
    "heart_rate",
    "body_temperature",
    "blood_pressure",
    "respiratory_rate",
    "oxygen_saturation",
    "sex",
    *EXTRA_INPUTS,
)
"""What contributions are folded onto, in table order."""


def extra_inputs_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Which of `EXTRA_INPUTS` a model of these columns uses; `KeyError` for an unknown column."""
    table = {column.name: column for column in MODEL_COLUMNS}
    used = {name for column in columns for name in table[column].uses}
    return tuple(name for name in EXTRA_INPUTS if name in used)


def model_matrix(
    columns: Mapping[str, ArrayLike], minutes_before: Mapping[str, ArrayLike] | None = None
) -> FloatArray:
    """Compute the model columns, derived ones included, for training and serving alike.

    `columns` holds arrays of length n under the names of `ROW_NAMES` (categories as text; an
    absent column is missing throughout). `minutes_before` holds, per reading, how long before the
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
    groups = _one_hot(columns.get("abo_group"), n)
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
    known = values | derived | groups
    return np.column_stack([known[column.name] for column in MODEL_COLUMNS])


def row_matrix(row: FeatureRow) -> FloatArray:
    """The model matrix of one row, float64 of shape (1, len(MODEL_COLUMNS))."""
    columns: dict[str, ArrayLike] = {"age": [np.nan if row.age is None else row.age]}
    for name in ROW_NAMES:
        if (value := row.value(name)) is not None:
            columns[name] = [value]
    return model_matrix(columns, {k: [v] for k, v in row.minutes_before.items()})


def _one_hot(groups: ArrayLike | None, n: int) -> dict[str, FloatArray]:
    """A column for each ABO group: 1, 0 for another known group, NaN where none is known."""
    if groups is None:
        return dict.fromkeys(ABO_COLUMNS, np.full(n, np.nan))
    text = np.asarray(groups, dtype=object).reshape(n)
    is_group = {name: text == group for name, group in ABO_COLUMNS.items()}
    known = np.logical_or.reduce(list(is_group.values()))
    return {name: np.where(known, one.astype(np.float64), np.nan) for name, one in is_group.items()}


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
    # Limits reached are counted, since they rise: for one row much quicker than `numpy.select`.
    by_systolic = (systolic >= 120) * 1.0 + (systolic >= 130) + (systolic >= 140) + (systolic > 180)
    by_diastolic = (diastolic >= 80) * 2.0 + (diastolic >= 90) + (diastolic > 120)
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
