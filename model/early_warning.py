"""Limits of NEWS2, by which a dangerous reading is reported whatever a model says.

Source: Royal College of Physicians, National Early Warning Score (NEWS) 2: Standardising the
assessment of acute-illness severity in the NHS, London 2017, chart 1 (clinical rule C9).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.features import FEATURE, FeatureRow, FloatArray

NEWS2_PARAMETERS = 7
"""Parameters of the whole score: the five below, air or oxygen, and consciousness."""

MIN_AGE = 16.0
"""NEWS2 is for people of 16 years or more, a (RCP 2017)."""

RED_SCORE = 3
"""Points of one parameter that ask for an urgent look by themselves (RCP 2017)."""

# Each parameter as (highest charted value, points), ascending. Oxygen saturation is scale 1: scale
# 2 is for patients whom a clinician has prescribed a target of 88-92 %, which is not known here.
_BANDS: Mapping[str, tuple[tuple[float, int], ...]] = {
    "heart_rate": ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (math.inf, 3)),
    "body_temperature": ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (math.inf, 2)),
    "systolic_bp": ((90, 3), (100, 2), (110, 1), (219, 0), (math.inf, 3)),
    "respiratory_rate": ((8, 3), (11, 1), (20, 0), (24, 2), (math.inf, 3)),
    "oxygen_saturation": ((91, 3), (93, 2), (95, 1), (math.inf, 0)),
}

PARAMETERS: tuple[str, ...] = tuple(_BANDS)
"""The features that NEWS2 counts; air or oxygen and consciousness are not known here."""

RED_LIMITS: Mapping[str, tuple[float | None, float | None]] = {
    "heart_rate": (40, 131),
    "body_temperature": (35.0, None),
    "systolic_bp": (90, 220),
    "respiratory_rate": (8, 25),
    "oxygen_saturation": (91, None),
}
"""Per parameter: red at or below, red at or above, in the units of `model.features`."""


@dataclass(frozen=True, slots=True)
class PartialNews2:
    """NEWS2 points of the parameters that were measured: never the whole score."""

    score: int
    n_parameters: int
    """How many of the seven were counted; a missing one is not counted as 0 (C9)."""
    points: Mapping[str, int]
    """Points per counted parameter."""


def as_charted(feature: str, value: float) -> float:
    """The value as a chart holds it: rounded half up to the decimals of the feature.

    NEWS2 is defined on whole numbers and tenths of a degree; between two bands (24.5/min) the
    charted value decides. The card prints the same number. Raises `KeyError` for a name that is
    not in `model.features.FEATURE`.
    """
    factor = 10.0 ** FEATURE[feature].decimals
    # 0.1 Cel steps are not exact in binary: 35.05 x 10 is 350.49999999999994.
    return math.floor(value * factor + 0.5 + 1e-9) / factor


def partial_news2(row: FeatureRow, *, pregnant: bool) -> PartialNews2 | None:
    """NEWS2 from what was measured, or `None` where NEWS2 does not apply or nothing was measured.

    It does not apply under 16 years, in pregnancy, and where the age is unknown: the limits are
    adult ones, a heart rate of 140/min is normal in an infant, and somebody without an age may
    be a child (C9). The readings themselves are still shown.
    """
    if not _applies(row, pregnant=pregnant):
        return None
    points = {
        feature: _points(feature, value)
        for feature in _BANDS
        if (value := getattr(row, feature)) is not None
    }
    if not points:
        return None
    return PartialNews2(sum(points.values()), len(points), points)


def points_of(feature: str, values: FloatArray) -> FloatArray:
    """NEWS2 points of each value (n,) of one parameter; NaN where the value is missing (C9).

    The same bands and rounding as `partial_news2`, for many rows; whether NEWS2 applies to them
    is the caller's question. Raises `KeyError` for a feature that is no parameter (`PARAMETERS`).
    """
    bands = _BANDS[feature]
    factor = 10.0 ** FEATURE[feature].decimals
    charted = np.floor(values * factor + 0.5 + 1e-9) / factor
    highest = np.asarray([limit for limit, _ in bands])
    points = np.asarray([score for _, score in bands], dtype=np.float64)
    place = np.minimum(np.searchsorted(highest, charted, side="left"), len(bands) - 1)
    return np.where(np.isnan(values), np.nan, points[place])


def dangerous_readings(row: FeatureRow, *, pregnant: bool) -> tuple[str, ...]:
    """Features with a red NEWS2 score (3 points), in table order; none where it does not apply.

    Applies to whom `partial_news2` applies.
    """
    news2 = partial_news2(row, pregnant=pregnant)
    if news2 is None:
        return ()
    return tuple(feature for feature, points in news2.points.items() if points == RED_SCORE)


def _applies(row: FeatureRow, *, pregnant: bool) -> bool:
    return not pregnant and row.age is not None and row.age >= MIN_AGE


def _points(feature: str, value: float) -> int:
    charted = as_charted(feature, value)
    return next(points for highest, points in _BANDS[feature] if charted <= highest)
