"""Trust across processes: two replicas over one database, and commands beside a running service."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from cds_service.context import ProcessContext
from tests.support.commands import done, run
from tests.support.fhir_server import Asked, Handler, fhir_server
from tests.support.jwts import (
    ENDPOINT,
    ISSUER,
    PUBLIC,
    add_client,
    bearer,
    claims,
    ec_key,
    jwks,
    key_server,
    production,
    sign,
)
from tests.support.process import command, serving
from tests.support.service import release, running

KEY = ec_key()
SECRET_KEYS = json.dumps([base64.b64encode(bytes(range(32))).decode()])
ENVIRONMENT = {
    "CDS_DEVELOPMENT": "false",
    "CDS_PUBLIC_URL": PUBLIC,
    "CDS_SECRET_KEYS": SECRET_KEYS,
    "CDS_FHIR_ALLOW_PRIVATE": "true",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own, on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cds.sqlite3'}"
        return
    name = f"trust_{uuid4().hex}"
    server = request.getfixturevalue("postgresql")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def discover(base: str, token: str) -> int:
    return httpx.get(f"{base}/cds-services", headers=bearer(token), timeout=30).status_code


def token(**changes: object) -> str:
    audience = f"{PUBLIC}/cds-services"
    return sign(KEY, claims(datetime.now(UTC), **{"aud": audience} | changes))


def test_r63_a_token_used_at_one_replica_is_refused_by_the_other(
    tmp_path: Path, url: str, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path, url)
    release(context, "1", *small_model)
    context.engine.dispose()
    with (
        key_server(KEY) as keys,
        serving(tmp_path, **ENVIRONMENT, CDS_DATABASE_URL=url) as one,
        serving(tmp_path, **ENVIRONMENT, CDS_DATABASE_URL=url) as two,
    ):
        # Added while both run, by another process: they learn of it without a restart.
        options = ("--issuer", ISSUER, "--jwks-url", keys.url)
        environment = ENVIRONMENT | {"CDS_DATABASE_URL": url}
        ran = command(tmp_path, "clients", "add", "ehr", *options, **environment)
        assert "mode silent" in ran.stdout, ran.stderr
        assert ENDPOINT in ran.stdout
        for replica in (one, two):
            wait_for(lambda base=replica.url: discover(base, token()) == 200)
        for first, second in ((one, two), (two, one)):
            sent = token(jti="Xqz-" + uuid4().hex)
            assert discover(first.url, sent) == 200
            assert discover(second.url, sent) == 401
            assert discover(first.url, sent) == 401
        assert command(tmp_path, "clients", "remove", "ehr", **environment).returncode == 0
        for replica in (one, two):
            wait_for(lambda base=replica.url: discover(base, token()) == 401)
        logged = one.output.read_text() + two.output.read_text()
    assert "replayed" in logged
    assert "Xqz" not in logged
    assert sent.split(".")[1] not in logged


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def context(tmp_path: Path, small_model: tuple[Path, str]) -> ProcessContext:
    context = production(tmp_path)
    release(context, "1", *small_model)
    return context


def test_a_pause_by_command_reaches_a_running_service(
    tmp_path: Path, context: ProcessContext
) -> None:
    with running(context, context.clock):
        for paused in (True, False):
            verb = "pause" if paused else "resume"
            assert "pause" in done(tmp_path, "clients", verb, **ENVIRONMENT)
            wait_for(lambda expected=paused: context.directory.paused is expected)


def test_a_command_does_not_print_a_secret_twice(tmp_path: Path, context: ProcessContext) -> None:
    out = done(tmp_path, "clients", "add", "gw", "--secret", "conditions,read", **ENVIRONMENT)
    (secret,) = [line for line in out.splitlines() if line.startswith("cds_")]
    name = secret.split("_")[1]
    for words in (("list",), ("show", "gw"), ("secret", "list", "gw")):
        assert secret not in done(tmp_path, "clients", *words, **ENVIRONMENT)
    with running(context, context.clock) as service:
        posted = service.http.post("/fhir/Condition", json={}, headers=bearer(secret))
        assert posted.status_code not in (401, 403)
        done(tmp_path, "clients", "secret", "revoke", "gw", name, **ENVIRONMENT)
        headers = bearer(secret)
        wait_for(
            lambda: (
                service.http.post("/fhir/Condition", json={}, headers=headers).status_code == 401
            )
        )
    assert f"{name}  conditions,read" in done(
        tmp_path, "clients", "secret", "list", "gw", **ENVIRONMENT
    )


def test_development_mode_asks_for_no_token_but_holds_to_secrets(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path, development=True, development_any_host=True)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        for headers in ({}, bearer("x.y.z"), bearer(token())):
            assert service.http.get("/cds-services", headers=headers).status_code == 200
            answer = service.http.post("/fhir/Condition", json={}, headers=headers)
            assert answer.status_code not in (401, 403)
        secret = add_client(context, "gw", rights=())
        assert secret is None
        unknown = bearer("cds_abcdefgh_" + "x" * 43)
        answer = service.http.post("/fhir/Condition", json={}, headers=unknown)
        assert answer.status_code == 401


def test_check_says_step_by_step_what_works(tmp_path: Path, small_model: tuple[Path, str]) -> None:
    metadata: Any = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
    context = production(tmp_path)
    release(context, "1", *small_model)
    with (
        key_server(KEY) as keys,
        key_server() as fhir,
        serving(tmp_path, **ENVIRONMENT) as program,
    ):
        fhir.content = metadata
        base = fhir.url.removesuffix("/jwks.json")
        add_client(context, issuer=ISSUER, jwks_urls=[keys.url], fhir_servers=[base])
        # The public URL is a proxy's; here the process itself stands for it.
        environment = ENVIRONMENT | {"CDS_PUBLIC_URL": program.url, "CDS_DEVELOPMENT": "true"}
        ran = run_check(tmp_path, environment)
        assert f"ok     Keys at {keys.url}: 1 of 1 can be used." in ran
        assert f"ok     FHIR server {base} answers" in ran
        assert "ok     Model version 1 scores an invented patient." in ran
        assert "silent" in ran
        assert f"note     {program.url}/cds-services/disease-severity" in ran
        # This service is a production one: it does not let the sample call of development in.
        assert "FAIL   It answers 401" in ran
        keys.content = {"keys": [{"kty": "oct", "k": "x"}]}
        fhir.content = {"resourceType": "Patient"}
        ran = run_check(tmp_path, environment)
        assert f"FAIL   Keys at {keys.url}: none of 1 can be used" in ran
        assert "is no CapabilityStatement" in ran
        keys.status = fhir.status = 404
        ran = run_check(tmp_path, environment)
        assert ran.count("there is nothing at this address (404)") == 2
    ran = run_check(tmp_path, environment)
    assert "does not answer" in ran


def run_check(folder: Path, environment: dict[str, str]) -> str:
    """What `clients check` prints where at least one step must fail."""
    ran = run(folder, "clients", "check", "ehr", **environment)
    assert "of the steps for ehr failed" in ran.sentence()
    return ran.out


def test_check_asks_as_a_fhir_client_and_takes_a_closed_metadata_for_an_answer(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path)
    release(context, "1", *small_model)
    environment = ENVIRONMENT | {"CDS_PUBLIC_URL": "https://127.0.0.1:1"}
    endpoint = "https://127.0.0.1:1/cds-services/disease-severity"
    with fhir_server([{"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}]) as fhir:

        def fhir_only(handler: Handler, asked: Asked) -> bool:
            """XML for whoever does not ask for FHIR in JSON, as some servers answer."""
            if "application/fhir+json" in asked.headers["Accept"]:
                handler.send(200, fhir.resources[0])
            else:
                handler.send(200, b"<CapabilityStatement/>", content_type="application/fhir+xml")
            return True

        fhir.behaviours["metadata"] = fhir_only
        add_client(
            context, issuer=ISSUER, jwks=jwks(KEY), audiences=[endpoint], fhir_servers=[fhir.url]
        )
        ran = run_check(tmp_path, environment)
        assert f"ok     FHIR server {fhir.url} answers and may be read with its tokens." in ran
        # Typed by the operator, and one of ours: it is named once.
        assert ran.splitlines().count(f"note     {endpoint}") == 1
        del fhir.behaviours["metadata"]
        fhir.token = "only-with-a-token"
        ran = run_check(tmp_path, environment)
        assert f"note   FHIR server {fhir.url} answers, and asks for a token even" in ran
        assert ran.count("FAIL") == 1  # the service itself, which is not running


def test_check_ends_well_where_everything_works(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path, development=True, development_any_host=True)
    release(context, "1", *small_model)
    add_client(context, issuer=ISSUER, jwks=jwks(KEY))
    # No proxy of the environment is used: this one does not exist.
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    environment = (
        ENVIRONMENT | {"CDS_DEVELOPMENT": "true", "NO_PROXY": "", "no_proxy": ""} | proxies
    )
    with running(context, context.clock) as service:
        here = str(service.http.base_url).rstrip("/")
        out = done(tmp_path, "clients", "check", "ehr", **environment | {"CDS_PUBLIC_URL": here})
        assert "FAIL" not in out
        assert "answers 200 to a sample call" in out
        with context.engine.connect() as connection:
            kept = connection.execute(text("SELECT situation, features FROM assessments")).all()
        # The test patient leaves nothing but the call (C2).
        assert [tuple(row) for row in kept] == [("excluded", None)]
