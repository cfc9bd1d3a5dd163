"""Single cells of history into values: numbers, sex, ORPHAcodes.

A cell is repaired only when one reading of it is possible; everything else stays missing with its
reason. Each function takes the text of one cell, and is applied to the distinct cells of a column.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from model.features import exercise_days_per_month, read_abo_group

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_LEADING = re.compile(r"([+-]?[0-9]+(?:[.,][0-9]+)?)\s*(\D.*)")
_OTHER_DECIMAL = re.compile(r"[+-]?[0-9]+[.,][0-9]{1,2}")
# Laboratory and monitor exports mark values out of range: 120*, 39.1 H, 88 (L).
_FLAGGED = re.compile(r"(.*?[0-9])\s*(?:[*!#^†‡]+|\s\(?(?:HH?|LL?)\)?)")
_BOUND = re.compile(r"[<>≤≥~≈].*")

NO_VALUE = frozenset({"", "-", "?", "na", "n/a", "nan", "nat", "null", "none", "<na>", "#n/a"})
"""What programs write for an empty cell of any column, in lower case."""
MARKED_MISSING = NO_VALUE | frozenset(
    {
        *("--", ".", "??", "n.a.", "nil", "nd", "n/d"),
        *("s/d", "unknown", "missing", "blank", "refused", "not done"),
        *("not measured", "not recorded", "unable", "desconocido", "no consta", "no medido"),
    }
)
"""What people write for "not measured" where a number belongs, in lower case."""

_UNITS: Mapping[str, frozenset[str]] = {
    "age": frozenset({"a", "y", "yr", "yrs", "year", "years", "yo", "y/o", "años", "anos"}),
    "heart_rate": frozenset({"/min", "bpm", "beats/min", "{beats}/min", "1/min", "min-1", "lpm"}),
    "body_temperature": frozenset({"c", "°c", "oc", "ºc", "cel", "degc", "celsius"}),
    "systolic_bp": frozenset({"mmhg", "mm[hg]"}),
    "diastolic_bp": frozenset({"mmhg", "mm[hg]"}),
    "respiratory_rate": frozenset(
        {"/min", "rpm", "bpm", "breaths/min", "{breaths}/min", "1/min", "min-1"}
    ),
    "oxygen_saturation": frozenset({"%", "percent"}),
    "exercise_days": frozenset(
        {"d/mo", "days/mo", "d/month", "days/month", "dayspermonth", "díasalmes", "diasalmes"}
    ),
}
"""Units that leave the number as it is: UCUM and what people write, lower case, no spaces."""
_FAHRENHEIT = frozenset({"f", "°f", "of", "ºf", "degf", "[degf]", "fahrenheit"})
_PER_WEEK = frozenset(
    {"d/wk", "{days}/wk", "d/week", "days/wk", "days/week", "daysperweek"}
    | {"díasporsemana", "diasporsemana", "díasalasemana", "diasalasemana"}
)


class ReadNumber(NamedTuple):
    """A cell as a number; `reason` says what was repaired, or why there is no value."""

    value: float | None
    reason: str | None


def read_number(cell: str, name: str, decimal: str) -> ReadNumber:
    """Read a cell of the input `name`; `decimal` is the decimal mark of its file.

    A plain number has no reason. Repaired: a unit of that input, a mark for "out of range",
    quotation marks, the other decimal mark with one or two digits after it, Fahrenheit or days a
    week that say so. Not a value: a bound ("<40"), two values in one cell, anything else.
    """
    text = unicodedata.normalize("NFKC", cell).strip()
    if not text:
        return ReadNumber(None, "empty")
    # Spreadsheets leave #N/A, #NULL! and their translations where a formula failed.
    if text.casefold() in MARKED_MISSING or text.startswith("#"):
        return ReadNumber(None, "marked_missing")
    value = _plain(text, decimal)
    if value is not None:
        return ReadNumber(value, None)
    if _BOUND.fullmatch(text):
        return ReadNumber(None, "bound")
    reasons = []
    bare = text.removeprefix("=").strip("'\"").strip()
    if bare != text:
        reasons.append("quotation_marks")
    if match := _FLAGGED.fullmatch(bare):
        bare = match[1]
        reasons.append("range_mark")
    stated = ""
    if match := _LEADING.fullmatch(bare):
        unit = re.sub(r"\s", "", match[2]).casefold()
        if name == "body_temperature" and unit in _FAHRENHEIT:
            stated = "fahrenheit_stated"
        elif name == "exercise_days" and unit in _PER_WEEK:
            stated = "per_week_stated"
        if stated or unit in _UNITS[name]:
            bare = match[1]
            reasons.append(stated or "unit_in_cell")
    value = _plain(bare, decimal)
    if value is None and _OTHER_DECIMAL.fullmatch(bare):
        value = float(bare.replace(",", "."))
        reasons.append("decimal_mark")
    if value is None:
        return ReadNumber(None, "not_a_number")
    if stated == "fahrenheit_stated":
        return ReadNumber(round((value - 32.0) / 1.8, 2), stated)
    if stated == "per_week_stated":
        return ReadNumber(exercise_days_per_month(value), stated)
    return ReadNumber(value, reasons[0])


def _plain(text: str, decimal: str) -> float | None:
    """A number written with the decimal mark of the file, or `None`."""
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".", 1)
    return float(text) if _NUMBER.fullmatch(text) else None


_FEMALE = frozenset({"f", "female", "woman", "femenino", "femenina", "mujer", "fem"})
_MALE = frozenset({"male", "man", "h", "hombre", "masculino", "varon", "varón", "masc"})
_OTHER = frozenset({"other", "otro", "otra", "x", "non-binary", "nonbinary", "no binario"})
_UNKNOWN = frozenset({"unknown", "u", "desconocido"})


def read_sexes(cells: Iterable[str]) -> dict[str, str | None]:
    """What each distinct cell of a `sex` column means; `None` for a cell that cannot be read.

    "M" is male, unless the column also has "H" or "hombre": then it is "mujer", and with "F"
    beside both it means nothing sure. Numbers (1, 2) are coded either way and are not read.
    """
    distinct = set(cells)
    lower = {cell: cell.strip().casefold() for cell in distinct}
    written = set(lower.values())
    m_means: str | None = "male"
    if written & {"h", "hombre"}:
        m_means = None if "f" in written else "female"
    meanings: dict[str, str | None] = {}
    for cell, text in lower.items():
        if text == "m":
            meanings[cell] = m_means
        elif text in _FEMALE:
            meanings[cell] = "female"
        elif text in _MALE:
            meanings[cell] = "male"
        elif text in _OTHER:
            meanings[cell] = "other"
        else:
            meanings[cell] = "unknown" if text in _UNKNOWN else None
    return meanings


def read_abo_groups(cells: Iterable[str]) -> dict[str, str | None]:
    """What each distinct cell of an `abo_group` column means; `None` for one that cannot be read.

    A bare 0 is the letter O where the column names other groups in letters and never O: alone or
    beside other numbers it may be a code.
    """
    meanings = {cell: read_abo_group(cell) for cell in set(cells)}
    groups = set(meanings.values())
    if {"A", "B", "AB"} & groups and "O" not in groups:
        bare = [cell for cell in meanings if re.fullmatch(r"[0-9.]+", cell.strip())]
        if all(cell.strip() == "0" for cell in bare):
            meanings |= dict.fromkeys(bare, "O")
    return meanings
