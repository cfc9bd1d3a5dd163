"""Requests are read tolerantly and refused in the caller's terms; error bodies are FHIR."""

import json
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from hooks.errors import HookError, PreconditionError, RequestError
from hooks.protocol import (
    CDSRequest,
    cards_response,
    encode,
    error_outcome,
    operation_outcome,
    parse_request,
)

INSTANCE = "950560b3-c027-49de-a270-ba9d4e353133"
TOKEN = "opaque-secret-token"


def a_body(**changes: Any) -> bytes:
    """A valid body; a change to `...` removes the member."""
    body: dict[str, Any] = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "fhirServer": "https://ehr.example/fhir",
        "fhirAuthorization": {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "user/Patient.read",
            "subject": "cds-service",
        },
        "prefetch": {"patient": {"resourceType": "Patient", "id": "p1"}, "vitals": None},
    }
    body |= changes
    return json.dumps({k: v for k, v in body.items() if v is not ...}).encode()


def parse(body: bytes) -> CDSRequest:
    return parse_request(body, service_hook="patient-view")


def refused(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(body)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.requirement("R24")
def test_reads_a_whole_request() -> None:
    request = parse(a_body())

    assert (request.hook, request.hookInstance) == ("patient-view", INSTANCE)
    assert request.fhirServer == "https://ehr.example/fhir"
    assert request.fhirAuthorization is not None
    assert request.fhirAuthorization.access_token == TOKEN
    assert request.fhirAuthorization.expires_in == 300
    assert request.prefetch is not None
    assert list(request.prefetch) == ["patient", "vitals"]
    assert bytes(request.prefetch["vitals"]) == b"null"
    assert msgspec.json.decode(request.context)["patientId"] == "p1"


@pytest.mark.requirement("R5")
def test_unknown_members_and_extensions_are_ignored() -> None:
    request = parse(
        a_body(
            extension={"com.epic.cdshooks.request.bpa-trigger-action": "60", "x": [1, {"y": None}]},
            somethingNew=[1, 2],
        )
    )

    assert request.hookInstance == INSTANCE


@pytest.mark.parametrize("missing", ["fhirServer", "prefetch"])
@pytest.mark.parametrize("how", [..., None])
def test_optional_members_may_be_absent_or_null(missing: str, how: object) -> None:
    request = parse(a_body(**{"fhirAuthorization": ..., missing: how}))

    assert getattr(request, missing) is None
    assert request.fhirAuthorization is None


def test_instance_is_one_key_however_it_is_written() -> None:
    assert parse(a_body(hookInstance=INSTANCE.upper())).hookInstance == INSTANCE


@pytest.mark.requirement("R24")
@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"hook": ...}, "hook"),
        ({"hook": None}, "hook"),
        ({"hook": ""}, "hook"),
        ({"hook": 7}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": ...}, "hookInstance"),
        ({"hookInstance": 7}, "hookInstance"),
        ({"hookInstance": "not-a-uuid"}, "hookInstance"),
        ({"hookInstance": "{" + INSTANCE + "}"}, "hookInstance"),
        ({"context": ...}, "context"),
        ({"context": None}, "context"),
        ({"context": []}, "context"),
        ({"context": "p1"}, "context"),
        ({"prefetch": []}, "prefetch"),
        ({"prefetch": "x"}, "prefetch"),
        ({"fhirServer": 1}, "fhirServer"),
        ({"fhirServer": "file:///etc/passwd"}, "fhirServer"),
        ({"fhirAuthorization": "Bearer x"}, "fhirAuthorization"),
        ({"fhirAuthorization": {}}, "fhirAuthorization.access_token"),
        (
            {"fhirAuthorization": {"access_token": "x", "token_type": "mac"}},
            "fhirAuthorization.token_type",
        ),
        (
            {"fhirAuthorization": {"access_token": "x", "expires_in": "soon"}},
            "fhirAuthorization.expires_in",
        ),
    ],
)
def test_wrong_members_are_named(changes: dict[str, Any], element: str) -> None:
    error = refused(a_body(**changes))

    assert error.element == element
    assert f"`{element}`" in error.message


@pytest.mark.requirement("R25")
def test_authorization_without_a_server_is_refused() -> None:
    error = refused(a_body(fhirServer=...))

    assert error.element == "fhirServer"
    assert error.code == "required"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON"),
        (b"{", "The body is not JSON"),
        (b"\xff\xfe", "The body is not JSON"),
        (b"<html>", "The body is not JSON"),
        (b'{"a": NaN}', "The body is not JSON"),
        (b'{"a": ' + b"[" * 100_000, "The body is not JSON"),
        (b"[]", "The body must be a JSON object"),
        (b'"text"', "The body must be a JSON object"),
        (b"null", "The body must be a JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, message: str) -> None:
    error = refused(body)

    assert error.message == message
    assert error.element is None


@pytest.mark.requirement("R29")
def test_no_token_and_no_patient_data_in_repr() -> None:
    request = parse(a_body(context={"patientId": "secret-patient"}))

    shown = repr(request) + str(request) + repr(request.fhirAuthorization)
    assert TOKEN not in shown
    assert "secret-patient" not in shown
    assert "resourceType" not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"hookInstance": "Maria-Example"},
        {"hook": "Maria-Example"},
        {"context": ["Maria-Example"]},
        {"prefetch": ["Maria-Example"]},
        {"fhirServer": "Maria-Example"},
    ],
)
def test_messages_repeat_no_value(changes: dict[str, Any]) -> None:
    assert "Maria" not in refused(a_body(**changes)).message


@pytest.mark.requirement("R49")
@pytest.mark.parametrize(
    "error",
    [
        RequestError("`hook` is required", element="hook", code="required"),
        RequestError("The body is not JSON", code="structure"),
        PreconditionError("`prefetch.vitals` was not sent", element="prefetch.vitals"),
    ],
)
def test_errors_become_valid_operation_outcomes(error: HookError) -> None:
    outcome = error_outcome(error)

    OperationOutcome.model_validate(outcome)
    issue = outcome["issue"][0]
    assert issue["severity"] == "error"
    assert issue["diagnostics"] == error.message
    assert issue.get("expression") == ([error.element] if error.element else None)


def test_operation_outcome_without_expression() -> None:
    outcome = operation_outcome("fatal", "exception", "It broke")

    OperationOutcome.model_validate(outcome)
    assert outcome["issue"] == [
        {"severity": "fatal", "code": "exception", "diagnostics": "It broke"}
    ]


@pytest.mark.requirement("R34")
def test_an_answer_without_cards_is_an_empty_array() -> None:
    assert encode(cards_response([])) == b'{"cards":[]}'
