"""Whatever is sent, the service answers with cards or with an OperationOutcome, never a 5xx."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
from tests.support.builders import Json
from tests.support.cards_check import assert_no_empty, assert_response
from tests.support.fuzzer import FRAGMENTS, feedback, opened, paths, problem
from tests.support.service import Service, TestClock, new_context, release, running
from tests.support.strategies import json_values

ERRORS = {400, 409, 412, 413}


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
        assert_response(answer)


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

    kept = answered(record)
    assert kept is None or kept.isdigit()


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
            assert_response(response.content)
        return
    assert response.status_code in ERRORS
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["severity"] == "error"
    assert outcome["issue"][0]["diagnostics"]
    assert_no_empty(outcome, "outcome")
