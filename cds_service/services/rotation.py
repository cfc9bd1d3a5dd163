"""Secret keys change: rows move to the newest when their patient is next seen."""

from collections.abc import Sequence

from sqlalchemy import Connection

from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import ConditionStore
from cds_service.storage.merge_store import MergeStore
from cds_service.storage.rare_case_store import RareCaseStore


def move_to_newest_keys(
    connection: Connection, patient_keys: Sequence[str], encounter_keys: Sequence[str] | None
) -> None:
    """Give the rows of a patient, and of the encounter that is known now, their newest keys.

    Keys come as `Secrecy` gives them, newest first, of the id that was named, even where that
    patient was merged into another; with one secret key there is nothing to do. Without the
    encounters an assessment and its Condition would no longer name the same one (C16).
    The tables in one order, so that two transactions never wait for each other.
    """
    newest, *older = patient_keys
    if not older:
        return
    stores = (AssessmentStore(connection), ConditionStore(connection))
    for store in stores:
        store.move(older, newest)
    RareCaseStore(connection).move(older, newest)
    merges = MergeStore(connection)
    merges.move(older, newest)
    if encounter_keys is not None:
        owner = merges.survivor([newest]) or newest
        for store in stores:
            store.move_encounter(owner, encounter_keys[1:], encounter_keys[0])
