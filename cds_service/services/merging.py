"""Two patients turn out to be one: what was kept for the first belongs to the second."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.services.rotation import move_to_newest_keys
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import ConditionStore
from cds_service.storage.merge_store import MergeStore
from cds_service.storage.rare_case_store import RareCaseStore


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge moved."""

    id: str
    survivor: str
    """Key of the patient that stays."""
    assessments: int
    conditions: int


def resolve_patient(connection: Connection, keys: Sequence[str]) -> list[str]:
    """The keys under which a patient's rows are kept, newest first, in one statement.

    `keys` are those of the id that was named. Where that patient was merged into another it is
    the key of the other; else they come back as they are.
    """
    survivor = MergeStore(connection).survivor(keys)
    return list(keys) if survivor is None else [survivor]


def merge_patients(
    connection: Connection,
    from_keys: Sequence[str],
    into_keys: Sequence[str],
    *,
    client: str,
    channel: str,
    at: datetime,
) -> Merged | None:
    """Move all that is kept for one patient to another; `None` if it is so already.

    Keys of either, newest first. Later arrivals for the first belong to the second. The newest
    word counts: a merge the other way round turns an earlier one about. A patient that was merged
    into a third before leaves there what was moved then, because it can no longer be told apart.
    """
    for keys in (from_keys, into_keys):
        move_to_newest_keys(connection, keys, None)
    source, target = from_keys[0], into_keys[0]
    store = MergeStore(connection)
    survivor = store.survivor([target]) or target
    if source == target or store.survivor([source]) == survivor:
        return None
    if survivor == source:
        store.remove(target)
        survivor = target
    merged = Merged(
        str(uuid4()),
        survivor,
        AssessmentStore(connection).move([source], survivor),
        ConditionStore(connection).move([source], survivor),
    )
    RareCaseStore(connection).move([source], survivor)
    store.add(
        {
            "id": merged.id,
            "from_key": source,
            "into_key": survivor,
            "client": client,
            "channel": channel,
            "at": at,
        }
    )
    return merged
