"""Feedback on cards: stored as it comes, because clinicians change their minds (R54)."""

from typing import Any, overload
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.feedback_store import FeedbackStore
from hooks.feedback import FeedbackEntry, parse_feedback
from hooks.protocol import encode

LONGEST = 256
"""Characters kept of what should be a uuid, a code or a URI."""


class FeedbackService:
    """Keeps what became of cards."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def record(self, body: bytes, *, service: str, client: str, actor: str | None = None) -> int:
        """Store a batch; returns how many entries it held. `actor` is who gave it, where that is
        not the client itself.

        Cards we never sent are kept and marked; they do not fail the batch. Raises
        `RequestError` for a body that is not feedback: then nothing of it is stored.
        """
        entries = parse_feedback(body)
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            cards = [_kept(entry.card) for entry in entries]
            known = AssessmentStore(connection).known_cards(cards, client)
            FeedbackStore(connection).add(
                [
                    self._record(entry, card)
                    | {
                        "client": client,
                        "service": service,
                        "known_card": card in known,
                        "received_at": at,
                    }
                    for card, entry in zip(cards, entries, strict=True)
                ]
            )
            AuditStore(connection).add(
                at=at,
                actor=actor or f"client:{client}",
                action="feedback",
                object_type="service",
                object_id=service,
                detail={
                    "entries": len(entries),
                    "unknown_cards": sum(card not in known for card in cards),
                },
            )
        return len(entries)

    def _record(self, entry: FeedbackEntry, card: str) -> dict[str, Any]:
        reason = entry.reason
        free_text = {
            "comment": entry.user_comment,
            "display": None if reason is None else reason.display,
            "extension": entry.extension,
        }
        told = {name: value for name, value in free_text.items() if value is not None}
        return {
            "id": str(uuid4()),
            "card_uuid": card,
            "outcome": entry.outcome,
            "outcome_timestamp": entry.outcome_timestamp,
            "reason_system": None if reason is None else _kept(reason.system),
            "reason_code": None if reason is None else _kept(reason.code),
            "accepted_suggestions": [_kept(uuid) for uuid in entry.accepted_suggestions] or None,
            # Encrypted: free text may name the patient.
            "comment": self._context.secrecy.encrypt(encode(told)) if told else None,
        }


@overload
def _kept(text: str) -> str: ...
@overload
def _kept(text: None) -> None: ...
def _kept(text: str | None) -> str | None:
    """A uuid or code as it can be stored: PostgreSQL takes no NUL, its index no long text."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:LONGEST]
