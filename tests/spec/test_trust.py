"""Who may call: JWTs over HTTP, on the running service outside development mode (R57 to R66)."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cds_service.context import ProcessContext
from cds_service.errors import ConfigurationError
from cds_service.logs import JsonFormatter
from cds_service.security.clients import Right
from cds_service.settings import load_settings
from cds_service.storage.session import reading
from cds_service.storage.tables import USED_TOKENS
from tests.support.cards_check import assert_response
from tests.support.commands import run
from tests.support.jwts import (
    ENDPOINT,
    ISSUER,
    PUBLIC,
    Key,
    KeyServer,
    add_client,
    bearer,
    claims,
    ec_key,
    jwks,
    key_server,
    production,
    put_together,
    rsa_key,
    sign,
)
from tests.support.service import Service, release, running

ORIGIN = "https://ehr.invalid"
KEY, EPIC = ec_key(), rsa_key()
EPIC_ISSUER = "https://epic.example/interconnect/api/FHIR/R4"


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with key_server(KEY, EPIC) as server:
        yield server


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str], keys: KeyServer
) -> Iterator[Service]:
    context = production(tmp_path_factory.mktemp("trust"), cors_origins=(ORIGIN,))
    release(context, "1", *small_model)
    add_client(context, issuer=ISSUER, jwks_urls=[keys.url], sandbox=True)
    add_client(
        context,
        "epic",
        vendor="epic",
        issuer=EPIC_ISSUER,
        jwks_urls=[keys.url],
        audiences=["cds typed by the site"],
        subjects=["client-id"],
    )
    with running(context, context.clock) as started:
        yield started


def token(service: Service, key: Key = KEY, /, **changes: object) -> str:
    headers = changes.pop("headers", None)
    assert headers is None or isinstance(headers, dict)
    return sign(key, claims(service.clock(), **changes), headers=headers)


def call(service: Service, sent: str | None, path: str | None = None) -> httpx.Response:
    path = path or "/cds-services/disease-severity"
    headers = {} if sent is None else bearer(sent)
    return service.http.post(path, json=service.request(service.vitals()), headers=headers)


def assert_refused(response: httpx.Response) -> None:
    """R64: 401, and nothing that tells why."""
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "login", "diagnostics": "Unauthorized."}],
    }


@pytest.mark.requirement("R1")
def test_production_is_https(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDS_PUBLIC_URL", "http://cds.example")
        with pytest.raises(ConfigurationError, match="https outside development"):
            load_settings()
    said = run(tmp_path, "serve", CDS_DEVELOPMENT="false").sentence()
    assert "CDS_PUBLIC_URL is not set" in said


@pytest.mark.requirement("R57")
@pytest.mark.requirement("R12")
def test_every_call_needs_a_token_and_gets_through_with_one(service: Service) -> None:
    root = f"{PUBLIC}/cds-services"
    feedback = {
        "feedback": [
            {
                "card": "3d1f1a3e-1c58-4b6a-a8a3-8a2f0e9b5f11",
                "outcome": "overridden",
                "outcomeTimestamp": "2026-03-01T06:00:00Z",
            }
        ]
    }
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/cds-services", None),
        ("POST", "/cds-services/disease-severity", service.request(service.vitals())),
        ("POST", "/cds-services/disease-severity/feedback", feedback),
    ]
    for method, path, body in calls:
        assert_refused(service.http.request(method, path, json=body))
        for wrong in ("Bearer", "Basic eDp5", "x.y.z", f"Bearer {'x' * 300}"):
            assert_refused(
                service.http.request(method, path, json=body, headers={"Authorization": wrong})
            )
        sent = token(service, aud=f"{root}{path.removeprefix('/cds-services')}")
        answer = service.http.request(method, path, json=body, headers=bearer(sent))
        assert answer.status_code == 200, answer.text
    assert_response(call(service, token(service)).json())


@pytest.mark.requirement("R58")
def test_the_header_names_type_algorithm_and_key(service: Service, keys: KeyServer) -> None:
    assert call(service, token(service, headers={"jku": keys.url})).status_code == 200
    assert call(service, token(service, headers={"typ": "jwt"})).status_code == 200
    assert_refused(call(service, token(service, headers={"typ": "at+jwt"})))
    assert_refused(call(service, token(service, headers={"kid": "nobody's"})))
    unnamed = put_together({"typ": "JWT", "alg": "ES384"}, claims(service.clock()), b"x" * 96)
    assert_refused(call(service, unnamed))


@pytest.mark.requirement("R59")
@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "jti"])
def test_the_payload_has_every_claim(service: Service, claim: str) -> None:
    assert call(service, token(service)).status_code == 200
    assert_refused(call(service, token(service, **{claim: None})))


@pytest.mark.requirement("R59")
@pytest.mark.requirement("R66")
def test_a_token_of_epic_is_accepted(service: Service) -> None:
    at = int(service.clock().timestamp())
    sent = {"iss": EPIC_ISSUER, "sub": "client-id", "nbf": at - 300, "exp": at + 900}
    audience = "cds typed by the site"
    assert call(service, token(service, EPIC, **sent, aud=audience)).status_code == 200
    assert call(service, token(service, EPIC, **sent, aud=[audience])).status_code == 200
    assert_refused(call(service, token(service, EPIC, **sent | {"sub": "other"}, aud=audience)))
    assert_refused(call(service, token(service, aud=audience)))


@pytest.mark.requirement("R60")
def test_none_and_hmac_are_never_accepted(service: Service) -> None:
    now = service.clock()
    assert call(service, token(service)).status_code == 200
    for algorithm in ("none", "None", "HS256", "HS384", "HS512"):
        header = {"typ": "JWT", "alg": algorithm, "kid": KEY.kid}
        assert_refused(call(service, put_together(header, claims(now), b"")))
        assert_refused(call(service, put_together(header, claims(now), b"x" * 32)))
    # Neither is a genuine signature with a curve the header does not tell the truth of.
    _, payload, signature = token(service).split(".")
    header = {"typ": "JWT", "alg": "ES256", "kid": KEY.kid}
    lying = put_together(header, {}, b"").split(".")[0]
    assert_refused(call(service, f"{lying}.{payload}.{signature}"))


@pytest.mark.requirement("R61")
def test_an_address_of_keys_that_is_not_listed_is_never_fetched(service: Service) -> None:
    with key_server(KEY) as other:
        assert_refused(call(service, token(service, headers={"jku": other.url})))
        assert_refused(call(service, token(service, iss=other.url, headers={"jku": other.url})))
        assert other.asked == []


@pytest.mark.requirement("R61")
@pytest.mark.parametrize("issuer", ["https://other.example", ISSUER + "/", ISSUER.upper()])
def test_another_issuer_is_refused(service: Service, issuer: str) -> None:
    assert_refused(call(service, token(service, iss=issuer)))


@pytest.mark.requirement("R62")
def test_keys_are_fetched_only_for_a_token_that_is_right_otherwise(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path)
    release(context, "1", *small_model)
    with key_server(KEY) as server, running(context, context.clock) as service:
        add_client(context, issuer=ISSUER, jwks_urls=[server.url], tenants=["t1"], sandbox=True)
        at = int(service.clock().timestamp())
        for wrong in (
            {"iss": "https://other.example"},
            {"aud": PUBLIC},
            {"exp": at - 60, "iat": at - 120},
            {"nbf": at + 60},
            {"tenant": "t2"},
        ):
            assert_refused(call(service, token(service, **{"tenant": "t1"} | wrong)))
        assert server.asked == []
        assert call(service, token(service, tenant="t1")).status_code == 200
        assert server.asked == ["/jwks.json"]


@pytest.mark.requirement("R63")
def test_a_token_is_accepted_once_and_only_a_right_one_is_remembered(service: Service) -> None:
    sent = token(service, jti="once")
    forged = sign(ec_key(kid=KEY.kid), claims(service.clock(), jti="once"))
    assert_refused(call(service, forged))
    assert call(service, sent).status_code == 200
    assert_refused(call(service, sent))
    assert_refused(call(service, token(service, jti="once")))
    assert "once" not in stored_tokens(service.context)


@pytest.mark.requirement("R63")
def test_tokens_are_forgotten_when_they_can_no_longer_be_used(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        add_client(context, issuer=ISSUER, jwks=jwks(KEY), sandbox=True)
        for _ in range(3):
            assert call(service, token(service)).status_code == 200
        context.clock.time += timedelta(hours=1)  # type: ignore[attr-defined]  # the test's clock
        assert call(service, token(service)).status_code == 200
        assert stored_tokens(context).count(ISSUER) == 1


def stored_tokens(context: ProcessContext) -> str:
    with reading(context.engine) as connection:
        return str([tuple(row) for row in connection.execute(USED_TOKENS.select())])


@pytest.mark.requirement("R64")
def test_no_token_reaches_a_log(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sent = [
        token(service, jti="Xqz-jti", sub="Xqz-subject"),
        token(service, jti="Xqz-jti", sub="Xqz-subject"),
        token(service, aud="https://xqz.example", tenant="Xqz-tenant"),
        sign(ec_key(kid="Xqz-kid"), claims(service.clock())),
        "Xqz.Xqz.Xqz",
        "cds_xqzxqzxq_" + "Xqz" * 14 + "x",
    ]
    statuses = [call(service, one).status_code for one in sent]
    assert statuses == [200, 401, 401, 401, 401, 401]
    lines = [JsonFormatter().format(record) for record in caplog.records]
    told = [json.loads(line) for line in lines if "not let in" in line]
    assert [line["reason"] for line in told] == [
        "replayed",
        "wrong_audience",
        "unknown_key",
        "malformed",
        "secret_instead_of_token",
    ]
    assert told[0]["client"] == "ehr"
    assert told[0]["issuer"] == ISSUER
    whole = "\n".join(lines)
    assert "xqz" not in whole.lower()
    for one in sent:
        for part in one.split("."):
            assert part not in whole


@pytest.mark.requirement("R64")
@pytest.mark.requirement("R68")
def test_a_browser_sees_the_401(service: Service) -> None:
    response = service.http.post(
        "/cds-services/disease-severity", json={}, headers={"Origin": ORIGIN}
    )
    assert_refused(response)
    assert response.headers["access-control-allow-origin"] == ORIGIN
    preflight = service.http.options(
        "/cds-services/disease-severity",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert preflight.status_code == 200


@pytest.mark.requirement("R65")
def test_clocks_may_differ_a_little(service: Service) -> None:
    at = service.clock().timestamp()
    for changes in ({"iat": at + 0.5}, {"nbf": at + 20}, {"iat": at - 300, "exp": at - 20}):
        assert call(service, token(service, **changes)).status_code == 200
    for changes in ({"iat": at + 40}, {"nbf": at + 40}, {"iat": at - 300, "exp": at - 40}):
        assert_refused(call(service, token(service, **changes)))


@pytest.mark.requirement("R66")
def test_aud_is_the_public_url_of_what_is_called(service: Service) -> None:
    internal = str(service.http.base_url).rstrip("/") + "/cds-services/disease-severity"
    assert_refused(call(service, token(service, aud=internal)))
    assert_refused(call(service, token(service, aud=ENDPOINT.replace("disease-severity", "x"))))
    assert_refused(call(service, token(service, aud=f"{PUBLIC}/cds-services")))
    assert_refused(call(service, token(service, aud=f"{ENDPOINT}/feedback")))
    assert call(service, token(service, aud=ENDPOINT + "/")).status_code == 200
    assert call(service, token(service, aud=["x", ENDPOINT])).status_code == 200


@pytest.mark.requirement("R66")
def test_feedback_may_come_under_the_url_of_its_service(service: Service) -> None:
    path = "/cds-services/disease-severity/feedback"
    for audience, status in ((ENDPOINT, 400), (f"{ENDPOINT}/feedback", 400), (PUBLIC, 401)):
        sent = bearer(token(service, aud=audience))
        assert service.http.post(path, json={}, headers=sent).status_code == status


@pytest.mark.requirement("R66")
def test_a_public_url_with_a_path_is_part_of_the_audience(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path, public_url=f"{PUBLIC}/behind/")
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        add_client(context, issuer=ISSUER, jwks=jwks(KEY), sandbox=True)
        assert_refused(call(service, token(service)))
        behind = ENDPOINT.replace(PUBLIC, f"{PUBLIC}/behind")
        assert call(service, token(service, aud=behind)).status_code == 200


def test_a_bearer_secret_opens_fhir_alone(service: Service) -> None:
    secret = add_client(service.context, "gateway", rights=[Right.CONDITIONS])
    assert secret is not None
    assert_refused(call(service, secret))
    content = {"resourceType": "Condition"}
    posted = service.http.post("/fhir/Condition", json=content, headers=bearer(secret))
    assert posted.status_code not in (401, 403)
    assert_refused(
        service.http.post("/fhir/Condition", json=content, headers=bearer(secret[:-1] + "_"))
    )
    assert_refused(service.http.post("/fhir/Condition", json=content))
    for audience in (f"{PUBLIC}/fhir/Condition", f"{PUBLIC}/fhir"):
        sent = bearer(token(service, aud=audience))
        assert service.http.post("/fhir/Condition", json=content, headers=sent).status_code != 401
    assert_refused(
        service.http.post("/fhir/Condition", json=content, headers=bearer(token(service)))
    )


def test_a_secret_without_the_right_is_403(service: Service) -> None:
    secret = add_client(service.context, "reader", rights=[Right.READ])
    assert secret is not None
    response = service.http.post("/fhir/Condition", json={}, headers=bearer(secret))
    assert response.status_code == 403
    (issue,) = response.json()["issue"]
    assert issue["code"] == "forbidden"
    assert "conditions" in issue["diagnostics"]
    assert secret not in response.text
