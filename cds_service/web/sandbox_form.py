"""The chart of the sandbox as a form: one line a reading, and what a visitor typed into it.

Anything that is a number goes out as it is: what cannot be true is for the service to notice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cds_service.services.sandbox_patients import (
    QUANTITIES,
    TEMPERATURE_UNITS,
    UNIT_OF,
    UNITS,
    Quantity,
    Reading,
)
from cds_service.web.words import Words

MOST_MINUTES: Final = 60 * 24 * 365
LARGEST: Final = 1e6
LONGEST: Final = 20
"""Characters of a number."""
USUAL_MINUTES: Final = 10


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the fields, and what is wrong with it."""

    fields: Mapping[str, str]
    readings: Mapping[Quantity, Reading]
    wrong: frozenset[str] = frozenset()
    """Names of fields that hold no number that could be sent."""


def fields_of(readings: Mapping[Quantity, Reading], words: Words) -> Typed:
    """The fields of a chart before anybody typed."""
    fields: dict[str, str] = {}
    for name in QUANTITIES:
        reading = readings.get(name)
        fields[name] = "" if reading is None else _shown(reading.value, words)
        minutes = USUAL_MINUTES if reading is None else reading.minutes
        fields[f"{name}_minutes"] = _shown(minutes, words)
    temperature = readings.get("body_temperature")
    fields["body_temperature_unit"] = "Cel" if temperature is None else temperature.unit
    return Typed(fields, readings)


def read(sent: Mapping[str, str]) -> Typed:
    """What a visitor sent; an empty value is a reading that was not taken."""
    fields: dict[str, str] = {}
    readings: dict[Quantity, Reading] = {}
    wrong: set[str] = set()
    chosen = sent.get("body_temperature_unit", "Cel")
    fields["body_temperature_unit"] = chosen if chosen in TEMPERATURE_UNITS else "Cel"
    for name in QUANTITIES:
        when = "systolic_bp" if name == "diastolic_bp" else name  # A cuff gives both at once.
        fields[name] = sent.get(name, "").strip()[:LONGEST]
        fields[f"{name}_minutes"] = sent.get(f"{when}_minutes", "").strip()[:LONGEST]
        if not fields[name]:
            continue
        value = _number(fields[name], -LARGEST, LARGEST)
        minutes = _number(fields[f"{name}_minutes"], 0, MOST_MINUTES)
        if value is None:
            wrong.add(name)
        if minutes is None:
            wrong.add(f"{when}_minutes")
        if value is not None and minutes is not None:
            unit = fields["body_temperature_unit"] if name == "body_temperature" else UNIT_OF[name]
            readings[name] = Reading(value, unit, minutes)
    return Typed(fields, readings, frozenset(wrong))


def lines(typed: Typed, words: Words) -> list[dict[str, Any]]:
    """What the template needs of each line of the chart."""
    return [
        {
            "name": name,
            "label": words.say(f"reading.{name}"),
            "value": typed.fields[name],
            "wrong": name in typed.wrong,
            "unit": UNITS[UNIT_OF[name]],
            "units": [
                {
                    "code": code,
                    "name": UNITS[code] or words.say("reading.no_unit"),
                    "chosen": code == typed.fields["body_temperature_unit"],
                }
                for code in TEMPERATURE_UNITS
            ]
            if name == "body_temperature"
            else None,
            "minutes": typed.fields[f"{name}_minutes"],
            "minutes_wrong": f"{name}_minutes" in typed.wrong,
            "has_minutes": name != "diastolic_bp",
        }
        for name in QUANTITIES
    ]


def _shown(value: float, words: Words) -> str:
    return words.wording.number(value, 0 if float(value).is_integer() else 1)


def _number(text: str, low: float, high: float) -> float | None:
    """The number with a point or a comma; `None` for what is none or is out of bounds."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and low <= value <= high else None
