"""Completing a chart from a FHIR server that may be anything: every answer inside the budget."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest

from cds_service.context import ProcessContext
from cds_service.errors import FHIRServerTimeoutError, FHIRServerUnavailableError, ServiceError
from cds_service.security.clients import DEVELOPMENT_CLIENT, Client
from cds_service.services.charts import ChartReader
from cds_service.services.records import Resources
from fhir_mapping import exchange
from fhir_mapping.bundles import PrefetchState, read_contents
from hooks.contexts import parse_patient_view
from hooks.errors import PreconditionError
from hooks.protocol import parse_request
from tests.support import fhir_server as fake
from tests.support.builders import (
    bundle,
    condition,
    encounter,
    epic_empty_search,
    observation,
    operation_outcome,
    patient,
)
from tests.support.fhir_server import FHIRServer, fhir_server
from tests.support.service import new_context

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
VITALS = [
    observation("8867-4", 88, id="hr", at=NOW - timedelta(minutes=10)),
    observation("8310-5", 37.1, "Cel", id="temp", at=NOW - timedelta(minutes=10)),
]
OLD = observation("8867-4", 140, id="old", at=NOW - timedelta(days=3))
EXTRA = [
    observation("882-1", None, id="abo", category=None),
    observation("89555-7", 3, "d/wk", id="exercise", category=None),
]
CHART = [patient(), encounter(), condition("I10", id="c1"), *VITALS, OLD, *EXTRA]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_BACKOFF", (0.01, 0.02))


@pytest.fixture
def server() -> Iterator[FHIRServer]:
    with fhir_server(CHART) as started:
        yield started


@pytest.fixture
def context(tmp_path: Path, server: FHIRServer) -> Iterator[ProcessContext]:
    context = new_context(tmp_path, allowed_fhir_servers=(server.url,), fhir_allow_private=True)
    yield context
    context.fhir.close()
    context.engine.dispose()


def complete(
    context: ProcessContext,
    server: FHIRServer | None,
    prefetch: dict[str, Any] | None = None,
    *,
    client: Client = DEVELOPMENT_CLIENT,
    encounter_id: str | None = "e1",
    seconds: float = 20,
    **request: Any,
) -> Resources:
    """The chart of a request with this prefetch and a token."""
    body: dict[str, Any] = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": "p1", "encounterId": encounter_id},
        "prefetch": prefetch or {},
    }
    if server is not None:
        body |= {"fhirServer": server.url, "fhirAuthorization": granted()}
    parsed = parse_request(json.dumps(body | request).encode(), service_hook="patient-view")
    reader = ChartReader(context)
    return reader.complete(
        reader.from_prefetch(parsed, client),
        parsed,
        parse_patient_view(parsed.context),
        client,
        prediction_time=NOW,
        deadline=monotonic() + seconds,
    )


def granted(**changes: Any) -> dict[str, Any]:
    token = {
        "access_token": "secret-token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.rs",
        "subject": "cds-service",
        "patient": "p1",
    }
    return token | changes


def ids(resources: Resources, key: str) -> list[str]:
    entries = read_contents(resources.get(key)).entries
    found = [json.loads(bytes(entry.raw)) for entry in entries]
    return sorted(resource["id"] for resource in found if "id" in resource)


def state(resources: Resources, key: str) -> PrefetchState:
    return read_contents(resources.get(key)).state


def test_everything_that_is_absent_is_read(context: ProcessContext, server: FHIRServer) -> None:
    server.token = "secret-token"
    found = complete(context, server)

    assert ids(found, "patient") == ["p1"]
    assert ids(found, "vitals") == ["hr", "temp"]
    assert ids(found, "encounter") == ["e1"]
    assert ids(found, "conditions") == ["c1"]
    assert "blood_group" not in found
    assert {asked.token for asked in server.log} == {"secret-token"}
    assert len(server.log) == 4


def test_vitals_are_asked_for_by_patient_category_and_date(
    context: ProcessContext, server: FHIRServer
) -> None:
    complete(context, server, {"patient": patient()})
    (asked,) = server.asked("Observation")
    assert asked.query == [
        ("patient", "p1"),
        ("category", "vital-signs"),
        ("date", "ge2026-03-06T12:00:00Z"),
        ("_count", "100"),
    ]


def test_the_date_follows_the_look_back_of_the_client(
    context: ProcessContext, server: FHIRServer
) -> None:
    settings = DEVELOPMENT_CLIENT.settings.model_copy(update={"lookback_hours": 6.0})
    complete(context, server, client=replace(DEVELOPMENT_CLIENT, settings=settings))
    (asked,) = server.asked("Observation")
    assert ("date", "ge2026-03-07T06:00:00Z") in asked.query


@pytest.mark.parametrize("unknown", ["date", "_count"])
def test_a_server_that_knows_no_date_is_asked_without(
    context: ProcessContext, server: FHIRServer, unknown: str
) -> None:
    server.unknown_parameters = frozenset({unknown})
    found = complete(context, server)
    assert ids(found, "vitals") == ["hr", "old", "temp"]
    assert server.asked("Observation")[1].query == [
        ("patient", "p1"),
        ("category", "vital-signs"),
    ]


def test_extra_inputs_are_read_where_the_client_has_them(
    context: ProcessContext, server: FHIRServer
) -> None:
    settings = DEVELOPMENT_CLIENT.settings.model_copy(
        update={"extra_inputs": ("abo_group", "exercise_days")}
    )
    found = complete(context, server, client=replace(DEVELOPMENT_CLIENT, settings=settings))
    assert ids(found, "blood_group") == ["abo"]
    assert ids(found, "exercise") == ["exercise"]


def test_an_encounter_is_read_only_where_there_is_one(
    context: ProcessContext, server: FHIRServer
) -> None:
    found = complete(context, server, encounter_id=None)
    assert "encounter" not in found
    assert server.asked("Encounter") == []


@pytest.mark.requirement("R17")
def test_answers_are_not_asked_for_again(context: ProcessContext, server: FHIRServer) -> None:
    sent = {
        "patient": None,
        "vitals": epic_empty_search(),
        "encounter": None,
        "conditions": bundle(),
    }
    found = complete(context, server, sent)
    assert server.log == []
    assert state(found, "patient") is PrefetchState.NULL
    assert state(found, "vitals") is PrefetchState.BUNDLE


def test_a_complete_prefetch_needs_no_server(context: ProcessContext, server: FHIRServer) -> None:
    sent = {
        "patient": patient(),
        "vitals": bundle(*VITALS),
        "encounter": encounter(),
        "conditions": bundle(),
    }
    assert ids(complete(context, server, sent), "vitals") == ["hr", "temp"]
    assert server.log == []


@pytest.mark.requirement("R18")
@pytest.mark.parametrize("bad", [operation_outcome("error"), "<html>", {"total": 1}])
def test_an_error_in_place_of_required_data_is_read_again(
    context: ProcessContext, server: FHIRServer, bad: object
) -> None:
    sent = {"patient": bad, "vitals": bad, "encounter": bad, "conditions": bad}
    found = complete(context, server, sent)
    assert ids(found, "patient") == ["p1"]
    assert ids(found, "vitals") == ["hr", "temp"]
    assert {asked.type for asked in server.log} == {"Patient", "Observation"}


def test_of_vitals_that_came_in_parts_the_one_that_failed_is_read_again(
    context: ProcessContext, server: FHIRServer
) -> None:
    aliases = {"hr": "vitals", "temp": "vitals"}
    settings = DEVELOPMENT_CLIENT.settings.model_copy(update={"prefetch_aliases": aliases})
    client = replace(DEVELOPMENT_CLIENT, settings=settings)
    sent = {"patient": patient(), "hr": bundle(VITALS[0]), "temp": operation_outcome("error")}

    found = complete(context, server, sent, client=client)
    assert set(ids(found, "vitals")) == {"hr", "temp"}
    assert not read_contents(found["vitals"]).cut_short

    server.behaviours["Observation"] = fake.status(403)
    found = complete(context, server, sent, client=client)
    assert ids(found, "vitals") == ["hr"]
    assert read_contents(found["vitals"]).cut_short


@pytest.mark.requirement("R21")
def test_the_pages_of_a_prefetched_bundle_are_followed(
    context: ProcessContext, server: FHIRServer
) -> None:
    server.token, server.page_size = "secret-token", 1
    first = server.search(fake.Asked("Observation", [("category", "vital-signs")], {}))
    found = complete(context, server, {"patient": patient(), "vitals": first})

    assert ids(found, "vitals") == ["hr", "old", "temp"]
    assert not read_contents(found["vitals"]).cut_short
    assert {asked.token for asked in server.log} == {"secret-token"}


@pytest.mark.requirement("R21")
@pytest.mark.parametrize(
    "bad", [fake.status(500), fake.status(401), fake.html(), fake.hang, fake.drip]
)
def test_a_page_that_cannot_be_had_leaves_the_vitals_cut_short(
    context: ProcessContext, server: FHIRServer, bad: fake.Behaviour
) -> None:
    server.page_size = 2
    first = server.search(fake.Asked("Observation", [("category", "vital-signs")], {}))
    server.behaviours["Observation"] = bad
    found = complete(context, server, {"patient": patient(), "vitals": first}, seconds=0.6)

    assert len(ids(found, "vitals")) == 2
    assert read_contents(found["vitals"]).cut_short


@pytest.mark.requirement("R32")
def test_a_page_on_another_server_is_not_followed(
    context: ProcessContext, server: FHIRServer
) -> None:
    with fhir_server([OLD]) as other:
        first = bundle(*VITALS, next_url=f"{other.url}/Observation?patient=p1")
        found = complete(context, server, {"patient": patient(), "vitals": first})
        assert other.log == []
    assert read_contents(found["vitals"]).cut_short


@pytest.mark.requirement("R32")
def test_a_server_that_is_not_allowed_is_never_asked(context: ProcessContext) -> None:
    with fhir_server(CHART) as other:
        with pytest.raises(PreconditionError) as error:
            complete(context, other)
        found = complete(context, other, {"patient": patient(), "vitals": bundle(*VITALS)})
        assert other.log == []
    assert "`prefetch.patient` was not sent, and the FHIR server is none" in error.value.message
    assert "`prefetch.vitals`" in error.value.message
    assert other.url not in error.value.message
    assert set(found) == {"patient", "vitals"}


@pytest.mark.requirement("R32")
def test_a_clients_own_server_is_allowed_to_it_in_any_spelling(context: ProcessContext) -> None:
    with fhir_server(CHART) as other:
        settings = DEVELOPMENT_CLIENT.settings.model_copy(update={"fhir_servers": (other.url,)})
        client = replace(DEVELOPMENT_CLIENT, settings=settings)
        found = complete(context, other, client=client, fhirServer=other.url + "/")
        assert ids(found, "patient") == ["p1"]


def test_without_any_server_the_412_says_only_what_is_missing(context: ProcessContext) -> None:
    with pytest.raises(PreconditionError) as error:
        complete(context, None, {"patient": patient()})
    assert error.value.message == ("Required data is not available: `prefetch.vitals` was not sent")


@pytest.mark.requirement("R29")
@pytest.mark.parametrize(
    ("token", "why"),
    [
        ({"expires_in": 0}, "the access token has expired"),
        ({"expires_in": -5}, "the access token has expired"),
        ({"patient": "p2"}, "the access token is for another patient"),
        ({"access_token": "a\r\nb"}, "did not accept the access token"),
    ],
)
def test_a_token_that_must_not_be_used_is_not(
    context: ProcessContext, server: FHIRServer, token: dict[str, Any], why: str
) -> None:
    with pytest.raises(PreconditionError, match=why):
        complete(context, server, fhirAuthorization=granted(**token))
    assert server.log == []
    sent = {"patient": patient(), "vitals": bundle(*VITALS)}
    found = complete(context, server, sent, fhirAuthorization=granted(**token))
    assert set(found) == {"patient", "vitals"}


def test_an_open_server_is_read_without_a_token(
    context: ProcessContext, server: FHIRServer
) -> None:
    found = complete(context, server, fhirAuthorization=None)
    assert ids(found, "vitals") == ["hr", "temp"]
    assert {asked.token for asked in server.log} == {None}


BROKEN: Sequence[tuple[str, fake.Behaviour, type[Exception], str]] = [
    ("401", fake.status(401), PreconditionError, "did not accept the access token"),
    ("403", fake.status(403), PreconditionError, "did not accept the access token"),
    ("404", fake.status(404), PreconditionError, "does not have it"),
    ("410", fake.status(410), PreconditionError, "does not have it"),
    ("400", fake.status(400), PreconditionError, "answered with an error"),
    ("outcome", fake.body(operation_outcome("error")), PreconditionError, "with an error"),
    ("redirect", fake.redirect("https://x.invalid"), PreconditionError, "is not followed"),
    ("429", fake.status(429), FHIRServerUnavailableError, "no usable answer"),
    (
        "429 for long",
        fake.status(429, Retry_After="30"),
        FHIRServerUnavailableError,
        "no usable answer",
    ),
    ("500", fake.status(500), FHIRServerUnavailableError, "no usable answer"),
    ("503", fake.status(503), FHIRServerUnavailableError, "no usable answer"),
    ("html", fake.html(), FHIRServerUnavailableError, "no usable answer"),
    ("damaged", fake.damaged, FHIRServerUnavailableError, "no usable answer"),
    ("dropped", fake.drop, FHIRServerUnavailableError, "no usable answer"),
    ("cut", fake.cut_body, FHIRServerUnavailableError, "no usable answer"),
    ("huge", fake.body(b" " * 10_000_001), FHIRServerUnavailableError, "no usable answer"),
    ("bomb", fake.gzip_bomb(), FHIRServerUnavailableError, "no usable answer"),
    ("hang", fake.hang, FHIRServerTimeoutError, "in time"),
    ("drip", fake.drip, FHIRServerTimeoutError, "in time"),
    ("drip headers", fake.drip_headers, FHIRServerTimeoutError, "in time"),
]


@pytest.mark.requirement("R20")
@pytest.mark.parametrize("kind", ["Patient", "Observation"])
@pytest.mark.parametrize(
    ("bad", "error", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_required_data_that_a_bad_server_keeps(
    context: ProcessContext,
    server: FHIRServer,
    kind: str,
    bad: fake.Behaviour,
    error: type[Exception],
    words: str,
) -> None:
    server.behaviours[kind] = bad
    seconds = 0.5 if error is FHIRServerTimeoutError else 20
    with pytest.raises(error, match=words) as raised:
        complete(context, server, seconds=seconds)
    said = str(raised.value)
    assert ("`patient`" if kind == "Patient" else "`vitals`") in said.replace("prefetch.", "")
    assert "127.0.0.1" not in said
    assert "secret-token" not in said
    assert "p1" not in said
    status = getattr(raised.value, "status", None)
    assert (
        status
        == {
            PreconditionError: 412,
            FHIRServerTimeoutError: 504,
            FHIRServerUnavailableError: 503,
        }[error]
    )
    assert issubclass(error, ServiceError | PreconditionError)


@pytest.mark.parametrize("bad", [case[1] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_optional_data_that_a_bad_server_keeps_is_done_without(
    context: ProcessContext,
    server: FHIRServer,
    bad: fake.Behaviour,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.behaviours |= {"Encounter": bad, "Condition": bad}
    found = complete(context, server, {"patient": patient(), "vitals": bundle(*VITALS)}, seconds=1)
    assert set(found) == {"patient", "vitals"}
    lines = [r for r in caplog.records if r.getMessage() == "FHIR server not read"]
    assert {vars(line)["key"] for line in lines} == {"encounter", "conditions"}
    assert "secret-token" not in str([vars(line) for line in lines])
    assert "p1" not in str([vars(line)["detail"] for line in lines])


def test_another_patient_than_the_one_asked_for(
    context: ProcessContext, server: FHIRServer
) -> None:
    server.behaviours["Patient"] = fake.body(patient("p2"))
    with pytest.raises(PreconditionError, match="answered with another patient"):
        complete(context, server)


def test_a_slow_start_is_waited_for(context: ProcessContext, server: FHIRServer) -> None:
    server.behaviours["*"] = fake.at_first(4, fake.status(429, Retry_After="0"))
    found = complete(context, server)
    assert ids(found, "vitals") == ["hr", "temp"]
    assert len(server.log) == 8


def test_reads_go_out_together(context: ProcessContext, server: FHIRServer) -> None:
    """None of the four is answered before all have been asked."""
    together = Barrier(4)

    def meet(_handler: fake.Handler, _asked: fake.Asked) -> bool:
        together.wait(20)
        return False

    server.behaviours["*"] = meet
    assert ids(complete(context, server), "vitals") == ["hr", "temp"]


@pytest.mark.requirement("R29")
def test_a_token_is_not_used_after_it_expired(context: ProcessContext, server: FHIRServer) -> None:
    """The server asks to come back in two seconds; the token lasts one."""
    server.behaviours["*"] = fake.at_first(4, fake.status(503, Retry_After="2"))
    with pytest.raises(FHIRServerUnavailableError):
        complete(context, server, fhirAuthorization=granted(expires_in=1))
    assert len(server.log) == 4


def test_what_is_not_required_gets_half_of_the_time(
    context: ProcessContext, server: FHIRServer
) -> None:
    """The server asks for three of four seconds before it tells the conditions."""
    server.behaviours["Condition"] = fake.at_first(1, fake.status(503, Retry_After="3"))
    found = complete(context, server, seconds=4)
    assert "conditions" not in found
    assert ids(found, "vitals") == ["hr", "temp"]
