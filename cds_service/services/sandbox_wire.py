"""Calls of the sandbox to this very service, over HTTP as any health record makes them."""

import json
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import httpx

SECONDS: Final = 15
"""Longest wait for an answer; the service itself gives up earlier."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What went over the wire, and what came back."""

    name: str
    """What it was for: `discovery`, `open`, `accepted`, `overridden` or `diagnosis`."""
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    """Those that say something: language and type."""
    sent: str | None
    """The body as it was sent, to the byte; `None` without one."""
    status: int | None
    """`None` where there was no answer at all."""
    received: str
    """The body as it came."""
    milliseconds: float

    @property
    def answer(self) -> Any:
        """The body as JSON; `None` if it is none."""
        try:
            return json.loads(self.received)
        except ValueError:
            return None

    @property
    def laid_out(self) -> str:
        """The body that came, indented for people."""
        answer = self.answer
        return self.received if answer is None else laid_out(answer)

    @property
    def is_good(self) -> bool:
        """Whether the service did what was asked."""
        return self.status is not None and 200 <= self.status < 300


def laid_out(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def call(base: str, path: str, *, name: str, language: str, content: Any | None = None) -> Exchange:
    """Ask `base` + `path`: POST with `content` as JSON, or GET without.

    Fails never: an answer that did not come is an exchange without a status.
    """
    method = "GET" if content is None else "POST"
    headers = {"Accept-Language": language}
    sent = None
    if content is not None:
        headers["Content-Type"] = "application/json"
        sent = laid_out(content)
    begun = monotonic()
    try:
        # Never through a proxy: it is this machine.
        with httpx.Client(trust_env=False, timeout=SECONDS) as client:
            response = client.request(
                method,
                base + path,
                content=None if sent is None else sent.encode(),
                headers=headers,
            )
        status, received = response.status_code, response.text
    except httpx.HTTPError:
        status, received = None, ""
    return Exchange(
        name=name,
        method=method,
        url=base + path,
        headers=tuple(headers.items()),
        sent=sent,
        status=status,
        received=received,
        milliseconds=(monotonic() - begun) * 1000,
    )
