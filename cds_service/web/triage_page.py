"""What the triage form shows: fields with what was typed, their limits and what is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.services.triage_form import AGAIN, FAHRENHEIT, NUMBER, NumberField, Problem
from cds_service.web.words import Words

ASKED = ("extreme", "another_person")
"""Kinds of problems that somebody can answer with a box."""


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field of the form."""

    name: str
    label: str
    value: str
    error: str | None
    asks: bool
    """Whether "I have measured again" is asked; live checks show it too."""
    confirmed: bool
    data: Mapping[str, str]
    """Limits by name, for live checks: `low`, `high`, `usual-low`, `usual-high` in the unit, and
    `f-…` in degrees Fahrenheit."""
    unit: str


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """An entry of the list of errors, which leads to its field."""

    field: str
    text: str


def shown_fields(
    typed: Mapping[str, str], problems: Sequence[Problem], words: Words
) -> dict[str, ShownField]:
    """Every field by name, with what was typed."""
    by_field = {problem.field: problem for problem in problems}
    return {
        name: _field(name, typed, by_field.get(name), words)
        for name in ("age", "birth_date", "sex", "temperature_unit", "abo_group", *NUMBER)
    }


def shown_problems(problems: Sequence[Problem], words: Words) -> list[ShownProblem]:
    """The list of errors above the form."""
    return [
        ShownProblem(problem.field, f"{label(problem.field, words)}: {_text(problem, words)}")
        for problem in problems
    ]


def label(name: str, words: Words) -> str:
    """What a field is called."""
    return words.say(name) if words.has(name) else words.feature(name)


def _field(
    name: str, typed: Mapping[str, str], problem: Problem | None, words: Words
) -> ShownField:
    number = NUMBER.get(name)
    again = typed.get(AGAIN + name)
    return ShownField(
        name=name,
        label=label(name, words),
        value=typed.get(name, ""),
        error=None if problem is None else _text(problem, words),
        asks=(problem is not None and problem.kind in ASKED) or again is not None,
        confirmed=again is not None and again == typed.get(name),
        data={} if number is None else _limits(number),
        unit="" if number is None else words.say(f"unit.{number.units[0]}"),
    )


def _limits(field: NumberField) -> dict[str, str]:
    data = {}
    for unit in field.units:
        prefix = "f-" if unit == FAHRENHEIT else ""
        limits = field.limits(unit)
        for kind, names in (("possible", ("low", "high")), ("usual", ("usual-low", "usual-high"))):
            for name, limit in zip(names, limits[kind], strict=True):
                data[prefix + name] = f"{limit:g}"
    return data


def _text(problem: Problem, words: Words) -> str:
    values: dict[str, Any] = dict(problem.values)
    for name in ("low", "high"):
        if name in values:
            values[name] = limit_text(values[name], words)
    if "unit" in values:
        values["unit"] = words.say(f"unit.{values['unit']}")
    return words.say(f"wrong.{problem.kind}", **values)


def limit_text(limit: float, words: Words) -> str:
    """A limit as it is written: whole where it is whole."""
    return words.figure(limit, 0 if limit == int(limit) else 1)
