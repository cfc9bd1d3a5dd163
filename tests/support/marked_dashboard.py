"""The marked patient on the dashboard, where no patient is: marks in queries and forms."""

import re
from collections.abc import Callable

import httpx

from cds_service.context import ProcessContext
from tests.support.dashboard import add_alert
from tests.support.marked import PATIENT

PAGES = (
    "/admin",
    "/admin/quality",
    "/admin/inputs",
    "/admin/models",
    "/admin/runs",
    "/admin/runs/now",
    "/admin/alerts",
    "/admin/clients",
    "/admin/audit",
    "/admin/exports",
    "/admin/exports/history",
)
"""What is opened without a form."""
_BROWSER = {"Accept": "text/html"}
Send = Callable[..., httpx.Response]


def walk_dashboard(send: Send, context: ProcessContext, origin: str) -> None:
    """Open every page of the dashboard and send its forms; `send` puts marks into each query."""
    for path in PAGES:
        send(200, "GET", path, headers=_BROWSER)
    one, note = "/admin/alerts/{identifier}", "note=Xqz+137.31337"
    alert = {"identifier": add_alert(context, "marked")}
    page = send(200, "GET", one, headers=_BROWSER, **alert).text
    (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))

    def post(status: int, path: str, text: str, **parts: str) -> None:
        headers = _BROWSER | {
            "Origin": origin,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        send(status, "POST", path, f"csrf={token}&{text}".encode(), headers=headers, **parts)

    send(404, "GET", one, headers=_BROWSER, identifier=PATIENT)
    for step in ("acknowledge", "resolve"):
        send(303, "GET", f"{one}/{step}", headers=_BROWSER, **alert)
    # What somebody noted stands on the page of that alert, whatever is wrong there later.
    post(303, f"{one}/acknowledge", note, identifier=add_alert(context, "noted"))
    post(303, f"{one}/acknowledge", "note=", **alert)
    post(409, f"{one}/acknowledge", note, **alert)
    post(422, f"{one}/resolve", "note=", **alert)
    post(303, f"{one}/resolve", note, **alert)
    one, why = "/admin/clients/{name}", "reason=Xqz+137.31337&approver=Xqz&mode=xqz"
    client = {"name": "gate"}
    send(200, "GET", one, headers=_BROWSER, **client)
    send(404, "GET", one, headers=_BROWSER, name=PATIENT)
    for step in ("mode", "pause", "resume"):
        send(303, "GET", f"{one}/{step}", headers=_BROWSER, **client)
    post(422, f"{one}/mode", why, **client)
    post(409, f"{one}/resume", why, **client)
    post(422, f"{one}/pause", "reason=", **client)
    post(303, f"{one}/pause", why, **client)
    post(303, f"{one}/resume", why, **client)
    post(422, "/admin/clients/pause", "reason=")
    post(303, "/admin/clients/pause", why)
    post(303, "/admin/clients/resume", why)
    change, meant = "/admin/models/change", "version=1&live=1&reason=Xqz+137.31337"
    for path in (change, "/admin/models/compare"):
        send(404, "GET", path, headers=_BROWSER)
    send(303, "GET", "/admin/runs/start", headers=_BROWSER)
    post(404, "/admin/runs/start", "job=Xqz&sure=1")
    post(404, "/admin/models/compare", "first=Xqz")
    send(404, "GET", "/admin/models/{version}/report", headers=_BROWSER, version=PATIENT)
    post(422, change, f"action=promote&{meant}")
    post(409, change, f"action=promote&sure=1&{meant}")
    post(404, change, f"action=promote&sure=1&version={PATIENT}")
