"""Requests over HTTP: every sentence of R23 to R27, every part."""

import json
import time
from typing import Any

import pytest

from cds_service.settings import Settings
from fhir_mapping.client import FHIRAccess
from fhir_mapping.errors import AccessFault, FHIRAccessError
from tests.support.hook_requests import HOOKS, Json, assert_refused, body, post
from tests.support.service import Service
from tests.support.site import TOKEN, Site, granted


@pytest.mark.requirement("R23")
@pytest.mark.parametrize("name", HOOKS)
def test_a_service_takes_a_json_body_by_post(service: Service, name: str) -> None:
    url = f"/cds-services/{name}"
    response = service.http.post(url, json=body(name))
    assert response.status_code == 200, response.text
    assert isinstance(response.json()["cards"], list)
    for method in ("GET", "PUT", "DELETE"):
        assert service.http.request(method, url, json=body(name)).status_code == 405
    for wrong in (b"", b"hook=patient-view", b"<hook/>", b'"x"', json.dumps([body(name)]).encode()):
        assert_refused(service.http.post(url, content=wrong), 400, None)


@pytest.mark.requirement("R24")
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"hook": ...}, "hook"),
        ({"hook": ""}, "hook"),
        ({"hook": ["patient-view"]}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": ...}, "hookInstance"),
        ({"hookInstance": 7}, "hookInstance"),
        ({"hookInstance": "7"}, "hookInstance"),
        ({"context": ...}, "context"),
        ({"context": None}, "context"),
        ({"context": "p1"}, "context"),
        ({"context": []}, "context"),
    ],
)
def test_every_service_checks_hook_instance_and_context(
    service: Service, name: str, change: Json, element: str
) -> None:
    assert_refused(post(service, name, body(name, **change)), 400, element)


@pytest.mark.requirement("R24")
def test_a_service_answers_its_own_hook_only(service: Service) -> None:
    for name, hook in HOOKS.items():
        for other in set(HOOKS.values()) - {hook}:
            assert_refused(post(service, name, body(name, hook=other)), 400, "hook")


@pytest.mark.requirement("R25")
@pytest.mark.parametrize("name", HOOKS)
def test_access_to_no_server_is_refused_and_a_server_without_access_is_not(
    service: Service, name: str
) -> None:
    assert_refused(post(service, name, body(name, fhirAuthorization=granted())), 400, "fhirServer")
    for wrong in ("", "ehr.example/fhir", "ftp://ehr.example"):
        assert_refused(post(service, name, body(name, fhirServer=wrong)), 400, "fhirServer")
    alone = body(name, fhirServer="https://ehr.invalid/fhir")
    assert post(service, name, alone).status_code == 200


@pytest.mark.requirement("R25")
def test_a_server_is_never_read_in_the_clear_in_production() -> None:
    access = FHIRAccess(
        allow_private=Settings.model_fields["fhir_allow_private"].default, max_pages=1
    )
    deadline = time.monotonic() + 1
    with pytest.raises(FHIRAccessError) as error:
        access.session("http://ehr.invalid/fhir", token=TOKEN, deadline=deadline)
    assert error.value.kind is AccessFault.REFUSED
    assert access.session("https://ehr.invalid/fhir", token=TOKEN, deadline=deadline)
    access.close()


SCOPES = [
    "patient/Patient.read patient/Observation.read",
    "patient/Patient.rs user/*.cruds launch openid",
    "system/Observation.rs?category=vital-signs",
    "EPIC.CDSHOOKS R4:2;Observation:Vitals",
    "",
    ...,
]


@pytest.mark.requirement("R26")
@pytest.mark.parametrize("scope", SCOPES)
def test_any_scope_will_do(site: Site, scope: Any) -> None:
    site.answer(site.request(fhirAuthorization=granted(scope=scope)))
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R26")
@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "Bearer"},
        {"token_type": "bearer"},
        {"subject": ...},
        {"subject": "0oa1", "patient": ...},
        {"patient": "Patient/p1"},
        {"expires_in": ...},
        {"expires_in": 10**300},
        {"expires_in": 10**400},
        {"refresh_token": "x", "tenant": None},
    ],
    ids=str,
)
def test_access_is_read_as_generously_as_oauth_is_written(site: Site, change: Json) -> None:
    site.answer(site.request(fhirAuthorization=granted(**change)))
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R26")
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"access_token": ...}, ".access_token"),
        ({"access_token": ""}, ".access_token"),
        ({"access_token": 5}, ".access_token"),
        ({"token_type": "mac"}, ".token_type"),
        ({"token_type": 1}, ".token_type"),
        ({"expires_in": "300"}, ".expires_in"),
        ({"expires_in": 2.5}, ".expires_in"),
        ({"expires_in": True}, ".expires_in"),
        ({"scope": ["a"]}, ".scope"),
        ({"subject": {}}, ".subject"),
        ({"patient": 1}, ".patient"),
        (None, ""),
    ],
)
def test_access_that_cannot_be_read_is_400_and_names_the_member(
    site: Site, name: str, change: Json | None, member: str
) -> None:
    access: Any = "Bearer x" if change is None else granted(**change)
    request = body(name, fhirServer=site.fhir.url, fhirAuthorization=access)
    response = post(site.service, name, request)
    assert_refused(response, 400, f"fhirAuthorization{member}")
    assert TOKEN not in response.text
    assert site.fhir.log == []


@pytest.mark.requirement("R27")
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"userId": ...}, "context.userId"),
        ({"userId": "1"}, "context.userId"),
        ({"userId": "Device/1"}, "context.userId"),
        ({"userId": "Practitioner/"}, "context.userId"),
        ({"patientId": ...}, "context.patientId"),
        ({"patientId": "Patient/p1"}, "context.patientId"),
        ({"patientId": "p1?x=y"}, "context.patientId"),
        ({"patientId": 1}, "context.patientId"),
        ({"encounterId": "e/1"}, "context.encounterId"),
        ({"encounterId": []}, "context.encounterId"),
    ],
)
def test_the_context_of_every_hook(service: Service, name: str, change: Json, element: str) -> None:
    request = body(name)
    context = request["context"] | change
    request["context"] = {key: value for key, value in context.items() if value is not ...}
    assert_refused(post(service, name, request), 400, element)


@pytest.mark.requirement("R27")
@pytest.mark.parametrize("user", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_everybody_the_hook_knows_may_be_the_user(service: Service, user: str) -> None:
    for name in HOOKS:
        request = body(name)
        request["context"]["userId"] = f"{user}/a-1.b"
        if name != "record-discharge":
            del request["context"]["encounterId"]
        assert post(service, name, request).status_code == 200


@pytest.mark.requirement("R27")
@pytest.mark.parametrize(
    "conditions", [..., None, [], "x", {}, {"resourceType": "Condition"}], ids=str
)
def test_problems_come_in_a_bundle(service: Service, conditions: Any) -> None:
    request = body("record-problem")
    del request["context"]["conditions"]
    if conditions is not ...:
        request["context"]["conditions"] = conditions
    assert_refused(post(service, "record-problem", request), 400, "context.conditions")


@pytest.mark.requirement("R27")
def test_a_discharge_is_of_an_encounter(service: Service) -> None:
    for change in ({}, {"encounterId": None}, {"encounterId": ""}):
        request = body("record-discharge")
        del request["context"]["encounterId"]
        request["context"] |= change
        assert_refused(post(service, "record-discharge", request), 400, "context.encounterId")
