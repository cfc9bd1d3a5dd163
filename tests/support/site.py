"""A service beside a FHIR server that it may read, as at a hospital."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.builders import encounter
from tests.support.cards_check import assert_response
from tests.support.fhir_server import FHIRServer, fhir_server
from tests.support.service import Service, new_context, release, running

TOKEN = "the-access-token-of-this-request"


def granted(**changes: Any) -> dict[str, Any]:
    """A `fhirAuthorization` for the patient p1; a change to `...` leaves a member out."""
    access = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/Patient.r patient/Observation.rs",
        "subject": "cds-service",
        "patient": "p1",
    }
    return {name: value for name, value in (access | changes).items() if value is not ...}


@dataclass
class Site:
    """A service, and the FHIR server it may read."""

    service: Service
    fhir: FHIRServer

    def request(self, *keys: str, **changes: Any) -> dict[str, Any]:
        """A call of which only these prefetch keys came."""
        request = self.service.request(self.service.vitals())
        request["context"]["encounterId"] = "e1"
        request["prefetch"] = {key: request["prefetch"][key] for key in keys}
        return request | {"fhirServer": self.fhir.url, "fhirAuthorization": granted()} | changes

    def answer(self, request: dict[str, Any], status: int = 200) -> Any:
        """The body of the answer, whose status is the expected one."""
        response = self.service.assess(request)
        assert response.status_code == status, response.text
        assert TOKEN not in response.text
        return response.json()

    def reset(self) -> None:
        """The chart of p1 on a good server that was asked nothing yet."""
        chart = self.service.request([])["prefetch"]["patient"]
        category = {"category": [{"coding": [{"code": "vital-signs"}]}]}
        self.fhir.resources[:] = [
            chart,
            *(resource | category for resource in self.service.vitals()),
            encounter("AMB", id="e1"),
        ]
        self.fhir.behaviours.clear()
        self.fhir.log.clear()
        self.fhir.token, self.fhir.page_size = TOKEN, 100
        self.fhir.unknown_parameters = frozenset()


def said(answer: dict[str, Any]) -> dict[str, Any]:
    """The card without what is new in every answer."""
    assert_response(answer)
    (card,) = answer["cards"]
    return {name: card[name] for name in ("summary", "indicator", "detail", "source")}


@contextmanager
def running_site(folder: Path, model: tuple[Path, str]) -> Iterator[Site]:
    """A site until the block ends; its service gives a call 1.5 seconds."""
    with fhir_server() as fhir:
        context = new_context(
            folder,
            allowed_fhir_servers=(fhir.url,),
            fhir_allow_private=True,
            request_seconds=1.5,
        )
        release(context, "1", *model)
        with running(context, context.clock) as service:
            yield Site(service, fhir)
