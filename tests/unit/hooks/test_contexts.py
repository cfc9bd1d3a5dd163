"""Hook contexts (R27)."""

import json
from typing import Any

import msgspec
import pytest

from hooks.contexts import (
    parse_encounter_discharge,
    parse_patient_view,
    parse_problem_list_item_create,
)
from hooks.errors import RequestError

BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": []}


def raw(**members: Any) -> msgspec.Raw:
    given = {"userId": "Practitioner/1", "patientId": "p1", **members}
    return msgspec.Raw(json.dumps({k: v for k, v in given.items() if v is not ...}).encode())


@pytest.mark.requirement("R27")
@pytest.mark.parametrize("kind", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_reads_a_patient_view(kind: str) -> None:
    context = parse_patient_view(raw(userId=f"{kind}/a-1.b", encounterId="e1"))

    assert context.user_id == f"{kind}/a-1.b"
    assert context.user_type == kind
    assert (context.patient_id, context.encounter_id) == ("p1", "e1")


@pytest.mark.parametrize("given", [..., None, ""])
def test_the_encounter_is_optional(given: object) -> None:
    assert parse_patient_view(raw(encounterId=given)).encounter_id is None


def test_an_encounter_reference_is_read_as_its_id() -> None:
    assert parse_patient_view(raw(encounterId="Encounter/e1")).encounter_id == "e1"


@pytest.mark.requirement("R27")
@pytest.mark.parametrize(
    ("members", "element"),
    [
        ({"userId": ...}, "context.userId"),
        ({"userId": 5}, "context.userId"),
        ({"userId": "1"}, "context.userId"),
        ({"userId": "Device/1"}, "context.userId"),
        ({"userId": "Practitioner/"}, "context.userId"),
        ({"userId": "Practitioner/1/2"}, "context.userId"),
        ({"patientId": ...}, "context.patientId"),
        ({"patientId": ""}, "context.patientId"),
        ({"patientId": 5}, "context.patientId"),
        ({"patientId": "Patient/p1"}, "context.patientId"),
        ({"patientId": "p1?x=1"}, "context.patientId"),
        ({"patientId": "p1\n"}, "context.patientId"),
        ({"patientId": "a" * 65}, "context.patientId"),
        ({"encounterId": "../Patient"}, "context.encounterId"),
        ({"encounterId": 5}, "context.encounterId"),
    ],
)
def test_wrong_members_are_named(members: dict[str, Any], element: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_patient_view(raw(**members))

    assert caught.value.element == element
    assert element in caught.value.message


def test_ids_are_not_in_repr() -> None:
    assert "p1" not in repr(parse_patient_view(raw()))


def test_reads_a_problem_list_item_create() -> None:
    context = parse_problem_list_item_create(raw(conditions=BUNDLE, encounterId="Encounter/e1"))

    assert (context.patient_id, context.encounter_id) == ("p1", "e1")
    assert json.loads(bytes(context.conditions)) == BUNDLE


@pytest.mark.parametrize("conditions", [..., None, [], "x", {}, {"resourceType": "Condition"}])
def test_conditions_must_be_a_bundle(conditions: object) -> None:
    with pytest.raises(RequestError) as caught:
        parse_problem_list_item_create(raw(conditions=conditions))

    assert caught.value.element == "context.conditions"


@pytest.mark.requirement("R27")
def test_reads_an_encounter_discharge() -> None:
    context = parse_encounter_discharge(raw(encounterId="Encounter/e1"))

    assert (context.user_id, context.patient_id) == ("Practitioner/1", "p1")
    assert context.encounter_id == "e1"
    assert "p1" not in repr(context)


@pytest.mark.requirement("R27")
@pytest.mark.parametrize(
    ("members", "element"),
    [
        ({}, "context.encounterId"),
        ({"encounterId": ""}, "context.encounterId"),
        ({"encounterId": None}, "context.encounterId"),
        ({"encounterId": ["e1"]}, "context.encounterId"),
        ({"encounterId": "a/b"}, "context.encounterId"),
        ({"encounterId": "e1", "patientId": ...}, "context.patientId"),
        ({"encounterId": "e1", "userId": ...}, "context.userId"),
    ],
)
def test_a_discharge_needs_all_three(members: dict[str, Any], element: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_encounter_discharge(raw(**members))

    assert caught.value.element == element
