"""Conditions as received and classified, and the outcomes decided from them. Both keep history."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    String,
    bindparam,
    cast,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    union,
    update,
)

from cds_service.storage.locks import Lock, hold
from cds_service.storage.rows import dicts
from cds_service.storage.session import IN_LIST
from cds_service.storage.spans import seen_between
from cds_service.storage.tables import ASSESSMENTS, CONDITIONS, OUTCOMES, REVIEW_ANSWERS

# Asked at every opening of a chart: built once, and both questions in one.
_ON_RECORD = select(
    (CONDITIONS.c.pregnancy_until >= bindparam("at")).label("pregnant"),
    CONDITIONS.c.facts["rare_code"].as_string().is_not(None).label("rare"),
    CONDITIONS.c.facts,
).where(
    CONDITIONS.c.patient_key.in_(bindparam("keys", expanding=True)),
    CONDITIONS.c.superseded_at.is_(None),
    or_(
        CONDITIONS.c.pregnancy_until >= bindparam("at"),
        CONDITIONS.c.facts["rare_code"].as_string().is_not(None),
    ),
)


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What Conditions that came earlier say of a patient, as they stand now."""

    pregnant: bool
    """One says that the patient is pregnant (C1)."""
    rare: list[dict[str, Any]]
    """Facts of those that name a rare disease."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one Condition that are stored."""

    count: int
    current_id: str | None
    current_hash: str | None
    """Content hash of the Condition as it stands now; `None` if it is new."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erased Condition leaves to be put right."""

    patient_keys: set[str]
    condition_ids: set[str]


class ConditionStore:
    """SQL of Conditions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def versions(self, source_keys: Sequence[str]) -> Versions:
        """What is stored of one Condition."""
        rows = self._connection.execute(
            select(CONDITIONS.c.id, CONDITIONS.c.content_hash, CONDITIONS.c.superseded_at).where(
                CONDITIONS.c.source_key.in_(source_keys)
            )
        ).all()
        now = next((row for row in rows if row.superseded_at is None), None)
        return Versions(
            len(rows), None if now is None else now.id, None if now is None else now.content_hash
        )

    def current_hash(self, source_keys: Sequence[str]) -> str | None:
        """Content hash of the Condition as it stands now; `None` if it is new."""
        return self.versions(source_keys).current_hash

    def current_hashes(self, source_keys: Sequence[str]) -> dict[str, str]:
        """Content hashes of many Conditions as they stand now, by source key."""
        found: dict[str, str] = {}
        for start in range(0, len(source_keys), IN_LIST):
            query = select(CONDITIONS.c.source_key, CONDITIONS.c.content_hash).where(
                CONDITIONS.c.source_key.in_(source_keys[start : start + IN_LIST]),
                CONDITIONS.c.superseded_at.is_(None),
            )
            found |= {row.source_key: row.content_hash for row in self._connection.execute(query)}
        return found

    def history(self, source_keys: Sequence[str]) -> list[dict[str, Any]]:
        """Every version of a Condition, oldest first; the last is the one that stands."""
        query = (
            select(CONDITIONS)
            .where(CONDITIONS.c.source_key.in_(source_keys))
            .order_by(CONDITIONS.c.superseded_at.is_(None), CONDITIONS.c.superseded_at)
        )
        return list(dicts(self._connection.execute(query)))

    def put(self, condition: Mapping[str, Any], source_keys: Sequence[str]) -> set[str]:
        """Store a Condition; an earlier version of it is superseded, not overwritten.

        Returns the keys of the patients of that version and of this one: a Condition may have
        been moved from one chart to another.
        """
        earlier = (CONDITIONS.c.source_key.in_(source_keys), CONDITIONS.c.superseded_at.is_(None))
        patients = self._connection.execute(select(CONDITIONS.c.patient_key).where(*earlier))
        changed = {*patients.scalars(), condition["patient_key"]}
        self._connection.execute(
            update(CONDITIONS).where(*earlier).values(superseded_at=condition["received_at"])
        )
        self._connection.execute(insert(CONDITIONS), condition)
        return changed

    def by_id(self, identifier: str) -> dict[str, Any]:
        """One version of a Condition by the id of its row."""
        row = self._connection.execute(
            select(CONDITIONS).where(CONDITIONS.c.id == identifier)
        ).one()
        return dict(row._mapping)

    def erase(self, source_keys: Sequence[str]) -> Erased:
        """Erase every version of a Condition (C21)."""
        versions = CONDITIONS.c.source_key.in_(source_keys)
        rows = self._connection.execute(
            select(CONDITIONS.c.patient_key, CONDITIONS.c.id).where(versions)
        ).all()
        if rows:
            self._connection.execute(delete(CONDITIONS).where(versions))
        return Erased({row.patient_key for row in rows}, {row.id for row in rows})

    def move(self, old_keys: Sequence[str], new_key: str) -> int:
        """Give a patient's rows another key: the newest, or that of the patient they were merged
        into. Returns how many."""
        result = self._connection.execute(
            update(CONDITIONS)
            .where(CONDITIONS.c.patient_key.in_(old_keys))
            .values(patient_key=new_key)
        )
        return result.rowcount

    def move_encounter(self, patient_key: str, old_keys: Sequence[str], new_key: str) -> None:
        """The same for one of the patient's encounters."""
        self._connection.execute(
            update(CONDITIONS)
            .where(CONDITIONS.c.patient_key == patient_key)
            .where(CONDITIONS.c.encounter_key.in_(old_keys))
            .values(encounter_key=new_key)
        )

    def on_record(self, patient_keys: Sequence[str], at: datetime) -> OnRecord:
        """What is known of a patient beside the chart, at the time `at`."""
        parameters = {"keys": list(patient_keys), "at": at}
        found = self._connection.execute(_ON_RECORD, parameters).all()
        return OnRecord(
            pregnant=any(row.pregnant for row in found),
            rare=[row.facts for row in found if row.rare],
        )

    def current(self, patient_key: str | Sequence[str]) -> list[dict[str, Any]]:
        """Conditions as they stand now, of one patient or of some hundreds."""
        keys = [patient_key] if isinstance(patient_key, str) else patient_key
        query = select(CONDITIONS).where(
            CONDITIONS.c.superseded_at.is_(None), CONDITIONS.c.patient_key.in_(keys)
        )
        return list(dicts(self._connection.execute(query)))

    def of_other_rules(
        self, patient_keys: Sequence[str], label_version: str
    ) -> list[dict[str, Any]]:
        """Conditions as they stand now that other label rules classified (C17)."""
        query = select(CONDITIONS).where(
            CONDITIONS.c.superseded_at.is_(None),
            CONDITIONS.c.patient_key.in_(patient_keys),
            CONDITIONS.c.label_version != label_version,
        )
        return list(dicts(self._connection.execute(query)))

    def of_others(self, clients: Collection[str]) -> set[str]:
        """Ids of the Conditions as they stand now that none of these clients sent."""
        query = select(CONDITIONS.c.id).where(
            CONDITIONS.c.superseded_at.is_(None), CONDITIONS.c.client.not_in(sorted(clients))
        )
        return set(self._connection.execute(query).scalars())

    def supersede(
        self,
        conditions: Sequence[Mapping[str, Any]],
        old: Sequence[Mapping[str, Any]],
        at: datetime,
    ) -> None:
        """Put `conditions` in the place of the rows `old`, which stay as history."""
        for start in range(0, len(old), IN_LIST):
            some = [row["id"] for row in old[start : start + IN_LIST]]
            self._connection.execute(
                update(CONDITIONS).where(CONDITIONS.c.id.in_(some)).values(superseded_at=at)
            )
        if conditions:
            self._connection.execute(insert(CONDITIONS), list(conditions))


_NO_DECISION = frozenset({"id", "decided_at", "superseded_at"})
"""Columns of an outcome that say nothing of what was decided."""


class OutcomeStore:
    """SQL of outcomes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Decide outcomes alone until the transaction ends; SQLite has one writer anyway.

        Else two deliveries of one Condition would both find it new.
        """
        hold(self._connection, Lock.OUTCOMES)

    def renew(
        self,
        assessment_ids: Sequence[str],
        label_version: str,
        outcomes: Sequence[Mapping[str, Any]],
        at: datetime,
    ) -> None:
        """Make `outcomes` those of the assessments, by one version of the rules.

        What was decided otherwise before is superseded, not overwritten; what was decided the
        same stays. An assessment without one in `outcomes` has none from now on.
        """
        decided = {outcome["assessment_id"]: outcome for outcome in outcomes}
        old: list[str] = []
        for start in range(0, len(assessment_ids), IN_LIST):
            some = assessment_ids[start : start + IN_LIST]
            query = _standing(label_version).where(OUTCOMES.c.assessment_id.in_(some))
            for row in dicts(self._connection.execute(query)):
                new = decided.get(row["assessment_id"])
                if new is not None and _decision(row) == _decision(new):
                    del decided[row["assessment_id"]]
                else:
                    old.append(row["id"])
        for start in range(0, len(old), IN_LIST):
            self._connection.execute(
                update(OUTCOMES)
                .where(OUTCOMES.c.id.in_(old[start : start + IN_LIST]))
                .values(superseded_at=at)
            )
        if decided:
            self._connection.execute(insert(OUTCOMES), list(decided.values()))

    def undecided_patients(self, label_version: str) -> list[str]:
        """Keys of patients for whom something is to be decided by these rules: an assessment and
        Conditions without an outcome, a Condition that other rules read, or a reviewer's answer
        that is newer than the outcome. Of all others the outcomes stand as they are.
        """
        standing = (
            select(OUTCOMES.c.id)
            .where(
                OUTCOMES.c.assessment_id == ASSESSMENTS.c.id,
                OUTCOMES.c.label_version == label_version,
                OUTCOMES.c.superseded_at.is_(None),
            )
            .correlate(ASSESSMENTS, REVIEW_ANSWERS)
        )
        patients = select(ASSESSMENTS.c.patient_key).where(ASSESSMENTS.c.situation != "excluded")
        named = patients.join(
            CONDITIONS, CONDITIONS.c.patient_key == ASSESSMENTS.c.patient_key
        ).where(
            CONDITIONS.c.superseded_at.is_(None),
            or_(CONDITIONS.c.label_version != label_version, not_(standing.exists())),
        )
        answered = patients.join(
            REVIEW_ANSWERS, REVIEW_ANSWERS.c.assessment_id == ASSESSMENTS.c.id
        ).where(
            REVIEW_ANSWERS.c.category.is_not(None),
            not_(standing.where(OUTCOMES.c.decided_at >= REVIEW_ANSWERS.c.at).exists()),
        )
        return list(self._connection.execute(union(named, answered)).scalars())

    def decided(
        self,
        label_version: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Outcomes of one rule version (C17: versions are not pooled) by assessment id, as they
        stand now; of the assessments from `since` on and before `until`."""
        query = _standing(label_version)
        if since is not None or until is not None:
            query = query.join(ASSESSMENTS, ASSESSMENTS.c.id == OUTCOMES.c.assessment_id)
            query = seen_between(query, since, until)
        return {row["assessment_id"]: row for row in dicts(self._connection.execute(query))}

    def rare(self, label_version: str) -> set[tuple[str, str]]:
        """Patient key and code of the rare diseases that outcomes name, as they stand now."""
        query = (
            select(ASSESSMENTS.c.patient_key, OUTCOMES.c.rare_codes)
            .join(ASSESSMENTS, ASSESSMENTS.c.id == OUTCOMES.c.assessment_id)
            .where(
                OUTCOMES.c.label_version == label_version,
                OUTCOMES.c.superseded_at.is_(None),
                # There are few, and it is asked every few minutes: the others are not read.
                cast(OUTCOMES.c.rare_codes, String) != "[]",
                ASSESSMENTS.c.situation != "excluded",
            )
        )
        rows = self._connection.execute(query)
        return {(row.patient_key, code) for row in rows for code in row.rare_codes}

    def decided_since(self, label_version: str, since: datetime) -> int:
        """How many outcomes with a category were decided after `since`, as they stand now."""
        query = select(func.count()).where(
            OUTCOMES.c.label_version == label_version,
            OUTCOMES.c.superseded_at.is_(None),
            OUTCOMES.c.category.is_not(None),
            OUTCOMES.c.after_diagnosis.is_(False),
            OUTCOMES.c.decided_at > since,
        )
        return int(self._connection.execute(query).scalar_one())

    def history(self, assessment_id: str) -> list[dict[str, Any]]:
        """Every outcome an assessment had, by all versions of the rules, oldest first."""
        query = (
            select(OUTCOMES)
            .where(OUTCOMES.c.assessment_id == assessment_id)
            .order_by(OUTCOMES.c.superseded_at.is_(None), OUTCOMES.c.superseded_at, OUTCOMES.c.id)
        )
        return list(dicts(self._connection.execute(query)))

    def erase(self, assessment_ids: Sequence[str], condition_ids: Collection[str]) -> None:
        """Erase every version that rests on Conditions that were erased (C21).

        A reviewer's rests on none but repeats rare diseases that Conditions name: it goes too, and
        is decided anew from the answer.
        """
        for start in range(0, len(assessment_ids), IN_LIST):
            some = OUTCOMES.c.assessment_id.in_(assessment_ids[start : start + IN_LIST])
            rows = self._connection.execute(
                select(
                    OUTCOMES.c.id,
                    OUTCOMES.c.condition_ids,
                    OUTCOMES.c.author,
                    OUTCOMES.c.rare_codes,
                ).where(some)
            )
            resting = [
                row.id
                for row in rows
                if not set(condition_ids).isdisjoint(row.condition_ids)
                or (row.author is not None and row.rare_codes)
            ]
            if resting:
                self._connection.execute(delete(OUTCOMES).where(OUTCOMES.c.id.in_(resting)))


def _standing(label_version: str) -> Select[Any]:
    return select(OUTCOMES).where(
        OUTCOMES.c.label_version == label_version, OUTCOMES.c.superseded_at.is_(None)
    )


def _decision(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outcome.items() if name not in _NO_DECISION}
