"""How the settings of alerts are read: quiet hours, the secret of the webhook, addresses."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime, time

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
"""Lengths of a secret (Standard Webhooks, "Signature scheme")."""
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_ADDRESS = re.compile(r"[!-~]+@[A-Za-z0-9.\-\[\]:]+")
_NOT_IN_ADDRESS = frozenset('@,;<>()"\\')


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of the day in which only what is critical is said; it may pass midnight."""

    start: time
    """Included."""
    end: time
    """Not included."""

    def hold(self, local: datetime) -> bool:
        """Whether a local time is in them."""
        now = local.time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


def quiet_hours(text: str) -> QuietHours:
    """Read "22:00-07:00". Raises `ValueError`, in words for an operator."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError('must be two times of day, like "22:00-07:00"')
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = time(hour, minute), time(end_hour, end_minute)
    if start == end:
        raise ValueError("must end at another time than they begin")
    return QuietHours(start, end)


def webhook_key(secret: str) -> bytes:
    """The key in a secret of Standard Webhooks: base64, with or without the prefix `whsec_`.

    Raises `ValueError`, in words for an operator and without the secret.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _SECRET_BYTES:
        raise ValueError(
            "must be base64 of 24 to 64 bytes, for example from: openssl rand -base64 32"
        )
    return key


def mail_address(text: str) -> str:
    """An address as it stands in a message. Raises `ValueError` for what is none."""
    local = text.rpartition("@")[0]
    if not _ADDRESS.fullmatch(text) or _NOT_IN_ADDRESS & set(local):
        raise ValueError("must be e-mail addresses, like it@hospital.example")
    return text
