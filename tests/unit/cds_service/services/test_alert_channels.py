"""Signatures, quiet hours, and e-mails to a mail server on a real socket."""

import logging
import smtplib
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cds_service.alert_settings import mail_address, quiet_hours, webhook_key
from cds_service.services import alert_email
from cds_service.services.alert_channel import ChannelError, Message
from cds_service.services.alert_email import Mail
from cds_service.services.alert_news import news_of, trial_content
from cds_service.services.alert_webhook import signed
from cds_service.settings import Settings
from tests.support.certificates import own_certificate
from tests.support.mail_server import MailServer, mail_server
from tests.support.marked import leaks

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")
ALERT = {
    "id": "0a1b2c3d-0000-4000-8000-000000000000",
    "at": NOW,
    "kind": "input_drift",
    "key": "input_drift:heart_rate",
    "severity": "warning",
    "model_version": "3",
    "message": "Heart rate is distributed otherwise than in the reference.",
    "detail": {"distance": 0.1432561, "rows": 300},
    "times_seen": 2,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "resolved_at": None,
    "resolved_by": None,
    "resolution": None,
}


def messages(*alerts: dict[str, Any]) -> list[Message]:
    news = [one for alert in alerts for one in news_of(alert)]
    return [Message(f"m{number}", one.content) for number, one in enumerate(news)]


def mail(server: MailServer, **changes: Any) -> Mail:
    settings: dict[str, Any] = {
        "development": True,
        "alert_email_to": ("it@hospital.example", "doctor@hospital.example"),
        "alert_email_from": "cds@hospital.example",
        "smtp_host": server.host,
        "smtp_port": server.port,
        "smtp_tls": "starttls" if server.offers_starttls else "none",
    }
    return Mail(Settings(**settings | changes), lambda: NOW, MADRID)


def fault(channel: Mail) -> str:
    with pytest.raises(ChannelError) as error:
        channel.send(messages(ALERT))
    assert error.value.__cause__ is None
    assert not leaks(str(error.value))
    return str(error.value)


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the reference implementations (standard-webhooks, Svix).
    key = webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ=", "ñ" * 40, "whsec_" + "A" * 400])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="base64 of 24 to 64 bytes") as error:
        webhook_key(secret)
    assert not secret or secret not in str(error.value)


def test_quiet_hours_may_pass_midnight() -> None:
    night, noon = quiet_hours("22:00-07:00"), quiet_hours("12:00-13:30")
    hours = ["21:59", "22:00", "00:00", "06:59", "07:00", "12:30"]
    at = [datetime.fromisoformat(f"2026-03-01T{hour}") for hour in hours]
    assert [night.hold(one) for one in at] == [False, True, True, True, False, False]
    assert [noon.hold(one) for one in at] == [False] * 5 + [True]


@pytest.mark.parametrize("text", ["", "22-7", "22:00-24:00", "22:00-22:00", "7:00-9:00", "a"])
def test_quiet_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        quiet_hours(text)


@pytest.mark.parametrize(
    "text", ["", "nobody", "a@b, c@d", "a b@c", "Ana <a@b>", "a@b\nBcc: x@y", "ñ@b", "a@b@c", "@b"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        mail_address(text)


def test_what_is_due_together_is_one_mail() -> None:
    critical = ALERT | {"id": "ffff", "kind": "rolled_back", "severity": "critical"}
    critical |= {"resolved_at": NOW, "resolved_by": "cli:ana", "resolution": "Xqzfamily is well"}
    with mail_server() as server:
        mail(server).send(messages(ALERT, critical))
    (received,) = server.mails
    assert server.recipients == [["it@hospital.example", "doctor@hospital.example"]]
    subject = received["Subject"]
    assert subject == "[cds-service] 3 news, the most severe: critical: rolled back raised"
    text = received.get_content()
    for words in (
        "warning: input drift raised",
        "2026-03-01 13:00 CET",
        "Heart rate is distributed otherwise",
        "Model version: 3",
        "  distance: 0.1433",
        "cds-service alerts show 0a1b2c3d",
        "Resolved by cli:ana.",
    ):
        assert words in text
    assert not leaks(received.as_string())
    assert received["Auto-Submitted"] == "auto-generated"


def test_the_same_messages_have_the_same_message_id() -> None:
    with mail_server() as server:
        one, other = messages(ALERT, ALERT | {"severity": "info"})
        first = mail(server).message([one, other])["Message-ID"]
        assert mail(server).message([other, one])["Message-ID"] == first
        assert mail(server).message([one])["Message-ID"] != first
    assert first.endswith("@hospital.example>")


def test_a_name_in_a_kind_breaks_no_header() -> None:
    with mail_server() as server:
        odd = ALERT | {"kind": "a\nBcc: other@hospital.example"}
        mail(server).send(messages(odd))
    assert server.recipients[0] == ["it@hospital.example", "doctor@hospital.example"]
    assert server.mails[0]["Bcc"] is None


def test_faults_are_words_without_what_the_server_said(caplog: pytest.LogCaptureFixture) -> None:
    with mail_server() as server:
        server.answers = ["452 xqz-address is full", "550 xqz"]
        assert fault(mail(server)) == "the mail server answered 452"
        assert fault(mail(server)) == "the mail server answered 550"
        assert "does not offer" in fault(mail(server, smtp_tls="starttls"))
        assert "does not offer" in fault(mail(server, smtp_user="u", smtp_password="xqz"))
        server.user = ("u", "right")
        with caplog.at_level(logging.DEBUG):
            wrong = fault(mail(server, smtp_user="u", smtp_password="xqz-wrong"))
        assert wrong == "the mail server refused user and password"
        mail(server, smtp_user="u", smtp_password="right").send(messages(ALERT))
        server.user, server.refused = None, frozenset({"it@hospital.example"})
        with caplog.at_level(logging.WARNING):
            mail(server).send(messages(ALERT))
        assert server.recipients[-1] == ["doctor@hospital.example"]
        server.refused |= {"doctor@hospital.example"}
        assert fault(mail(server)) == "the mail server refused every recipient"
    assert [record.message for record in caplog.records] == ["alert e-mail refused"]
    assert fault(mail(server)) == "no connection"


def test_a_server_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_email, "ALL_SECONDS", 0.3)
    monkeypatch.setattr(alert_email, "STEP_SECONDS", 0.3)
    with mail_server() as server:
        server.drips = True
        fault(mail(server))
        assert server.hung_up.wait(5)


@pytest.mark.parametrize("implicit", [False, True])
def test_mail_is_encrypted_to_a_server_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, implicit: bool
) -> None:
    certificate = own_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    mode = "tls" if implicit else "starttls"
    with mail_server(tls=tls, implicit=implicit) as server:
        assert fault(mail(server, smtp_tls=mode)) == "certificate not trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        mail(server, smtp_tls=mode).send(messages(ALERT))
    assert server.encrypted == [True]


def test_a_trial_says_that_nothing_has_happened() -> None:
    with mail_server() as server:
        mail(server).send([Message("m", trial_content(NOW))])
    assert server.mails[0]["Subject"] == "[cds-service] test"
    assert "Nothing has happened" in server.mails[0].get_content()


def test_no_thread_is_left_behind() -> None:
    with mail_server() as server:
        mail(server).send(messages(ALERT))
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    assert smtplib.SMTP.debuglevel == 0
