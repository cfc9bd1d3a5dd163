"""The job that tells administrators what happened to alerts, once over each channel.

A row of `alert_deliveries` is a promise to tell. It is claimed by compare-and-set, told, and
closed: two processes never tell the same at the same time. A process that dies between telling
and closing leaves a claim that ends, and the same is told again under the same id.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from cds_service.alert_settings import quiet_hours
from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.logs import LOGGER
from cds_service.services.alert_channel import Channel, ChannelError, Message
from cds_service.services.alert_email import Mail
from cds_service.services.alert_news import (
    EVENTS,
    SEVERITIES,
    News,
    digest_news,
    news_of,
    trial_content,
)
from cds_service.services.alert_webhook import Webhook
from cds_service.storage.alert_delivery_store import AlertDeliveryStore
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.session import reading

LEASE: Final = timedelta(minutes=5)
"""How long what was claimed is nobody else's: longer than any channel takes."""
FIRST_RETRY: Final = timedelta(minutes=1)
LONGEST_RETRY: Final = timedelta(hours=12)
MAX_ATTEMPTS: Final = 14
"""After these, about two days, news is given up. The alert stays open and listed."""
FAULTS_IN_A_ROW: Final = 3
"""A channel that fails is left alone until the next run."""
STALE: Final = timedelta(days=7)
"""A channel that is set up later does not hear of what was over before."""
NEWEST_DIGESTS: Final = 3
"""And of no more digests than these."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test message over one channel."""

    channel: str
    fault: str | None
    """`None`: it was taken."""


class AlertDelivery:
    """Sends news of alerts, and digests, over the channels of the settings."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self, *, actor: str) -> str:
        """Put new news on its way and send what is due; safe in several processes at once."""
        done: Counter[str] = Counter()
        with self._channels() as channels:
            if not channels:
                return "Alerts are only logged: neither a webhook nor e-mail is set up."
            now = self._context.clock()
            added = self._add(channels, now)
            for channel in channels:
                done += self._send(channel, now, actor=actor)
        sentence = f"{added} news put on their way, {done['sent']} sent"
        for kind in ("to be tried again", "given up", "waiting for the end of quiet hours"):
            if done[kind]:
                sentence += f", {done[kind]} {kind}"
        return sentence + "."

    def test(self) -> list[Tried]:
        """Send a test message over every channel, at once and whatever the hour.

        Raises `ServiceError` if no channel is set up.
        """
        with self._channels() as channels:
            if not channels:
                raise ServiceError(
                    "No channel is set up: set CDS_ALERT_WEBHOOK_URL or CDS_ALERT_EMAIL_TO."
                )
            message = Message(str(uuid4()), trial_content(self._context.clock()))
            return [Tried(channel.name, _fault(channel, [message])) for channel in channels]

    @contextmanager
    def _channels(self) -> Iterator[list[Channel]]:
        webhook = Webhook.of(self._context.settings, self._context.clock)
        mail = Mail.of(self._context)
        channels: list[Channel] = [one for one in (webhook, mail) if one is not None]
        try:
            yield channels
        finally:
            for channel in channels:
                channel.close()

    def _add(self, channels: Sequence[Channel], now: datetime) -> int:
        """Make the rows of news that has none yet."""
        with reading(self._context.engine) as connection:
            news = self._news(AlertStore(connection), now)
            there = {
                (row["alert_id"], row["event"], row["channel"])
                for row in AlertDeliveryStore(connection).of(
                    list(dict.fromkeys(one.alert_id for one in news))
                )
            }
        rows = [
            {
                "id": str(uuid4()),
                "alert_id": one.alert_id,
                "event": one.event,
                "channel": channel.name,
                "content": dict(one.content),
                "created_at": now,
                "attempts": 0,
                "next_attempt_at": now,
            }
            for one in news
            for channel in channels
            if (one.alert_id, one.event, channel.name) not in there
        ]
        if not rows:
            return 0
        with self._context.engine.begin() as connection:
            store = AlertDeliveryStore(connection)
            return sum(store.add(row) for row in rows)

    def _news(self, store: AlertStore, now: datetime) -> list[News]:
        least = SEVERITIES.index(self._context.settings.alert_least_severity)
        return [
            one
            for alert in store.recent(now - STALE)
            if SEVERITIES.index(alert["severity"]) >= least
            for one in news_of(alert)
        ] + [digest_news(watch, now) for watch in store.digests(NEWEST_DIGESTS)]

    def _send(self, channel: Channel, now: datetime, *, actor: str) -> Counter[str]:
        """Send what is due over a channel, until it fails too often."""
        with reading(self._context.engine) as connection:
            due = sorted(AlertDeliveryStore(connection).due(channel.name, now), key=_order)
        done: Counter[str] = Counter()
        if self._is_quiet(now):
            loud = [row for row in due if row["content"]["data"]["severity"] == SEVERITIES[-1]]
            done["waiting for the end of quiet hours"] = len(due) - len(loud)
            due = loud
        faults = 0
        for start in range(0, len(due), channel.at_once):
            if faults == FAULTS_IN_A_ROW:
                break
            claimed = self._claim(due[start : start + channel.at_once])
            if not claimed:
                continue
            error = _tried(channel, [Message(row["id"], row["content"]) for row in claimed])
            faults = 0 if error is None else faults + 1
            done += self._close(channel.name, claimed, error, actor=actor)
        return done

    def _is_quiet(self, now: datetime) -> bool:
        hours = self._context.settings.alert_quiet_hours
        return hours is not None and quiet_hours(hours).hold(now.astimezone(self._context.zone))

    def _claim(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        until = self._context.clock() + LEASE
        with self._context.engine.begin() as connection:
            store = AlertDeliveryStore(connection)
            return [row for row in rows if store.claim(row, until)]

    def _close(
        self,
        channel: str,
        rows: Sequence[dict[str, Any]],
        error: ChannelError | None,
        *,
        actor: str,
    ) -> Counter[str]:
        """Record what came of it, in one transaction, and log it."""
        at, done = self._context.clock(), Counter[str]()
        with self._context.engine.begin() as connection:
            store = AlertDeliveryStore(connection)
            for row in rows:
                attempts = row["attempts"] + 1
                if error is None:
                    store.done(row["id"], at=at, result="sent")
                    done["sent"] += 1
                elif error.for_good or attempts >= MAX_ATTEMPTS:
                    store.done(row["id"], at=at, result="given up")
                    done["given up"] += 1
                else:
                    wait = min(FIRST_RETRY * 2 ** (attempts - 1), LONGEST_RETRY)
                    store.again(row["id"], at=at + wait, result=str(error))
                    done["to be tried again"] += 1
        told = {"channel": channel, "why": None if error is None else str(error), "by": actor}
        for kind, count in done.items():
            if kind == "sent":
                LOGGER.info("alerts sent", extra=told | {"news": count})
            elif kind == "given up":
                LOGGER.error("alerts given up", extra=told | {"news": count})
            else:
                LOGGER.warning("alerts not sent", extra=told | {"news": count})
        return done


def _order(row: dict[str, Any]) -> tuple[datetime, int, str]:
    """What happened first is told first."""
    at = datetime.fromisoformat(row["content"]["timestamp"])
    return at, EVENTS.index(row["event"]), row["content"]["data"].get("key", "")


def _tried(channel: Channel, messages: Sequence[Message]) -> ChannelError | None:
    try:
        channel.send(messages)
    except ChannelError as error:
        return error
    return None


def _fault(channel: Channel, messages: Sequence[Message]) -> str | None:
    error = _tried(channel, messages)
    return None if error is None else str(error)
