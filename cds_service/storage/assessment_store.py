"""Assessments and the cards that went out with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cds_service.storage.rows import dicts
from cds_service.storage.session import IN_LIST
from cds_service.storage.spans import seen_between
from cds_service.storage.tables import ASSESSMENTS, CARDS

BATCH = 5_000
"""Rows fetched at a time when many are read."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer a `hookInstance` got, still encrypted."""

    request_hash: str
    response: bytes


class AssessmentStore:
    """SQL of assessments and cards."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def answer(self, client: str, service: str, hook_instance: str) -> StoredAnswer | None:
        """What was answered to this call before."""
        row = self._connection.execute(
            select(ASSESSMENTS.c.request_hash, ASSESSMENTS.c.response).where(
                ASSESSMENTS.c.client == client,
                ASSESSMENTS.c.service == service,
                ASSESSMENTS.c.hook_instance == hook_instance,
            )
        ).one_or_none()
        return None if row is None else StoredAnswer(row.request_hash, row.response)

    def identifier(self, client: str, service: str, hook_instance: str) -> str | None:
        """Id of the assessment that this call gave."""
        query = select(ASSESSMENTS.c.id).where(
            ASSESSMENTS.c.client == client,
            ASSESSMENTS.c.service == service,
            ASSESSMENTS.c.hook_instance == hook_instance,
        )
        return self._connection.execute(query).scalar_one_or_none()

    def of_patient(self, client: str, patient_keys: Sequence[str]) -> list[dict[str, Any]]:
        """Id and time of this client's assessments of a patient, the newest first."""
        query = (
            select(ASSESSMENTS.c.id, ASSESSMENTS.c.prediction_time)
            .where(ASSESSMENTS.c.client == client)
            .where(ASSESSMENTS.c.patient_key.in_(patient_keys))
            .order_by(ASSESSMENTS.c.prediction_time.desc(), ASSESSMENTS.c.id)
        )
        return list(dicts(self._connection.execute(query)))

    def latest_of_patient(self, client: str, patient_keys: Sequence[str]) -> str | None:
        """Id of this client's newest assessment of a patient of which enough was kept to explain it
        (C2)."""
        query = (
            select(ASSESSMENTS.c.id)
            .where(ASSESSMENTS.c.client == client)
            .where(ASSESSMENTS.c.patient_key.in_(patient_keys))
            .where(ASSESSMENTS.c.situation != "excluded")
            .where(ASSESSMENTS.c.features.is_not(None))
            .order_by(ASSESSMENTS.c.prediction_time.desc(), ASSESSMENTS.c.id)
            .limit(1)
        )
        return self._connection.execute(query).scalar_one_or_none()

    def card_of(self, identifier: str) -> str | None:
        """Id of the card of an assessment, if one was shown."""
        query = select(CARDS.c.uuid).where(CARDS.c.assessment_id == identifier)
        return self._connection.execute(query).scalar_one_or_none()

    def add(self, assessment: Mapping[str, Any], card: Mapping[str, Any] | None) -> bool:
        """Store an assessment and its card; `False` if its `hookInstance` is already there."""
        try:
            self._connection.execute(insert(ASSESSMENTS), assessment)
        except IntegrityError:
            return False
        if card is not None:
            self._connection.execute(insert(CARDS), card)
        return True

    def get(self, identifier: str, client: str) -> dict[str, Any] | None:
        """An assessment of this client, every column."""
        row = self._connection.execute(
            select(ASSESSMENTS)
            .where(ASSESSMENTS.c.id == identifier)
            .where(ASSESSMENTS.c.client == client)
        ).one_or_none()
        return None if row is None else dict(row._mapping)

    def by_id(self, identifier: str) -> dict[str, Any] | None:
        """An assessment of any client, every column: for people, whose permission decides."""
        query = select(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else dict(row._mapping)

    def readings_of_patient(
        self, client: str, patient_keys: Sequence[str], limit: int
    ) -> list[dict[str, Any]]:
        """Id, time and provenance of the newest `limit` assessments of this client's patient, the
        oldest first; none of those of which nothing was kept (C2)."""
        query = (
            select(ASSESSMENTS.c.id, ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.provenance)
            .where(ASSESSMENTS.c.client == client)
            .where(ASSESSMENTS.c.patient_key.in_(patient_keys))
            .where(ASSESSMENTS.c.situation != "excluded")
            .order_by(ASSESSMENTS.c.prediction_time.desc(), ASSESSMENTS.c.id)
            .limit(limit)
        )
        return list(dicts(self._connection.execute(query)))[::-1]

    def move(self, old_keys: Sequence[str], new_key: str) -> int:
        """Give a patient's rows another key: the newest, or that of the patient they were merged
        into. Returns how many."""
        result = self._connection.execute(
            update(ASSESSMENTS)
            .where(ASSESSMENTS.c.patient_key.in_(old_keys))
            .values(patient_key=new_key)
        )
        return result.rowcount

    def move_encounter(self, patient_key: str, old_keys: Sequence[str], new_key: str) -> None:
        """The same for one of the patient's encounters."""
        self._connection.execute(
            update(ASSESSMENTS)
            .where(ASSESSMENTS.c.patient_key == patient_key)
            .where(ASSESSMENTS.c.encounter_key.in_(old_keys))
            .values(encounter_key=new_key)
        )

    def references(
        self,
        patient_key: str | Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """What outcome rules need of each assessment, oldest first: of one patient, of some
        hundreds, of all who were seen from `since` on and before `until`, or of all."""
        query = select(
            ASSESSMENTS.c.id,
            ASSESSMENTS.c.patient_key,
            ASSESSMENTS.c.prediction_time,
            ASSESSMENTS.c.encounter_key,
            ASSESSMENTS.c.encounter_class,
            ASSESSMENTS.c.situation,
        ).where(ASSESSMENTS.c.situation != "excluded")
        if patient_key is not None:
            keys = [patient_key] if isinstance(patient_key, str) else patient_key
            query = query.where(ASSESSMENTS.c.patient_key.in_(keys))
        if since is not None or until is not None:
            seen = seen_between(select(ASSESSMENTS.c.patient_key), since, until)
            query = query.where(ASSESSMENTS.c.patient_key.in_(seen))
        query = query.order_by(ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id)
        return list(dicts(self._connection.execute(query)))

    def scored(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[dict[str, Any]]:
        """Scored assessments with what was predicted, oldest first, a batch at a time."""
        query = select(
            ASSESSMENTS.c.id,
            ASSESSMENTS.c.client,
            ASSESSMENTS.c.patient_key,
            ASSESSMENTS.c.prediction_time,
            ASSESSMENTS.c.encounter_key,
            ASSESSMENTS.c.encounter_class,
            ASSESSMENTS.c.features,
            ASSESSMENTS.c.probabilities,
            ASSESSMENTS.c.category,
            ASSESSMENTS.c.model_version,
            ASSESSMENTS.c.suppressed,
            ASSESSMENTS.c.indicator,
        ).where(ASSESSMENTS.c.situation == "scored")
        ordered = seen_between(query, since, until).order_by(
            ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id
        )
        yield from dicts(self._connection.execution_options(yield_per=BATCH).execute(ordered))

    def suppressed_counts(self, since: datetime | None = None) -> dict[str, int]:
        """How many answers held no card, by reason (C12); the most frequent first."""
        query = (
            select(ASSESSMENTS.c.suppressed, func.count().label("n"))
            .where(ASSESSMENTS.c.suppressed.is_not(None))
            .group_by(ASSESSMENTS.c.suppressed)
            .order_by(func.count().desc(), ASSESSMENTS.c.suppressed)
        )
        query = seen_between(query, since)
        return {row.suppressed: row.n for row in self._connection.execute(query)}

    def newest_features(self, limit: int) -> list[dict[str, Any]]:
        """Feature rows of the newest scored assessments."""
        query = (
            select(ASSESSMENTS.c.features)
            .where(ASSESSMENTS.c.situation == "scored")
            .order_by(ASSESSMENTS.c.prediction_time.desc(), ASSESSMENTS.c.id)
            .limit(limit)
        )
        return list(self._connection.execute(query).scalars())

    def situations(self, model_versions: Sequence[str], since: datetime) -> dict[str, int]:
        """How many assessments of some versions there are of each situation, from `since` on."""
        query = (
            select(ASSESSMENTS.c.situation, func.count().label("n"))
            .where(ASSESSMENTS.c.model_version.in_(model_versions))
            .where(ASSESSMENTS.c.prediction_time >= since)
            .group_by(ASSESSMENTS.c.situation)
        )
        return {row.situation: row.n for row in self._connection.execute(query)}

    def known_cards(self, uuids: Sequence[str], client: str) -> set[str]:
        """Which of these card ids went out to this client."""
        query = (
            select(CARDS.c.uuid)
            .join(ASSESSMENTS, ASSESSMENTS.c.id == CARDS.c.assessment_id)
            .where(ASSESSMENTS.c.client == client)
        )
        known: set[str] = set()
        for start in range(0, len(uuids), IN_LIST):
            some = query.where(CARDS.c.uuid.in_(uuids[start : start + IN_LIST]))
            known |= set(self._connection.execute(some).scalars())
        return known
