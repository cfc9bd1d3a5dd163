"""When a client gets no cards (C13, C21)."""

from dataclasses import replace

import pytest

from cds_service.security.clients import DEVELOPMENT_CLIENT, Client, ClientSettings, Mode, held_back
from model.assessment import ModelFacts

LOCAL = ModelFacts("2", False, 18, 110, {}, (), 0.9, ())
STARTER = replace(LOCAL, simulated=True)
LIVE = Client("ehr", ClientSettings(mode=Mode.LIVE))


def changed(**changes: object) -> Client:
    return replace(LIVE, settings=LIVE.settings.model_copy(update=changes))


@pytest.mark.parametrize(
    ("client", "facts", "paused", "reason"),
    [
        (LIVE, LOCAL, False, None),
        (LIVE, LOCAL, True, "paused"),
        (changed(mode=Mode.PAUSED), LOCAL, False, "paused"),
        (changed(mode=Mode.SILENT), LOCAL, False, "silent_mode"),
        (Client("new"), LOCAL, False, "silent_mode"),
        (changed(allow_care=False), LOCAL, False, "no_permission"),
        (LIVE, STARTER, False, "simulated_model"),
        (changed(sandbox=True), STARTER, False, None),
        (changed(sandbox=True), STARTER, True, "paused"),
        (DEVELOPMENT_CLIENT, STARTER, False, None),
        (DEVELOPMENT_CLIENT, STARTER, True, "paused"),
    ],
)
def test_c13_c21_why_there_is_no_card(
    client: Client, facts: ModelFacts, paused: bool, reason: str | None
) -> None:
    assert held_back(client, facts, paused=paused) == reason


def test_c13_a_client_that_is_silent_and_paused_is_paused() -> None:
    assert held_back(changed(mode=Mode.SILENT), STARTER, paused=True) == "paused"
