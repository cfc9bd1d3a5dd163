"""The triage form: what may be typed, what is asked about, what is refused, and why (C5).

The page shows the same limits while somebody types; what is decided here counts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from fhir_mapping.codes import UCUM
from fhir_mapping.datetimes import parse_date
from fhir_mapping.entered import Entered, Quantity
from fhir_mapping.patient import age_at
from fhir_mapping.units import convert
from model.features import ABO_GROUPS, FEATURE, SEXES, is_extreme, is_possible

CELSIUS, FAHRENHEIT = "Cel", "[degF]"
AGAIN: Final = "again-"
"""Prefix of the box "I have measured again" of a field; its value is what was measured twice."""
LONGEST = 40
"""Characters of a field that are read."""
_DAY = re.compile(r"([0-9]{4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,2})")
"""Year, month, day: the one order that nobody reads in two ways."""
_NUMBER = re.compile(r"[0-9]{1,4}(?:[.,][0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class NumberField:
    """A field for a number."""

    name: str
    """Of the field, and of the input it is."""
    units: tuple[str, ...]
    """UCUM; the first is meant where none is chosen."""

    def limits(self, unit: str) -> dict[str, tuple[float, float]]:
        """`possible` and `usual` of the input (C5) in one of the units."""
        feature = FEATURE[self.name]
        return {
            "possible": _in_unit(feature.possible, unit),
            "usual": _in_unit(feature.usual, unit),
        }


NUMBERS: tuple[NumberField, ...] = (
    NumberField("heart_rate", ("/min",)),
    NumberField("body_temperature", (CELSIUS, FAHRENHEIT)),
    NumberField("systolic_bp", ("mm[Hg]",)),
    NumberField("diastolic_bp", ("mm[Hg]",)),
    NumberField("respiratory_rate", ("/min",)),
    NumberField("oxygen_saturation", ("%",)),
    NumberField("exercise_days", ("d/wk",)),
)
NUMBER = {field.name: field for field in NUMBERS}
MEASURED = tuple(field.name for field in NUMBERS if field.name != "exercise_days")
FIELDS = (
    "age",
    "birth_date",
    "sex",
    "pregnant",
    *(field.name for field in NUMBERS),
    "temperature_unit",
    "abo_group",
    *(AGAIN + name for name in ("age", "birth_date", *MEASURED)),
)
"""Every field that is read, in the order of the page; others are not looked at."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field, or asked about it."""

    field: str
    kind: str
    """Key of the words: `not_a_number`, `impossible`, `extreme`, …"""
    values: Mapping[str, Any]
    """Numbers that the words name; limits, never what was typed."""


@dataclass(frozen=True, slots=True)
class ReadForm:
    """A form as it was read."""

    entered: Entered | None
    """`None` where there are problems."""
    problems: tuple[Problem, ...]
    """In the order of the page; at most one a field."""


def another_person(given: Mapping[str, str]) -> Problem | None:
    """The question whether readings of this age and sex are of the person the case is of so far;
    `None` where it was answered. `given` is what was `typed`."""
    field = "birth_date" if "birth_date" in given else "age"
    answered = given.get(AGAIN + field) == given.get(field)
    return None if answered else Problem(field, "another_person", {})


def typed(fields: Mapping[str, str]) -> dict[str, str]:
    """What was typed into the fields that are read, trimmed; empty ones are left out."""
    given = {name: fields.get(name, "").strip()[:LONGEST] for name in FIELDS}
    return {name: text for name, text in given.items() if text}


def read_form(fields: Mapping[str, str], at: datetime) -> ReadForm:
    """Check a form that is sent at `at` (aware)."""
    return _Reader(typed(fields), at).read()


class _Reader:
    def __init__(self, given: Mapping[str, str], at: datetime) -> None:
        self._given = given
        self._at = at
        self._problems: list[Problem] = []

    def read(self) -> ReadForm:
        born, age = self._age()
        sex = self._choice("sex", SEXES)
        if "sex" not in self._given:
            self._say("sex", "choose")
        numbers = {field.name: self._number(field) for field in NUMBERS}
        self._pressures(numbers["systolic_bp"], numbers["diastolic_bp"])
        if not any(name in self._given for name in MEASURED):
            self._say("heart_rate", "no_readings")
        entered = Entered(
            birth_date=born,
            age=age,
            sex=sex,
            abo_group=self._choice("abo_group", ABO_GROUPS),
            pregnant="pregnant" in self._given,
            **numbers,
        )
        order = {name: place for place, name in enumerate(FIELDS)}
        problems = sorted(self._problems, key=lambda problem: order[problem.field])
        return ReadForm(None if problems else entered, tuple(problems))

    def _age(self) -> tuple[date | None, int | None]:
        """The birth date or the age in years: one of them."""
        years, day = self._given.get("age"), self._given.get("birth_date")
        if years is not None and day is not None:
            self._say("age", "one_of_two")
            return None, None
        if day is not None:
            return self._birth_date(day), None
        if years is None:
            self._say("age", "required")
            return None, None
        if not re.fullmatch(r"[0-9]{1,3}", years):
            self._say("age", "not_whole")
            return None, None
        self._within("age", float(years), years, FEATURE["age"].possible, "a")
        return None, int(years)

    def _birth_date(self, text: str) -> date | None:
        match = _DAY.fullmatch(text)
        days = (
            None
            if match is None
            else parse_date("-".join(part.zfill(2) for part in match.groups()))
        )
        if days is None:
            self._say("birth_date", "not_a_date")
            return None
        today = self._at.astimezone(UTC).date()
        # East of Greenwich the day begins sooner.
        if days[0] > today + timedelta(days=1):
            self._say("birth_date", "future")
            return None
        age = age_at(min(days[0], today), today)
        self._within("birth_date", age, text, FEATURE["age"].possible, "a")
        return days[0]

    def _number(self, field: NumberField) -> Quantity | None:
        text = self._given.get(field.name)
        if text is None:
            return None
        unit = self._unit(field)
        if not _NUMBER.fullmatch(text):
            self._say(field.name, "not_a_number")
            return None
        number = float(text.replace(",", "."))
        value = convert(field.name, number, unit, UCUM, unit)
        if value is None:
            raise RuntimeError(f"{unit} is no unit of {field.name}")
        self._within(field.name, value, text, field.limits(unit)["possible"], unit)
        return Quantity(number, unit)

    def _unit(self, field: NumberField) -> str:
        if len(field.units) == 1:
            return field.units[0]
        chosen = self._given.get("temperature_unit")
        if chosen not in field.units:
            # Never guessed (C5).
            self._say("temperature_unit", "choose")
            return field.units[0]
        return chosen

    def _within(
        self, name: str, value: float, text: str, limits: tuple[float, float], unit: str
    ) -> None:
        feature = "age" if name == "birth_date" else name
        if not is_possible(feature, value):
            low, high = limits
            self._say(name, "impossible", low=low, high=high, unit=unit)
        elif is_extreme(feature, value) and self._given.get(AGAIN + name) != text:
            self._say(name, "extreme")

    def _pressures(self, systolic: Quantity | None, diastolic: Quantity | None) -> None:
        given = [name for name in ("systolic_bp", "diastolic_bp") if name in self._given]
        if len(given) == 1:
            self._say("diastolic_bp" if given[0] == "systolic_bp" else "systolic_bp", "both")
        elif systolic and diastolic and systolic.value <= diastolic.value:
            self._say("systolic_bp", "not_higher")

    def _choice(self, name: str, known: tuple[str, ...]) -> str | None:
        text = self._given.get(name)
        if text is not None and text not in known:
            self._say(name, "choose")
            return None
        return text

    def _say(self, field: str, kind: str, **values: Any) -> None:
        if all(problem.field != field for problem in self._problems):
            self._problems.append(Problem(field, kind, values))


def number_limits() -> Iterator[tuple[NumberField, str, dict[str, tuple[float, float]]]]:
    """Field, unit and limits of every number: what the page checks while somebody types."""
    for field in NUMBERS:
        for unit in field.units:
            yield field, unit, field.limits(unit)


def _in_unit(limits: tuple[float, float], unit: str) -> tuple[float, float]:
    """Limits of an input as they are in a unit of the form."""
    if unit == FAHRENHEIT:
        low, high = limits
        return round(low * 9 / 5 + 32, 1), round(high * 9 / 5 + 32, 1)
    return (0.0, 7.0) if unit == "d/wk" else (float(limits[0]), float(limits[1]))
