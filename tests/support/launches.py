"""Somebody who comes from a chart: the way from the health record to us and back, without a
screen."""

from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from cds_service.context import ProcessContext
from cds_service.services.assessing import AssessingService
from cds_service.services.clients import ClientService
from hooks.protocol import encode
from tests.support.people import Visitor
from tests.support.service import Service
from tests.support.smart_server import CLIENT_ID, SmartEHR

NAME = "hospital"


def add_hospital(context: ProcessContext, ehr: SmartEHR, name: str = NAME, **smart: Any) -> None:
    """The client whose health record this is."""
    service = ClientService(context.engine, context.settings, context.clock)
    changes = {
        "fhir_servers": [ehr.fhir],
        "sandbox": True,
        "smart": {"client_id": CLIENT_ID, "frames": [ehr.url]} | smart,
        "fatigue": {"categories": ["acute", "chronic", "mild", "not-ill", "terminal"]},
    }
    service.add(name, changes, actor="test")
    context.directory.refresh()


def assess(service: Service, client: str = NAME, **vitals: float) -> dict[str, Any]:
    """The patient `p1` of a client is assessed: the answer to its call."""
    context = service.context
    request = service.request(service.vitals(**vitals))
    known = context.directory.by_name[client]
    answered = AssessingService(context).patient_view(encode(request), known)
    found: dict[str, Any] = httpx.Response(200, content=answered).json()
    return found


def start(ehr: SmartEHR, launch: str, **changes: str) -> str:
    """The address that the health record opens."""
    return "/launch?" + urlencode({"iss": ehr.fhir, "launch": launch} | changes)


def consent(address: str, choice: str = "allow") -> str:
    """Agree there, and return the address that leads back."""
    with httpx.Client(timeout=20) as browser:
        page = browser.get(address)
        assert page.status_code == 200, page.text
        fields = dict(httpx.URL(address).params) | {"choice": choice}
        host = urlsplit(address)
        answer = browser.post(f"{host.scheme}://{host.netloc}/consent", data=fields)
        assert answer.status_code == 303
        return answer.headers["location"]


def come_from_chart(
    visitor: Visitor, ehr: SmartEHR, launch: str | None = None, **chart: Any
) -> httpx.Response:
    """The answer to whoever comes back from the health record, its redirect not followed."""
    away = visitor.get(start(ehr, launch or ehr.open_chart(**chart)))
    assert away.status_code == 303
    assert away.headers["location"].startswith(f"{ehr.url}/authorize?"), away.headers["location"]
    back = consent(away.headers["location"])
    return visitor.get(back.removeprefix(visitor.origin))


def followed(visitor: Visitor, response: httpx.Response) -> httpx.Response:
    """The page at the end of the redirects."""
    while response.is_redirect:
        response = visitor.get(response.headers["location"])
    return response
