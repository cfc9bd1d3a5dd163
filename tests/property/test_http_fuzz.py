"""Whatever is sent, the service answers with cards or with an OperationOutcome, never a 5xx."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds_service.errors import ServiceError
from cds_service.security.clients import DEVELOPMENT_CLIENT
from cds_service.services.assessing import AssessingService
from cds_service.services.feedback import FeedbackService
from cds_service.services.problems import ProblemService
from fhir_mapping.errors import MappingError
from hooks.errors import HookError
from tests.support.builders import (
    Json,
    blood_pressure,
    bundle,
    condition,
    encounter,
    observation,
    patient,
)
from tests.support.cards_check import check_no_empty, check_response
from tests.support.service import Service, TestClock, new_context, release, running
from tests.support.strategies import json_values

NOW = "2026-03-01T11:50:00+05:45"
ERRORS = {400, 409, 412, 413}

# JSON, or nearly, that no encoder writes: put in as it is.
FRAGMENTS = (
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u202e\\ufeff"',
    "1e400",
    "-1e400",
    "1e-400",
    "-0.0",
    "9" * 400,
    "9" * 5_000,
    "NaN",
    "Infinity",
    "01",
    '"' + "x" * 20_000 + '"',
    '"9999-12-31"',
    '"9999-12-31T23:59:59-14:00"',
    '"0001-01-01T00:00:00+14:00"',
    '"2026-02-30"',
    "[" * 400 + "]" * 400,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    '{"a":1,"a":{"a":null,"a":[]}}',
    "[null,{},[],true]",
    "'x'",
    "",
)


def paths(value: object) -> Iterator[tuple[Any, ...]]:
    """Where every element of a JSON value is."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (key,)
            for rest in paths(inner):
                yield (key, *rest)


@st.composite
def mangled(draw: st.DrawFn, request: Callable[[], Json]) -> bytes:
    """A request with up to four of its parts replaced, taken out, given twice or spoilt."""
    body: Any = copy.deepcopy(request())
    raw: dict[str, str] = {}
    for number in range(draw(st.integers(0, 4))):
        # The deepest first: Hypothesis prefers what stands in front.
        places = sorted(paths(body), key=len, reverse=True)
        if not places:
            break
        *parents, last = draw(st.sampled_from(places))
        target: Any = body
        for step in parents:
            target = target[step]
        what = draw(st.sampled_from(["replace", "delete", "spoil", "twice", "move"]))
        if what == "replace":
            target[last] = draw(json_values)
        elif what == "delete":
            del target[last]
        elif what == "move":
            # Something valid in the wrong place.
            *found, end = draw(st.sampled_from(places))
            source: Any = body
            for step in found:
                source = source[step]
            target[last] = copy.deepcopy(source[end])
        else:
            mark = f"<raw {number}>"
            fragment = draw(st.sampled_from(FRAGMENTS))
            if what == "twice" and isinstance(target, dict):
                other = draw(json_values)
                fragment = f"{json.dumps(target[last])},{json.dumps(last)}:{json.dumps(other)}"
            raw[json.dumps(mark)] = fragment
            target[last] = mark
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    for mark, fragment in raw.items():
        text = text.replace(mark, fragment)
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 19)) == 0:
        cut = draw(st.integers(0, len(data)))
        data = data[:cut] + draw(st.binary(max_size=4)) + data[cut + draw(st.integers(0, 4)) :]
    return data


def opened() -> Json:
    """A `patient-view` request with all that is read."""
    pregnant = observation("82810-3", None, at=NOW, id="o9")
    pregnant["valueCodeableConcept"] = {
        "coding": [{"system": "http://loinc.org", "code": "LA26683-5"}]
    }
    vitals = [
        observation("8867-4", 88, at=NOW, id="o1"),
        observation("8310-5", 100.4, "[degF]", at=NOW, id="o2", issued=NOW),
        observation("59408-5", 97, "%", at="2026-03-01", id="o3"),
        blood_pressure(118, 76, at=NOW, id="o4"),
        pregnant,
    ]
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "fhirServer": "https://ehr.example/fhir",
        "fhirAuthorization": {
            "access_token": "t",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "cds",
        },
        "context": {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"},
        "prefetch": {
            "patient": patient(deceasedBoolean=False),
            "vitals": bundle(*vitals, next_url="https://ehr.example/fhir?page=2"),
            "encounter": encounter(),
            "conditions": bundle(condition("I10", recorded="2026-02-01", onsetDateTime="2026")),
        },
    }


def problem() -> Json:
    """A `problem-list-item-create` request."""
    found = [
        condition("A41.9", id="c1", recorded=NOW, encounter={"reference": "Encounter/e1"}),
        condition("O80", id="c2", recorded="2026-03-01", meta={"tag": [{"code": "a"}]}),
        condition("73211009", system="http://snomed.info/sct", onsetPeriod={"start": "2020"}),
    ]
    return {
        "hook": "problem-list-item-create",
        "hookInstance": str(uuid4()),
        "context": {
            "userId": "Practitioner/1",
            "patientId": "p1",
            "encounterId": "e1",
            "conditions": bundle(*found),
        },
    }


def feedback() -> Json:
    """Feedback of all kinds."""
    entry = {"card": str(uuid4()), "outcomeTimestamp": "2026-03-01T12:00:00Z"}
    reason = {"reason": {"code": "c", "system": "https://x", "display": "d"}, "userComment": "u"}
    return {
        "feedback": [
            entry | {"outcome": "accepted", "acceptedSuggestions": [{"id": str(uuid4())}]},
            entry | {"outcome": "overridden", "overrideReason": reason},
            entry | {"outcome": "overridden", "overrideReasons": {"extension": {"a": 1}}},
        ]
    }


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    context = new_context(tmp_path_factory.mktemp("fuzz"))
    release(context, "1", *small_model)
    clock = context.clock
    assert isinstance(clock, TestClock)
    with running(context, clock) as started:
        yield started


def answered(call: Callable[[], bytes]) -> bytes | None:
    """The body of a 200, or `None` for an error that is the caller's own."""
    try:
        return call()
    except (HookError, ServiceError, MappingError) as error:
        # `cds_service.app` answers 400 to an error of mapping.
        status, words = getattr(error, "status", 400), str(error)
    assert status in ERRORS
    assert words
    return None


@settings(max_examples=250, deadline=None)
@given(body=mangled(opened))
@example(body=json.dumps(opened()).encode())
def test_disease_severity_answers_or_says_what_is_wrong(service: Service, body: bytes) -> None:
    assessing = AssessingService(service.context)
    answer = answered(lambda: assessing.patient_view(body, DEVELOPMENT_CLIENT))
    if answer is not None:
        check_response(answer)


def test_the_request_that_is_mangled_is_a_good_one(service: Service) -> None:
    assessing = AssessingService(service.context)
    answer = json.loads(assessing.patient_view(json.dumps(opened()).encode(), DEVELOPMENT_CLIENT))
    told = answer["extension"]["org.cds-service.assessment"]
    assert [item["feature"] for item in told["used"]] == [
        "heart_rate",
        "body_temperature",
        "systolic_bp",
        "diastolic_bp",
        "oxygen_saturation",
    ]
    recorded = ProblemService(service.context).record(
        json.dumps(problem()).encode(), DEVELOPMENT_CLIENT
    )
    assert recorded == b'{"cards":[]}'
    count = FeedbackService(service.context).record(
        json.dumps(feedback()).encode(), service="disease-severity", client="development"
    )
    assert count == 3


@settings(max_examples=150, deadline=None)
@given(body=mangled(problem))
def test_record_problem_never_fails_on_what_is_sent(service: Service, body: bytes) -> None:
    problems = ProblemService(service.context)
    answer = answered(lambda: problems.record(body, DEVELOPMENT_CLIENT))
    assert answer in (None, b'{"cards":[]}')


@settings(max_examples=100, deadline=None)
@given(body=mangled(feedback))
def test_feedback_never_fails_on_what_is_sent(service: Service, body: bytes) -> None:
    def record() -> bytes:
        kept = FeedbackService(service.context).record(
            body, service="disease-severity", client="development"
        )
        return str(kept).encode()

    answered(record)


@settings(max_examples=40, deadline=None)
@given(
    path=st.sampled_from(["disease-severity", "record-problem", "disease-severity/feedback"]),
    body=mangled(opened) | mangled(problem) | mangled(feedback) | st.binary(max_size=40),
)
def test_over_http_every_error_is_an_operation_outcome(
    service: Service, path: str, body: bytes
) -> None:
    response = service.http.post(f"/cds-services/{path}", content=body)
    assert response.headers["content-type"] == "application/json"
    if response.status_code == 200:
        if not path.endswith("feedback"):
            check_response(response.content)
        return
    assert response.status_code in ERRORS
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["severity"] == "error"
    assert outcome["issue"][0]["diagnostics"]
    check_no_empty(outcome, "outcome")
