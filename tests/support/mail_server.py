"""A mail server on the loopback address that keeps what it is sent (RFC 5321, 3207, 4954)."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """What the tests see of it."""

    host: str
    port: int = 0
    tls: ssl.SSLContext | None = None
    offers_starttls: bool = True
    user: tuple[str, str] | None = None
    """Name and password it asks for."""
    refused: frozenset[str] = frozenset()
    """Recipients it does not take."""
    answers: list[str] = field(default_factory=list)
    """What it says next to MAIL FROM, in place of 250."""
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    drips: bool = False
    """Whether it greets for ever, a byte now and then."""
    hung_up: threading.Event = field(default_factory=threading.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.drips:
                await self._drip(writer)
            else:
                await self._talk(reader, writer)
        self.hung_up.set()
        writer.close()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(*lines: str) -> None:
            writer.writelines([f"{line}\r\n".encode() for line in lines])

        encrypted = writer.get_extra_info("sslcontext") is not None
        signed_in, taken = self.user is None, list[str]()
        say("220 mail.example ESMTP")
        while line := (await reader.readline()).decode().strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                extras = ["STARTTLS"] * (self.offers_starttls and not encrypted)
                extras += ["AUTH PLAIN"] * (self.user is not None)
                names = ["mail.example", *extras]
                say(*[f"250{'-' if n + 1 < len(names) else ' '}{x}" for n, x in enumerate(names)])
            elif line.upper() == "STARTTLS" and self.tls is not None:
                say("220 go ahead")
                await writer.drain()
                await writer.start_tls(self.tls)
                encrypted = True
            elif verb == "AUTH":
                given = base64.b64decode(line.split()[2]).decode().split("\0")
                signed_in = tuple(given[1:]) == self.user
                say("235 welcome" if signed_in else "535 no xqz-secret-echo")
            elif verb == "MAIL":
                say(self.answers.pop(0) if self.answers else "250 ok" if signed_in else "530 who?")
            elif verb == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                if address in self.refused:
                    say(f"550 {address} is unknown")
                else:
                    taken.append(address)
                    say("250 ok")
            elif verb == "DATA":
                say("354 go on")
                lines = []
                while (part := await reader.readline()) != b".\r\n":
                    lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
                mail = message_from_bytes(b"".join(lines), policy=policy.default)
                assert isinstance(mail, EmailMessage)
                self.mails.append(mail)
                self.recipients.append(taken)
                self.encrypted.append(encrypted)
                taken = []
                say("250 queued")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:  # RSET, NOOP
                taken = []
                say("250 ok")


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> Iterator[MailServer]:
    """A mail server until the block ends; with `implicit` it is encrypted from the first byte."""
    found = MailServer("127.0.0.1" if tls is None else "localhost", tls=tls)
    found.offers_starttls = tls is not None and not implicit
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        secured = tls if implicit else None
        return await asyncio.start_server(found.talk, "127.0.0.1", 0, ssl=secured)

    server = loop.run_until_complete(start())
    found.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
