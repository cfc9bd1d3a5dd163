"""Diagnoses come back: Conditions are classified, kept, and become outcomes (C15 to C21)."""

from collections.abc import Iterable, Sequence
from typing import Any

from cds_service.context import ProcessContext
from cds_service.services.deciding import renew_outcomes
from cds_service.services.deliveries import (
    Delivery,
    Incoming,
    NotTakenError,
    Received,
    Withdrawal,
    parts,
)
from cds_service.services.known_conditions import ConditionReader, content_hash
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.merge_store import MergeStore
from cds_service.storage.session import reading
from fhir_mapping.patient_links import Merge


class OutcomeService:
    """Keeps Conditions and decides outcomes from them."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def receive(
        self,
        conditions: Iterable[Incoming],
        *,
        client: str,
        channel: str,
        actor: str,
        first: int = 1,
        allow_restricted: bool = False,
        withdrawn: Iterable[Withdrawal] = (),
        merges: Iterable[Merge] = (),
        all_or_nothing: bool = False,
    ) -> Received:
        """Store Conditions and renew the outcomes of their patients, in one transaction.

        Patients are merged first, then Conditions withdrawn, then Conditions taken. The same
        Condition again changes nothing, unless more is known of it now; a changed one supersedes
        the earlier, unless its `meta.lastUpdated` is older: deliveries overtake each other. What
        was known of its encounter, and that we prompted it, stays known. One that is invalid,
        restricted (C21, unless `allow_restricted`) or somebody else's (C3) is skipped with its
        reason; what was stored of one that is restricted now is erased. `first` is the number of
        the first in messages. With `all_or_nothing` one that is skipped raises `NotTakenError`,
        and nothing is stored.
        """
        with self._context.writers, self._context.engine.begin() as connection:
            OutcomeStore(connection).lock()
            delivery = Delivery(self._context, connection, client, channel, actor, allow_restricted)
            for merge in merges:
                delivery.merge(merge)
            for withdrawal in withdrawn:
                delivery.withdraw(withdrawal)
            for number, incoming in enumerate(conditions, start=first):
                delivery.take(number, incoming)
            if all_or_nothing and delivery.received.skipped:
                raise NotTakenError(delivery.received)
            delivery.finish()
        return delivery.received

    def news(self, conditions: Sequence[Incoming]) -> list[Incoming]:
        """Those that `receive` would do something about, found without waiting for who writes.

        A chart brings the same Conditions at every opening.
        """
        reader = ConditionReader(self._context)
        contents = [content_hash(one.resource) for one in conditions]
        keys = [
            [
                key
                for identifier in reader.identifiers(one.base, one.resource, content)
                for key in reader.sources(one.base, identifier)
            ]
            for one, content in zip(conditions, contents, strict=True)
        ]
        with reading(self._context.engine) as connection:
            known = ConditionStore(connection).current_hashes(
                [key for some in keys for key in some]
            )
        return [
            one
            for one, content, some in zip(conditions, contents, keys, strict=True)
            if one.patient_id is None
            or reader.classified(one.resource, None).restricted
            or not any(
                reader.is_known(known.get(key), one.resource, content, one.ended_at_home)
                for key in some
            )
        ]

    def withdraw(
        self, *, base: str, condition_id: str, client: str, channel: str, actor: str
    ) -> bool:
        """Take back a Condition that was deleted on its server; `False` if it was not stored."""
        received = self.receive(
            [],
            client=client,
            channel=channel,
            actor=actor,
            withdrawn=[Withdrawal(base, condition_id)],
        )
        return received.withdrawn > 0

    def merge(
        self, *, base: str, from_id: str, into_id: str, client: str, channel: str, actor: str
    ) -> bool:
        """Two patients of one server are one; `False` if that was known.

        What is kept for `from_id`, and what comes for it later, belongs to `into_id`.
        """
        received = self.receive(
            [],
            client=client,
            channel=channel,
            actor=actor,
            merges=[Merge(base, from_id, into_id)],
        )
        return received.merged > 0

    def refresh(self) -> None:
        """Decide what is not decided yet: assessments may be older or newer than their Conditions,
        and Conditions may have been read by other rules.

        Whoever stores a Condition or an answer decides at once, so this finds few. Some patients
        in each transaction, so that nobody who writes waits for long.
        """
        at, label_version = self._context.clock(), self._context.terminology.label_version
        with self._context.engine.begin() as connection:
            OutcomeStore(connection).lock()
            # An assessment that was under way while its patient was merged.
            MergeStore(connection).gather()
        with reading(self._context.engine) as connection:
            patients = OutcomeStore(connection).undecided_patients(label_version)
        for some in parts(patients):
            with self._context.engine.begin() as connection:
                OutcomeStore(connection).lock()
                renew_outcomes(connection, at, some, self._context.terminology)


def condition_history(
    context: ProcessContext, base: str, condition_id: str
) -> list[dict[str, Any]]:
    """Every stored version of a Condition, oldest first; the last is the one that stands."""
    keys = context.secrecy.source_keys(base, f"Condition/{condition_id}")
    with reading(context.engine) as connection:
        return ConditionStore(connection).history(keys)
