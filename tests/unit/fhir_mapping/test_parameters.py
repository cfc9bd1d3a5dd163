"""The body of `$assess-severity` taken apart."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings

from fhir_mapping.errors import MappingError, PostedError, UnprocessableError
from fhir_mapping.parameters import Posted, read_posted
from tests.support.builders import bundle, condition, encounter, observation, patient, raw
from tests.support.strategies import json_values

UUID = "0b7c1c1e-95a5-4c88-9d8b-8f3e0f3c7a11"
URN = f"urn:uuid:{UUID}"
SERVER = "https://ehr.example/fhir"


def read(body: object, server: str | None = None) -> Posted:
    return read_posted(body if isinstance(body, bytes) else raw(body), fhir_server=server)


def parameters(*given: tuple[str, Any], **references: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [{"name": name, "resource": value} for name, value in given]
    listed += [
        {"name": name, "valueReference": {"reference": value}} for name, value in references.items()
    ]
    return {"resourceType": "Parameters", "parameter": listed}


def held(posted: Posted, key: str) -> list[dict[str, Any]]:
    """The resources under a prefetch key."""
    return [entry["resource"] for entry in json.loads(bytes(posted.resources[key]))["entry"]]


CHART = (patient(), observation(id="o1"), encounter(), condition("Z34", id="c1"))


@pytest.mark.parametrize(
    "body",
    [
        bundle(*CHART),
        parameters(*zip(("patient", "observation", "encounter", "condition"), CHART, strict=True)),
        parameters(("bundle", bundle(*CHART))),
        parameters(("patient", CHART[0]), ("bundle", bundle(*CHART[1:]))),
        # What a batch of searches was answered with.
        bundle(CHART[0], bundle(*CHART[1:])),
    ],
    ids=["bundle", "parameters", "bundle in parameters", "both", "bundles in a bundle"],
)
def test_each_resource_goes_where_prefetch_would_have_brought_it(body: dict[str, Any]) -> None:
    posted = read(body)
    assert (posted.patient_id, posted.subject, posted.encounter_id) == ("p1", "Patient/p1", "e1")
    assert {key: held(posted, key) for key in posted.resources} == {
        "patient": [CHART[0]],
        "vitals": [CHART[1]],
        "encounter": [CHART[2]],
        "conditions": [CHART[3]],
    }


def test_keys_that_were_not_sent_stay_absent() -> None:
    assert set(read(bundle(patient())).resources) == {"patient", "vitals"}


def test_a_next_page_is_told_at_any_depth() -> None:
    for body in (
        bundle(patient(), next_url="https://x/2"),
        bundle(patient(), bundle(observation(), next_url="https://x/2")),
    ):
        link = json.loads(bytes(read(body).resources["vitals"]))["link"]
        assert link == [{"relation": "next"}]
    whole = json.loads(bytes(read(bundle(patient())).resources["vitals"]))
    assert "link" not in whole


def test_places_name_what_can_be_told_by_its_id() -> None:
    twice = observation(id="o2")
    body = parameters(
        ("patient", patient()),
        ("observation", observation(id="o1")),
        ("bundle", bundle(twice, twice, observation(id="o3"))),
    )
    assert read(body).places == {
        "Patient/p1": "Parameters.parameter[0].resource",
        "Observation/o1": "Parameters.parameter[1].resource",
        "Observation/o3": "Parameters.parameter[2].resource.entry[2].resource",
    }


@pytest.mark.parametrize(
    ("body", "identity"),
    [
        (bundle(patient(None), full_urls={0: URN}), (UUID, URN)),
        (bundle(patient(None), full_urls={0: URN.upper()}), (UUID, URN)),
        (bundle(patient(), full_urls={0: URN}), ("p1", "Patient/p1")),
        (bundle(patient(None), full_urls={0: f"{SERVER}/Patient/x7"}), ("x7", "Patient/x7")),
        (parameters(("patient", patient(None)), subject="Patient/x7"), ("x7", "Patient/x7")),
        (parameters(("patient", patient(None)), subject=URN), (UUID, URN)),
        (parameters(("patient", patient()), subject="Patient/p1"), ("p1", "Patient/p1")),
    ],
)
def test_who_the_patient_is(body: dict[str, Any], identity: tuple[str, str]) -> None:
    posted = read(body, SERVER)
    assert (posted.patient_id, posted.subject) == identity


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (bundle(), "no Patient"),
        (bundle(observation()), "no Patient"),
        (bundle(patient(None)), "cannot be told from others"),
        (bundle(patient(None), full_urls={0: "https://x/Device/1"}), "cannot be told from others"),
        (parameters(("patient", patient(None)), subject="Device/1"), "cannot be told from others"),
        (bundle(patient("a/b")), "must be a FHIR id"),
        (bundle(patient("a b")), "must be a FHIR id"),
        (bundle(patient("x" * 65)), "must be a FHIR id"),
        (bundle(patient("../../etc")), "must be a FHIR id"),
        (bundle(patient(), patient("p2")), "more than one Patient"),
        (bundle(patient(), patient(None)), "more than one Patient"),
        (parameters(("patient", patient()), subject="Patient/p2"), "not the Patient"),
        (
            parameters(("patient", patient()), subject="https://other.example/fhir/Patient/p1"),
            "not the Patient",
        ),
    ],
)
def test_c3_without_exactly_one_patient_there_is_no_answer(
    body: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnprocessableError, match=words) as error:
        read(body, SERVER)
    assert error.value.status == 422


def test_versions_of_one_patient_are_one_patient() -> None:
    assert read(bundle(patient(), patient(gender="male"))).patient_id == "p1"


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (b"", "Resource"),
        (b"{", "Resource"),
        (b"\xff{}", "Resource"),
        (b'{"resourceType": "Bundle", "x": "\xff"}', "Resource"),
        (b"[" * 100_000, "Resource"),
        (b"[]", "Resource"),
        (b"5", "Resource"),
        (b"{}", "Resource.resourceType"),
        (patient(), "Resource.resourceType"),
        ({"resourceType": ["Bundle"]}, "Resource.resourceType"),
        ({"resourceType": "Bundle", "entry": {}}, "Bundle.entry"),
        ({"resourceType": "Bundle", "link": "next"}, "Bundle.link"),
        ({"resourceType": "Parameters", "parameter": {}}, "Parameters.parameter"),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "observations"}]},
            "Parameters.parameter[0].name",
        ),
        ({"resourceType": "Parameters", "parameter": [5]}, "Parameters.parameter[0].name"),
        (parameters(("patient", observation())), "Parameters.parameter[0]"),
        (parameters(("bundle", observation())), "Parameters.parameter[0]"),
        (parameters(("subject", patient())), "Parameters.parameter[0]"),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "observation"}]},
            "Parameters.parameter[0]",
        ),
        (parameters(("patient", patient()), encounter="Patient/p1"), "Parameters.parameter"),
    ],
)
def test_what_is_no_body_of_the_operation_is_refused(body: Any, element: str) -> None:
    with pytest.raises(PostedError) as error:
        read(body)
    assert error.value.element == element
    assert error.value.status == 400


def test_no_message_repeats_what_was_sent() -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "Xqz-4711"}]}
    for bad in (body, bundle(patient("Xqz/4711")), {"resourceType": "Xqz-4711"}):
        with pytest.raises(MappingError) as error:
            read(bad)
        assert "Xqz" not in f"{error.value} {error.value.element}"


def test_of_a_member_sent_twice_the_last_counts() -> None:
    body = raw(bundle(patient("p2")))[:-1] + b"," + raw(bundle(patient()))[1:]
    assert read(body).patient_id == "p1"


def test_an_encounter_counts_if_there_is_one_of_this_patient() -> None:
    own, other = encounter(), encounter(id="e2", subject="Patient/p2")
    assert read(bundle(patient(), own, other)).encounter_id == "e1"
    assert read(bundle(patient(), other)).encounter_id is None
    assert read(bundle(patient(), own, encounter(id="e3"))).encounter_id is None
    assert read(bundle(patient(), encounter(id="a/b"))).encounter_id is None
    named = parameters(("patient", patient()), encounter="Encounter/e9")
    assert read(named).encounter_id == "e9"


def test_ids_are_not_shown() -> None:
    assert "p1" not in repr(read(bundle(patient(), encounter())))


@settings(deadline=None)
@given(json_values)
def test_no_json_raises_anything_else(value: object) -> None:
    for body in (
        bundle(patient(), value),
        {"resourceType": "Bundle", "entry": [value]},
        {"resourceType": "Parameters", "parameter": [value]},
        parameters(("patient", patient()), ("observation", value)),
    ):
        with suppress(PostedError, UnprocessableError):
            assert read(body).patient_id == "p1"
