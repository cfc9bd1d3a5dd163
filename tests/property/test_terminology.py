"""Whatever a hospital's file holds: a terminology, or a fault that names it; nothing else."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mapping.code_systems import ICD_10_CM, ICD_10_GM, SNOMED_CT
from fhir_mapping.labels import classify, reclassify
from fhir_mapping.terminology import (
    MAP_TARGETS,
    Terminology,
    contradictions,
    inspect_terminology,
    load_terminology,
)
from tests.support.conditions import condition
from tests.support.terminology import concept_map, disorder, family, listed, value_set, write

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from([ICD_10_CM, SNOMED_CT, "I21.4", "(", "[[a]", "is-a", "regex", "active", "("]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
VALID = (
    value_set("acute-event", family(ICD_10_CM, "I21"), listed(SNOMED_CT, "22298006")),
    concept_map("https://hospital.example/codes", {"MI": "acute-event"}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every element."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    found = [(*path, step) for step, _ in inside]
    return found + [p for step, inner in inside for p in places(inner, (*path, step))]


@st.composite
def resources(draw: st.DrawFn) -> Any:
    """Any JSON, or a valid resource of which some elements are replaced by any JSON."""
    if draw(st.booleans()):
        return draw(ANYTHING)
    resource = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 3))):
        *steps, last = draw(st.sampled_from(places(resource)))
        parent = resource
        for step in steps:
            parent = parent[step]
        parent[last] = draw(ANYTHING)
        if not isinstance(resource, dict) or not places(resource):
            break
    return resource


@settings(max_examples=250, deadline=None)
@given(resource=resources())
def test_any_json_as_a_file_is_a_terminology_or_a_named_fault(resource: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "own.json", resource)
        inspection = inspect_terminology(Path(folder))
    assert {fault.file for fault in inspection.faults} <= {str(path)}
    if inspection.terminology is not None:
        assert inspection.terminology.label_version.startswith("1-")
        sent = condition(icd="I21.4", snomed="22298006")
        classify(sent, terminology=inspection.terminology)
        list(contradictions(inspection.terminology))


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200), cut=st.integers(0, 2000))
def test_any_bytes_as_an_orphadata_file_are_a_named_fault(content: bytes, cut: int) -> None:
    whole = (
        f"<JDBOR><DisorderList>{disorder('558', ('ICD-10', 'Q87.4', 'E'))}</DisorderList></JDBOR>"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p1.xml"
        for data in (content, whole.encode()[:cut] + content):
            path.write_bytes(data)
            inspection = inspect_terminology(orphadata=path)
            assert {fault.file for fault in inspection.faults} <= {str(path)}
            rare = inspection.terminology and inspection.terminology.rare_diseases
            assert inspection.faults or (rare and rare.codes)


CODES = st.sampled_from(
    [
        (ICD_10_CM, "I21.4"),
        (ICD_10_CM, "J00"),
        (ICD_10_CM, "E11.9"),
        (ICD_10_CM, "Z86.73"),
        (ICD_10_CM, "no code"),
        (ICD_10_GM, "E11.90"),
        (SNOMED_CT, "38341003"),
        (SNOMED_CT, "82272006"),
        ("https://hospital.example/codes", "MI"),
        ("https://www.orpha.net", "558"),
    ]
)
SENT = st.builds(
    condition,
    codings=st.lists(CODES, max_size=4),
    verification=st.sampled_from([None, "confirmed", "refuted", "provisional"]),
    category=st.sampled_from([None, "encounter-diagnosis", "health-concern"]),
    severity=st.sampled_from([None, "255604002", "24484000"]),
    recorded=st.sampled_from([None, "2026-03-02T10:00:00Z"]),
)


@st.composite
def terminologies(draw: st.DrawFn) -> Terminology:
    """The shipped one, or one with a map of its own and a variant."""
    chosen = draw(st.dictionaries(CODES, st.sampled_from(MAP_TARGETS), max_size=4))
    variants = {ICD_10_GM: "icd-10"} if draw(st.booleans()) else {}
    with tempfile.TemporaryDirectory() as folder:
        for number, ((system, code), target) in enumerate(sorted(chosen.items())):
            if code != "no code":
                resource = concept_map(system, {code: target})
                write(Path(folder), f"{number}.json", resource)
        return load_terminology(Path(folder), icd10_variants=variants)


@settings(max_examples=60, deadline=None)
@given(
    sent=SENT,
    home=st.sampled_from([None, True, False]),
    before=terminologies(),
    after=terminologies(),
)
def test_c17_reading_again_is_reading_now(
    sent: dict[str, Any], home: bool | None, before: Terminology, after: Terminology
) -> None:
    then = classify(sent, encounter_ended_at_home=home, terminology=before).stored()
    now = classify(sent, encounter_ended_at_home=home, terminology=after).stored()
    assert reclassify(json.loads(json.dumps(then)), after) == json.loads(json.dumps(now))
