"""`ValueSet.compose` read into rules that a code can be held against, without a terminology server.

Read are listed concepts and, for ICD-10 and its national variants, the filters `concept is-a CODE`
and `code regex PATTERN`; filters of one include apply together. ICD-10 writes a subdivision by
adding to the code of its parent, so "is-a I21" is every code that begins with I21. SNOMED CT has no
such order: its concepts are listed one by one.
See https://hl7.org/fhir/R4/valueset.html#compositions.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fhir_mapping.code_systems import ICD_10, ICD_10_CM, UNKNOWN_SYSTEM, normal_system
from fhir_mapping.codings import NormalCoding, normal_code
from fhir_mapping.errors import MappingError

REVIEW_STATUS: Final = "review-status"
"""Last part of the URL of our extension that says who looked at the content."""
REVIEWED_BY: Final = "reviewed-by"
"""Last part of the URL of our extension that names the clinician who signed the content."""


class TerminologyError(MappingError):
    """A terminology file cannot be used; the message names the file and `element` the place."""

    def __init__(self, message: str, *, element: str, fault: str = "") -> None:
        super().__init__(message, element=element)
        self.fault = fault or message
        """What is wrong, without the file."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One include or exclude with ICD-10 filters, all of which a code must satisfy."""

    system: str
    prefixes: tuple[str, ...]
    """Codes without dots of which each code must be one or a subdivision."""
    patterns: tuple[re.Pattern[str], ...]
    """Regular expressions that the whole code, dot included, must match."""

    def matches(self, system: str, code: str, plain: str) -> bool:
        """Whether the code, also given without its dot, is one of the rule's."""
        return (
            system == self.system
            and all(plain.startswith(prefix) for prefix in self.prefixes)
            and all(pattern.fullmatch(code) for pattern in self.patterns)
        )


@dataclass(frozen=True, slots=True)
class Members:
    """All includes, or all excludes, of a value set."""

    listed: frozenset[NormalCoding]
    families: Mapping[str, tuple[str, ...]]
    """System → codes without dots whose subdivisions belong too: the plain `is-a` filters, kept
    together because there are hundreds and one call compares them all."""
    rules: tuple[Rule, ...]
    """The other filters."""
    repeated: tuple[str, ...] = ()
    """Elements that list a code again; without effect."""

    def explicit(self) -> Iterator[NormalCoding]:
        """Every code that is written down: listed, or the top of a family."""
        yield from self.listed
        for system, tops in self.families.items():
            for top in tops:
                yield NormalCoding(system, top if len(top) == 3 else f"{top[:3]}.{top[3:]}")

    def content(self) -> list[Any]:
        """As JSON, in an order of its own: two that hold the same codes alike give the same."""
        return [
            sorted([system, code or ""] for system, code in self.listed),
            sorted([system, sorted(tops)] for system, tops in self.families.items()),
            sorted(
                [rule.system, *sorted(rule.prefixes), *sorted(p.pattern for p in rule.patterns)]
                for rule in self.rules
            ),
        ]

    def __contains__(self, coding: NormalCoding) -> bool:
        system, code = coding
        if code is None:
            return False
        plain = code.replace(".", "")
        return (
            coding in self.listed
            or plain.startswith(self.families.get(system, ()))
            or any(rule.matches(system, code, plain) for rule in self.rules)
        )


def read_members(resource: Mapping[str, Any], name: str, variants: Mapping[str, str]) -> Members:
    """`include` or `exclude` (`name`) of a ValueSet's `compose`.

    `variants` are the national variants of ICD-10 (`code_systems.read_variants`). Raises
    `MappingError`, naming the element, for what cannot be read.
    """
    compose = resource.get("compose")
    if not isinstance(compose, Mapping):
        raise MappingError("is missing", element="ValueSet.compose")
    listed: set[NormalCoding] = set()
    families: dict[str, tuple[str, ...]] = {}
    rules: list[Rule] = []
    repeated: list[str] = []
    for part, at in items(compose, name, "ValueSet.compose"):
        if "valueSet" in part:
            raise MappingError("is not read here: list the codes", element=f"{at}.valueSet")
        system = source_system(part, "system", f"{at}.")
        rule_system = variants.get(system, system)
        concepts = 0
        for concept, place in items(part, "concept", at):
            code = _code(rule_system, concept.get("code"), f"{place}.code")
            concepts += 1
            if NormalCoding(system, code) in listed:
                repeated.append(place)
            listed.add(NormalCoding(system, code))
        rule = _rule(part, system, rule_system, at)
        if bool(concepts) == bool(rule.prefixes or rule.patterns):
            raise MappingError("must hold either concept or filter", element=at)
        if len(rule.prefixes) == 1 and not rule.patterns:
            if rule.prefixes[0] in families.get(system, ()):
                repeated.append(at)
            families[system] = (*families.get(system, ()), *rule.prefixes)
        elif not concepts:
            rules.append(rule)
    return Members(frozenset(listed), families, tuple(rules), tuple(repeated))


def source_system(parent: Mapping[str, Any], name: str, at: str) -> str:
    """The code system an element names; raises `MappingError` if it is none."""
    system = normal_system(text(parent, name, at))
    if system == UNKNOWN_SYSTEM:
        raise MappingError("is neither a URI nor an OID of a code system", element=f"{at}{name}")
    return system


def _rule(part: Mapping[str, Any], system: str, rule_system: str, at: str) -> Rule:
    prefixes: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for entry, place in items(part, "filter", at):
        kind = (entry.get("property"), entry.get("op"))
        value = text(entry, "value", f"{place}.")
        if rule_system not in (ICD_10_CM, ICD_10):
            raise MappingError("is read for ICD-10 only: list the concepts", element=place)
        if kind == ("concept", "is-a"):
            prefixes.append(_code(rule_system, value, f"{place}.value").replace(".", ""))
        elif kind == ("code", "regex"):
            patterns.append(_pattern(value, f"{place}.value"))
        else:
            raise MappingError('must be "concept is-a" or "code regex"', element=place)
    return Rule(system, tuple(prefixes), tuple(patterns))


def _code(system: str, value: object, at: str) -> str:
    code = normal_code(system, value)
    if code is None:
        raise MappingError("is no code of its system", element=at)
    return code


def _pattern(value: str, at: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(value)
    except (re.error, Warning, OverflowError, RecursionError):
        raise MappingError("is no regular expression", element=at) from None


def items(parent: Mapping[str, Any], name: str, at: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The objects of a list element, each with its path; another shape raises `MappingError`."""
    values = parent.get(name, [])
    if not isinstance(values, list):
        raise MappingError("must be a list", element=f"{at}.{name}")
    for index, value in enumerate(values):
        place = f"{at}.{name}[{index}]"
        if not isinstance(value, Mapping):
            raise MappingError("must be an object", element=place)
        yield value, place


def text(parent: Mapping[str, Any], name: str, at: str) -> str:
    """A string that must be there; raises `MappingError` if it is not."""
    value = parent.get(name)
    if not isinstance(value, str) or not value.strip():
        raise MappingError("is missing or no text", element=f"{at}{name}")
    return value


def extension_value(resource: Mapping[str, Any], name: str) -> str | None:
    """The `valueString` of the extension whose URL ends in `name`."""
    extensions = resource.get("extension")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, Mapping) and str(extension.get("url")).endswith(f"/{name}"):
            value = extension.get("valueString")
            return value if isinstance(value, str) and value.strip() else None
    return None
