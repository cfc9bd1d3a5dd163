"""The terminology of the label rules as this installation has set it up, and what it says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cds_service.errors import ConfigurationError, ServiceError
from cds_service.settings import Settings
from fhir_mapping.code_systems import (
    ICD_10,
    ICD_10_CM,
    SNOMED_CT,
    UNKNOWN_SYSTEM,
    normal_system,
)
from fhir_mapping.codings import NormalCoding, in_order
from fhir_mapping.compositions import TerminologyError
from fhir_mapping.labels import CLASS_OF_SET, said_of
from fhir_mapping.terminology import (
    AFTER_CHRONIC,
    BEFORE_CHRONIC,
    CHRONIC_INDICATOR_VERSION,
    Inspection,
    Terminology,
    contradictions,
    inspect_terminology,
    load_terminology,
)

_ASKED_WITHOUT_SYSTEM = (ICD_10_CM, ICD_10, SNOMED_CT)


def site_terminology(settings: Settings) -> Terminology:
    """The shipped terminology with all the site has set: folder, variants, Orphadata's file.

    Raises `ConfigurationError`, which names file and element. Takes milliseconds; seconds with
    Orphadata's largest file.
    """
    try:
        return load_terminology(
            settings.terminology_dir,
            icd10_variants=settings.icd10_variants,
            orphadata=settings.orphadata_file,
            orphadata_relations=settings.orphadata_relations,
        )
    except TerminologyError as error:
        raise ConfigurationError(str(error)) from None


def inspect_site(settings: Settings, directory: Path | None = None) -> Inspection:
    """All that is wrong with the site's terminology, or what is in use and worth a look.

    `directory` stands in for `CDS_TERMINOLOGY_DIR`, to look at files before they are used.
    """
    inspection = inspect_terminology(
        directory or settings.terminology_dir,
        icd10_variants=settings.icd10_variants,
        orphadata=settings.orphadata_file,
        orphadata_relations=settings.orphadata_relations,
    )
    if inspection.terminology is None:
        return inspection
    notes = (*inspection.notes, *contradictions(inspection.terminology))
    return Inspection(inspection.terminology, (), notes)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means to the label rules."""

    coding: NormalCoding
    category: str | None
    """`acute-event`, …; `history`; `None`: it says nothing of severity."""
    because: str
    """Which set or map decides, or why none does."""
    passed_over: tuple[str, ...]
    """Sets that hold it too but are asked later."""
    rare: str | None


def explain(terminology: Terminology, code: str, system: str | None) -> tuple[Explanation, ...]:
    """What a code is classified as, by which set or map, and why (C15).

    Without `system` it is read as ICD-10-CM, ICD-10 and SNOMED CT, as far as it has the form of
    one of their codes. Raises `ServiceError` for a code or a system that cannot be one.
    """
    if system is not None and normal_system(system) == UNKNOWN_SYSTEM:
        raise ServiceError("The system is neither a URI nor an OID of a code system.")
    systems = _ASKED_WITHOUT_SYSTEM if system is None else (system,)
    codings = [
        coding
        for coding in in_order(((one, code) for one in systems), terminology.variants)
        if coding.code is not None
    ]
    if not codings:
        meant = "that system" if system else "ICD-10-CM, ICD-10 or SNOMED CT: name its --system"
        raise ServiceError(f"The code does not have the form of a code of {meant}.")
    return tuple(_explanation(coding, terminology) for coding in codings)


def _explanation(coding: NormalCoding, terminology: Terminology) -> Explanation:
    category, reason = said_of(coding, terminology)
    return Explanation(
        coding=coding,
        category=category,
        because=_because(coding, reason, terminology),
        passed_over=tuple(_passed_over(coding, reason, terminology)),
        rare=terminology.rare_code((coding,)),
    )


def _because(coding: NormalCoding, reason: str, terminology: Terminology) -> str:
    kind, _, name = reason.partition(":")
    if kind == "value_set":
        value_set = terminology.value_sets[name]
        return f"value set {name}, version {value_set.version} ({value_set.file})"
    concept_map = terminology.map_of(coding)
    if kind in ("concept_map", "mapped_undetermined") and concept_map is not None:
        return f"concept map {concept_map.url}, version {concept_map.version} ({concept_map.file})"
    return _WORDS.get(kind, kind)


_WORDS = {
    "chronic_indicator": f"HCUP's chronic condition indicator, {CHRONIC_INDICATOR_VERSION}",
    "not_chronic_only": "HCUP's chronic condition indicator calls it not chronic, which alone "
    "means nothing; no set or map holds it",
    "no_determination": "HCUP's chronic condition indicator says nothing of it; no set or map "
    "holds it",
    "not_in_map": "no set or map holds it",
    "rare_code_only": "it marks a rare disease and says nothing of severity; no map holds it",
    "unknown_system": "no set or map holds a code of this system",
}


def _passed_over(coding: NormalCoding, reason: str, terminology: Terminology) -> Iterator[str]:
    for name in (*BEFORE_CHRONIC, *AFTER_CHRONIC):
        if reason != f"value_set:{name}" and coding in terminology.value_sets[name]:
            asked = "asked later" if terminology.in_use(name) else "not in use"
            yield f"value set {name} would say {CLASS_OF_SET[name]}: {asked}"
