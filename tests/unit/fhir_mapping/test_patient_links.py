"""Merges that Patients tell of."""

from typing import Any

import pytest

from fhir_mapping.patient_links import Merge, merges_of

BASE = "https://ehr.example/fhir"


def patient(*links: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "a", "link": list(links)}


def link(reference: str, kind: str) -> dict[str, Any]:
    return {"other": {"reference": reference}, "type": kind}


@pytest.mark.parametrize(
    "other", ["Patient/b", f"{BASE}/Patient/b", "https://EHR.example:443/fhir/Patient/b"]
)
def test_both_sides_tell_the_same_merge(other: str) -> None:
    assert merges_of(patient(link(other, "replaced-by")), BASE) == [Merge(BASE, "a", "b")]
    assert merges_of(patient(link(other, "replaces")), BASE) == [Merge(BASE, "b", "a")]


def test_several_links_are_several_merges() -> None:
    links = [link("Patient/b", "replaces"), link("Patient/c", "replaces")]
    assert [merge.from_id for merge in merges_of(patient(*links), BASE)] == ["b", "c"]


@pytest.mark.parametrize(
    "one",
    [
        link("Patient/b", "refer"),
        link("Patient/b", "seealso"),
        link("RelatedPerson/b", "replaced-by"),
        link("Patient/a", "replaced-by"),
        link("https://other.example/fhir/Patient/b", "replaced-by"),
        link("Patient/b?x", "replaced-by"),
        {"other": "Patient/b", "type": "replaced-by"},
        {"type": "replaced-by"},
        "x",
        None,
    ],
)
def test_other_links_merge_nothing(one: Any) -> None:
    assert merges_of(patient(one), BASE) == []


@pytest.mark.parametrize("change", [{"id": None}, {"id": 5}, {"link": {}}, {"link": "x"}])
def test_odd_patients_merge_nothing(change: dict[str, Any]) -> None:
    assert merges_of(patient(link("Patient/b", "replaces")) | change, BASE) == []
