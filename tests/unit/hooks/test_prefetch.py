"""Prefetch: templates, recognising what came, and the words of a 412 (R13 to R20)."""

import json
import re

import msgspec
import pytest

from fhir_mapping.bundles import PrefetchState
from hooks import prefetch
from hooks.contexts import PatientViewContext
from tests.support.builders import (
    bundle,
    condition,
    encounter,
    epic_empty_search,
    observation,
    operation_outcome,
    patient,
)

EVERYTHING = prefetch.templates(("exercise_days", "abo_group"))
SAFE_PARAMETERS = {"patient", "category", "code", "_sort", "_count"}
NULL = msgspec.Raw(b"null")


def value(resource: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(resource).encode())


def recognised(given: dict[str, object], **aliases: str) -> dict[str, list[object]]:
    found = prefetch.recognise(
        {name: value(resource) for name, resource in given.items()},
        aliases=aliases,
        keys=prefetch.DISEASE_SEVERITY,
    )
    return {key: [json.loads(bytes(raw)) for raw in values] for key, values in found.items()}


def test_extra_keys_are_offered_to_those_who_asked_for_them() -> None:
    assert list(prefetch.DISEASE_SEVERITY) == ["patient", "vitals", "encounter", "conditions"]
    assert list(prefetch.templates(["exercise_days"]))[4:] == ["exercise"]
    assert list(EVERYTHING)[4:] == ["blood_group", "exercise"]


@pytest.mark.requirement("R13")
@pytest.mark.requirement("R14")
@pytest.mark.requirement("R15")
@pytest.mark.requirement("R16")
def test_templates_use_only_safe_queries() -> None:
    for template in EVERYTHING.values():
        (token,) = re.findall(r"{{(.*?)}}", template)
        assert token in ("context.patientId", "context.encounterId")
        names = [part.partition("=")[0] for part in template.partition("?")[2].split("&")]
        assert set(names) <= SAFE_PARAMETERS | {""}


def test_a_template_as_a_query() -> None:
    context = PatientViewContext("Practitioner/1", "p1", "e1")
    assert prefetch.query(EVERYTHING["patient"], context) == ("Patient", "p1")
    assert prefetch.query(EVERYTHING["encounter"], context) == ("Encounter", "e1")
    assert prefetch.query(EVERYTHING["blood_group"], context) == (
        "Observation",
        [("patient", "p1"), ("code", "http://loinc.org|882-1,http://loinc.org|883-9")],
    )
    with pytest.raises(KeyError):
        prefetch.query(EVERYTHING["encounter"], PatientViewContext("Practitioner/1", "p1"))


def test_our_keys_are_taken_as_they_are() -> None:
    given = {
        "patient": patient(),
        "vitals": bundle(observation()),
        "encounter": None,
        "conditions": operation_outcome("error"),
    }
    assert recognised(given) == {key: [resource] for key, resource in given.items()}


def test_resources_are_recognised_by_type() -> None:
    found = recognised(
        {
            "pt": patient(),
            "hr": bundle(observation("8867-4")),
            "temp": bundle(observation("8310-5", 37, "Cel")),
            "visit": encounter(),
            "problems": bundle(condition("I10")),
            "who": {"resourceType": "Practitioner", "id": "x"},
        }
    )
    assert list(found) == ["patient", "vitals", "encounter", "conditions"]
    assert len(found["vitals"]) == 2


def test_one_key_for_each_code_joins_the_vitals_that_were_sent() -> None:
    found = recognised({"spo2": bundle(observation("2708-6", 97, "%")), "vitals": bundle()})
    assert len(found["vitals"]) == 2


def test_a_relative_does_not_join_the_patient_who_was_named() -> None:
    found = recognised({"mother": patient("p2"), "patient": patient()})
    assert found["patient"] == [patient()]


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("nothing", [None, bundle(), epic_empty_search(), operation_outcome()])
def test_only_an_alias_tells_whose_nothing_it_is(nothing: object) -> None:
    assert recognised({"hr": nothing}) == {}
    assert recognised({"hr": nothing}, hr="vitals") == {"vitals": [nothing]}


def test_an_alias_goes_before_the_type() -> None:
    assert recognised({"hr": bundle(observation())}, hr="nowhere") == {}
    assert recognised({"a": patient(), "b": patient()}, a="patient") == {"patient": [patient()]}


def test_nothing_sent_is_nothing_found() -> None:
    assert prefetch.recognise(None, aliases={}, keys=prefetch.REQUIRED) == {}


@pytest.mark.requirement("R20")
def test_the_412_names_every_key_and_why() -> None:
    error = prefetch.unavailable(
        {
            "patient": PrefetchState.ABSENT,
            "vitals": PrefetchState.OPERATION_OUTCOME,
        },
        {"vitals": "the FHIR server did not accept the access token"},
    )
    assert error.status == 412
    assert error.element == "prefetch.patient"
    assert error.message == (
        "Required data is not available: `prefetch.patient` was not sent; `prefetch.vitals` is an "
        "OperationOutcome, and the FHIR server did not accept the access token"
    )
    assert (
        "is not a FHIR resource"
        in prefetch.unavailable({"vitals": PrefetchState.MALFORMED}).message
    )
