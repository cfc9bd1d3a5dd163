"""A listener for HL7 v2 over MLLP.

The framing of the package `hl7` is not used: its reader gives up a connection at the first stray
byte, waits for ever for the rest of a message, and does not bound what it collects.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from cds_service.logs import LOGGER
from fhir_mapping.hl7v2 import END_BLOCK, MAX_MESSAGE, START_BLOCK

Network = IPv4Network | IPv6Network
CHUNK: Final = 65_536
MAX_CONNECTIONS: Final = 50
"""Interface engines keep one or a few open."""
MESSAGE_SECONDS: Final = 30.0
"""Time for the rest of a message once it has begun; between messages a connection may be idle."""
CLOSE_SECONDS: Final = 30.0
"""Time for what is under way when the listener ends."""
AT_ONCE: Final = 4
"""Messages that are stored at the same time; the database takes outcomes one by one anyway."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may do."""

    message_bytes: int = MAX_MESSAGE
    message_seconds: float = MESSAGE_SECONDS
    connections: int = MAX_CONNECTIONS


class _Overrun(Exception):  # noqa: N818  # a state of a connection, caught here
    """A message is longer than may be."""


class MLLPListener:
    """Answers messages of many connections, each in its order.

    `answer` is called in a thread, and its acknowledgement is sent when it returns: after the
    message is committed.
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes],
        *,
        refuse: Callable[[bytes, str], bytes],
        allowed: Sequence[Network] = (),
        limits: Limits | None = None,
    ) -> None:
        """`refuse` makes the acknowledgement of a message that is not looked at, from its
        beginning and a reason. `allowed`: networks that may connect; empty: whoever reaches the
        address."""
        self._answer = answer
        self._refuse = refuse
        self._allowed = allowed
        self._limits = limits or Limits()
        self._connections: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._stopping = False
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses where `port` is 0. Raises `OSError`."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=CHUNK)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Take nothing new, acknowledge what is under way, and close."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for task in self._connections - self._busy:
            task.cancel()
        if self._busy:
            await asyncio.wait(self._busy, timeout=CLOSE_SECONDS)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._admitted(writer):
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._converse(reader, writer, task)
        except (ConnectionError, TimeoutError) as error:
            LOGGER.info("mllp connection lost", extra={"why": type(error).__name__})
        except _Overrun:
            LOGGER.warning("mllp message too long")
        except asyncio.CancelledError:
            pass  # The listener ends; nothing was under way.
        finally:
            self._connections.discard(task)
            self._busy.discard(task)
            writer.close()

    def _admitted(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("peername")
        if self._allowed:
            address = ip_address(str(peer[0]).split("%")[0]) if peer else None
            if address is None or not any(address in network for network in self._allowed):
                LOGGER.warning("mllp connection refused", extra={"why": "address"})
                return False
        if len(self._connections) >= self._limits.connections:
            LOGGER.warning("mllp connection refused", extra={"why": "too many"})
            return False
        return True

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        buffer = bytearray()
        while True:
            # Whatever stands before a start block (CR of the last message, noise) is passed over.
            while (start := buffer.find(START_BLOCK)) < 0:
                buffer.clear()
                chunk = await reader.read(CHUNK)
                if not chunk:
                    return
                buffer += chunk
            del buffer[: start + 1]
            try:
                message = await asyncio.wait_for(
                    self._rest(reader, buffer), self._limits.message_seconds
                )
            except _Overrun:
                refusal = self._refuse(bytes(buffer[:CHUNK]), "The message is too long")
                await self._send(writer, refusal)
                raise
            self._busy.add(task)
            async with self._at_once:
                answer = await asyncio.to_thread(self._answer, message)
            await self._send(writer, answer)
            self._busy.discard(task)
            if self._stopping:
                return

    async def _rest(self, reader: asyncio.StreamReader, buffer: bytearray) -> bytes:
        """The message that has begun; what follows it stays in `buffer`."""
        searched = 0
        while (end := buffer.find(END_BLOCK, searched)) < 0:
            searched = len(buffer)
            if searched > self._limits.message_bytes:
                raise _Overrun
            chunk = await reader.read(CHUNK)
            if not chunk:
                raise ConnectionResetError
            buffer += chunk
        if end > self._limits.message_bytes:
            raise _Overrun
        message = bytes(buffer[:end])
        del buffer[: end + 1]
        # A start block inside: the sender broke off and began again.
        return message.rsplit(START_BLOCK, 1)[-1]

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(START_BLOCK + answer + END_BLOCK + b"\r")
        await asyncio.wait_for(writer.drain(), self._limits.message_seconds)
