"""Which Condition is which, and whether it is known as it stands (server, Condition id)."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cds_service.context import ProcessContext
from cds_service.services.rereading import fingerprint
from fhir_mapping.labels import ConditionFacts, classify

# What servers set by themselves says nothing of the diagnosis, and differs between channels.
_SET_BY_SERVERS = ("versionId", "lastUpdated", "source", "profile")
_ABSOLUTE = re.compile(
    r"https?://\S+?/(?P<relative>[A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/.*)?"
)


class ConditionReader:
    """Reads Conditions by the rules and secret keys of the process."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def classified(
        self, condition: Mapping[str, Any], ended_at_home: bool | None
    ) -> ConditionFacts:
        """What it says (C15)."""
        return classify(
            condition,
            encounter_ended_at_home=ended_at_home,
            terminology=self._context.terminology,
            zone=self._context.zone,
        )

    def identifiers(self, base: str, condition: Mapping[str, Any], content: str) -> list[str]:
        """The id of a Condition; where it has none, one that it gets whenever it comes.

        That is a keyed hash of its business identifier, else of its content, under each of the
        secret keys: the newest first.
        """
        own = condition.get("id")
        if isinstance(own, str) and own:
            return [_encodable(own)]
        name = _business_identifier(condition) or content
        keys = self._context.secrecy.source_keys(base, f"Condition?identifier={_encodable(name)}")
        return [key[:32] for key in keys]

    def sources(self, base: str, identifier: str) -> list[str]:
        """Keys under which versions of a Condition are stored, the newest secret key first."""
        return self._context.secrecy.source_keys(base, f"Condition/{identifier}")

    def is_known(
        self,
        known: str | None,
        condition: Mapping[str, Any],
        content: str,
        ended_at_home: bool | None,
    ) -> bool:
        """Whether `known` is the fingerprint of this very Condition, read as it is read now.

        Who does not know how the encounter ended takes back nothing of what was known of it.
        """
        if known is None:
            return False
        ends = (None, True, False) if ended_at_home is None else (ended_at_home,)
        return any(
            known == fingerprint(content, self.classified(condition, end).stored()) for end in ends
        )


def content_hash(condition: Mapping[str, Any]) -> str:
    """Of a Condition without what servers set by themselves, and without its narrative.

    Whose it is and of which encounter counts by type and id: one channel names the server and the
    person beside them, another does not, and which server it is stands in the source key.
    """
    content = {name: value for name, value in condition.items() if name not in ("meta", "text")}
    for name in ("subject", "encounter"):
        content |= _plain_reference(name, content.get(name))
    meta = condition.get("meta")
    if isinstance(meta, Mapping):
        kept = {name: value for name, value in meta.items() if name not in _SET_BY_SERVERS}
        content |= {"meta": kept} if kept else {}
    try:
        text = json.dumps(content, sort_keys=True, default=str)
    except (RecursionError, ValueError):
        text = ""  # Nested too deeply: it is no valid Condition and never stored.
    return sha256(text.encode()).hexdigest()


def _plain_reference(name: str, element: object) -> dict[str, str]:
    reference = element.get("reference") if isinstance(element, Mapping) else None
    if not isinstance(reference, str):
        return {}
    absolute = _ABSOLUTE.fullmatch(reference)
    return {name: absolute["relative"] if absolute else reference}


def _encodable(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _business_identifier(condition: Mapping[str, Any]) -> str | None:
    identifiers = condition.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else ():
        if isinstance(identifier, Mapping) and identifier.get("system") and identifier.get("value"):
            return f"{identifier['system']}|{identifier['value']}"
    return None
