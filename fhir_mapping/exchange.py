"""One question over HTTP and its whole answer, inside a time budget.

Built on httpcore, which httpx uses too: httpx's own client writes every URL to the log and keeps
cookies, and both would carry one patient's data to where it does not belong.
"""

import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic, sleep

import httpcore
import httpx

from fhir_mapping.connections import AddressRefusedError, GuardedBackend
from fhir_mapping.errors import AccessFault, FHIRAccessError

MAX_BODY = 10_000_000
"""Bytes of one answer, decoded. A page of 100 Observations is 0.2 MB."""

_BACKOFF = (0.1, 0.4)
"""Waits before the second and third try, s: a clinician is waiting too."""
_PASSING = frozenset({429, 502, 503, 504})
"""Statuses after which the same question may be asked again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. Of one that is not 200 the body stays unread, unless it was asked for."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False, default=b"")


class Exchange:
    """A pool of connections for the whole process; safe to use from many threads.

    No proxy of the environment is used. Certificates are checked against certifi's authorities,
    or those in `SSL_CERT_FILE` or `SSL_CERT_DIR`.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._backend = GuardedBackend(allow_private=allow_private)
        # No limit on connections: one server that hangs must not keep others waiting. The threads
        # that ask are limited.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=30,
            network_backend=self._backend,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def get(self, url: httpx.URL, headers: Mapping[str, str], *, deadline: float) -> Reply:
        """Ask until there is an answer that another try would not change.

        Repeated are broken connections and 429, 502, 503, 504, after what `Retry-After` says
        where that fits into the time left. Redirects are never followed. Raises `FHIRAccessError`
        of the kinds refused, timeout, unavailable and malformed.
        """
        for wait in (*_BACKOFF, None):
            try:
                reply = self._once("GET", url, headers, None, deadline)
            except FHIRAccessError as error:
                if error.kind is not AccessFault.UNAVAILABLE or wait is None:
                    raise
                fault = error
                pause: float | None = wait
            else:
                if reply.status not in _PASSING or wait is None:
                    return reply
                fault = status_error(reply.status)
                pause = _retry_after(reply.headers, wait)
            if pause is None or monotonic() + pause >= deadline:
                raise fault
            sleep(pause)
        raise AssertionError("the last try returns or raises")

    def post(
        self, url: httpx.URL, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Reply:
        """Send once: what is not known to be harmless is never repeated. Raises like `get`."""
        return self._once("POST", url, headers, body, deadline)

    def _once(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
        deadline: float,
    ) -> Reply:
        left = deadline - monotonic()
        if left <= 0:
            raise FHIRAccessError(AccessFault.TIMEOUT)
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        sent = {
            "Host": url.netloc.decode("ascii"),
            "Accept-Encoding": "gzip",
            "User-Agent": "cds-service",
            **headers,
        }
        with (
            _faults(),
            self._backend.until(deadline),
            self._pool.stream(
                method,
                target,
                headers=list(sent.items()),
                content=content,
                extensions={"timeout": {"pool": left}},
            ) as response,
        ):
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            if response.status != HTTPStatus.OK and content is None:
                return Reply(response.status, received)
            return Reply(response.status, received, _body(response, received))


def status_error(status: int) -> FHIRAccessError:
    """What a status other than 200 means for whoever asked."""
    kind = AccessFault.MALFORMED
    if status in (401, 403):
        kind = AccessFault.UNAUTHORIZED
    elif status in (404, 410):
        kind = AccessFault.NOT_FOUND
    elif status in (408, 429) or status >= 500:  # the class of server errors
        kind = AccessFault.UNAVAILABLE
    elif 300 <= status < 400:  # redirects
        kind = AccessFault.REFUSED
    elif 400 <= status < 500:  # client errors
        kind = AccessFault.REJECTED
    return FHIRAccessError(kind, f"status {status}")


@contextmanager
def _faults() -> Iterator[None]:
    """Network errors as ours, cut off from their causes: those may quote URLs and headers."""
    try:
        yield
    except AddressRefusedError:
        raise FHIRAccessError(AccessFault.REFUSED, "address not allowed") from None
    except httpcore.TimeoutException:
        raise FHIRAccessError(AccessFault.TIMEOUT) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        detail = "connection broken"
        if isinstance(error, httpcore.ConnectError):
            # httpcore's pool takes the cause away; the argument is what was raised first.
            untrusted = any(isinstance(e, ssl.SSLCertVerificationError) for e in error.args)
            detail = "certificate not trusted" if untrusted else "no connection"
        raise FHIRAccessError(AccessFault.UNAVAILABLE, detail) from None


def _body(response: httpcore.Response, headers: Mapping[str, str]) -> bytes:
    """The body, unpacked, at most `MAX_BODY` bytes: a small one may unpack to gigabytes."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    unpack = None
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(wbits=47)  # zlib or gzip, told by the header.
    elif encoding not in ("", "identity"):
        raise FHIRAccessError(AccessFault.MALFORMED, "unknown content encoding")
    parts, size, arrived = [], 0, 0
    for received in response.iter_stream():
        part = received
        # Counted as it comes too: after the end of what is packed, all the rest unpacks to nothing.
        arrived += len(received)
        if unpack is not None:
            try:
                part = unpack.decompress(received, MAX_BODY - size + 1)
            except zlib.error:
                raise FHIRAccessError(AccessFault.MALFORMED, "damaged gzip") from None
        size += len(part)
        if max(size, arrived) > MAX_BODY:
            raise FHIRAccessError(AccessFault.MALFORMED, "body too large")
        parts.append(part)
    if unpack is not None and size and not unpack.eof:
        raise FHIRAccessError(AccessFault.MALFORMED, "damaged gzip")
    return b"".join(parts)


def _retry_after(headers: Mapping[str, str], otherwise: float) -> float | None:
    """How long to wait, s; `None` where that cannot be told (RFC 9110, 10.2.3).

    A date is taken against the server's own `Date`, so that no clock of ours has to agree.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return otherwise
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
