"""News of alerts by e-mail: what is due at the same time goes in one message."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import tzinfo
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Final, Self

import httpx
from pydantic import SecretStr

from cds_service.context import Clock, ProcessContext
from cds_service.logs import LOGGER
from cds_service.services.alert_channel import ChannelError, Message
from cds_service.services.alert_news import subject, text
from cds_service.settings import Settings

STEP_SECONDS: Final = 15.0
"""For one answer of the mail server."""
ALL_SECONDS: Final = 60.0
"""For the whole message: a server that sends a byte now and then must not hold us."""
_AT_ONCE: Final = 100
_RULE: Final = "\n\n" + "-" * 40 + "\n\n"


class Mail:
    """Sends by SMTP (RFC 5321), encrypted but to a server on this machine."""

    name = "email"
    at_once = _AT_ONCE

    def __init__(self, settings: Settings, clock: Clock, zone: tzinfo) -> None:
        self._settings = settings
        self._clock = clock
        self._zone = zone

    @classmethod
    def of(cls, context: ProcessContext) -> Self | None:
        """The e-mail of the settings, if there is any."""
        if not context.settings.alert_email_to:
            return None
        return cls(context.settings, context.clock, context.zone)

    def send(self, messages: Sequence[Message]) -> None:
        """Send all in one e-mail. Raises `ChannelError` if nobody's was taken."""
        mail = self.message(messages)
        with _faults(), self._session() as session:
            refused = session.send_message(mail)
        if refused:
            LOGGER.warning("alert e-mail refused", extra={"recipients": len(refused)})

    def message(self, messages: Sequence[Message]) -> EmailMessage:
        """The e-mail; the same messages give the same Message-ID."""
        sender = str(self._settings.alert_email_from)
        ids = " ".join(sorted(message.id for message in messages))
        contents = [message.content for message in messages]
        mail = EmailMessage()
        mail["Subject"] = subject(contents)
        mail["From"] = sender
        mail["To"] = ", ".join(self._settings.alert_email_to)
        mail["Date"] = format_datetime(self._clock())
        mail["Message-ID"] = f"<{sha256(ids.encode()).hexdigest()}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it.
        told = _RULE.join(text(content, self._zone) for content in contents)
        mail.set_content(f"{told}\n\n-- \n{self._settings.base_url}\n")
        return mail

    def close(self) -> None:
        """Nothing is held between messages."""

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        trusted = httpx.create_ssl_context()  # The same authorities as everywhere else.
        host, port = str(self._settings.smtp_host), self._settings.smtp_port
        opened: smtplib.SMTP
        if self._settings.smtp_tls == "tls":
            opened = _TimedTLS(host, port, timeout=STEP_SECONDS, context=trusted)
        else:
            opened = _Timed(host, port, timeout=STEP_SECONDS)
        with opened:
            if self._settings.smtp_tls == "starttls":
                opened.starttls(context=trusted)
            password: SecretStr | None = self._settings.smtp_password
            if self._settings.smtp_user is not None and password is not None:
                opened.login(self._settings.smtp_user, password.get_secret_value())
            yield opened


class _Timed(smtplib.SMTP):
    """A conversation that ends in any case; smtplib's own limit is for one read, and a greeting
    that never ends takes thousands."""

    def __init__(self, host: str, port: int, **options: Any) -> None:
        self._ending = threading.Timer(ALL_SECONDS, _cut, [self])
        self._ending.daemon = True
        self._ending.start()
        try:
            super().__init__(host, port, **options)
        except BaseException:
            self._ending.cancel()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._ending.cancel()
        super().close()


class _TimedTLS(_Timed, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def _cut(session: smtplib.SMTP) -> None:
    """End a conversation from another thread, which then fails where it waits."""
    connection = session.sock
    if connection is not None:
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextmanager
def _faults() -> Iterator[None]:
    """Faults in our words: an answer of the mail server may repeat addresses and texts."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise ChannelError("certificate not trusted") from None
    except smtplib.SMTPNotSupportedError:
        raise ChannelError("the mail server does not offer what is needed (TLS, sign-in)") from None
    except smtplib.SMTPAuthenticationError:
        raise ChannelError("the mail server refused user and password") from None
    except smtplib.SMTPRecipientsRefused:
        raise ChannelError("the mail server refused every recipient") from None
    except smtplib.SMTPResponseException as error:
        raise ChannelError(f"the mail server answered {error.smtp_code}") from None
    except TimeoutError:
        raise ChannelError("timeout") from None
    except (smtplib.SMTPException, OSError):
        raise ChannelError("no connection") from None
