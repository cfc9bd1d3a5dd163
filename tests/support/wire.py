"""The service in production, as three vendors' clients reach it: for tests of what is answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from cds_service.context import ProcessContext
from hooks.vendors import Vendor
from model.artefact import load
from model.severity import SEVERITIES
from tests.support.artefacts import KEPT
from tests.support.jwts import (
    PUBLIC,
    Key,
    add_client,
    bearer,
    claims,
    ec_key,
    jwks,
    production,
    sign,
)
from tests.support.service import Service, release, running

ORIGIN = "https://ehr.invalid"
SEVERITY = "/cds-services/disease-severity"
FEEDBACK = f"{SEVERITY}/feedback"
SERVICES = (SEVERITY, "/cds-services/record-problem", "/cds-services/record-discharge")
EVERYTHING = {
    "categories": list(SEVERITIES),
    "silence_unchanged": False,
    "silence_after_override_hours": 0,
}
"""What a client wants that is to see every card."""


@dataclass(frozen=True)
class Wire:
    """A running service, and a client of each vendor."""

    service: Service
    keys: dict[Vendor, Key]

    def token(self, vendor: Vendor, path: str, **changes: object) -> str:
        """A right token for a call of `path`, but for the changes to its claims."""
        made = {"iss": issuer(vendor), "aud": PUBLIC + path} | changes
        return sign(self.keys[vendor], claims(self.service.clock(), **made))

    def send(
        self,
        body: Any = None,
        path: str = SEVERITY,
        *,
        vendor: Vendor = Vendor.STANDARD,
        method: str = "POST",
        **headers: str,
    ) -> httpx.Response:
        """Call as a page of `ORIGIN`, with a token; bytes go as they are, the rest as JSON."""
        sent = {"Origin": ORIGIN} | bearer(self.token(vendor, path)) | headers
        if isinstance(body, bytes):
            return self.service.http.request(method, path, content=body, headers=sent)
        return self.service.http.request(method, path, json=body, headers=sent)

    def chart(self, kind: str = "ill", **changes: Any) -> dict[str, Any]:
        """A `patient-view` request: somebody `ill`, `well`, a `child`, `nothing` charted, or
        `dead`."""
        vitals = self.service.vitals(128, 39.1, 88, 52) if kind == "ill" else self.service.vitals()
        request = self.service.request([] if kind == "nothing" else vitals, **changes)
        if kind == "child":
            request["prefetch"]["patient"]["birthDate"] = "2021-03-02"
        if kind == "dead":
            request["prefetch"]["patient"]["deceasedBoolean"] = True
        return request

    def outcome(self, hook: str) -> dict[str, Any]:
        """A request of a hook that records outcomes."""
        request = self.chart("nothing") | {"hook": hook, "hookInstance": str(uuid4())}
        del request["prefetch"]
        request["context"]["encounterId"] = "e1"
        if hook == "problem-list-item-create":
            request["context"]["conditions"] = {"resourceType": "Bundle", "type": "collection"}
        return request

    def card(self, vendor: Vendor = Vendor.STANDARD, language: str = "en") -> dict[str, Any]:
        """The card about somebody ill."""
        response = self.send(self.chart(), vendor=vendor, **{"Accept-Language": language})
        (card,) = response.json()["cards"]
        assert isinstance(card, dict)
        return card


def issuer(vendor: Vendor) -> str:
    """`iss` of a vendor's client."""
    return f"https://{vendor.value}.example/fhir"


def release_kept(context: ProcessContext) -> None:
    """Make the model live that is kept in the tests."""
    release(context, "1", KEPT, load(KEPT)[1])


@contextmanager
def wired(folder: Path) -> Iterator[Wire]:
    """The service in production with a live client of each vendor."""
    context = production(folder, cors_origins=(ORIGIN,))
    release_kept(context)
    keys = {vendor: ec_key() for vendor in Vendor}
    with running(context, context.clock) as service:
        for vendor, key in keys.items():
            add_client(
                context,
                vendor.value,
                vendor=vendor.value,
                issuer=issuer(vendor),
                jwks=jwks(key),
                sandbox=True,
                fatigue=EVERYTHING,
            )
        yield Wire(service, keys)
