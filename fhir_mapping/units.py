"""Units of vital signs: UCUM codes, the spellings systems really send, and their conversion.

UCUM: https://ucum.org/ucum. A coded unit wins over its text. A unit that is missing or means
something else is never guessed (clinical rule C5): "F" as a UCUM code is farad, as text it is
Fahrenheit; 101 without a unit stays unknown.
"""

import re
from collections.abc import Mapping

from fhir_mapping.codes import UCUM, UCUM_SYSTEMS
from model.features import FEATURE, exercise_days_per_month

MMHG_PER_KPA = 1 / 0.133322387415
"""mm[Hg] in one kPa, 7.50062 (conventional millimetre of mercury, NIST SP 811, 2008)."""

_DECIMALS = 2
"""Decimals kept of a converted value: finer than any device, coarse enough to undo binary
noise (101.3 [degF] is 38.5 Cel)."""

# Canonical units, beside which `convert` knows these others: [degF], K, kPa, "1" (a fraction),
# d/wk.
_RATE, _CELSIUS, _PRESSURE, _PERCENT, _DAYS = "/min", "Cel", "mm[Hg]", "%", "d/mo"

# Valid UCUM, case-sensitive, annotations such as {beats} taken out.
_UCUM_CODES: Mapping[str, str] = {
    "/min": _RATE,
    "1/min": _RATE,
    "min-1": _RATE,
    "Cel": _CELSIUS,
    "[degF]": "[degF]",
    "K": "K",
    "mm[Hg]": _PRESSURE,
    "kPa": "kPa",
    "%": _PERCENT,
    "1": "1",
    "d/mo": _DAYS,
    "d/wk": "d/wk",
    # {days}/wk without its annotation.
    "/wk": "d/wk",
}

# Spellings that are not UCUM, compared without case and with single spaces. They are accepted
# where UCUM is claimed too ("mmHg", "bpm" are frequent there), since none is another UCUM unit.
_SPELLINGS: Mapping[str, str] = {
    spelling: unit
    for unit, spellings in {
        _RATE: (
            "beats/min", "beat/min", "beats/minute", "beat/minute", "beats per minute",
            "beats per min", "bpm", "breaths/min", "breath/min", "breaths/minute",
            "breaths per minute", "breaths per min", "respirations/min", "resp/min", "rpm",
            "per minute", "per min", "/minute", "1/minute",
        ),
        _CELSIUS: (
            "°c", "° c", "degc", "deg c", "degree c", "degrees c", "degree celsius",
            "degrees celsius", "celsius",
        ),
        "[degF]": (
            "°f", "° f", "degf", "deg f", "degree f", "degrees f", "degree fahrenheit",
            "degrees fahrenheit", "fahrenheit",
        ),
        "K": ("kelvin",),
        _PRESSURE: ("mmhg", "mm hg", "mm(hg)", "torr", "millimeter of mercury",
                    "millimeters of mercury", "millimetre of mercury", "millimetres of mercury"),
        _PERCENT: ("percent", "per cent", "pct"),
        "d/wk": (
            "d/week", "days/wk", "days/week", "day/week", "days per week", "day per week",
            "days a week",
        ),
        _DAYS: ("d/month", "days/month", "days per month", "days a month"),
    }.items()
    for spelling in spellings
}  # fmt: skip

# Only as text: as UCUM codes these are coulomb and farad, or nothing.
_TEXT_ONLY: Mapping[str, str] = {
    "c": _CELSIUS,
    "cel": _CELSIUS,
    "f": "[degF]",
    "[degf]": "[degF]",
    "mm[hg]": _PRESSURE,
    "kpa": "kPa",
}

# UCUM, section 6: an annotation is printable ASCII in braces and has no meaning. Bounded, so
# that what is kept of a request stays small.
_ANNOTATION = re.compile(r"\{[!-z|~]{0,40}\}")
_ACCEPTED = {
    _RATE: (_RATE,),
    _CELSIUS: (_CELSIUS, "[degF]", "K"),
    _PRESSURE: (_PRESSURE, "kPa"),
    _PERCENT: (_PERCENT, "1"),
    _DAYS: (_DAYS, "d/wk"),
}
# Degree signs that keyboards and old character sets put in place of U+00B0.
_DEGREE_SIGNS = str.maketrans({"˚": "°", "º": "°", "℃": "°c", "℉": "°f"})


def received_unit(unit: str | None, system: str | None, code: str | None) -> str | None:
    """The unit of a Quantity that is read: its code, else its text; `None` without either.

    A code of another system than UCUM is not read; the text beside it is.
    """
    return (code if _is_coded(system, code) else unit) or None


def convert(
    feature: str, value: float, unit: str | None, system: str | None, code: str | None
) -> float | None:
    """`value` of a Quantity in the unit of the feature; `None` if its unit is not known.

    `unit`, `system` and `code` are those of the Quantity. A value that is converted is rounded
    to two decimals; one already in the unit of the feature is returned as it is. A fraction
    ("1") is read as an oxygen saturation only from a code and only above 0 and up to 1. Raises
    `KeyError` for a name that is no feature.
    """
    target = FEATURE[feature].unit
    if code == target and system == UCUM:
        return value
    taken = received_unit(unit, system, code)
    if taken is None:
        return None
    if taken == target:
        return value
    coded = _is_coded(system, code)
    known = _recognise(taken, ucum=coded and bool(system))
    if known not in _ACCEPTED[target]:
        return None
    if known == "[degF]":
        return round((value - 32) * 5 / 9, _DECIMALS)
    if known == "K":
        return round(value - 273.15, _DECIMALS)
    if known == "kPa":
        return round(value * MMHG_PER_KPA, _DECIMALS)
    if known == "d/wk":
        return exercise_days_per_month(value)
    if known == "1":
        return round(value * 100, _DECIMALS) if coded and 0 < value <= 1 else None
    return value


def _is_coded(system: str | None, code: str | None) -> bool:
    return bool(code) and (not system or system in UCUM_SYSTEMS)


def _recognise(text: str, *, ucum: bool) -> str | None:
    bare = _ANNOTATION.sub("", text)
    if bare in _UCUM_CODES:
        return _UCUM_CODES[bare]
    plain = " ".join(bare.casefold().translate(_DEGREE_SIGNS).split())
    if plain in _SPELLINGS:
        return _SPELLINGS[plain]
    return None if ucum else _TEXT_ONLY.get(plain)
