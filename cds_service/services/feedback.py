"""Feedback on cards: stored as it comes, because clinicians change their minds (R54)."""

from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.feedback_store import FeedbackStore
from hooks.feedback import parse_feedback
from hooks.protocol import encode


class FeedbackService:
    """Keeps what became of cards."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def record(self, body: bytes, *, service: str, client: str) -> int:
        """Store a batch; returns how many entries it held.

        Cards we never sent are kept and marked; they do not fail the batch. Raises
        `RequestError` for a body that is not feedback: then nothing of it is stored.
        """
        entries = parse_feedback(body)
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            known = AssessmentStore(connection).known_cards([e.card for e in entries], client)
            FeedbackStore(connection).add(
                [
                    {
                        "id": str(uuid4()),
                        "client": client,
                        "service": service,
                        "card_uuid": entry.card,
                        "known_card": entry.card in known,
                        "outcome": entry.outcome,
                        "outcome_timestamp": entry.outcome_timestamp,
                        "received_at": at,
                        "reason_system": entry.reason.system if entry.reason else None,
                        "reason_code": entry.reason.code if entry.reason else None,
                        "accepted_suggestions": list(entry.accepted_suggestions) or None,
                        "comment": self._free_text(entry.user_comment, entry.extension),
                    }
                    for entry in entries
                ]
            )
            AuditStore(connection).add(
                at=at,
                actor=f"client:{client}",
                action="feedback",
                object_type="service",
                object_id=service,
                detail={
                    "entries": len(entries),
                    "unknown_cards": sum(e.card not in known for e in entries),
                },
            )
        return len(entries)

    def _free_text(self, comment: str | None, extension: dict[str, object] | None) -> bytes | None:
        """Encrypted: a comment may name the patient."""
        if comment is None and extension is None:
            return None
        return self._context.secrecy.encrypt(encode({"comment": comment, "extension": extension}))
