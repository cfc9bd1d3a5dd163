"""Alerts from raising to the last word, told over real sockets, on SQLite and PostgreSQL."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from cds_service.context import ProcessContext
from cds_service.errors import ConfigurationError, ServiceError
from cds_service.services import alert_delivery
from cds_service.services.alert_delivery import LEASE, MAX_ATTEMPTS, AlertDelivery
from cds_service.services.alert_news import news_of
from cds_service.services.alerts import AlertService, Finding, cause_passed, raise_alert
from cds_service.settings import Settings, load_settings
from cds_service.storage.alert_delivery_store import AlertDeliveryStore
from cds_service.storage.session import reading
from cds_service.storage.tables import ALERT_DELIVERIES, AUDIT_EVENTS, RELEASE_WATCHES
from tests.support.artefacts import KEPT
from tests.support.commands import done, run
from tests.support.mail_server import MailServer, mail_server
from tests.support.marked import PATIENT, leaks, marked_condition
from tests.support.service import new_context, release
from tests.support.stored import assessed, receive, set_time
from tests.support.webhook_receiver import SECRET, Receiver, receiver

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as started:
        yield started


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as started:
        yield started


@pytest.fixture
def context(database_url: str, tmp_path: Path, hook: Receiver) -> Iterator[ProcessContext]:
    """A process that tells a webhook."""
    context = new_context(tmp_path, database_url, **to_webhook(hook))
    set_time(context, NOW)
    yield context
    context.engine.dispose()


def to_webhook(hook: Receiver) -> dict[str, Any]:
    return {"alert_webhook_url": hook.url, "alert_webhook_secret": SECRET}


def to_mail(server: MailServer) -> dict[str, Any]:
    return {
        "alert_email_to": ("it@hospital.example",),
        "alert_email_from": "cds@hospital.example",
        "smtp_host": server.host,
        "smtp_port": server.port,
        "smtp_tls": "none",
    }


def more(context: ProcessContext, **settings: Any) -> None:
    """Set more, in the same process."""
    changed = Settings(**context.settings.model_dump() | settings)
    object.__setattr__(context, "settings", changed)


def raised(context: ProcessContext, key: str = "input_drift:age", severity: Any = "warning") -> str:
    """An open alert; its id."""
    finding = Finding(
        kind=key.partition(":")[0], key=key, severity=severity, message="Ages have moved."
    )
    with context.engine.begin() as connection:
        raise_alert(connection, finding, at=context.clock())
    (found,) = (one for one in AlertService(context.engine).alerts() if one["key"] == key)
    return str(found["id"])


def sent(context: ProcessContext) -> str:
    return AlertDelivery(context).run(actor="test")


def later(context: ProcessContext, wait: timedelta) -> None:
    set_time(context, context.clock() + wait)


def deliveries(context: ProcessContext) -> list[dict[str, Any]]:
    with reading(context.engine) as connection:
        query = select(ALERT_DELIVERIES).order_by(ALERT_DELIVERIES.c.created_at)
        return [dict(row._mapping) for row in connection.execute(query)]


def test_news_is_told_once_and_signed(context: ProcessContext, hook: Receiver) -> None:
    alert = raised(context)
    assert sent(context) == "1 news put on their way, 1 sent."
    raised(context)  # Seen again: nobody is told again.
    assert sent(context) == "0 news put on their way, 0 sent."
    (first,) = hook.posted
    assert first.is_genuine
    assert first.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert first.content["type"] == "alert.raised"
    assert first.content["timestamp"] == NOW.isoformat()
    told = first.content["data"]
    assert (told["id"], told["severity"], told["message"]) == (alert, "warning", "Ages have moved.")

    service = AlertService(context.engine)
    service.acknowledge(alert[:8], actor="cli:ana", at=context.clock())
    with context.engine.begin() as connection:
        cause_passed(connection, "input_drift:age", at=context.clock(), resolution="Back again.")
    sent(context)
    assert hook.told() == ["alert.raised", "alert.acknowledged", "alert.resolved"]
    assert hook.posted[2].content["data"]["resolution"] == "Back again."
    assert len({one.id for one in hook.posted}) == 3
    raised(context)  # A new alert of the same key.
    sent(context)
    assert hook.told()[3:] == ["alert.raised"]


def test_what_was_not_taken_is_sent_again_under_the_same_id(
    context: ProcessContext, hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    raised(context)
    hook.answers = [500, 302, 204]
    assert "1 to be tried again" in sent(context)
    assert "0 sent" in sent(context)  # Not due yet.
    assert deliveries(context)[0]["result"] == "status 500"
    later(context, timedelta(minutes=1))
    assert "1 to be tried again" in sent(context)  # A redirect is not followed.
    later(context, timedelta(minutes=1))
    assert "0 sent" in sent(context)
    later(context, timedelta(minutes=1))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert "1 sent" in sent(context)
    assert len(hook.posted) == 3
    assert len({(one.id, one.body) for one in hook.posted}) == 1
    assert len({one.headers["webhook-timestamp"] for one in hook.posted}) == 3
    assert all(one.is_genuine for one in hook.posted)
    assert [record.message for record in caplog.records] == ["alerts sent"]


def test_news_is_given_up_after_so_many_attempts_and_says_so(
    context: ProcessContext, hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    raised(context)
    hook.answers = [503] * 100
    began = context.clock()
    caplog.clear()
    with caplog.at_level(logging.ERROR, "cds_service"):
        for _ in range(MAX_ATTEMPTS):
            assert not caplog.records
            sent(context)
            last = context.clock()
            set_time(context, max(deliveries(context)[0]["next_attempt_at"], last))
    assert [record.message for record in caplog.records] == ["alerts given up"]
    assert deliveries(context)[0]["result"] == "given up"
    assert timedelta(days=2) < last - began < timedelta(days=3)
    later(context, timedelta(days=1))
    sent(context)
    assert len(hook.posted) == MAX_ATTEMPTS


def test_a_receiver_that_is_gone_is_not_asked_again(
    context: ProcessContext, hook: Receiver
) -> None:
    raised(context)
    hook.answers = [410]
    assert "1 given up" in sent(context)


def test_a_channel_that_fails_is_left_alone_until_the_next_run(
    context: ProcessContext, hook: Receiver
) -> None:
    for number in range(5):
        raised(context, f"loss_rise:{number}")
    hook.answers = [500] * 3
    assert "3 to be tried again" in sent(context)
    assert len(hook.posted) == 3
    assert "2 sent" in sent(context)


def test_two_processes_at_once_tell_each_thing_once(
    context: ProcessContext, hook: Receiver
) -> None:
    for number in range(8):
        raised(context, f"loss_rise:{number}")
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        sent(context)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hook.posted) == len({one.id for one in hook.posted}) == 8
    assert len(deliveries(context)) == 8


def test_a_process_that_dies_after_sending_sends_the_same_id_again(
    context: ProcessContext, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(context)

    def dies(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AlertDeliveryStore, "done", dies)
        with pytest.raises(KeyboardInterrupt):
            sent(context)
    assert "0 sent" in sent(context)  # Its claim still holds.
    later(context, LEASE)
    assert "1 sent" in sent(context)
    assert len(hook.posted) == 2
    assert len({one.id for one in hook.posted}) == 1


def test_a_claim_that_ended_does_not_open_what_another_closed(
    context: ProcessContext, hook: Receiver
) -> None:
    raised(context)

    def outlast() -> None:
        """While the answer is on its way the claim ends, and another process tells it."""
        if len(hook.posted) == 1:
            later(context, LEASE)
            assert "1 sent" in sent(context)
            hook.answers = [500]

    hook.before_answer = outlast
    sent(context)
    later(context, timedelta(days=1))
    sent(context)
    assert len(hook.posted) == 2
    assert deliveries(context)[0]["result"] == "sent"


def test_quiet_hours_keep_back_what_is_not_critical(
    context: ProcessContext, hook: Receiver, post: MailServer
) -> None:
    more(context, alert_quiet_hours="22:00-07:00", time_zone="Europe/Madrid", **to_mail(post))
    set_time(context, datetime(2026, 3, 1, 21, 30, tzinfo=UTC))  # 22:30 in Madrid.
    raised(context, "input_drift:age")
    raised(context, "loss_rise:1")
    raised(context, "rolled_back:1", "critical")
    assert "4 waiting for the end of quiet hours" in sent(context)
    assert [one.content["data"]["kind"] for one in hook.posted] == ["rolled_back"]
    set_time(context, datetime(2026, 3, 2, 5, 59, tzinfo=UTC))
    sent(context)
    assert len(post.mails) == 1
    later(context, timedelta(minutes=1))
    assert "4 sent" in sent(context)
    assert [mail["Subject"] for mail in post.mails] == [
        "[cds-service] critical: rolled back raised",
        "[cds-service] 2 news, the most severe: warning: input drift raised",
    ]
    assert len(hook.posted) == 3


def test_each_channel_is_told_by_itself(
    context: ProcessContext, hook: Receiver, post: MailServer
) -> None:
    more(context, **to_mail(post))
    raised(context)
    hook.answers = [500]
    assert sent(context) == "2 news put on their way, 1 sent, 1 to be tried again."
    later(context, timedelta(minutes=1))
    sent(context)
    assert (len(hook.posted), len(post.mails)) == (2, 1)


def test_alerts_below_the_least_severity_go_nowhere(
    context: ProcessContext, hook: Receiver
) -> None:
    more(context, alert_least_severity="warning")
    raised(context, "a", "info")
    raised(context, "b", "warning")
    sent(context)
    assert [one.content["data"]["kind"] for one in hook.posted] == ["b"]


def test_a_channel_that_is_set_up_later_hears_of_what_is_open(
    context: ProcessContext, hook: Receiver
) -> None:
    raised(context, "open")
    AlertService(context.engine).resolve(
        raised(context, "over"), reason="done", actor="a", at=context.clock()
    )
    later(context, timedelta(days=8))
    sent(context)
    assert [one.content["data"]["kind"] for one in hook.posted] == ["open"]


def test_a_digest_is_told_once(context: ProcessContext, hook: Receiver, post: MailServer) -> None:
    more(context, **to_mail(post))
    release(context, "1", KEPT, "checksum")
    release_watch = {
        "release_id": 1,
        "version": "1",
        "previous": "0",
        "state": "watching",
        "looks": [],
        "digest": None,
        "at": NOW,
    }
    with context.engine.begin() as connection:
        connection.execute(insert(RELEASE_WATCHES), release_watch)
    assert sent(context) == "0 news put on their way, 0 sent."
    digest = {
        "version": "1",
        "previous": "0",
        "at": NOW.isoformat(),
        "by": "cli:ana",
        "why": "Xqzfamily of bed 12",
        "change_plan": None,
        "kind": None,
        "figures": [
            {"name": "log_loss", "old": None, "new": {"value": 0.5, "lower": None, "upper": None}}
        ],
    }
    with context.engine.begin() as connection:
        connection.execute(RELEASE_WATCHES.update().values(digest=digest))
    later(context, timedelta(days=90))  # Long after the promotion: the watch took its time.
    sent(context)
    sent(context)
    (told,) = hook.posted
    assert told.content["type"] == "release.digest"
    assert told.content["data"]["digest"]["figures"] == digest["figures"]
    (mail,) = post.mails
    assert "took the place of 0 on 2026-03-01" in mail.get_content()
    assert not leaks(told.body.decode() + mail.as_string())
    assert [mail["Subject"] for mail in post.mails] == [
        "[cds-service] version 1 took the place of 0"
    ]


def test_nothing_of_a_patient_or_a_credential_is_told_or_logged(
    context: ProcessContext, hook: Receiver, post: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    more(context, **to_mail(post))
    assessed(context, patient=PATIENT)
    receive(context, marked_condition(), patient_id=PATIENT)
    alert = raised(context)
    AlertService(context.engine).resolve(
        alert, reason="Xqzfamily of bed 12, 137.31337", actor="cli:ana", at=context.clock()
    )
    hook.answers = [500]
    with caplog.at_level(logging.DEBUG):
        said = [sent(context), str(AlertDelivery(context).test())]
    said += [one.body.decode() for one in hook.posted]
    said += [mail.as_string() for mail in post.mails]
    said += [str(vars(record)) for record in caplog.records if record.name == "cds_service"]
    said += [repr(context.settings), str(deliveries(context))]
    with reading(context.engine) as connection:
        said.append(str(connection.execute(select(AUDIT_EVENTS.c.detail)).all()))
    assert len(said) > 9
    assert not leaks("\n".join(said))
    assert SECRET not in "\n".join(said)


def test_acknowledging_and_resolving_are_audited_and_happen_once(
    context: ProcessContext,
) -> None:
    alert, service = raised(context), AlertService(context.engine)
    act: dict[str, Any] = {"actor": "cli:ana", "at": context.clock()}
    service.acknowledge(alert, **act)
    with pytest.raises(ServiceError, match="acknowledged by cli:ana already"):
        service.acknowledge(alert, actor="cli:bob", at=context.clock())
    with pytest.raises(ServiceError, match="Say why"):
        service.resolve(alert, reason=" ", **act)
    service.resolve(alert, reason="A ward has moved.", **act)
    with pytest.raises(ServiceError, match=r"resolved by cli:ana on 2026-03-01"):
        service.resolve(alert, reason="again", **act)
    with pytest.raises(ServiceError, match="resolved by"):
        service.acknowledge(alert, **act)
    kept = service.alert(alert)
    assert (kept["resolution"], kept["resolved_by"]) == ("A ward has moved.", "cli:ana")
    with reading(context.engine) as connection:
        events = connection.execute(select(AUDIT_EVENTS).order_by(AUDIT_EVENTS.c.at)).all()
    assert [(event.action, event.object_id) for event in events] == [
        ("acknowledge-alert", alert),
        ("resolve-alert", alert),
    ]


def test_a_note_stands_with_the_alert_and_nowhere_else(
    context: ProcessContext, caplog: pytest.LogCaptureFixture
) -> None:
    alert, service = raised(context), AlertService(context.engine)
    act: dict[str, Any] = {"actor": "cli:ana", "at": context.clock()}
    with pytest.raises(ServiceError, match="at most 2000 characters"):
        service.acknowledge(alert, note="x" * 2_001, **act)
    service.acknowledge(alert, note="  Asked ward 3.\n", **act)
    kept = service.alert(alert)
    assert (kept["note"], kept["acknowledged_by"]) == ("Asked ward 3.", "cli:ana")
    assert [one.event for one in news_of(kept)] == ["raised", "acknowledged"]
    with reading(context.engine) as connection:
        (event,) = connection.execute(select(AUDIT_EVENTS)).all()
    assert event.detail == {"kind": kept["kind"], "key": kept["key"], "note": True}
    said = [str([one.content for one in news_of(kept)]), str(event.detail), caplog.text]
    assert [text for text in said if "ward 3" in text] == []
    # It outlives the cause, and says nothing of the next alert of the same key.
    service.resolve(alert, reason="Over.", **act)
    assert service.alert(alert)["note"] == "Asked ward 3."
    assert service.alert(raised(context))["note"] is None


def test_an_alert_is_named_by_the_beginning_of_its_id(context: ProcessContext) -> None:
    service = AlertService(context.engine)
    alerts = [raised(context, f"key:{number}") for number in range(17)]
    first = [alert[0] for alert in alerts]
    shared = next(letter for letter in first if first.count(letter) > 1)  # Of 16 letters.
    with pytest.raises(ServiceError, match="Several"):
        service.alert(shared)
    for none in ("", "%", "_", "xyz"):
        with pytest.raises(ServiceError, match="no such alert"):
            service.alert(none)
    assert service.alert(alerts[3][:12])["id"] == alerts[3]


def test_the_commands_of_alerts(tmp_path: Path, hook: Receiver, post: MailServer) -> None:
    done(tmp_path, "db", "upgrade")
    assert done(tmp_path, "alerts", "list") == "No alert is open.\n"
    assert "only logged" in done(tmp_path, "alerts", "send")
    assert "CDS_ALERT_WEBHOOK_URL" in run(tmp_path, "alerts", "test").sentence()
    context = ProcessContext.create(Settings(development=True, data_dir=tmp_path))
    alert = raised(context)
    context.engine.dispose()
    channels = {
        "CDS_ALERT_WEBHOOK_URL": hook.url,
        "CDS_ALERT_WEBHOOK_SECRET": SECRET,
        "CDS_ALERT_EMAIL_TO": '["it@hospital.example"]',
        "CDS_ALERT_EMAIL_FROM": "cds@hospital.example",
        "CDS_SMTP_HOST": post.host,
        "CDS_SMTP_PORT": str(post.port),
        "CDS_SMTP_TLS": "none",
    }
    assert done(tmp_path, "alerts", "test", **channels) == "webhook: sent\nemail: sent\n"
    hook.answers = [401]
    tried = run(tmp_path, "alerts", "test", **channels)
    assert (tried.code, tried.out) == (1, "webhook: status 401\nemail: sent\n")
    assert "2 sent" in done(tmp_path, "alerts", "send", **channels)
    listed = done(tmp_path, "alerts", "list")
    assert f"{alert[:8]} " in listed
    assert "Ages have moved." in listed
    done(tmp_path, "alerts", "acknowledge", alert[:8])
    assert "acknowledged by cli:" in done(tmp_path, "alerts", "list")
    assert "Note:" not in done(tmp_path, "alerts", "list")
    shown = done(tmp_path, "alerts", "show", alert[:8])
    assert '"channel": "webhook"' in shown
    done(tmp_path, "alerts", "resolve", alert[:8], "--reason", "A ward has moved.")
    assert done(tmp_path, "alerts", "list") == "No alert is open.\n"
    assert "resolved by cli:" in done(tmp_path, "alerts", "list", "--all")
    assert "already" not in run(tmp_path, "alerts", "resolve", alert, "--reason", "x").sentence()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ALERT_WEBHOOK_URL": "https://xqz.example/xqz"}, "belong together"),
        ({"ALERT_WEBHOOK_URL": "http://xqz.example", "ALERT_WEBHOOK_SECRET": SECRET}, "https"),
        (
            {"ALERT_WEBHOOK_URL": "https://u:xqz@e.example", "ALERT_WEBHOOK_SECRET": SECRET},
            "without user or password",
        ),
        (
            {"ALERT_WEBHOOK_URL": "https://e.example", "ALERT_WEBHOOK_SECRET": "xqz"},
            "CDS_ALERT_WEBHOOK_SECRET: must be base64",
        ),
        ({"ALERT_EMAIL_TO": '["it@hospital.example"]'}, "needs CDS_ALERT_EMAIL_FROM"),
        ({"ALERT_EMAIL_TO": '["xqz"]'}, "CDS_ALERT_EMAIL_TO: must be e-mail"),
        ({"ALERT_EMAIL_TO": "xqz"}, "JSON list"),
        ({"ALERT_QUIET_HOURS": "xqz"}, "CDS_ALERT_QUIET_HOURS: must be two times"),
        ({"SMTP_HOST": "mail.example", "SMTP_TLS": "none"}, "loopback"),
        ({"SMTP_USER": "u"}, "belong together"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_their_values(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"CDS_{name}", value)
    with pytest.raises(ConfigurationError, match=words) as error:
        load_settings()
    assert not leaks(str(error.value))


def test_the_lease_is_longer_than_any_channel_takes() -> None:
    from cds_service.services.alert_email import ALL_SECONDS
    from cds_service.services.alert_webhook import SECONDS

    assert max(ALL_SECONDS, SECONDS) < alert_delivery.LEASE.total_seconds() / 2
