"""Batch and transaction Bundles taken apart."""

from typing import Any

import pytest
from hypothesis import given, settings

from fhir_mapping.transactions import (
    Fault,
    Request,
    expected_version,
    is_id,
    read_entries,
    resolve_within,
    with_references,
)
from tests.support.conditions import condition
from tests.support.strategies import json_values


def one(entry: Any) -> Request | Fault:
    read = read_entries({"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert not isinstance(read, Fault)
    return read[1][0]


def entry(method: str, url: str, resource: Any = None, **more: Any) -> dict[str, Any]:
    found = {"request": {"method": method, "url": url} | more}
    return found if resource is None else found | {"resource": resource}


def test_reads_what_may_be_asked() -> None:
    created = one(entry("POST", "Condition", condition(icd="I10")))
    assert isinstance(created, Request)
    assert (created.method, created.type_name, created.id) == ("POST", "Condition", "c1")
    updated = one(entry("PUT", "Condition/c1", condition(icd="I10"), ifMatch='W/"3"'))
    assert isinstance(updated, Request)
    assert (updated.id, updated.expected_version) == ("c1", 3)
    deleted = one(entry("DELETE", "Condition/c1"))
    assert isinstance(deleted, Request)
    assert (deleted.resource, deleted.id) == (None, "c1")
    assert "c1" not in repr(deleted)


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "Condition/c1", 405),
        ("PATCH", "Condition/c1", 405),
        ("POST", "Condition/c1", 405),
        ("PUT", "Condition", 405),
        ("PUT", "Condition?identifier=x", 405),
        ("DELETE", "Condition?identifier=x", 405),
        ("DELETE", "Patient/p1", 405),
        ("POST", "Observation", 404),
        ("POST", "", 400),
        ("POST", "https://evil.example/Condition", 400),
        ("PUT", "Condition/a/b", 400),
        ("PUT", "../Condition/a", 400),
        ("PUT", "Condition/a%20b", 400),
        ("DELETE", "Condition/" + "x" * 65, 400),
        ("put", "Condition/c1", 400),
    ],
)
def test_what_may_not_be_asked_has_the_status_of_a_fhir_server(
    method: str, url: str, status: int
) -> None:
    found = one(entry(method, url, condition(icd="I10")))
    assert isinstance(found, Fault)
    assert found.status == status
    assert found.issues[0].element.startswith("Bundle.entry[0].request")


def test_references_between_entries_are_resolved() -> None:
    urn = "urn:uuid:0b8c5b0e-3d0e-4d4e-9d2f-6a1f4f7f0002"
    patient = entry("PUT", "Patient/p7", {"resourceType": "Patient", "id": "p7"})
    found = one({**patient, "fullUrl": urn})
    assert isinstance(found, Request)
    names = resolve_within([found])
    resource = condition(icd="I10", subject={"reference": urn, "display": "x"})
    assert with_references(resource, names)["subject"] == {
        "reference": "Patient/p7",
        "display": "x",
    }
    other = condition(icd="I10", subject={"reference": "Patient/p1"})
    assert with_references(other, names) == other


@pytest.mark.parametrize(
    ("text", "version"),
    [(None, None), ("*", None), ('W/"3"', 3), ('"12"', 12), ("3", -1), ('W/"x"', -1), ("", -1)],
)
def test_if_match(text: str | None, version: int | None) -> None:
    assert expected_version(text) == version


def test_ids() -> None:
    assert is_id("A-z.9")
    assert not any(map(is_id, ("", "a/b", "a b", "a\n", "ñ", "x" * 65)))


@given(json_values, json_values)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_an_answer(first: Any, second: Any) -> None:
    request = {"method": "PUT", "url": "Condition/c1"}
    broken = condition(icd="I10") | ({"code": first, "meta": second})
    for entries in (
        first,
        [{"request": first, "resource": second}],
        [{"request": request, "resource": first}],
        [{"request": request, "resource": broken}],
    ):
        found = read_entries({"type": "batch", "entry": entries})
        if isinstance(entries, list):
            assert isinstance(found, tuple)
            assert [isinstance(one, Request | Fault) for one in found[1]] == [True] * len(entries)
        else:
            assert isinstance(found, Fault)
