"""A hospital's own value sets and maps, and invented Orphadata files, for tests."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fhir_mapping import terminology

SHIPPED = Path(terminology.__file__).parent
REVIEWED = [{"url": "https://hospital.example/review-status", "valueString": "Reviewed."}]


def value_set(name: str, *include: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A ValueSet of a hospital; `include` are lines of its composition."""
    return {
        "resourceType": "ValueSet",
        "extension": REVIEWED,
        "url": f"https://hospital.example/fhir/ValueSet/{name}",
        "version": "1",
        "status": "active",
        "publisher": "Example Hospital",
        "description": "Ours.",
        "compose": {"include": list(include)},
    } | changes


def listed(system: str, *codes: str) -> dict[str, Any]:
    """A line that lists codes."""
    return {"system": system, "concept": [{"code": code} for code in codes]}


def family(system: str, code: str) -> dict[str, Any]:
    """A line that takes a code with its subdivisions."""
    return {"system": system, "filter": [{"property": "concept", "op": "is-a", "value": code}]}


def concept_map(system: str, targets: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A ConceptMap of a hospital."""
    return {
        "resourceType": "ConceptMap",
        "extension": REVIEWED,
        "url": "https://hospital.example/fhir/ConceptMap/ours",
        "version": "1",
        "status": "active",
        "publisher": "Example Hospital",
        "description": "Ours.",
        "group": [
            {
                "source": system,
                "element": [
                    {"code": code, "target": [{"code": target, "equivalence": "wider"}]}
                    for code, target in targets.items()
                ],
            }
        ],
    } | changes


def write(folder: Path, name: str, resource: Any) -> Path:
    """Write a file of the folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(resource), "utf-8")
    return path


def copied(
    folder: Path, source: str, change: Callable[[dict[str, Any]], object], name: str = "own.json"
) -> Path:
    """A changed copy of a shipped file."""
    resource = json.loads((SHIPPED / source).read_text("utf-8"))
    change(resource)
    return write(folder, name, resource)


Reference = tuple[str, str, str]
"""Source, code, sign of the relation."""
_RELATION_IDS = {"E": "21527", "NTBT": "21541", "BTNT": "21534", "ND": "21548"}


def disorder(
    orpha: str,
    *references: Reference,
    name: str = "Invented disease",
    flag: int = 1,
    group: str = "36547",
    validated: bool = True,
) -> str:
    """A `Disorder` in the form of Orphadata's product 1."""
    status = ("21611", "Validated") if validated else ("21618", "Not yet validated")
    found = "".join(
        f"""
        <ExternalReference id="{number}">
          <Source>{source}</Source>
          <Reference>{code}</Reference>
          <DisorderMappingRelation id="{_RELATION_IDS.get(relation, "1")}">
            <Name lang="en">{relation} (some words about it)</Name>
          </DisorderMappingRelation>
          <DisorderMappingICDRelation id="21562"><Name lang="en">Specific code</Name>
          </DisorderMappingICDRelation>
          <DisorderMappingValidationStatus id="{status[0]}">
            <Name lang="en">{status[1]}</Name>
          </DisorderMappingValidationStatus>
        </ExternalReference>"""
        for number, (source, code, relation) in enumerate(references)
    )
    return f"""
    <Disorder id="{orpha}">
      <OrphaCode>{orpha}</OrphaCode>
      <ExpertLink lang="en">http://www.orpha.net/OC_Exp.php?lng=en&amp;Expert={orpha}</ExpertLink>
      <Name lang="en">{name}</Name>
      <DisorderFlagList count="1">
        <DisorderFlag id="475"><Value>{flag}</Value><Label></Label></DisorderFlag>
      </DisorderFlagList>
      <SynonymList count="1"><Synonym lang="en">Another name</Synonym></SynonymList>
      <DisorderType id="21394"><Name lang="en">Disease</Name></DisorderType>
      <DisorderGroup id="{group}"><Name lang="en">Disorder</Name></DisorderGroup>
      <ExternalReferenceList count="{len(references)}">{found}
      </ExternalReferenceList>
    </Disorder>"""


def orphadata(path: Path, disorders: Sequence[str], *, head: str = "") -> Path:
    """An invented file in the form of Orphadata's `en_product1.xml`."""
    path.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>{head}
<JDBOR date="2026-06-23 07:57:31" version="1.3.42" copyright="Orphanet (c) 2026">
  <DisorderList count="{len(disorders)}">{"".join(disorders)}
  </DisorderList>
</JDBOR>
""",
        "utf-8",
    )
    return path
