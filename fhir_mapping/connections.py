"""Connections that go only to allowed addresses and never outlast the time of their request.

A host name is resolved here and the connection made to the very address that was checked, so that
a name which resolves differently the second time (DNS rebinding) leads nowhere.
"""

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any

import httpcore

from fhir_mapping.addresses import may_connect

_RESOLVER_THREADS = 8
"""Look-ups at a time. They cannot be interrupted, so a slow resolver must not take every thread."""

SocketOptions = Iterable[Any] | None


class AddressRefusedError(Exception):
    """The host has an address that may not be reached."""


class _Deadline(threading.local):
    """When the request that runs in this thread must be done (`time.monotonic`)."""

    at: float = 0.0

    def left(self) -> float:
        """Seconds left. Raises `httpcore.ReadTimeout` where there are none."""
        left = self.at - monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class GuardedBackend(httpcore.NetworkBackend):
    """The network as httpcore uses it, within the limits of this module.

    httpcore's own timeouts are for one operation each; a server that sends a byte now and then
    never exceeds them. Here every operation gets what is left of the whole.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._deadline = _Deadline()
        self._plain = httpcore.SyncBackend()
        self._resolver = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolve")
        self._lookups: dict[tuple[str, int], Future[list[Any]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Everything this thread does on the network inside the block ends by `deadline`."""
        before, self._deadline.at = self._deadline.at, deadline
        try:
            yield
        finally:
            self._deadline.at = before

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # what is left counts
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        """Connect to an allowed address of `host`.

        Raises `AddressRefusedError` if any of its addresses is not allowed: a name that leads
        inside and outside is a trap or a mistake.
        """
        addresses = self._resolve(host, port)
        if not all(may_connect(a, allow_private=self._allow_private) for a in addresses):
            raise AddressRefusedError
        for number, address in enumerate(addresses):
            try:
                stream = self._plain.connect_tcp(
                    address,
                    port,
                    # An address that does not answer leaves time for the others.
                    timeout=self._deadline.left() / (len(addresses) - number),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number + 1 == len(addresses):
                    raise
            else:
                return _TimedStream(stream, self._deadline)
        raise httpcore.ConnectError("no address")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._plain.sleep(seconds)

    def _resolve(self, host: str, port: int) -> list[str]:
        try:
            found = self._lookup(host, port).result(self._deadline.left())
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the host name is not known") from None
        return list(dict.fromkeys(str(place[0]) for *_, place in found))

    def _lookup(self, host: str, port: int) -> "Future[list[Any]]":
        """The look-up that is under way, or a new one: a name whose look-up hangs takes one thread,
        however many ask for it, and leaves the others to other names."""
        with self._lock:
            pending = self._lookups.get((host, port))
            if pending is None or pending.done():
                pending = self._resolver.submit(
                    socket.getaddrinfo, host, port, type=socket.SOCK_STREAM
                )
                self._lookups[host, port] = pending
            return pending


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every operation gets what is left of the current request's time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # as above
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # as above
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
