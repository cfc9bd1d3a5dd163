"""`cds-service clients`: what it takes, says and refuses."""

import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import done, run
from tests.support.jwts import ISSUER, ec_key, jwks
from tests.support.marked import leaks, opened

KEY = ec_key()


@pytest.fixture
def var(tmp_path: Path) -> Path:
    done(tmp_path, "db", "upgrade")
    (tmp_path / "jwks.json").write_text(json.dumps(jwks(KEY)))
    return tmp_path


def add(folder: Path, name: str = "ehr", *options: object) -> str:
    trusted = ("--issuer", ISSUER, "--jwks-file", folder / "jwks.json")
    return done(folder, "clients", "add", name, *trusted, *options)


def shown(folder: Path, name: str = "ehr") -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(done(folder, "clients", "show", name))
    return settings


def test_every_option_becomes_a_setting(var: Path) -> None:
    key = var / "our-key.pem"
    options: list[object] = [
        *("--vendor", "epic", "--audience", "a1", "--audience", "a2", "--tenant", "t"),
        *("--subject", "s", "--fhir-server", "https://EHR.example/r4/", "--language", "es"),
        *("--alias", "vs=vitals", "--lookback-hours", "6", "--category", "acute"),
        *("--category", "chronic", "--lowest-indicator", "warning", "--no-data", "none"),
        *("--no-critical", "--no-silence-unchanged", "--override-hours", "0", "--no-care"),
        *("--no-explanation-link",),
        *("--retraining", "--allow-restricted", "--extra-input", "abo_group"),
        *("--test-patient-tag", "urn:x|TEST", "--token-url", "https://ehr.example/token"),
        *("--backend-client-id", "me", "--backend-key-file", key, "--backend-key-id", "k"),
        *("--backend-algorithm", "ES384", "--backend-scope", "system/*.rs"),
        *("--smart-client-id", "us", "--smart-key-file", key, "--smart-key-id", "k2"),
        *("--smart-algorithm", "ES384", "--smart-issuer", "https://id.example"),
        *("--smart-scope", "patient/Patient.read", "--smart-role", "clinician"),
        *("--smart-role", "reviewer", "--smart-frame", "https://ehr.example:8443"),
    ]
    add(var, "ehr", *options)
    settings = shown(var)
    assert settings.pop("fatigue") == {
        "categories": ["acute", "chronic"],
        "lowest_indicator": "warning",
        "no_data": "none",
        "critical": False,
        "silence_unchanged": False,
        "silence_after_override_hours": 0,
    }
    assert settings.pop("backend") == {
        "token_url": "https://ehr.example/token",
        "client_id": "me",
        "key_file": str(key),
        "key_id": "k",
        "algorithm": "ES384",
        "scope": "system/*.rs",
    }
    assert settings.pop("smart") == {
        "client_id": "us",
        "secret_file": None,
        "key_file": str(key),
        "key_id": "k2",
        "algorithm": "ES384",
        "issuer": "https://id.example",
        "scopes": ["patient/Patient.read"],
        "roles": ["clinician", "reviewer"],
        "frames": ["https://ehr.example:8443"],
    }
    assert settings == {
        "vendor": "epic",
        "issuer": ISSUER,
        "jwks_urls": [],
        "jwks": [KEY.kid],
        "audiences": ["a1", "a2"],
        "tenants": ["t"],
        "subjects": ["s"],
        "fhir_servers": ["https://ehr.example/r4"],
        "prefetch_aliases": {"vs": "vitals"},
        "lookback_hours": 6,
        "language": "es",
        "mode": "silent",
        "mode_before_pause": None,
        "approver": None,
        "sandbox": False,
        "test_patient_tags": ["urn:x|TEST"],
        "allow_care": False,
        "allow_retraining": True,
        "allow_restricted": True,
        "explanation_link": False,
        "extra_inputs": ["abo_group"],
    }
    done(var, "clients", "set", "ehr", "--care", "--language", "en", "--unset", "backend")
    changed = shown(var)
    assert (changed["allow_care"], changed["language"], changed["backend"]) == (True, "en", None)
    assert changed["audiences"] == ["a1", "a2"]


FHIR = ("--fhir-server", "https://ehr.example/r4")
LAUNCH = (*FHIR, "--smart-client-id", "us")
WRONG_LAUNCHES: list[tuple[tuple[object, ...], str]] = [
    ((*FHIR, "--smart-frame", "https://ehr.example"), "--smart-client-id"),
    (("--smart-client-id", "us"), "--fhir-server"),
    ((*LAUNCH, "--smart-secret-file", "s", "--smart-key-file", "k"), "not with both"),
    ((*LAUNCH, "--smart-issuer", "id.example"), "https"),
    ((*LAUNCH, "--smart-scope", "a b"), "no scope"),
    ((*LAUNCH, "--smart-role", "administrator"), "smart.roles"),
    *(
        ((*LAUNCH, "--smart-frame", frame), "no origin")
        for frame in (
            "ehr.example",
            "ftp://ehr.example",
            "https://ehr.example/",
            "https://ehr.example/x",
            "https://*.example",
            "https://a.example;script-src",
            "*",
            "'self'",
            "https://user@ehr.example",
        )
    ),
]


@pytest.mark.parametrize(("options", "said"), WRONG_LAUNCHES)
def test_a_launch_that_would_let_in_the_wrong_one_is_not_kept(
    var: Path, options: tuple[object, ...], said: str
) -> None:
    assert said in run(var, "clients", "add", "ehr", *options).sentence()
    assert "no clients" in done(var, "clients", "list")


def test_no_two_clients_launch_from_one_fhir_server(var: Path) -> None:
    done(var, "clients", "add", "ehr", *LAUNCH)
    assert "could be one for ehr" in run(var, "clients", "add", "other", *LAUNCH).sentence()
    done(var, "clients", "add", "other", *FHIR)
    done(var, "clients", "set", "ehr", "--unset", "smart")
    done(var, "clients", "set", "other", "--smart-client-id", "us")


def test_add_says_what_to_type_into_the_ehr(var: Path) -> None:
    out = add(var, "ehr", "--secret", "read")
    assert "mode silent" in out
    assert "/cds-services/disease-severity/feedback" in out
    (secret,) = [line for line in out.splitlines() if line.startswith("cds_")]
    assert "cds-service clients check ehr" in out
    listed = done(var, "clients", "list")
    assert "ehr   silent  standard" in listed
    assert secret not in listed


def test_presets_of_vendors(var: Path) -> None:
    assert "--tenant" in run(var, "clients", "add", "cerner", "--vendor", "cerner").sentence()
    done(var, "clients", "add", "cerner", "--vendor", "cerner", "--tenant", "t")
    settings = shown(var, "cerner")
    assert settings["issuer"] == "https://cds-hooks.cerner.com"
    assert settings["jwks_urls"] == ["https://authorization.cerner.com/jwk"]
    assert "mode live" in done(var, "clients", "add", "box", "--sandbox-cds-hooks")
    public = {"CDS_DEVELOPMENT": "false", "CDS_PUBLIC_URL": "https://cds.example"}
    refused = run(var, "clients", "add", "box2", "--sandbox-cds-hooks", **public)
    assert "private key of the public CDS Hooks sandbox is published" in refused.sentence()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nobody"), "There is no client nobody"),
        (("remove", "nobody"), "There is no client nobody"),
        (("check", "nobody"), "There is no client nobody"),
        (("mode", "nobody", "live"), "There is no client nobody"),
        (("pause", "nobody"), "There is no client nobody"),
        (("resume", "ehr"), "not paused"),
        (("mode", "ehr", "live"), "no champion"),
        (("add", "x", "--issuer", "https://x"), "an issuer needs keys"),
        (("add", "x", "--jwks-file", "{var}/none.json"), "cannot be read"),
        (("add", "x", "--jwks-file", "{var}/text.txt"), "is not JSON"),
        (("add", "x", "--extra-input", "shoe_size"), "abo_group"),
        (
            ("set", "ehr", "--backend-key-file", "k.pem"),
            "Missing: --token-url; Missing: --backend-",
        ),
        (("secret", "revoke", "ehr", "abcdefgh"), "no secret of this id"),
        (("explain", "{var}/none.json"), "cannot be read"),
        (("explain", "{var}/text.txt"), "not JSON"),
        (("explain", "{var}/jwks.json"), "`hook`"),
    ],
)
def test_errors_are_sentences(var: Path, arguments: tuple[str, ...], words: str) -> None:
    add(var)
    (var / "text.txt").write_text("no JSON")
    given = [argument.replace("{var}", str(var)) for argument in arguments]
    assert words in run(var, "clients", *given).sentence()


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "ehr"),
        ("set", "ehr", "--secret", "read"),
        ("add", "x", "--unset", "issuer"),
        ("add", "x", "--secret", "write"),
        ("add", "x", "--secret", ""),
        ("add", "x", "--alias", "vitals"),
        ("add", "x", "--vendor", "acme"),
        ("mode", "ehr", "loud"),
        ("secret", "add", "ehr", "--rights", "all"),
        ("explain", "x.json", "--at", "yesterday"),
    ],
)
def test_wrong_use_is_told_with_the_usage(var: Path, arguments: tuple[str, ...]) -> None:
    add(var)
    ran = run(var, "clients", *arguments)
    assert ran.code == 2, ran.out + ran.err
    assert "Usage" in ran.err + ran.out


def test_a_pause_of_everything_is_shown(var: Path) -> None:
    assert "every call is 401" in done(var, "clients", "list")
    add(var)
    done(var, "clients", "pause")
    assert "All cards are paused" in done(var, "clients", "list")
    done(var, "clients", "resume")
    assert "paused" not in done(var, "clients", "list")
    done(var, "clients", "pause", "ehr")
    assert "ehr   paused" in done(var, "clients", "list")
    assert "silent again" in done(var, "clients", "resume", "ehr")


def saved(folder: Path, **changes: Any) -> Path:
    file = folder / "request.json"
    file.write_text(json.dumps(opened(**changes)))
    return file


def test_explain_says_what_is_used_and_why_not_and_no_value(var: Path) -> None:
    add(var, "ehr", "--fhir-server", "https://other.example/r4")
    file = saved(var)
    for options in ((), ("--client", "ehr"), ("--at", datetime.now().astimezone().isoformat())):
        out = done(var, "clients", "explain", file, *options)
        assert "  patient: 1 Patient" in out
        assert "heart_rate: LOINC 8867-4, in /min, 10 min old" in out
        assert "body_temperature: LOINC 8310-5, in Cel" in out
        assert "respiratory_rate: no_observation" in out
        assert "(heart_rate): unknown_unit" in out
        assert "Situation: scored." in out
        assert not leaks(out)


def test_explain_says_what_would_be_read_from_the_fhir_server(var: Path) -> None:
    request = opened()
    server = request["fhirServer"]
    add(var, "ehr", "--fhir-server", server)
    del request["prefetch"]["vitals"]
    file = var / "request.json"
    file.write_text(json.dumps(request))
    out = done(var, "clients", "explain", file, "--client", "ehr")
    assert "vitals: not sent" in out
    assert "wanted from it are" in out
    assert "may be read" in out
    assert "412, for vitals" in out
    assert not leaks(out)
    out = done(var, "clients", "explain", file)
    assert "not allowed to this client" in out
    assert not leaks(out)


def test_explain_says_which_empty_keys_need_an_alias(var: Path) -> None:
    request = opened()
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    request["prefetch"] |= {"xqz-problems": empty, "xqz-hr": None}
    file = var / "request.json"
    file.write_text(json.dumps(request))
    add(var, "ehr", "--alias", "xqz-hr=vitals")
    hint = "of them have nothing inside to tell them by, and count as not sent: name them with"
    out = done(var, "clients", "explain", file)
    assert f"2 {hint} clients set --alias THEIRS=OURS." in out
    out = done(var, "clients", "explain", file, "--client", "ehr")
    assert f"1 {hint}" in out
    assert "xqz" not in out
    done(var, "clients", "set", "ehr", "--alias", "xqz-hr=vitals", "--alias", "xqz-problems=vitals")
    assert hint not in done(var, "clients", "explain", file, "--client", "ehr")


GUIDES = ("connecting.md", "operations.md")
TYPED = [
    shlex.split(command.replace("\\\n", " "), comments=True)
    for guide in GUIDES
    for command in re.findall(
        r"^cds-service (clients add (?:.*\\\n)*.*)$",
        (Path(__file__).parents[4] / "docs" / guide).read_text("utf-8"),
        re.MULTILINE,
    )
]


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed[2])
def test_what_the_guides_tell_to_type_is_accepted_in_production(
    var: Path, typed: list[str]
) -> None:
    public = {"CDS_DEVELOPMENT": "false", "CDS_PUBLIC_URL": "https://cds.example"}
    assert "mode silent" in done(var, *typed, **public)


def test_the_guides_were_found() -> None:
    assert len(TYPED) >= 4
