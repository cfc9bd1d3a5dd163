"""`$assess-severity` and its RiskAssessments, over HTTP."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Table, select

from cds_service.security.clients import Mode, Right
from cds_service.services.clients import ClientService
from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, CARDS
from fhir_mapping.resources import validate_outgoing
from model.artefact import load
from model.errors import ModelError
from model.scorer import Scorer
from model.severity import SEVERITIES
from tests.support.artefacts import KEPT
from tests.support.builders import bundle, condition, encounter, patient, raw
from tests.support.service import Service, new_context, release, running

URL = "/fhir/$assess-severity"
FHIR_JSON = "application/fhir+json"
NOT_THERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The service with the model kept in the tests."""
    context = new_context(tmp_path)
    release(context, "1", KEPT, load(KEPT)[1])
    with running(context, context.clock) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same for all that leaves nothing behind."""
    context = new_context(tmp_path_factory.mktemp("shared"))
    release(context, "1", KEPT, load(KEPT)[1])
    with running(context, context.clock) as started:
        yield started


@pytest.fixture
def either(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """The same on SQLite and on PostgreSQL."""
    context = new_context(tmp_path, database_url)
    release(context, "1", KEPT, load(KEPT)[1])
    with running(context, context.clock) as started:
        yield started


PERSON = patient(birth_date="1959-03-02")


def chart(service: Service, *more: Any, person: Any = PERSON, **vitals: float) -> dict[str, Any]:
    return bundle(person, *service.vitals(**vitals), *more)


def post(service: Service, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else raw(body)
    return service.http.post(URL, content=content, headers={"Content-Type": FHIR_JSON} | headers)


def assessed(service: Service, body: Any, **headers: str) -> dict[str, Any]:
    response = post(service, body, **headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == FHIR_JSON
    resource: dict[str, Any] = response.json()
    validate_outgoing(resource)
    return resource


def read(service: Service, identifier: str, **headers: str) -> httpx.Response:
    return service.http.get(f"/fhir/RiskAssessment/{identifier}", headers=headers)


def stored(service: Service, table: Table = ASSESSMENTS) -> list[dict[str, Any]]:
    with session.reading(service.context.engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def outcome(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == FHIR_JSON
    (issue,) = response.json()["issue"]
    assert issue["severity"] == "error"
    found: dict[str, Any] = issue
    return found


def notes(resource: dict[str, Any]) -> str:
    return "\n".join(note["text"] for note in resource["note"])


def clients(service: Service) -> ClientService:
    context = service.context
    return ClientService(context.engine, context.settings, context.clock)


def add_client(service: Service, name: str, *rights: Right, **changes: Any) -> dict[str, str]:
    """A client of its own; the header that its secret goes into."""
    _, secret = clients(service).add(
        name, {"sandbox": True} | changes, actor="test", rights=rights or Right
    )
    service.context.directory.refresh()
    assert secret is not None
    return {"Authorization": f"Bearer {secret.text}"}


def test_c22_the_answer_is_a_risk_assessment(service: Service) -> None:
    resource = assessed(service, chart(service, heart_rate=118, temperature=38.2))
    predictions = resource["prediction"]
    codes = [p["outcome"]["coding"][0]["code"] for p in predictions]
    assert codes == [severity.value for severity in SEVERITIES]
    assert sum(p["probabilityDecimal"] for p in predictions) == pytest.approx(100, abs=0.05)
    for prediction in predictions:
        assert "when" not in " ".join(prediction)
        said = int(prediction["rationale"].partition(" %")[0])
        assert said == pytest.approx(prediction["probabilityDecimal"], abs=0.51)
    system = {p["outcome"]["coding"][0]["system"] for p in predictions}
    assert system == {service.http.get("/fhir/CodeSystem/severity-category").json()["url"]}
    (row,) = stored(service)
    assert row["id"] == resource["id"]
    assert row["service"] == "assess-severity"
    assert row["suppressed"] is None
    chosen = [p for p in predictions if "qualitativeRisk" in p]
    assert [p["outcome"]["coding"][0]["code"] for p in chosen] == [row["category"]]
    for code, prediction in zip(codes, predictions, strict=True):
        percent = 100 * row["probabilities"][code]
        assert prediction["probabilityDecimal"] == pytest.approx(percent, abs=0.006)
    assert stored(service, CARDS) == []


def test_c22_basis_is_the_observations_used_and_no_others(service: Service) -> None:
    older = service.observation("8867-4", 60, "/min", id="older")
    older["effectiveDateTime"] = "2026-02-28T20:00:00+05:45"
    other = service.observation("9279-1", 16, "/min", id="other")
    other["subject"] = {"reference": "Patient/p2"}
    unit = service.observation("59408-5", 97, "furlong", id="unit")
    resource = assessed(service, chart(service, older, other, unit))
    assert [one["reference"] for one in resource["basis"]] == [
        f"Observation/o-{code}" for code in ("8867-4", "8310-5", "8480-6", "8462-4")
    ]
    last = resource["note"][-1]["text"]
    assert "Bundle.entry[6].resource (of another patient)" in last
    assert "Bundle.entry[7].resource (unit missing or unknown)" in last
    assert "entry[5]" not in last
    assert "97" not in last


def test_get_gives_what_post_gave(either: Service) -> None:
    answer = post(either, chart(either, encounter()))
    again = read(either, answer.json()["id"])
    assert again.status_code == 200
    assert again.content == answer.content
    assert again.headers["content-type"] == FHIR_JSON
    reads = [event for event in stored(either, AUDIT_EVENTS) if event["action"] == "read"]
    assert [(e["actor"], e["object_type"], e["object_id"]) for e in reads] == [
        ("client:development", "assessment", answer.json()["id"])
    ]
    assert read(either, NOT_THERE).status_code == 404


def test_an_assessment_that_made_a_card_reads_like_one_that_was_posted(either: Service) -> None:
    """Built from what is stored, it is what the operation makes of the same chart."""
    sick = {"heart_rate": 134, "temperature": 39.4, "systolic": 88, "diastolic": 51}
    request = either.request(either.vitals(**sick))
    request["prefetch"]["patient"] = PERSON
    request["context"]["encounterId"] = "e1"
    answered = either.assess(request).json()
    identifier = answered["extension"]["org.cds-service.assessment"]["assessment"]
    posted = assessed(either, chart(either, encounter(), **sick))
    found = read(either, identifier).json()
    validate_outgoing(found)
    # With the encounter itself a reading is stale sooner, which changes nothing here.
    assert found | {"id": posted["id"]} == posted
    spanish = read(either, identifier, **{"Accept-Language": "es-MX,en;q=0.5"}).json()
    assert spanish["language"] == "es"
    assert "apoyo a la decisión" in notes(spanish)


@pytest.mark.parametrize("gone", [False, True])
def test_an_assessment_outlives_its_model(service: Service, gone: bool) -> None:
    request = service.request(service.vitals(heart_rate=118))
    answered = service.assess(request).json()
    identifier = answered["extension"]["org.cds-service.assessment"]["assessment"]
    before = read(service, identifier).json()
    newer = Scorer.load(KEPT, version="2")
    newer.facts = replace(newer.facts, version="2", base_rates={}, thresholds={})
    service.context.champion._live = service.context.champion._live._replace(scorer=newer)
    if gone:
        from cds_service.services import risk_assessments

        def missing(*_: object) -> None:
            raise ModelError("The folder is gone.")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(risk_assessments, "_load_facts", missing)
            after = read(service, identifier).json()
        assert "usual here" not in json.dumps(after)
        assert after["method"]["text"].startswith("Model 1 of")
    else:
        after = read(service, identifier).json()
        assert after == before
    percents = [[p["probabilityDecimal"] for p in one["prediction"]] for one in (before, after)]
    assert percents[0] == percents[1]


def test_c12_the_same_key_and_body_get_the_same_answer(service: Service) -> None:
    body, key = chart(service), {"Idempotency-Key": "monitor 7, 11:58"}
    first = post(service, body, **key)
    assert post(service, body, **key).content == first.content
    assert len(stored(service)) == 1
    issue = outcome(post(service, chart(service, heart_rate=90), **key), 409)
    assert "Idempotency-Key" in issue["diagnostics"]
    request_id = {"X-Request-ID": str(uuid4())}
    assert assessed(service, body, **request_id) == assessed(service, body, **request_id)
    # What a proxy makes up for every call to one service is no key.
    assert (
        assessed(service, body, **{"X-Request-ID": "gateway-1"})["id"]
        != (assessed(service, body, **{"X-Request-ID": "gateway-1"})["id"])
    )
    assert assessed(service, body)["id"] != assessed(service, body)["id"]
    assert len(stored(service)) == 6


def test_the_same_key_of_two_clients_are_two_calls(service: Service) -> None:
    one, two = add_client(service, "one"), add_client(service, "two")
    key = {"Idempotency-Key": "1"}
    body = chart(service)
    assert (
        assessed(service, body, **one, **key)["id"]
        != (assessed(service, chart(service, heart_rate=99), **two, **key)["id"])
    )


def test_c3_a_client_reads_its_own_assessments_only(service: Service) -> None:
    one, two = add_client(service, "one"), add_client(service, "two")
    identifier = assessed(service, chart(service), **one)["id"]
    assert read(service, identifier, **one).status_code == 200
    other, none = read(service, identifier, **two), read(service, NOT_THERE, **two)
    assert other.status_code == 404
    assert other.content == none.content
    assert read(service, identifier).status_code == 404


def test_each_right_opens_its_own_door(service: Service) -> None:
    assess = add_client(service, "monitor", Right.ASSESS)
    reader = add_client(service, "viewer", Right.READ)
    identifier = assessed(service, chart(service), **assess)["id"]
    outcome(read(service, identifier, **assess), 403)
    outcome(post(service, chart(service), **reader), 403)
    wrong = {"Authorization": assess["Authorization"][:-4] + "xxxx"}
    outcome(post(service, chart(service), **wrong), 401)
    assert read(service, identifier, **reader).status_code == 404


def test_c13_a_silent_client_is_told_nothing_and_its_assessment_is_stored(
    service: Service,
) -> None:
    silent = add_client(service, "quiet", sandbox=False)
    resource = assessed(
        service, chart(service, heart_rate=140, systolic=85, diastolic=50), **silent
    )
    assert resource["status"] == "registered"
    assert "prediction" not in resource
    assert "NEWS2" not in notes(resource)
    (row,) = stored(service)
    assert row["situation"] == "scored"
    assert row["probabilities"]
    assert row["suppressed"] == "silent_mode"
    assert read(service, resource["id"], **silent).json() == resource


def test_c13_what_was_assessed_in_silence_is_not_read_later(service: Service) -> None:
    silent = add_client(service, "quiet", sandbox=False)
    identifier = assessed(service, chart(service), **silent)["id"]
    clients(service).change("quiet", {"sandbox": True}, actor="test")
    clients(service).set_mode("quiet", Mode.LIVE, actor="test")
    service.context.directory.refresh()
    assert "prediction" in assessed(service, chart(service), **silent)
    assert "prediction" not in read(service, identifier, **silent).json()


def test_c13_a_pause_holds_back_reading_too(service: Service) -> None:
    request = service.request(service.vitals())
    answered = service.assess(request).json()
    card = answered["extension"]["org.cds-service.assessment"]["assessment"]
    resource = assessed(service, chart(service))
    clients(service).pause(None, actor="test")
    service.context.directory.refresh()
    for identifier in (card, resource["id"]):
        found = read(service, identifier).json()
        validate_outgoing(found)
        assert found["status"] == "registered"
        assert "prediction" not in found
        assert "paused" in notes(found)
    assert "prediction" not in assessed(service, chart(service))
    clients(service).resume(None, actor="test")
    service.context.directory.refresh()
    assert read(service, resource["id"]).json() == resource


def test_nobody_on_the_way_keeps_an_answer(service: Service) -> None:
    answers = [post(service, chart(service)), service.assess(service.request(service.vitals()))]
    answers.append(read(service, answers[0].json()["id"]))
    answers.append(read(service, "nonsense"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def test_c13_a_pause_holds_back_what_was_answered_before(service: Service) -> None:
    """A retry gets the stored answer (C12), but not of a service that was paused for a fault."""
    request, body = service.request(service.vitals()), chart(service)
    key = {"Idempotency-Key": "k"}
    before = [service.assess(request), post(service, body, **key)]
    assert before[0].json()["cards"]
    clients(service).pause(None, actor="test")
    service.context.directory.refresh()
    cards, resource = service.assess(request).json(), post(service, body, **key).json()
    assert cards == before[0].json() | {"cards": []}
    validate_outgoing(resource)
    assert resource["id"] == before[1].json()["id"]
    assert "prediction" not in resource
    assert "paused" in notes(resource)
    # What was asked for first during the pause had nothing to hold back, then or later.
    new = service.request(service.vitals())
    assert service.assess(new).json()["cards"] == service.assess(new).json()["cards"] == []
    clients(service).resume(None, actor="test")
    service.context.directory.refresh()
    again = [service.assess(request), post(service, body, **key)]
    assert [one.content for one in again] == [one.content for one in before]


@pytest.mark.parametrize(
    "person",
    [
        patient(deceasedBoolean=True),
        patient(meta={"tag": [{"code": "HTEST"}]}),
        patient(meta={"security": [{"code": "OPTOUT"}]}),
    ],
    ids=["deceased", "test patient", "opted out"],
)
def test_c2_nothing_is_said_or_learnt_of_who_is_not_assessed(service: Service, person: Any) -> None:
    body, key = chart(service, person=person), {"Idempotency-Key": "k"}
    response = post(service, body, **key)
    assert response.status_code == 200
    resource = response.json()
    validate_outgoing(resource)
    assert resource["resourceType"] == "OperationOutcome"
    assert [issue["severity"] for issue in resource["issue"]] == ["information"]
    (row,) = stored(service)
    assert row["situation"] == "excluded"
    assert row["features"] is row["provenance"] is row["probabilities"] is None
    assert post(service, body, **key).content == response.content
    assert read(service, row["id"]).status_code == 404


@pytest.mark.parametrize(
    ("person", "situation", "words"),
    [
        (patient(birth_date="2019-01-01"), "out_of_population", "ages 18 to 110"),
        (patient(birth_date=None), "insufficient_data", "No category, missing: age"),
        (patient(birth_date="1959-02-30"), "insufficient_data", "could not be read"),
    ],
)
def test_without_a_category_the_note_says_why(
    service: Service, person: Any, situation: str, words: str
) -> None:
    resource = assessed(service, chart(service, person=person))
    assert "prediction" not in resource
    assert words in notes(resource)
    assert stored(service)[0]["situation"] == situation
    assert read(service, resource["id"]).json() == resource


def test_c1_a_known_pregnancy_gives_no_category(service: Service) -> None:
    person = patient(birth_date="1996-03-02")
    here = chart(service, condition("Z34.90"), person=person)
    assert "pregnancy" in notes(assessed(service, here))
    assert "prediction" in assessed(service, chart(service, person=person))


def test_c7_a_page_that_was_not_sent_makes_it_preliminary(service: Service) -> None:
    whole = chart(service)
    resource = assessed(service, whole | {"link": [{"relation": "next", "url": "https://x/2"}]})
    assert resource["status"] == "preliminary"
    assert "Newer readings may exist" in notes(resource)


def test_c9_a_red_reading_is_told_by_rule(service: Service) -> None:
    resource = assessed(service, chart(service, heart_rate=140))
    assert "NEWS2 red score: heart rate 140/min" in resource["note"][0]["text"]
    rows = {p["outcome"]["coding"][0]["code"]: p for p in resource["prediction"]}
    assert "probabilityDecimal" not in rows["not-ill"]
    assert "probabilityDecimal" not in rows["mild"]


def test_a_device_may_name_its_patient_by_uuid_alone(service: Service) -> None:
    uuid = f"urn:uuid:{uuid4()}"
    vitals = [o | {"subject": {"reference": uuid}} for o in service.vitals()]
    for observation in vitals:
        del observation["id"]
    body = bundle(patient(None, birth_date="1959-03-02"), *vitals, full_urls={0: uuid})
    resource = assessed(service, body)
    assert resource["subject"] == {"reference": uuid}
    assert len(resource["prediction"]) == len(SEVERITIES)
    assert [one["type"] for one in resource["basis"]] == ["Observation"] * 4


def test_what_is_stored_names_nobody(service: Service) -> None:
    person = patient("Xqz-4711", birth_date="1959-03-02", name=[{"family": "Xqz"}])
    vitals = [
        o | {"subject": {"reference": "Patient/Xqz-4711"}, "id": f"Xqz-{i}"}
        for i, o in enumerate(service.vitals())
    ]
    assessed(service, bundle(person, *vitals, encounter(id="Xqz-e", subject="Patient/Xqz-4711")))
    for table in (ASSESSMENTS, AUDIT_EVENTS):
        for row in stored(service, table):
            assert "Xqz" not in repr(row)


def deep(depth: int) -> bytes:
    return b'{"resourceType":"Bundle","entry":' + b"[" * depth + b"]" * depth + b"}"


BAD: dict[str, tuple[Any, int]] = {
    "empty": (b"", 400),
    "not JSON": (b"{", 400),
    "invalid UTF-8": (raw(bundle(PERSON)).replace(b"female", b"\xff\xfe"), 400),
    "lone surrogate": (raw(bundle(PERSON)).replace(b"p1", b"\\ud800"), 400),
    "an array": (b"[]", 400),
    "nested deeply": (deep(100_000), 400),
    "nested in an entry": (
        raw(bundle(PERSON))[:-2]
        + b',{"resource":'
        + b'{"a":' * 5_000
        + b"1"
        + b"}" * 5_001
        + b"]}",
        400,
    ),
    "another resource": (PERSON, 400),
    "entries of a wrong type": ({"resourceType": "Bundle", "entry": "x"}, 400),
    "no patient": (bundle(), 422),
    "two patients": (bundle(PERSON, patient("p2")), 422),
    "an id with slashes": (bundle(patient("../x/y")), 422),
    "an id with NUL": (bundle(patient("a\u0000b")), 422),
    "a long id": (bundle(patient("a" * 10_000)), 422),
    "nobody": (bundle(patient(None)), 422),
    "an unknown parameter": (
        {"resourceType": "Parameters", "parameter": [{"name": "vitals", "resource": {}}]},
        400,
    ),
    "more than 20 MB": (b" " * 20_000_001, 413),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_get_a_clear_answer(shared: Service, name: str) -> None:
    body, status = BAD[name]
    issue = outcome(post(shared, body), status)
    assert issue["diagnostics"]
    assert stored(shared) == []


def test_other_forms_are_refused(shared: Service) -> None:
    xml = {"Content-Type": "application/fhir+xml"}
    outcome(shared.http.post(URL, content=b"<Bundle/>", headers=xml), 415)
    outcome(post(shared, chart(shared), Accept="application/fhir+xml"), 406)
    for method in ("GET", "PUT", "DELETE"):
        outcome(shared.http.request(method, URL), 405)
    assert stored(shared) == []


def test_large_and_odd_bodies_are_read(service: Service) -> None:
    """5,000 Observations, 10 MB, members sent twice, and resources that are none."""
    many = [service.observation("8867-4", 60 + i % 40, "/min", id=f"m{i}") for i in range(5_000)]
    for number, one in enumerate(many):
        one["note"] = [{"text": "x" * 1_800}]
        one["effectiveDateTime"] = f"2026-03-01T{number % 11:02}:00:00+05:45"
    body = raw(chart(service, *many))
    assert len(body) > 10_000_000
    assert "prediction" in assessed(service, body)
    twice = raw(bundle(patient("p2")))[:-1] + b"," + raw(chart(service))[1:]
    assert assessed(service, twice)["subject"] == {"reference": "Patient/p1"}
    odd: list[Any] = [None, 5, "x", [], {}, {"resourceType": 5}, {"resourceType": "a\u0000b"}]
    resource = assessed(service, chart(service, *odd))
    assert len(resource["prediction"]) == len(SEVERITIES)
    assert "could not be read" in resource["note"][-1]["text"]


def test_an_id_that_is_none_is_not_found(either: Service) -> None:
    for identifier in ("x", "%00", "..%2F..", "a" * 5_000, NOT_THERE.upper()):
        assert outcome(read(either, identifier), 404)["code"] == "not-found"


def test_the_example_of_the_documentation_is_true(service: Service) -> None:
    """Its body is taken, and what it shows of the answer is there."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "integrators.md").read_text("utf-8")
    section = page.partition("## Without CDS Hooks")[2].partition("\n## ")[0]
    body = section.partition("<<EOF\n")[2].partition("\nEOF\n")[0]
    at = service.clock().isoformat()
    resource = assessed(service, json.loads(re.sub(r"\$\(date [^)]*\)", at, body)))
    shown = json.loads(section.partition("```json\n")[2].partition("```")[0])
    assert {one["reference"] for one in resource["basis"]} == {
        one["reference"] for one in shown["basis"]
    }
    for name in ("resourceType", "status", "method", "subject", "language"):
        assert shown[name] == resource[name]
    (example,) = shown["prediction"]
    (acute,) = [
        p for p in resource["prediction"] if p["outcome"]["text"] == example["outcome"]["text"]
    ]
    assert set(example) <= set(acute)
    assert example["outcome"] == acute["outcome"]
    assert set(shown) <= set(resource)


def test_without_a_model_it_is_not_ready(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, context.clock) as service:
        assert outcome(post(service, chart(service)), 503)["code"] == "transient"
