"""Files of ValueSets and ConceptMaps, read and checked; every fault names file and element.

A file is FHIR R4 JSON (https://hl7.org/fhir/R4/valueset.html, https://hl7.org/fhir/R4/conceptmap.html).
The parts that decide are read first, so that a fault there is told in the words of the rules; then
the whole of a site's file is held against FHIR R4.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fhir_mapping.code_systems import KNOWN_SYSTEMS
from fhir_mapping.codings import NormalCoding, normal_code
from fhir_mapping.compositions import (
    REVIEW_STATUS,
    REVIEWED_BY,
    Members,
    extension_value,
    items,
    read_members,
    source_system,
    text,
)
from fhir_mapping.errors import MappingError

_STATUSES = ("draft", "active", "retired", "unknown")
_TOLERATED = "equivalence is missing"
"""FHIR R4 wants `ConceptMap...target.equivalence`; nothing here reads it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file, or worth a look."""

    file: str
    element: str
    """FHIRPath; empty where the whole file is meant."""
    message: str

    def __str__(self) -> str:
        place = f"{self.element} " if self.element else ""
        return f"{self.file}: {place}{self.message}."


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One value set, ready to be asked."""

    url: str
    version: str
    status: str
    reviewed_by: str | None
    """The clinician who answers for it."""
    review_status: str
    includes: Members
    excludes: Members
    file: str
    """Where it was read from."""

    @property
    def active(self) -> bool:
        """Only `active` sets are used."""
        return self.status == "active"

    def __contains__(self, coding: NormalCoding) -> bool:
        return coding in self.includes and coding not in self.excludes


@dataclass(frozen=True, slots=True)
class ConceptMap:
    """What codes of one or more systems are classified as."""

    url: str
    version: str
    status: str
    reviewed_by: str | None
    review_status: str
    targets: Mapping[NormalCoding, str]
    """Empty unless it is `active`."""
    file: str


@dataclass
class Found:
    """What a set of files holds."""

    value_sets: dict[str, ValueSet] = field(default_factory=dict)
    concept_maps: list[ConceptMap] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """Why a file cannot be used."""
    notes: list[Fault] = field(default_factory=list)
    """What is accepted but may not be meant."""


def read_files(
    paths: Iterable[Path],
    *,
    set_names: Collection[str],
    targets: Collection[str],
    variants: Mapping[str, str],
    whole: bool,
) -> Found:
    """Read files in the given order; never raises for what they hold.

    `set_names` are the last parts of the URLs a ValueSet may have, `targets` the codes a map may
    give, `variants` the national variants of ICD-10. With `whole` each file is checked against
    FHIR R4 too.
    """
    found = Found()
    for path in paths:
        try:
            resource = _json(path)
            _take(resource, str(path), found, set_names, targets, variants)
        except MappingError as error:
            found.faults.append(Fault(str(path), error.element, str(error)))
            continue
        if whole:
            _check_fhir(resource, str(path), found)
    return found


def _take(
    resource: Mapping[str, Any],
    file: str,
    found: Found,
    set_names: Collection[str],
    targets: Collection[str],
    variants: Mapping[str, str],
) -> None:
    kind = resource.get("resourceType")
    if kind == "ValueSet":
        name = text(resource, "url", "").rstrip("/").rpartition("/")[2]
        if name not in set_names:
            raise MappingError(f"must end in one of {', '.join(set_names)}", element="ValueSet.url")
        if name in found.value_sets:
            raise MappingError("is that of another file in this folder", element="ValueSet.url")
        value_set = _value_set(resource, file, variants)
        found.value_sets[name] = value_set
        found.notes += [
            Fault(file, element, "lists a code again")
            for element in (*value_set.includes.repeated, *value_set.excludes.repeated)
        ]
        systems = {c.system for m in (value_set.includes, value_set.excludes) for c in m.explicit()}
    elif kind == "ConceptMap":
        concept_map, repeated = _concept_map(resource, file, targets, variants)
        found.concept_maps.append(concept_map)
        found.notes += [Fault(file, element, "lists a code again") for element in repeated]
        systems = {coding.system for coding in concept_map.targets}
    else:
        raise MappingError("must be ValueSet or ConceptMap", element="resourceType")
    found.notes += [
        Fault(file, str(kind), f"uses {system}, which is read only where codings name it just so")
        for system in sorted(systems - KNOWN_SYSTEMS - variants.keys())
    ]


def _check_fhir(resource: Mapping[str, Any], file: str, found: Found) -> None:
    # Imported here: it takes 0.2 s, and a hospital without files of its own never needs it.
    from fhir_mapping.resources import parse_resource

    parsed = parse_resource(str(resource["resourceType"]), resource)
    for issue in parsed if isinstance(parsed, list) else ():
        fault = Fault(file, issue.element, issue.message)
        if f"{issue.element.rpartition('.')[2]} {issue.message}" == _TOLERATED:
            found.notes.append(fault)
        else:
            found.faults.append(fault)


def _json(path: Path) -> dict[str, Any]:
    try:
        resource = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_object)
    except (OSError, ValueError, RecursionError) as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise MappingError(f"not readable as JSON{place}", element="") from None
    if not isinstance(resource, dict):
        raise MappingError("holds no JSON object", element="")
    return resource


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a member given twice one would be lost in silence."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MappingError("is given twice in one object", element=twice)
    return members


def _head(resource: Mapping[str, Any], kind: str) -> tuple[str, str, str, str | None, str]:
    """URL, version, status, who reviewed it and how: what every reader of the file relies on."""
    for name in ("url", "version", "status", "publisher", "description"):
        text(resource, name, f"{kind}.")
    review = extension_value(resource, REVIEW_STATUS)
    if review is None:
        raise MappingError(
            "holds no extension .../review-status with a valueString", element=f"{kind}.extension"
        )
    if resource["status"] not in _STATUSES:
        raise MappingError(f"must be one of {', '.join(_STATUSES)}", element=f"{kind}.status")
    if resource.get("modifierExtension"):
        # FHIR R4, extensibility: a modifier that is not understood forbids the use.
        raise MappingError("is not understood here", element=f"{kind}.modifierExtension")
    reviewer = extension_value(resource, REVIEWED_BY)
    return resource["url"], resource["version"], resource["status"], reviewer, review


def _value_set(resource: Mapping[str, Any], file: str, variants: Mapping[str, str]) -> ValueSet:
    url, version, status, reviewed_by, review_status = _head(resource, "ValueSet")
    includes = read_members(resource, "include", variants)
    if not (includes.listed or includes.families or includes.rules):
        raise MappingError("is missing", element="ValueSet.compose.include")
    return ValueSet(
        url=url,
        version=version,
        status=status,
        reviewed_by=reviewed_by,
        review_status=review_status,
        includes=includes,
        excludes=read_members(resource, "exclude", variants),
        file=file,
    )


def _concept_map(
    resource: Mapping[str, Any],
    file: str,
    targets: Collection[str],
    variants: Mapping[str, str],
) -> tuple[ConceptMap, list[str]]:
    """The map, and the elements that say again what was said."""
    url, version, status, reviewed_by, review_status = _head(resource, "ConceptMap")
    found: dict[NormalCoding, str] = {}
    repeated: list[str] = []
    for group, at in items(resource, "group", "ConceptMap"):
        system = source_system(group, "source", f"{at}.")
        for element, element_at in items(group, "element", at):
            code = normal_code(variants.get(system, system), element.get("code"))
            if code is None:
                raise MappingError("is no code of the source system", element=f"{element_at}.code")
            said = [target.get("code") for target, _ in items(element, "target", element_at)]
            if len(said) != 1 or not isinstance(said[0], str) or said[0] not in targets:
                raise MappingError(
                    f"must be one target with a code of {', '.join(targets)}",
                    element=f"{element_at}.target",
                )
            coding = NormalCoding(system, code)
            if found.get(coding, said[0]) != said[0]:
                raise MappingError("is mapped twice", element=f"{element_at}.code")
            if coding in found:
                repeated.append(element_at)
            found[coding] = said[0]
    used = found if status == "active" else {}
    return ConceptMap(url, version, status, reviewed_by, review_status, used, file), repeated
