"""What a launched session may do, how it ends, and how we show a health record who we are."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import insert, select

from cds_service.context import ProcessContext
from cds_service.security.permissions import Role
from cds_service.services.clients import ClientService
from cds_service.services.merging import merge_patients
from cds_service.services.users import UserService
from cds_service.storage.tables import ASSESSMENTS, REVIEW_ITEMS
from tests.support.commands import done, run
from tests.support.jwts import Key, ec_key, rsa_key
from tests.support.launches import NAME, add_hospital, assess, come_from_chart, followed
from tests.support.people import PUBLIC, Visitor, closed_context, quick_passwords, session_of
from tests.support.service import Service, TestClock, release, running
from tests.support.smart_server import SECRET, SmartEHR, smart_ehr

COOKIE = "__Host-cds_launched"


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[tuple[Service, SmartEHR]]:
    context = closed_context(tmp_path_factory.mktemp("launched"), fhir_allow_private=True)
    release(context, "1", *small_model)
    assert isinstance(context.clock, TestClock)
    with running(context, context.clock) as service, smart_ehr(PUBLIC) as ehr:
        ehr.clock = context.clock
        add_hospital(context, ehr)
        assess(service, heart_rate=131)
        yield service, ehr


@contextmanager
def another(service: Service, name: str, **smart: Any) -> Iterator[SmartEHR]:
    """A second health record, of a client of its own."""
    with smart_ehr(PUBLIC, clock=service.clock) as ehr:
        add_hospital(service.context, ehr, name, **smart)
        yield ehr


def launched(service: Service, ehr: SmartEHR, **chart: Any) -> tuple[Visitor, str]:
    """Somebody who came from a chart, and where the explanation is."""
    visitor = Visitor(service)
    arrived = come_from_chart(visitor, ehr, **chart)
    return visitor, visitor.get(arrived.headers["location"]).headers["location"]


def clients_of(context: ProcessContext) -> ClientService:
    return ClientService(context.engine, context.settings, context.clock)


def test_its_cookies_reach_us_in_a_frame_and_nowhere_else(
    started: tuple[Service, SmartEHR],
) -> None:
    service, ehr = started
    visitor = Visitor(service)
    arrived = come_from_chart(visitor, ehr)
    lines = arrived.headers.get_list("set-cookie")
    (line,) = [one for one in lines if one.startswith(f"{COOKIE}=")]
    for part in ("HttpOnly", "Secure", "SameSite=None", "Partitioned", "Path=/;"):
        assert part in line
    # What was kept of the way, and who was signed in before, is taken back.
    assert len([one for one in lines if "Max-Age=0" in one]) == 2
    assert list(visitor.cookies) == [COOKIE]
    # Whom the cookie is about stands in it for nobody else to read.
    for sign in ("p1", NAME, "fhir", "70 31"):
        assert sign not in visitor.cookies[COOKIE]


def test_its_pages_are_framed_by_its_health_record_alone(
    started: tuple[Service, SmartEHR],
) -> None:
    service, ehr = started
    visitor, path = launched(service, ehr)
    for framed in (visitor.get(path), visitor.get("/assessments/x"), visitor.get("/triage")):
        policy = framed.headers["content-security-policy"]
        assert policy.endswith(f"frame-ancestors {ehr.url}")
        assert "x-frame-options" not in framed.headers
        assert framed.headers["cache-control"] == "no-store"
    other = Visitor(service, session_of(service.context, Role.CLINICIAN))
    page = other.get(path)
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert page.headers["x-frame-options"] == "DENY"
    with another(service, "second", frames=["https://second.example"]):
        told = Visitor(service).get("/launch/told/out").headers["content-security-policy"]
    assert told.endswith(f"frame-ancestors {ehr.url} https://second.example")
    clients_of(service.context).remove("second", actor="test")


def test_the_cookie_of_one_session_opens_no_other_chart(
    started: tuple[Service, SmartEHR],
) -> None:
    service, ehr = started
    mine, path = launched(service, ehr)
    theirs = Visitor(service)
    come_from_chart(theirs, ehr, patient="p2")
    secret, signature, _ = theirs.cookies[COOKIE].split(".")
    bound = mine.cookies[COOKIE].split(".")[2]
    for forged in (
        f"{secret}.{signature}.{bound}",
        f"{secret}.{signature}",
        f"{secret}.{signature}.",
        f"{secret}.{signature}.00",
        f"{secret}.{signature}.xqz",
    ):
        for name in (COOKIE, "__Host-cds_session"):
            response = Visitor(service, {name: forged}).get(path)
            assert response.status_code == 303
            assert "/assessments" not in response.headers["location"].partition("?")[0]
    assert theirs.get(path).status_code == 404
    assert mine.get(path).status_code == 200


def test_it_ends_when_somebody_ends_it_or_the_client_loses_it(
    started: tuple[Service, SmartEHR],
) -> None:
    service, ehr = started
    context = service.context
    visitor, path = launched(service, ehr)
    assert visitor.get("/").headers["location"] == "/launch/told/chart"
    visitor.get(path)
    assert visitor.post("/session").json()["seconds"] > 800
    out = visitor.post("/sign-out")
    assert out.headers["location"] == "/launch/told/out"
    assert visitor.cookies == {}
    visitor, path = launched(service, ehr)
    users = UserService(context.engine, context.secrecy, context.clock, quick_passwords())
    assert users.sign_out(f"smart:{NAME}:u-1", by="test") >= 1
    assert visitor.get(path).headers["location"] == "/launch/told/idle"
    with another(service, "third") as other:
        visitor = Visitor(service)
        page = followed(visitor, come_from_chart(visitor, other))
        assert "No assessment yet" in page.text
        clients_of(context).change("third", {}, actor="test", unset=["smart"])
        context.directory.refresh()
        assert visitor.get("/").headers["location"] == "/launch/told/idle"
        response = visitor.get(f"/launch?iss={other.fhir}&launch=x")
        assert response.headers["location"] == "/launch/told/unknown"


def test_one_browser_one_person(started: tuple[Service, SmartEHR]) -> None:
    service, ehr = started
    cookies = session_of(service.context, Role.ADMINISTRATOR)
    visitor = Visitor(service, cookies)
    followed(visitor, come_from_chart(visitor, ehr))
    assert list(visitor.cookies) == [COOKIE]
    # Whoever was signed in there is so nowhere any more.
    assert Visitor(service, cookies).get("/").headers["location"].startswith("/sign-in")


def test_a_patient_who_was_merged_is_found(started: tuple[Service, SmartEHR]) -> None:
    service, _ = started
    context = service.context
    with another(service, "fourth") as ehr:
        assess(service, "fourth", heart_rate=99)
        keys = context.secrecy.patient_keys
        with context.engine.begin() as connection:
            merge_patients(
                connection,
                keys(ehr.fhir, "p1"),
                keys(ehr.fhir, "p9"),
                client="fourth",
                channel="test",
                at=context.clock(),
            )
        for patient in ("p1", "p9"):
            visitor, path = launched(service, ehr, patient=patient)
            assert visitor.get(path).status_code == 200
        clients_of(context).remove("fourth", actor="test")


def test_a_reviewer_answers_before_the_launch_tells(started: tuple[Service, SmartEHR]) -> None:
    service, _ = started
    context = service.context
    with another(service, "fifth", roles=["reviewer"]) as ehr:
        assess(service, "fifth", heart_rate=133)
        visitor, path = launched(service, ehr)
        before = visitor.get(path)
        assert "(reviewer)" in before.text
        assert "What would have to change" in before.text
        assert visitor.get("/review").status_code == 403
        with context.engine.begin() as connection:
            query = select(ASSESSMENTS.c.id).where(ASSESSMENTS.c.client == "fifth")
            item = {
                "id": "item",
                "assessment_id": connection.execute(query).scalar_one(),
                "queued_at": context.clock(),
                "priority": 1.0,
                "reasons": ["uncertain"],
                "state": "open",
            }
            connection.execute(insert(REVIEW_ITEMS), item)
        hidden = visitor.get(path).text
        assert "waits for your answer" in hidden
        for told in ("What would have to change", "Estimates", "in 100"):
            assert told not in hidden
        clients_of(context).remove("fifth", actor="test")


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
def test_a_secret_shows_who_we_are(
    started: tuple[Service, SmartEHR], tmp_path: Path, way: str
) -> None:
    service, _ = started
    (tmp_path / "secret").write_text(SECRET + "\n")
    with another(service, way.replace("_", "-"), secret_file=str(tmp_path / "secret")) as ehr:
        ehr.secret = SECRET
        ehr.configuration = {"token_endpoint_auth_methods_supported": [way]}
        visitor = Visitor(service)
        assert "No assessment yet" in followed(visitor, come_from_chart(visitor, ehr)).text
        (form,) = ehr.forms
        assert ("client_secret" in form) is (way == "client_secret_post")
        # A wrong one is refused there, and one that cannot be read is told here.
        (tmp_path / "secret").write_text("another")
        visitor = Visitor(service)
        refused = come_from_chart(visitor, ehr)
        assert refused.headers["location"] == "/launch/told/refused"
        (tmp_path / "secret").unlink()
        away = visitor.get(f"/launch?iss={ehr.fhir}&launch=x")
        assert away.headers["location"] == "/launch/told/setup"
        assert visitor.get("/launch/told/setup").status_code == 503


@pytest.mark.parametrize("key", [rsa_key(), ec_key("ES384")], ids=lambda key: key.algorithm)
def test_a_signature_shows_who_we_are(
    started: tuple[Service, SmartEHR], tmp_path: Path, key: Key
) -> None:
    service, _ = started
    file = tmp_path / "key.pem"
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key.private.private_bytes(*pem))
    smart = {"key_file": str(file), "key_id": "k", "algorithm": key.algorithm}
    with another(service, key.algorithm.lower(), **smart) as ehr:
        ehr.public_key = key.private.public_key()
        visitor = Visitor(service)
        assert "No assessment yet" in followed(visitor, come_from_chart(visitor, ehr)).text
        ehr.public_key = ec_key("ES384").private.public_key()
        visitor = Visitor(service)
        refused = come_from_chart(visitor, ehr)
        assert refused.headers["location"] == "/launch/told/refused"
        file.write_text("no key")
        refused = come_from_chart(visitor, ehr)
        assert refused.headers["location"] == "/launch/told/setup"


def test_an_older_server_says_it_in_its_capability_statement(
    started: tuple[Service, SmartEHR],
) -> None:
    service, _ = started
    with another(service, "old") as ehr:
        ehr.is_old = True
        ehr.issuer = f"{ehr.url}/oauth2"
        visitor = Visitor(service)
        # Who signs is not said there, so it must be set.
        assert come_from_chart(visitor, ehr).headers["location"] == "/launch/told/away"
        changes = {"smart": {"issuer": ehr.issuer}}
        clients_of(service.context).change("old", changes, actor="test")
        service.context.directory.refresh()
        assert "No assessment yet" in followed(visitor, come_from_chart(visitor, ehr)).text


@pytest.mark.parametrize(
    "configuration",
    [
        {"code_challenge_methods_supported": ["plain"]},
        {"authorization_endpoint": None},
        {"token_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://user@evil.example/"},
        {"jwks_uri": 7},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_configuration_that_cannot_be_used_is_a_server_that_is_away(
    started: tuple[Service, SmartEHR], configuration: dict[str, Any]
) -> None:
    service, _ = started
    with another(service, "odd") as ehr:
        ehr.configuration = configuration
        away = Visitor(service).get(f"/launch?iss={ehr.fhir}&launch=x")
        assert away.headers["location"] == "/launch/told/away"
    clients_of(service.context).remove("odd", actor="test")


def test_an_issuer_that_was_set_is_the_only_one(started: tuple[Service, SmartEHR]) -> None:
    service, _ = started
    with another(service, "pinned", issuer="https://id.hospital.example") as ehr:
        visitor = Visitor(service)
        refused = come_from_chart(visitor, ehr)
        assert refused.headers["location"].startswith("/launch/told/")
        assert COOKIE not in visitor.cookies


def test_check_tries_what_a_launch_needs_and_jwks_prints_our_key(
    tmp_path: Path,
) -> None:
    done(tmp_path, "db", "upgrade")
    file = tmp_path / "key.pem"
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(rsa_key().private.private_bytes(*pem))
    options = ("--smart-client-id", "us", "--smart-key-file", file, "--smart-key-id", "cds-1")
    environment = {"CDS_FHIR_ALLOW_PRIVATE": "true"}
    with smart_ehr(PUBLIC) as ehr:
        done(tmp_path, "clients", "add", "ehr", "--fhir-server", ehr.fhir, *options)
        said = run(tmp_path, "clients", "check", "ehr", **environment).out
        assert f"ok     SMART launch from {ehr.fhir}, with ID tokens of {ehr.fhir}." in said
        assert f"ok     Our key {file} can be read, for SMART launch." in said
        assert "note     http://127.0.0.1:8000/launch/callback" in said
        assert "No --smart-frame" in said
        ehr.configuration = {"code_challenge_methods_supported": ["plain"]}
        said = run(tmp_path, "clients", "check", "ehr", **environment).out
        assert f"FAIL   SMART launch from {ehr.fhir}: discovery: no S256." in said
    (key,) = json.loads(done(tmp_path, "clients", "jwks", "ehr"))["keys"]
    assert (key["kid"], key["alg"], "d" in key) == ("cds-1", "RS384", False)
    done(tmp_path, "clients", "set", "ehr", "--unset", "smart")
    assert "has no key of ours" in run(tmp_path, "clients", "jwks", "ehr").sentence()
    secret = ("--smart-client-id", "us", "--smart-secret-file", tmp_path / "missing")
    done(tmp_path, "clients", "set", "ehr", *secret)
    said = run(tmp_path, "clients", "check", "ehr", **environment).out
    assert f"FAIL   The secret in {tmp_path / 'missing'} cannot be read." in said
