"""What the pages of clients show."""

from collections.abc import Sequence
from dataclasses import dataclass

from cds_service.security.clients import TRIAGE, Mode
from cds_service.services.client_desk import ClientStanding
from cds_service.web.words import Words

LONGEST_REASON = 500
SIGNS = {"live": "●", "silent": "○", "paused": "‖", "unread": "▲"}
"""Beside the word for a mode: never colour alone."""


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client as people see it."""

    name: str
    mode: str
    """`live`, `silent`, `paused`, or `unread` where its settings cannot be read."""
    sign: str
    mode_name: str
    back_to: str | None
    """Name of the mode that a pause goes back to."""
    last_call: str | None
    notes: Sequence[str]
    approver: str | None
    can_change: bool


def client_view(client: ClientStanding, words: Words) -> ClientView:
    """A client in words."""
    settings = client.settings
    mode = "unread" if settings is None else settings.mode.value
    notes = []
    if settings is not None and settings.sandbox:
        notes.append(words.say("note.sandbox"))
    if client.name == TRIAGE:
        notes.append(words.say("note.triage"))
    is_fixed = client.is_built_in and client.name != TRIAGE
    if is_fixed:
        notes.append(words.say("note.development"))
    before = None
    if settings is not None and settings.mode is Mode.PAUSED:
        before = (settings.mode_before_pause or Mode.SILENT).value
    return ClientView(
        name=client.name,
        mode=mode,
        sign=SIGNS[mode],
        mode_name=words.say(f"mode.{mode}"),
        back_to=None if before is None else words.say(f"mode.{before}"),
        last_call=None if client.last_call is None else words.time(client.last_call),
        notes=notes,
        approver=None if settings is None else settings.approver,
        can_change=settings is not None and not is_fixed,
    )
