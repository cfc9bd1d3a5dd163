"""Answers, reactions and outcomes counted by day: all that is read lies in an index."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from cds_service.storage.days import utc_day
from cds_service.storage.tables import ASSESSMENTS, CARDS, FEEDBACK, OUTCOMES

SCORED = "scored"


class OverviewStore:
    """SQL of the overview; nothing of any single patient comes out of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_answers(self, since: datetime) -> dict[str, datetime]:
        """When each client's newest assessment was, as far back as `since`."""
        columns = ASSESSMENTS.c
        # An expression, so that SQLite does not take an index that begins with the client and
        # has no times, and with it every row.
        client = columns.client.concat("")
        query = (
            select(client.label("client"), func.max(columns.prediction_time).label("last"))
            .where(columns.prediction_time >= since)
            .group_by(client)
        )
        return {row.client: row.last for row in self._connection.execute(query)}

    def answers(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """`day`, `client`, `service`, `situation`, `category`, `suppressed` (why no card was
        shown), `model_version`, and how many (`n`)."""
        columns = ASSESSMENTS.c
        day = utc_day(columns.prediction_time, self._connection.dialect).label("day")
        kept = (
            day,
            columns.client,
            columns.service,
            columns.situation,
            columns.category,
            columns.suppressed,
            columns.model_version,
        )
        query = (
            select(*kept, func.count().label("n"))
            .where(columns.prediction_time >= since, columns.prediction_time < until)
            .group_by(*kept)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def reactions(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """The last word on each card that got feedback from its own client, by the day and client
        of its assessment: `day`, `client`, `outcome` (`accepted`, `overridden`) and `n`.

        Clinicians change their minds, and every entry is kept (R54).
        """
        columns, said = ASSESSMENTS.c, FEEDBACK.c
        newest = (
            func.row_number()
            .over(
                partition_by=said.card_uuid,
                order_by=(
                    said.received_at.desc(),
                    said.outcome_timestamp.desc(),
                    said.id.desc(),
                ),
            )
            .label("newest")
        )
        entries = (
            select(
                utc_day(columns.prediction_time, self._connection.dialect).label("day"),
                columns.client,
                said.outcome,
                newest,
            )
            .select_from(FEEDBACK)
            .join(CARDS, CARDS.c.uuid == said.card_uuid)
            .join(ASSESSMENTS, columns.id == CARDS.c.assessment_id)
            .where(said.client == columns.client)
            .where(columns.prediction_time >= since, columns.prediction_time < until)
            .subquery()
        )
        found = entries.c
        query = (
            select(found.day, found.client, found.outcome, func.count().label("n"))
            .where(found.newest == 1)
            .group_by(found.day, found.client, found.outcome)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def verification(
        self,
        since: datetime,
        until: datetime,
        *,
        label_version: str,
        open_from: Mapping[str, datetime],
        open_from_else: datetime,
    ) -> dict[str, int]:
        """How many scored assessments were `verified` (they have an outcome with a category, by
        one version of the rules), are still `open`, or passed `unverified` (C18).

        `open_from` is the first prediction time, by class of encounter, whose window is still
        open; `open_from_else` that of every other class and of none.
        """
        columns = ASSESSMENTS.c
        decided = and_(
            OUTCOMES.c.assessment_id == columns.id,
            OUTCOMES.c.label_version == label_version,
            OUTCOMES.c.superseded_at.is_(None),
            OUTCOMES.c.category.is_not(None),
            OUTCOMES.c.after_diagnosis.is_(False),
        )
        others = or_(
            columns.encounter_class.is_(None), columns.encounter_class.not_in(list(open_from))
        )
        is_open = or_(
            and_(others, columns.prediction_time >= open_from_else),
            *(
                and_(columns.encounter_class == name, columns.prediction_time >= first)
                for name, first in open_from.items()
            ),
        )
        state = case(
            (OUTCOMES.c.id.is_not(None), "verified"), (is_open, "open"), else_="unverified"
        ).label("state")
        query = (
            select(state, func.count().label("n"))
            .select_from(ASSESSMENTS)
            .outerjoin(OUTCOMES, decided)
            .where(columns.situation == SCORED)
            .where(columns.prediction_time >= since, columns.prediction_time < until)
            .group_by(state)
        )
        counts = {row.state: row.n for row in self._connection.execute(query)}
        return {name: counts.get(name, 0) for name in ("verified", "open", "unverified")}
