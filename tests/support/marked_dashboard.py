"""The marked patient on the dashboard, where no patient is: marks in queries and forms."""

from collections.abc import Callable

import httpx

PAGES = ("/admin",)
"""What is opened without a form."""


def walk_dashboard(send: Callable[..., httpx.Response]) -> None:
    """Open every page of the dashboard; `send` puts marks into the query of each."""
    for path in PAGES:
        send(200, "GET", path, headers={"Accept": "text/html"})
