"""What a way to tell administrators has to be able to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One of the news on its way."""

    id: str
    """The same whenever it is sent again, so that the receiver can drop it."""
    content: Mapping[str, Any]
    """`type`, `timestamp`, `data`."""


class ChannelError(Exception):
    """Nothing was taken. Its words are fixed phrases and numbers, never an address or a text of
    the other side."""

    def __init__(self, words: str, *, for_good: bool = False) -> None:
        super().__init__(words)
        self.for_good = for_good
        """Whether trying again is of no use."""


class Channel(Protocol):
    """A webhook, or e-mail."""

    @property
    def name(self) -> str:
        """As in `alert_deliveries`."""

    @property
    def at_once(self) -> int:
        """How many messages it sends together."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send all of them, or raise `ChannelError`."""

    def close(self) -> None:
        """Let go of connections."""
