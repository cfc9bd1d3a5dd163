"""docs/connecting.md in miniature: what the guide prints is typed, and a small Epic calls.

The service is a process of its own in production mode; the EHR is a key server, a FHIR server
and somebody who signs.
"""

import base64
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from cds_service.storage import session
from hooks.disease_severity import SERVICE_ID
from tests.support.backend import TokenEndpoint, pem_file
from tests.support.builders import (
    Json,
    blood_pressure,
    condition,
    encounter,
    epic_empty_search,
    observation,
    patient,
)
from tests.support.cards_check import assert_response
from tests.support.commands import done, run
from tests.support.fhir_server import Asked, FHIRServer, Handler, fhir_server
from tests.support.jwts import bearer, claims, key_server, production, rsa_key, sign
from tests.support.process import ROOT, Program, serving
from tests.support.service import release

GUIDE = (ROOT / "docs" / "connecting.md").read_text("utf-8")
EPIC = GUIDE.partition("\n## Epic\n")[2].partition("\n## ")[0]
PUBLIC = "https://cds.hospital.example"
ENDPOINT = f"{PUBLIC}/cds-services/{SERVICE_ID}"
NAME = "hospital-epic"
ACCESS = "xqz-the-token-of-this-call"
SUBJECT = "0f3c6f3e-6f8a-4d0f-9c3e-2a1b5d7e9f10"
ENVIRONMENT = {
    "CDS_DEVELOPMENT": "false",
    "CDS_PUBLIC_URL": PUBLIC,
    "CDS_SECRET_KEYS": json.dumps([base64.b64encode(bytes(range(32))).decode()]),
    # The EHR of this test is on this machine.
    "CDS_FHIR_ALLOW_PRIVATE": "true",
    "CDS_OUTCOME_PULL_SECONDS": "0",
}
THEIR_FHIR = "https://fhir.hospital.example/api/FHIR/R4"
THEIR_KEYS = "https://fhir.hospital.example/api/epic/2019/Security/Open/PublicKeys/530016/OIDC"
"""What the guide calls the addresses of the EHR."""
TEMPLATES = dict(re.findall(r"^\| `(\w+)` \| `(\w+[/?][^`]*\{\{context[^`]*)` \|$", EPIC, re.M))
"""The prefetch table of the guide: key → query."""


def printed(start: str, **replaced: str) -> list[str]:
    """The command of the guide that begins like this, with our addresses for its examples."""
    found = re.search(rf"^cds-service ({re.escape(start)}(?:.*\\\n)*.*)$", GUIDE, re.M)
    assert found is not None, start
    words = shlex.split(found[1].replace("\\\n", " "), comments=True)
    return [replaced.get(word, word) for word in words]


def chart() -> list[Json]:
    """A patient of the emergency department, with two red readings."""
    at = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    return [
        patient(birthDate="1958-01-01", gender="female"),
        encounter("EMER", id="e1"),
        observation("8867-4", 118, "/min", at=at, id="hr"),
        observation("8310-5", 38.6, "Cel", at=at, id="temp"),
        blood_pressure(92, 55, at=at, id="bp"),
        observation("9279-1", 26, "/min", at=at, id="rr"),
        observation("59408-5", 90, "%", at=at, id="spo2"),
    ]


@dataclass
class Epic:
    """An EHR that was set up from the guide."""

    folder: Path
    fhir: FHIRServer
    jku: str
    service: Program
    context: dict[str, str] = field(
        default_factory=lambda: {
            "patientId": "p1",
            "userId": "PractitionerRole/r1",
            "encounterId": "e1",
        }
    )

    def token(self, **changes: object) -> str:
        """As Epic signs: RS384, `sub`, `nbf` five minutes back, a quarter of an hour long."""
        now = datetime.now(UTC)
        at = int(now.timestamp())
        made = {"iss": self.fhir.url, "aud": ENDPOINT, "sub": SUBJECT, "nbf": at - 300}
        key = rsa_key()
        assert (key.algorithm, set("+/=") <= set(key.kid)) == ("RS384", True)
        return sign(
            key, claims(now, **made | {"exp": at + 900} | changes), headers={"jku": self.jku}
        )

    def call(self, path: str, body: object = None, **changes: object) -> httpx.Response:
        """A call with a new token."""
        return httpx.request(
            "GET" if body is None else "POST",
            f"{self.service.url}/cds-services{path}",
            json=body,
            headers=bearer(self.token(**changes)),
            timeout=30,
        )

    def open_chart(self, *, prefetch: bool = True) -> httpx.Response:
        """`patient-view`, with the keys of the guide or none."""
        request: Json = {
            "hook": "patient-view",
            "hookInstance": str(uuid4()),
            "fhirServer": self.fhir.url,
            "fhirAuthorization": {
                "access_token": ACCESS,
                "token_type": "Bearer",
                "expires_in": 300,
                "scope": "Patient.Read (Demographics) (R4) Observation.Search (Vital Signs) (R4)",
                "subject": SUBJECT,
            },
            "context": self.context,
            "extension": {"com.epic.cdshooks.request.bpa-trigger-action": "26"},
        }
        if prefetch:
            request["prefetch"] = {key: self.prefetch(query) for key, query in TEMPLATES.items()}
        return self.call(f"/{SERVICE_ID}", request)

    def prefetch(self, template: str) -> Any:
        """What Epic sends for a query: absolute references, and its own empty search."""
        query = template
        for name, value in self.context.items():
            query = query.replace(f"{{{{context.{name}}}}}", value)
        kind, slash, wanted = query.partition("/")
        found: Json
        if slash:
            (found,) = (
                r for r in self.fhir.resources if (r["resourceType"], r["id"]) == (kind, wanted)
            )
        else:
            kind, _, parameters = query.partition("?")
            found = self.fhir.search(Asked(kind, parse_qsl(parameters), {}))
            found = found if found.get("entry") else epic_empty_search()
        whole = json.dumps(found).replace('"Patient/', f'"{self.fhir.url}/Patient/')
        return json.loads(whole)

    def command(self, *arguments: object) -> str:
        """What an operator's command printed."""
        return done(self.folder, *arguments, **ENVIRONMENT)

    def stored(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        engine = session.create_database_engine(f"sqlite:///{self.folder / 'cds.sqlite3'}")
        with session.reading(engine) as connection:
            rows = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return rows

    def logged(self, event: str) -> list[Json]:
        """Lines of the log with this event."""
        lines = [json.loads(line) for line in self.service.lines()]
        return [line for line in lines if line["event"] == event]


def wait_for(condition: Callable[[], object]) -> None:
    """Changes reach a running process within seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def epic(tmp_path: Path, small_model: tuple[Path, str]) -> Iterator[Epic]:
    context = production(tmp_path)
    release(context, "1", *small_model)
    context.engine.dispose()
    with ExitStack() as stack:
        keys = stack.enter_context(key_server(rsa_key()))
        fhir = stack.enter_context(fhir_server(chart(), token=ACCESS))
        service = stack.enter_context(serving(tmp_path, **ENVIRONMENT))
        yield Epic(tmp_path, fhir, keys.url, service)


def test_the_guide_from_the_first_command_to_the_outcome(epic: Epic) -> None:
    # Nobody is let in before the client is added, as the guide prints it.
    assert epic.call("", aud=f"{PUBLIC}/cds-services").status_code == 401
    command = printed(f"clients add {NAME}", **{THEIR_FHIR: epic.fhir.url, THEIR_KEYS: epic.jku})
    assert f"{NAME} is added, in mode silent." in epic.command(*command)
    wait_for(lambda: epic.call("", aud=f"{PUBLIC}/cds-services").status_code == 200)

    silent(epic)
    live(epic)
    outcome(epic)
    assert "xqz" not in epic.service.output.read_text()


def silent(epic: Epic) -> None:
    """Assessed, stored, not shown; with the keys of the guide nothing more is asked for."""
    assert set(TEMPLATES) >= {"patient", "encounter", "hr", "temp", "bp", "conditions"}
    response = epic.open_chart()
    assert (response.status_code, response.json()) == (200, {"cards": []})
    assert epic.fhir.log == []
    # Nor where nothing was measured: an empty search of Epic's is an answer.
    everything, epic.fhir.resources[:] = list(epic.fhir.resources), epic.fhir.resources[:2]
    response = epic.open_chart()
    epic.fhir.resources[:] = everything
    assert (response.status_code, epic.fhir.log) == (200, [])
    # Without prefetch all is read, with the token of the call.
    response = epic.open_chart(prefetch=False)
    assert (response.status_code, response.json()) == (200, {"cards": []})
    assert {asked.type for asked in epic.fhir.log} >= {"Patient", "Observation", "Encounter"}
    assert {asked.token for asked in epic.fhir.log} == {ACCESS}
    assert epic.stored(
        "SELECT client, situation, suppressed, count(*) FROM assessments GROUP BY 1, 2, 3 "
        "ORDER BY 4 DESC"
    )[0] == (NAME, "scored", "silent_mode", 2)
    # What is not let in is told to the operator, and not to the caller.
    response = epic.call(f"/{SERVICE_ID}", {}, aud=f"{PUBLIC}/cds-services/severity")
    assert response.status_code == 401
    assert "audience" not in response.text
    assert epic.logged("not let in")[-1].items() >= {
        ("reason", "wrong_audience"),
        ("client", NAME),
    }


def live(epic: Epic) -> None:
    """A card in Epic's shape, and feedback in Epic's shape."""
    refused = run(epic.folder, *printed(f"clients mode {NAME} live"), **ENVIRONMENT).sentence()
    assert "trained on simulated patients: it may not be live" in refused
    epic.command("clients", "set", NAME, "--sandbox")
    epic.command(*printed(f"clients mode {NAME} live"))
    wait_for(lambda: epic.open_chart().json()["cards"])
    # The next encounter: the same advice is given once in each.
    epic.context["encounterId"] = "e2"
    epic.fhir.resources.append(encounter("EMER", id="e2"))
    response = epic.open_chart()
    (card,) = assert_response(response.content)
    assert card["selectionBehavior"] == "any"
    assert [len(suggestion["actions"]) for suggestion in card["suggestions"]] == [1]
    assert re.fullmatch(r"[A-Za-z0-9]{1,100}", card["source"]["topic"]["code"])
    assert "simulated" in card["summary"]
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "overrideReasons": {
            "extension": {"com.epic.cdshooks.feedback.overrideReason.reasonTitle": "Not now"}
        },
    }
    # `aud` is what the site typed: the URL of the service here too.
    response = epic.call(f"/{SERVICE_ID}/feedback", {"feedback": [entry]})
    assert (response.status_code, response.json()) == (200, {})
    assert epic.stored("SELECT outcome FROM feedback") == [("overridden",)]


def outcome(epic: Epic) -> None:
    """The diagnosis is pulled with access of our own, and counts."""
    TokenEndpoint(epic.fhir)
    epic.command(
        *("clients", "set", NAME, "--token-url", f"{epic.fhir.url}/token"),
        *("--backend-client-id", "cds", "--backend-key-id", "cds-2026"),
        *("--backend-key-file", pem_file(epic.folder)),
    )
    (public,) = json.loads(epic.command("outcomes", "jwks", NAME))["keys"]
    assert (public["kid"], public["alg"], "d" in public) == ("cds-2026", "RS384", False)
    now = datetime.now(UTC).isoformat()
    found = condition("A41.9", id="c1", recorded=now, encounter={"reference": "Encounter/e1"})
    epic.fhir.resources.append(
        found | {"category": [{"coding": [{"code": "encounter-diagnosis"}]}]}
    )
    assert epic.stored("SELECT category FROM outcomes WHERE category IS NOT NULL") == []
    said = epic.command("outcomes", "pull", "--client", NAME, "--now")
    assert "1 patients asked for" in said
    assert "1 Conditions stored" in said
    decided = {category for (category,) in epic.stored("SELECT category FROM outcomes")}
    assert decided - {None} == {"acute"}
    # What a silent client saw is evaluated with the rest.
    said = epic.command("evaluate", "--include-open")
    assert re.search(r"with an outcome that counts +[12]\n", said)
    held_back = re.search(r"silent_mode (\d+)", said)
    assert held_back is not None
    assert int(held_back[1]) >= 3


def test_what_check_prints_is_what_the_guide_shows(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    """Everything but what only a running hospital can say."""
    context = production(tmp_path)
    release(context, "1", *small_model)
    context.engine.dispose()
    shown = GUIDE.partition("clients check hospital-epic\n```\n\n```text\n")[2].partition("```")[0]

    def describe(handler: Handler, _asked: Asked) -> bool:
        handler.send(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        return True

    with fhir_server() as fhir:
        fhir.behaviours["metadata"] = describe
        with key_server(rsa_key()) as keys:
            replaced = {THEIR_FHIR: fhir.url, THEIR_KEYS: keys.url}
            done(tmp_path, *printed(f"clients add {NAME}", **replaced), **ENVIRONMENT)
            ran = run(tmp_path, "clients", "check", NAME, **ENVIRONMENT)
    for theirs, here in replaced.items():
        shown = shown.replace(theirs, here)
    lines = shown.splitlines()
    # The service under its public URL is not there: the last three lines.
    assert [line[:6].strip() for line in lines[-3:]] == ["ok", "ok", "hospit"]
    assert ran.out.splitlines()[: len(lines) - 3] == lines[:-3]
    assert [line for line in ran.out.splitlines() if line.startswith("FAIL")] == [
        ran.out.splitlines()[-1]
    ]
