"""The MLLP listener over real sockets: packets as they come, and peers as bad as they are."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from cds_service.services.mllp import Limits, MLLPListener

TIMEOUT = 10


@dataclass
class Listening:
    """A listener in a thread."""

    port: int
    taken: list[bytes] = field(default_factory=list)

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """A connection to it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as one:
            yield one


def answers(connection: socket.socket, count: int) -> list[bytes]:
    """So many acknowledgements, or fewer if the listener hangs up."""
    data = b""
    while data.count(b"\x1c\r") < count:
        chunk = connection.recv(65_536)
        if not chunk:
            break
        data += chunk
    return [part.lstrip(b"\x0b") for part in data.split(b"\x1c\r") if part]


@contextmanager
def listening(
    answer: Callable[[bytes], bytes] | None = None, **options: Any
) -> Iterator[Listening]:
    started, stop = threading.Event(), threading.Event()
    made = Listening(0)

    def take(message: bytes) -> bytes:
        made.taken.append(message)
        return b"AA " + message if answer is None else answer(message)

    async def serve() -> None:
        listener = MLLPListener(
            take, refuse=lambda _beginning, why: f"AR {why}".encode(), **options
        )
        made.port = await listener.start("127.0.0.1", 0)
        started.set()
        await asyncio.to_thread(stop.wait)
        await listener.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(TIMEOUT)
        yield made
    finally:
        stop.set()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_messages_come_split_and_joined() -> None:
    with listening() as listener, listener.connected() as connection:
        for piece in (b"\x0bfi", b"r", b"st\x1c", b"\r\x0bsecond\x1c\r\x0bth", b"ird\x1c\r"):
            connection.sendall(piece)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert answers(connection, 3) == [b"AA first", b"AA second", b"AA third"]
    assert listener.taken == [b"first", b"second", b"third"]


def test_noise_between_messages_and_a_message_begun_anew() -> None:
    with listening() as listener, listener.connected() as connection:
        connection.sendall(b"\r\n noise \x00\xff\x0bhalf\x0bwhole\x1cjunk\x0bnext\x1c\r")
        assert answers(connection, 2) == [b"AA whole", b"AA next"]


def test_half_a_message_is_never_taken() -> None:
    with listening() as listener:
        with listener.connected() as connection:
            connection.sendall(b"\x0bhalf a mess")
        with listener.connected() as connection:
            connection.sendall(b"\x0bwhole\x1c\r")
            assert answers(connection, 1) == [b"AA whole"]
    assert listener.taken == [b"whole"]


def test_who_does_not_finish_a_message_is_cut_off() -> None:
    limits = Limits(message_seconds=0.05)
    with listening(limits=limits) as listener, listener.connected() as connection:
        connection.sendall(b"\x0bhalf")
        assert answers(connection, 1) == []
    assert listener.taken == []


def test_a_message_that_is_too_long_is_refused_and_the_connection_closed() -> None:
    limits = Limits(message_bytes=1_000)
    with listening(limits=limits) as listener:
        for message in (b"x" * 1_001, b"x" * 500_000):
            with listener.connected() as connection:
                connection.sendall(b"\x0b" + message[:1_001] + b"\x1c\r")
                assert answers(connection, 2) == [b"AR The message is too long"]
        with listener.connected() as connection:
            connection.sendall(b"\x0b" + b"x" * 1_000 + b"\x1c\r")
            assert len(answers(connection, 1)) == 1
    assert [len(message) for message in listener.taken] == [1_000]


def test_more_connections_than_allowed_are_closed() -> None:
    with (
        listening(limits=Limits(connections=2)) as listener,
        listener.connected() as first,
        listener.connected() as second,
    ):
        for one in (first, second):
            one.sendall(b"\x0bm\x1c\r")
            assert answers(one, 1) == [b"AA m"]
        with listener.connected() as third:
            assert third.recv(1) == b""
        first.sendall(b"\x0bagain\x1c\r")
        assert answers(first, 1) == [b"AA again"]


def test_only_named_networks_may_connect() -> None:
    with (
        listening(allowed=[ip_network("10.0.0.0/8")]) as listener,
        listener.connected() as connection,
    ):
        assert connection.recv(1) == b""
    with (
        listening(allowed=[ip_network("127.0.0.0/8")]) as listener,
        listener.connected() as connection,
    ):
        connection.sendall(b"\x0bm\x1c\r")
        assert answers(connection, 1) == [b"AA m"]


def test_one_connection_does_not_wait_for_another() -> None:
    release = threading.Event()

    def slow(message: bytes) -> bytes:
        if message == b"slow":
            release.wait(TIMEOUT)
        return message

    with (
        listening(slow) as listener,
        listener.connected() as first,
        listener.connected() as second,
    ):
        first.sendall(b"\x0bslow\x1c\r")
        second.sendall(b"\x0bquick\x1c\r")
        assert answers(second, 1) == [b"quick"]
        release.set()
        assert answers(first, 1) == [b"slow"]


def test_what_is_under_way_is_acknowledged_before_the_end() -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(message: bytes) -> bytes:
        begun.set()
        release.wait(TIMEOUT)
        return message

    with listening(slow) as listener:
        connection = socket.create_connection(("127.0.0.1", listener.port), timeout=TIMEOUT)
        connection.sendall(b"\x0blast\x1c\r")
        assert begun.wait(TIMEOUT)
        # The listener is told to end before the message is stored.
        threading.Timer(0.1, release.set).start()
    with connection:
        assert answers(connection, 2) == [b"last"]
