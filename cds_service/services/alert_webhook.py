"""News of alerts posted to a webhook, signed as Standard Webhooks.

https://www.standardwebhooks.com (specification 1.0). The receiver computes the signature anew,
refuses old time stamps and drops an id that it has seen.
"""

import base64
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Self

import httpx

from cds_service.alert_settings import webhook_key
from cds_service.context import Clock
from cds_service.services.alert_channel import ChannelError, Message
from cds_service.settings import Settings
from fhir_mapping.errors import FHIRAccessError
from fhir_mapping.exchange import Exchange

SECONDS: Final = 15.0
"""For one post and its answer (Standard Webhooks asks for 15 to 30)."""
_GONE: Final = 410
"""The receiver wants nothing more (Standard Webhooks, "Success and failure")."""


class Webhook:
    """Posts one message at a time."""

    name = "webhook"
    at_once = 1

    def __init__(self, url: str, key: bytes, clock: Clock) -> None:
        self._url = httpx.URL(url)
        self._key = key
        self._clock = clock
        # The operator chose the address, so it may be inside. Redirects are never followed.
        self._exchange = Exchange(allow_private=True)

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Self | None:
        """The webhook of the settings, if there is one."""
        url, secret = settings.alert_webhook_url, settings.alert_webhook_secret
        if url is None or secret is None:
            return None
        return cls(url.get_secret_value(), webhook_key(secret.get_secret_value()), clock)

    def send(self, messages: Sequence[Message]) -> None:
        """Post each. Raises `ChannelError` if one was not taken (a status other than 2xx)."""
        for message in messages:
            body = json.dumps(message.content, separators=(",", ":"), ensure_ascii=False).encode()
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            headers |= signed(message.id, int(self._clock().timestamp()), body, self._key)
            try:
                reply = self._exchange.post(
                    self._url, headers, body, deadline=time.monotonic() + SECONDS
                )
            except FHIRAccessError as error:
                raise ChannelError(error.detail or error.kind.value) from None
            if not 200 <= reply.status < 300:  # the class of success
                raise ChannelError(f"status {reply.status}", for_good=reply.status == _GONE)

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()


def signed(identifier: str, timestamp: int, body: bytes, key: bytes) -> Mapping[str, Any]:
    """Headers with the signature of a message; `timestamp` in seconds since 1970."""
    to_sign = f"{identifier}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, to_sign, sha256).digest()).decode()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
