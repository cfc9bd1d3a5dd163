"""The Conditions of a `problem-list-item-create`."""

import json

import msgspec
import pytest

from hooks.contexts import ProblemListItemCreateContext
from hooks.record_problem import conditions_of

CONDITION = {"resourceType": "Condition", "id": "c1"}


def context(bundle: object) -> ProblemListItemCreateContext:
    return ProblemListItemCreateContext(
        "Practitioner/1", "p1", msgspec.Raw(json.dumps(bundle).encode())
    )


def test_resources_come_in_order_and_undecoded() -> None:
    other = {"resourceType": "Patient", "id": "p1"}
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": CONDITION, "fullUrl": "urn:uuid:1"}, {"resource": other}],
    }

    found = [json.loads(bytes(raw)) for raw in conditions_of(context(bundle))]

    assert found == [CONDITION, other]


def test_a_broken_entry_does_not_hide_the_others() -> None:
    bundle = {"entry": [None, 5, {}, {"fullUrl": "x"}, {"resource": CONDITION}]}

    assert [json.loads(bytes(raw)) for raw in conditions_of(context(bundle))] == [CONDITION]


@pytest.mark.parametrize("bundle", [{}, {"entry": None}, {"entry": []}, {"entry": {"a": 1}}])
def test_a_bundle_without_entries_has_no_conditions(bundle: object) -> None:
    assert conditions_of(context(bundle)) == ()
