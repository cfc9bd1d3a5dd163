"""When a client is told nothing, because it was told already or did not want it (rule C12)."""

from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from cds_service.security.secrecy import Secrecy
from cds_service.services.records import Answer, Call
from cds_service.storage.fatigue_store import FatigueStore, Told
from hooks.disease_severity import SERVICE_ID, Situation

UNCHANGED_ADVICE: Final = "unchanged_advice"
"""The same was said of the same readings by the same model in this encounter."""
OVERRIDDEN: Final = "overridden"
"""A card of this category was overridden in this encounter, not long ago."""

SAME_STAY = timedelta(hours=12)
"""Calls without an encounter that lie closer together are taken for one. Our own choice: the
look-back of C7 where a patient is in the house."""


def silence_reason(
    connection: Connection, call: Call, answer: Answer, advice_hash: str, secrecy: Secrecy
) -> str | None:
    """Why the card of `answer` is not shown (C12): `unchanged_advice`, `overridden`, or `None`.

    `advice_hash` is that of the answer with its card. Nothing is asked of the database where the
    client has both silences switched off. A dangerous reading (C9) and a failed model are silent
    only to the user who was told the same in the same encounter, and never after an override.
    """
    fatigue = call.client.settings.fatigue
    if not answer.decision.cards or call.service != SERVICE_ID:
        return None
    insistent = answer.decision.dangerous or answer.decision.kind is Situation.MODEL_FAILED
    told = Told(call.client.name, call.service, call.patient_keys, call.encounter_keys)
    store = FatigueStore(connection)
    if fatigue.silence_unchanged and not (insistent and call.encounter_keys is None):
        since = None if call.encounter_keys else call.prediction_time - SAME_STAY
        earlier = store.same_advice(told, advice_hash, since)
        if insistent:
            earlier = [one for one in earlier if _user(one, secrecy) == call.context.user_id]
        if earlier:
            return UNCHANGED_ADVICE
    if fatigue.silence_after_override_hours and not insistent:
        hours = timedelta(hours=fatigue.silence_after_override_hours)
        if call.encounter_keys is None:
            hours = min(hours, SAME_STAY)
        category = None if answer.assessment is None else answer.assessment.category.value
        verdicts = store.verdicts(told, answer.decision.kind.value, category)
        # Clinicians change their minds (R54): the last word counts, of two at once the yes.
        last = max(verdicts, key=lambda one: (one.at, one.accepted), default=None)
        if last is not None and not last.accepted and call.prediction_time - last.at < hours:
            return OVERRIDDEN
    return None


def _user(identifiers: bytes, secrecy: Secrecy) -> str | None:
    """Who was told; `None` where no key reads it any more."""
    try:
        user: object = msgspec.json.decode(secrecy.decrypt(identifiers)).get("user")
    except ValueError:
        return None
    return user if isinstance(user, str) else None
