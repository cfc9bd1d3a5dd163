"""Requests, whole and spoilt, against every address that takes a body.

`python -m tests.support.fuzzer --requests 20000` (`make fuzz`) serves a small model, sends them,
and fails on any 5xx but a deliberate 503 or 504, on an answer that is no answer of CDS Hooks, on an
error without an OperationOutcome, and if less than a third got a card: then too little was tried
of what lies behind the first checks.
"""

import argparse
import copy
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.support.builders import (
    Json,
    blood_pressure,
    bundle,
    condition,
    encounter,
    observation,
    patient,
)
from tests.support.cards_check import assert_response

NOW = "2026-03-01T11:50:00+05:45"
DELIBERATE = {503, 504}
"""What may be answered where the fault is another server's."""

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


def discharged() -> Json:
    """An `encounter-discharge` request."""
    request = opened()
    found = request["prefetch"]
    return request | {
        "hook": "encounter-discharge",
        "prefetch": {"encounter": found["encounter"], "conditions": found["conditions"]},
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


Builder = Callable[[], Json]


def posted_condition() -> Json:
    """What `POST /fhir/Condition` takes."""
    return condition("I21.9", id="c9", recorded=NOW, encounter={"reference": "Encounter/e1"})


def transaction() -> Json:
    """What `POST /fhir` takes."""
    entries = [
        {
            "fullUrl": "urn:uuid:0a0f1d9e-3d4b-4f0a-9a61-6f2d1c9b7e11",
            "resource": condition("J45.9", id=f"t{number}", recorded=NOW),
            "request": {"method": "PUT", "url": f"Condition/t{number}"},
        }
        for number in range(2)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def chart() -> Json:
    """What `POST /fhir/$assess-severity` takes."""
    found = opened()["prefetch"]
    resources = [found["patient"], *(entry["resource"] for entry in found["vitals"]["entry"])]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }


TARGETS: tuple[tuple[str, Builder, int], ...] = (
    ("/cds-services/disease-severity", opened, 14),
    ("/cds-services/record-problem", problem, 1),
    ("/cds-services/record-discharge", discharged, 1),
    ("/cds-services/disease-severity/feedback", feedback, 1),
    ("/fhir/Condition", posted_condition, 1),
    ("/fhir", transaction, 1),
    ("/fhir/$assess-severity", chart, 1),
    ("/fhir/subscriptions", transaction, 1),
)
"""Path, a good body, and how often it is tried."""


@dataclass
class Report:
    """What was answered."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    cards: int = 0
    """Answers of 200 with a card."""
    faults: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return sum(self.statuses.values())


def fuzz(http: httpx.Client, requests: int, seed: int) -> Report:
    """Send `requests` bodies, each a good one with nothing to four things spoilt."""
    # Repeatable, not secret.
    chance, report = random.Random(seed), Report()  # noqa: S311
    weights = [weight for _, _, weight in TARGETS]
    for _ in range(requests):
        path, builder, _ = chance.choices(TARGETS, weights)[0]
        body = spoil(builder(), chance)
        headers = {"Content-Type": chance.choice(["application/json", "application/fhir+json"])}
        response = http.post(path, content=body, headers=headers)
        report.statuses[path, response.status_code] += 1
        _check(path, response, report)
    return report


def spoil(body: Any, chance: random.Random) -> bytes:
    """The JSON of `body` with some of it replaced, removed, repeated, moved or no JSON at all."""
    raw: dict[str, str] = {}
    body = copy.deepcopy(body)
    if isinstance(body, dict) and "hookInstance" in body:
        body["hookInstance"] = str(UUID(int=chance.getrandbits(128)))
    for number in range(chance.choice([0, 0, 1, 1, 2, 3, 4])):
        places = list(paths(body))
        if not places:
            break
        *parents, last = chance.choice(places)
        target = _at(body, parents)
        what = chance.choice(["replace", "delete", "raw", "twice", "move", "copy"])
        if what == "delete":
            del target[last]
        elif what == "replace":
            target[last] = chance.choice(_VALUES)
        elif what in ("move", "copy"):
            *found, end = chance.choice(places)
            target[last] = copy.deepcopy(_at(body, found)[end])
        else:
            mark, fragment = f"<raw {number}>", chance.choice(FRAGMENTS)
            if what == "twice" and isinstance(target, dict):
                fragment = f"{json.dumps(target[last])},{json.dumps(last)}:{fragment or 0}"
            raw[json.dumps(mark)] = fragment
            target[last] = mark
    text = json.dumps(body, ensure_ascii=chance.random() < 0.5)
    for mark, fragment in raw.items():
        text = text.replace(mark, fragment)
    data = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.05:
        cut = chance.randrange(len(data) + 1)
        data = (
            data[:cut] + chance.randbytes(chance.randrange(4)) + data[cut + chance.randrange(4) :]
        )
    return data


_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    2**63,
    "",
    "x",
    [],
    {},
    [[]],
    {"reference": "Patient/other"},
    "Patient/../../etc/passwd",
    "../p1",
    "p1/_history/1",
    "2026",
    "2026-02",
    "2026-02-30",
    "2026-03-01T24:00:00Z",
    "2026-03-01T12:00:00+99:00",
    "javascript:alert(1)",
    "<iframe srcdoc='<script>1</script>'>",
    "http://169.254.169.254/latest/meta-data",
    "OperationOutcome",
    "Observation",
    "entered-in-error",
    "\u202e\u0000",
)


def _at(body: Any, path: Sequence[Any]) -> Any:
    for step in path:
        body = body[step]
    return body


def _check(path: str, response: httpx.Response, report: Report) -> None:
    status = response.status_code
    if status >= 500 and status not in DELIBERATE:
        report.faults.append(f"{path}: {status}")
    try:
        if status == 200 and path.endswith(("/disease-severity", "-problem", "-discharge")):
            report.cards += bool(assert_response(response.content))
        elif status >= 400:
            assert response.json()["resourceType"] == "OperationOutcome", "no OperationOutcome"
    except (AssertionError, KeyError, TypeError, ValueError) as fault:
        report.faults.append(f"{path}: {status}: {fault!r}"[:300])


def main() -> None:
    """Serve, send, and say what was answered."""
    from tests.support.artefacts import small_model
    from tests.support.service import new_context, release, running

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        context = new_context(Path(folder))
        trained = small_model(Path(folder))
        release(context, "1", trained.path, trained.checksum)
        with running(context, context.clock) as service:
            report = fuzz(service.http, arguments.requests, arguments.seed)
    for (path, status), count in sorted(report.statuses.items()):
        sys.stdout.write(f"{count:>7} {status} {path}\n")
    share = report.cards / report.requests
    sys.stdout.write(f"{report.requests} requests, {share:.0%} answered 200 with a card\n")
    sys.stdout.writelines(f"FAULT {fault}\n" for fault in report.faults[:20])
    sys.exit(bool(report.faults) or share < 1 / 3)


if __name__ == "__main__":
    main()
