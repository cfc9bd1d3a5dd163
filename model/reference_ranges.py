"""Reference ranges a reading is shown beside, by age (clinical rule C6).

They describe healthy people at rest. They are not the red limits of `model.early_warning` and
not the limits of what may be used (`model.features`).

Adults: MedlinePlus (US National Library of Medicine), "Vital signs" (article 002341) for heart
rate and blood pressure, "Body temperature norms" (article 001982) for temperature. Respiratory
rate: MedlinePlus gives 12-18/min and NEWS2 gives no points from 12 to 20/min (Royal College of
Physicians 2017); the wider one, so that the card and NEWS2 never disagree. Oxygen saturation:
US FDA, "Pulse oximeter accuracy and limitations", 95-100 % for most healthy people.

Children: Fleming et al., Normal ranges of heart rate and respiratory rate in children from birth
to 18 years of age, Lancet 2011;377:1011-1018, web tables 4 and 5, 1st and 99th centile. The web
appendix could not be opened when this was written; the numbers were checked against a published
transcription of it, and the abstract's medians fit. Other readings have no range here under 18.
"""

from collections.abc import Mapping

ADULT_AGE = 18.0
"""From here on the adult ranges hold, a: where Fleming's tables end."""

ADULT_RANGES: Mapping[str, tuple[float, float]] = {
    "heart_rate": (60, 100),
    "body_temperature": (36.1, 37.2),
    "systolic_bp": (90, 120),
    "diastolic_bp": (60, 80),
    "respiratory_rate": (12, 20),
    "oxygen_saturation": (95, 100),
}

# Fleming's heart-rate table has a row "birth" (90-164/min) beside "0-3 months" (107-181/min): it
# is used for the first day of life, our reading of "birth".
_FIRST_DAY = 1.0 / 365.25
_CHILD_RANGES: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    # (age below, a; 1st centile; 99th centile), /min
    "heart_rate": (
        (_FIRST_DAY, 90, 164),
        (0.25, 107, 181),
        (0.5, 104, 175),
        (0.75, 98, 168),
        (1.0, 93, 161),
        (1.5, 88, 156),
        (2.0, 82, 149),
        (3.0, 76, 142),
        (4.0, 70, 136),
        (6.0, 65, 131),
        (8.0, 59, 123),
        (12.0, 52, 115),
        (15.0, 47, 108),
        (18.0, 43, 104),
    ),
    "respiratory_rate": (
        (0.25, 25, 66),
        (0.5, 24, 64),
        (0.75, 23, 61),
        (1.0, 22, 58),
        (1.5, 21, 53),
        (2.0, 19, 46),
        (3.0, 18, 38),
        (4.0, 17, 33),
        (6.0, 17, 29),
        (8.0, 16, 27),
        (12.0, 14, 25),
        (15.0, 12, 23),
        (18.0, 11, 22),
    ),
}


def reference_range(feature: str, age: float | None) -> tuple[float, float] | None:
    """Lowest and highest usual value of `feature` at `age` (a), in the unit of the feature.

    `None` where no range is known: an unknown age, and under 18 years everything but heart and
    respiratory rate. The range of a child is the 1st to 99th centile.
    """
    if age is None:
        return None
    if age >= ADULT_AGE:
        return ADULT_RANGES.get(feature)
    for below, low, high in _CHILD_RANGES.get(feature, ()):
        if age < below:
            return low, high
    return None
