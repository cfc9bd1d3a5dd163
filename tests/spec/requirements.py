"""CDS Hooks as a list of requirements, and `docs/conformance.md` made from it and the tests.

The numbers are this project's own; the sources are CDS Hooks 2.0.1, the ballot of 3.0, the hook
library, and what clients were seen to do. `python -m tests.spec.requirements` writes the page.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "conformance.md"
BINDING = ("SHALL", "SHALL NOT", "TOL")
"""Levels that need a test: what a service must do, and what a client may do to it."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row."""

    number: int
    level: str
    """`SHALL`, `SHALL NOT`, `SHOULD`, `MAY`, `TOL` (a client is allowed to do this), or `NOTE`
    (advice, or seen in clients)."""
    text: str
    without_test: str = ""
    """Why there is no test; only where nothing binds."""


def _rows(text: str) -> Iterator[Requirement]:
    for line in text.strip().splitlines():
        number, level, rest = line.split(" | ", 2)
        sentence, _, reason = rest.partition(" || ")
        yield Requirement(int(number.removeprefix("R")), level, sentence, reason)


REQUIREMENTS: tuple[Requirement, ...] = tuple(
    _rows("""
R1 | SHALL | Production traffic is JSON over HTTPS.
R2 | SHALL | No member of an answer is null, "", [] or {} unless the specification says so.
R3 | SHALL | FHIR resources in an answer are standard FHIR JSON.
R4 | SHOULD | What is sent is plain JSON, without comments and trailing commas.
R5 | SHALL | `extension` is an object under globally unique keys; unknown members of a request are ignored.
R6 | SHALL | `GET /cds-services` always answers 200 with the array `services`.
R7 | SHALL | Each service has `hook`, `description` and `id`, and the id is its path.
R8 | SHOULD | Each service has a `title`.
R9 | MAY | Discovery names prefetch templates and usage requirements.
R10 | SHOULD | Discovery names the version of CDS Hooks.
R11 | MAY | One id may serve several hooks; here every service has its own, because a client was seen to mix them up.
R12 | MAY | Discovery may need authentication; then `aud` is its URL.
R13 | SHALL | Prefetch tokens are `{{context.field}}` or a user id, nothing else.
R14 | SHALL NOT | A template uses no context field that is not a prefetch token.
R15 | SHALL | Templates stay within the safe subset of searches.
R16 | SHALL NOT | No template relies on FHIRPath, which a 2.0 client does not resolve.
R17 | TOL | A key that is absent, `null`, an empty Bundle or an OperationOutcome is four different things.
R18 | SHOULD | Prefetched data are searched for OperationOutcomes; Epic's empty search is no error.
R19 | SHALL | What the client did not prefetch is read from its FHIR server, if it can be.
R20 | SHALL | Required data that can be had nowhere: 412.
R21 | TOL | A prefetch Bundle may be paged; the next page is read with the token.
R22 | TOL | Order and number of results are not relied on.
R23 | SHALL | A service answers `POST /cds-services/{id}` with a JSON body.
R24 | SHALL | `hook`, `hookInstance` and `context` are required and checked.
R25 | SHALL | `fhirServer` is there if `fhirAuthorization` is; it is https in production.
R26 | SHALL | `fhirAuthorization` is read as OAuth 2 says; the syntax of its scope is not checked.
R27 | SHALL | The context of a hook has the members the hook asks for.
R28 | SHALL | A call to the FHIR server carries the token it was given, and only what that allows.
R29 | SHALL | The access token is never stored, shared or logged, and not used after it has expired.
R30 | SHOULD | An answer takes about 500 ms. || measured by `make bench`, never by a test
R31 | SHOULD | A service works from prefetch or from the FHIR server.
R32 | MAY | Only FHIR servers on a list are followed.
R33 | NOTE | `hookInstance` identifies the call: the same again gets the same answer.
R34 | SHALL | Success is 200 with the array `cards`.
R35 | SHALL | A summary has fewer than 140 characters.
R36 | SHALL | An indicator is `info`, `warning` or `critical`.
R37 | SHALL | A source has a label; its URL is absolute.
R38 | SHALL | Detail is GitHub-Flavored Markdown in which data are escaped.
R39 | SHALL | A card's uuid is unique.
R40 | SHALL | With suggestions there is a `selectionBehavior`.
R41 | SHALL | Of suggestions of which one may be chosen, at most one is recommended.
R42 | SHALL | A suggestion has a label; its actions are not empty.
R43 | SHALL | An action has a type and a description, and what it creates.
R44 | SHALL NOT | `actionSelectionBehavior` is not sent.
R45 | SHALL | An override reason has code, system and display.
R46 | SHALL | A link has label, URL and type; `appContext` goes with `smart` only.
R47 | SHALL | A Coding has code and system.
R48 | NOTE | No system actions are sent.
R49 | SHOULD | Every error carries an OperationOutcome.
R50 | SHALL | 412 means missing data only.
R51 | SHOULD | Override reasons come from HL7's code system.
R52 | MAY | Feedback is taken at `/cds-services/{id}/feedback`.
R53 | SHALL | Feedback names card, outcome, time, and what was accepted or why not.
R54 | TOL | Feedback comes in batches, again, and for unknown cards.
R55 | TOL | Epic's shape of feedback is read too.
R56 | NOTE | There is no feedback for system actions. || nothing to do: none are sent (R48)
R57 | SHOULD | Every call is authenticated.
R58 | SHALL | A JWT's header names its algorithm, key and type; `jku` is optional.
R59 | SHALL | A JWT's payload has `iss`, `aud`, `exp`, `iat` and `jti`.
R60 | SHALL NOT | `none` and HMAC are never accepted; the key says the algorithm.
R61 | SHOULD | `iss` and `jku` are on a list; another `jku` is never fetched.
R62 | NOTE | Issuer, audience, times, tenant, signature and `jti` are checked in this order.
R63 | NOTE | No `jti` is accepted twice, by any worker.
R64 | NOTE | A token that fails is a 401 without detail; tokens are never logged.
R65 | TOL | Clocks may differ: a token half a second from the future is accepted.
R66 | TOL | `aud` is compared with the public URL, and with what a site has typed in.
R67 | MAY | Mutual TLS. || TLS ends at the proxy, which can ask for client certificates; see operations
R68 | SHALL | Browser clients on a list get CORS headers, on errors too.
R69 | NOTE | Prefetch asks only for what is used.
R70 | NOTE | Who was assessed by whom, and when, is audited.
R71 | NOTE | Guidance is superseded by the same id with another hook only. || not used: ids are distinct (R11)
R72 | SHOULD | What the service can do is published for people.
""")
)


@cache
def shown_by() -> dict[int, list[str]]:
    """Requirement → the tests marked with it, as `path::function`, in order."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for number in sorted(_marks(node)):
                    found[number].append(f"{path.relative_to(TESTS.parent)}::{node.name}")
    return dict(found)


def _marks(function: ast.FunctionDef) -> set[int]:
    return {
        int(str(decorator.args[0].value).removeprefix("R"))
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr == "requirement"
        and isinstance(decorator.args[0], ast.Constant)
    }


def page() -> str:
    """The text of `docs/conformance.md`."""
    tests = shown_by()
    lines = [
        "# Conformance",
        "",
        "What CDS Hooks 2.0.1 asks of a service, and the tests that show it. Made from the tests by",
        "`make conformance`; a test fails when this page is older than they are.",
        "",
        "SHALL, SHALL NOT and TOL bind: a service must do it, must not, or must survive a client that "
        "does it. NOTE is advice",
        "or was seen in clients. What 3.0 adds and a 2.0 client ignores is sent already (R10, R49).",
        "",
        "| | level | requirement | shown by |",
        "|---|---|---|---|",
    ]
    for row in REQUIREMENTS:
        names = [
            name.removeprefix("tests/").replace(".py::", ": ") for name in tests.get(row.number, [])
        ]
        shown = "<br>".join(f"`{name}`" for name in names) or f"not tested: {row.without_test}"
        text = row.text.replace("|", "\\|")
        lines.append(f"| R{row.number} | {row.level} | {text} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
