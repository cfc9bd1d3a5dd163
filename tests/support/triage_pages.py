"""Somebody in front of the triage pages."""

import re
from typing import Any

import httpx

from cds_service.security.permissions import Role
from tests.support.people import Visitor, session_of
from tests.support.service import Service

ILL = {
    "age": "68",
    "sex": "female",
    "heart_rate": "118",
    "body_temperature": "38.6",
    "temperature_unit": "Cel",
    "systolic_bp": "104",
    "diastolic_bp": "62",
}
"""A woman with a fever and a fast heart; no reading is red."""


class Clinician(Visitor):
    """Opens the form, fills it in and reads the result."""

    def agree(self) -> None:
        """Agree to the data-use policy, if that is asked."""
        if 'name="agree"' not in self.get("/triage/policy").text:
            return
        assert self.post("/triage/policy", {"agree": "1"}).status_code == 303

    def open(self, path: str = "/triage") -> dict[str, str]:
        """The hidden fields of the form."""
        page = self.get(path)
        assert page.status_code == 200, page.headers
        return hidden(page.text)

    def send(self, **changes: str | None) -> httpx.Response:
        """Fill in a new form with `ILL` and these changes; `None` leaves a field out."""
        fields: dict[str, Any] = self.open() | ILL | changes
        sent = {name: value for name, value in fields.items() if value is not None}
        found: httpx.Response = self.post("/triage", sent)
        return found

    def assessed(self, **changes: str | None) -> tuple[str, str]:
        """Address and text of the result."""
        sent = self.send(**changes)
        assert sent.status_code == 303, sent.text
        address = sent.headers["location"]
        return address, self.get(address).text


def hidden(page: str) -> dict[str, str]:
    """Number and id of the form on a page."""
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return {name: found[name] for name in ("number", "is_again", "sent")}


def clinician(service: Service, *roles: Role, name: str = "ana") -> Clinician:
    """Somebody signed in who agreed to the policy; in development mode without signing in."""
    service.http.cookies.clear()  # A visitor has cookies of their own.
    if service.context.settings.development:
        visitor = Clinician(service)
    else:
        visitor = Clinician(
            service, session_of(service.context, *(roles or (Role.CLINICIAN,)), name=name)
        )
    visitor.agree()
    return visitor
