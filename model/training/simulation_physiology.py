"""Vital signs of healthy adults by age and sex, and how exactly they are measured.

The ground on which `simulation` lays illness. Means come from population surveys; where a paper
gives a trend but no coefficient, the size is ours and the line says so.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.features import READINGS, FloatArray

HEALTHY_SD: Mapping[str, float] = {
    "heart_rate": 11.0,  # about half the span of the 5th to 95th percentile, Ostchega 2011
    "body_temperature": 0.35,  # Mackowiak 1992: 36.8 (SD 0.4); Obermeyer 2017: 95 % 35.7-37.3
    "systolic_bp": 12.5,  # normotensive adults, Wright 2011 (percentiles; size ours)
    "diastolic_bp": 9.0,  # the same
    "respiratory_rate": 2.2,  # NEWS2 calls 12-20/min normal (Royal College of Physicians 2017)
    "oxygen_saturation": 1.1,  # Crapo 1999, sea level
}
"""Standard deviation between healthy adults of one age and sex, in the units of `FEATURES`."""

MEASUREMENT_SD: Mapping[str, float] = {
    # Edmonds 2002: two observers agree within +/- 10.6/min, 6.2/min, 24.2 and 19.9 mm[Hg] (95 %);
    # the error of one reading is that limit / (1.96 * sqrt 2).
    "heart_rate": 3.8,
    "respiratory_rate": 2.2,
    "systolic_bp": 8.7,
    "diastolic_bp": 7.2,
    # Niven 2015: peripheral thermometers against central ones; size ours, for one kind of site.
    "body_temperature": 0.2,
    # ISO 80601-2-61 admits 4 % (root mean square) at low saturations; healthy fingers are closer.
    "oxygen_saturation": 0.8,
}
"""Standard deviation of the error of one reading."""

# Order of READINGS: rate, temperature, systolic, diastolic, respiratory rate, saturation.
# Systolic with diastolic: about 0.65 in adult surveys. Rate with temperature: Gillum 1991 (US
# youth, positive and independent; size ours). Respiratory rate with saturation: -0.16, weighted
# mean of 12,096 emergency patients (Mower 1996). The other entries are ours, and small.
CORRELATION: NDArray[np.float64] = np.array(
    [
        [1.00, 0.20, 0.00, 0.15, 0.25, -0.05],
        [0.20, 1.00, 0.00, 0.00, 0.10, -0.05],
        [0.00, 0.00, 1.00, 0.65, 0.00, 0.00],
        [0.15, 0.00, 0.65, 1.00, 0.00, 0.00],
        [0.25, 0.10, 0.00, 0.00, 1.00, -0.16],
        [-0.05, -0.05, 0.00, 0.00, -0.16, 1.00],
    ]
)

BEATS_PER_DEGREE = 8.5
"""Rise of heart rate with temperature, /min per Cel, adults (Karjalainen and Viitasalo 1986)."""

FEVER_LOSS_PER_DECADE = 0.05
"""Share of the febrile rise lost per decade of age beyond 20.

Roghmann 2001: 0.15 Cel lower per decade in pneumonia, of which the falling baseline explains a
part; Norman 2000: fever absent or blunted in 20 to 30 % of infected old people. Size ours.
"""

SURVIVABLE: Mapping[str, tuple[float, float]] = {
    "heart_rate": (28.0, 230.0),
    "body_temperature": (30.0, 42.0),
    "systolic_bp": (45.0, 270.0),
    "diastolic_bp": (22.0, 160.0),
    "respiratory_rate": (5.0, 60.0),
    "oxygen_saturation": (50.0, 100.0),
}
"""Limits the simulation keeps to: inside what clinical rule C5 calls possible."""

SMALLEST_PULSE_PRESSURE = 10.0
"""Least difference of systolic and diastolic pressure simulated, mm[Hg]; ours."""


def healthy_means(age: FloatArray, female: NDArray[np.bool_]) -> FloatArray:
    """Mean vital signs of healthy adults; float64 of shape (n, 6), columns as `READINGS`.

    `age` in years, both arguments of length n. Sources, per line: heart rate 71 (men) and
    74/min (women) with no trend in adulthood (Ostchega 2011, NHANES 1999-2008). Temperature
    36.6 Cel, falling 0.02 per decade (Obermeyer 2017; Protsiv 2020 reports 36.6 too), women 0.15
    higher (Mackowiak 1992: 36.9 and 36.7). Systolic 116 and diastolic 69 mm[Hg] in normotensive
    adults (Wright 2011, NHANES 2001-2008), systolic rising in a straight line and diastolic
    rising to 50 and falling from 60 (Franklin 1997, Framingham); men higher until about 60
    (Wright 2011). Respiratory rate higher, saturation a little lower in old age
    (Rodríguez-Molinero 2013; Crapo 1999). Slopes of the pressures and of breathing are ours.
    """
    men_higher = np.where(female, 0.0, np.clip((60.0 - age) / 10.0, 0.0, 4.0))
    means = {
        "heart_rate": np.where(female, 74.0, 71.0),
        "body_temperature": 36.6 - 0.002 * (age - 50.0) + np.where(female, 0.15, 0.0),
        "systolic_bp": 114.0 + 0.33 * (age - 45.0) + men_higher,
        "diastolic_bp": 72.0 - 0.008 * (age - 53.0) ** 2 + 0.5 * men_higher,
        "respiratory_rate": 15.5 + 0.06 * np.clip(age - 50.0, 0.0, None),
        "oxygen_saturation": 97.8 - 0.03 * np.clip(age - 40.0, 0.0, None),
    }
    return np.column_stack([means[name] for name in READINGS])


def by_reading(values: Mapping[str, float]) -> FloatArray:
    """The values of a per-reading table in the order of `READINGS`, float64 of shape (6,)."""
    return np.array([values[name] for name in READINGS])
