"""How the service does over some days: calls, answers, reactions, and how much was verified."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cds_service.context import ProcessContext
from cds_service.services.directory import PAUSED
from cds_service.services.latency import quantile
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.call_count_store import CallCountStore
from cds_service.storage.client_store import ClientStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.overview_store import SCORED, OverviewStore
from cds_service.storage.session import reading
from fhir_mapping.outcomes import STAYING_CLASSES, WINDOW_ELSE, WINDOW_STAYING
from hooks.disease_severity import SERVICE_ID, Situation
from hooks.risk_assessment import OPERATION
from model.severity import SEVERITIES, Severity

PERIODS = (7, 30, 90)
"""Days that can be looked at; `call_counts.KEPT` is longer."""
ASSESSED = frozenset({SERVICE_ID, OPERATION})
"""Services whose calls are answered with an assessment: their latency is what people wait."""
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_MEDIAN, _HIGH = 0.5, 0.95


@dataclass
class Calls:
    """Calls that were counted together."""

    total: int = 0
    refused: int = 0
    """Answered that the caller is at fault (4xx), or the caller went away."""
    failed: int = 0
    """Answered that the service is at fault or not able to (5xx)."""
    buckets: Counter[int] = field(default_factory=Counter)
    """Of those that were answered well, by how long they took."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of `call_counts`."""
        calls, status = row["calls"], row["status"]
        self.total += calls
        if status >= _SERVER_ERROR:
            self.failed += calls
        elif status >= _CLIENT_ERROR:
            self.refused += calls
        else:
            self.buckets[row["bucket"]] += calls

    @property
    def median(self) -> float | None:
        """Of the time of an answer, s."""
        return quantile(self.buckets, _MEDIAN)

    @property
    def high(self) -> float | None:
        """What 95 of 100 answers did not exceed, s."""
        return quantile(self.buckets, _HIGH)


@dataclass
class Answers:
    """Assessments that were counted together."""

    assessed: int = 0
    """All but those of whom nothing is kept (C2)."""
    scored: int = 0
    flagged: int = 0
    """Of the scored ones, those whose category is acute."""
    shown: int = 0
    """Cards that were shown."""
    cards: Counter[str] = field(default_factory=Counter)
    """Of these, by category; a card without one is under the situation it tells of."""
    accepted: int = 0
    """Cards whose last feedback is that they were."""
    overridden: int = 0

    @property
    def answered(self) -> int:
        """Cards that got feedback."""
        return self.accepted + self.overridden

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of `OverviewStore.answers`."""
        n = row["n"]
        self.assessed += n
        if row["situation"] == SCORED:
            self.scored += n
            self.flagged += n if row["category"] == Severity.ACUTE else 0
        if row["service"] == SERVICE_ID and row["suppressed"] is None:
            self.shown += n
            self.cards[row["category"] or row["situation"]] += n

    def react(self, row: Mapping[str, Any]) -> None:
        """Count a row of `OverviewStore.reactions`."""
        if row["outcome"] == "accepted":
            self.accepted += row["n"]
        else:
            self.overridden += row["n"]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview shows."""

    days: Sequence[str]
    """Every day (UTC) of the period, the last one until now."""
    version: Mapping[str, Any] | None
    """The live version with its release, if there is one."""
    open_alerts: Mapping[str, int]
    """By severity."""
    paused: bool
    calls: Calls
    waiting: Calls
    """Of `ASSESSED` alone."""
    calls_by_day: Mapping[str, Calls]
    waiting_by_day: Mapping[str, Calls]
    calls_by_service: Mapping[str, Calls]
    answers: Answers
    answers_by_day: Mapping[str, Answers]
    answers_by_client: Mapping[str, Answers]
    """The busiest first."""
    held_back: Mapping[str, int]
    """Why no card was shown, the most frequent first."""
    versions: Mapping[str, int]
    """Assessments by the version that answered, the most frequent first."""
    verification: Mapping[str, int]
    """Scored assessments that are `verified`, `open` and `unverified` (C18)."""


class OverviewService:
    """Counts what is stored; nothing of any single patient comes out of it."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def view(self, days: int) -> Overview:
        """The last `days` days, today included."""
        now = self._context.clock().astimezone(UTC)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        since, until = today - timedelta(days=days - 1), today + timedelta(days=1)
        names = [(since + timedelta(days=i)).date().isoformat() for i in range(days)]
        with reading(self._context.engine) as connection:
            counted = CallCountStore(connection).by_day(since, until)
            store = OverviewStore(connection)
            answers = [
                row for row in store.answers(since, until) if row["situation"] != Situation.EXCLUDED
            ]
            reactions = store.reactions(since, until)
            verification = self._verification(store, since, until, now)
            version = ModelStore(connection).champion()
            open_alerts = AlertStore(connection).open_by_severity()
            paused = ClientStore(connection).switches().get(PAUSED, False)
        waited = [row for row in counted if row["service"] in ASSESSED]
        by_client = _answers(answers, reactions, "client")
        return Overview(
            days=names,
            version=version,
            open_alerts=open_alerts,
            paused=paused,
            calls=_calls(counted, None)[""],
            waiting=_calls(waited, None)[""],
            calls_by_day=_calls(counted, "day"),
            waiting_by_day=_calls(waited, "day"),
            calls_by_service=_calls(counted, "service"),
            answers=_answers(answers, reactions, None)[""],
            answers_by_day=_answers(answers, reactions, "day"),
            answers_by_client=dict(
                sorted(by_client.items(), key=lambda one: (-one[1].assessed, one[0]))
            ),
            held_back=_most(answers, "suppressed"),
            versions=_most(answers, "model_version"),
            verification=verification,
        )

    def _verification(
        self, store: OverviewStore, since: datetime, until: datetime, now: datetime
    ) -> Mapping[str, int]:
        return store.verification(
            since,
            until,
            label_version=self._context.terminology.label_version,
            open_from=dict.fromkeys(sorted(STAYING_CLASSES), now - WINDOW_STAYING),
            open_from_else=now - WINDOW_ELSE,
        )


def card_kinds(overview: Overview) -> list[str]:
    """Categories and situations that cards told of, categories in their own order first."""
    known = [code.value for code in SEVERITIES]
    there = overview.answers.cards
    others = sorted(there.keys() - set(known))
    return [name for name in (*known, *others) if there[name]]


def _calls(rows: Iterable[Mapping[str, Any]], by: str | None) -> Mapping[str, Calls]:
    found: defaultdict[str, Calls] = defaultdict(Calls)
    for row in rows:
        found["" if by is None else row[by]].add(row)
    return found


def _answers(
    rows: Iterable[Mapping[str, Any]], reactions: Iterable[Mapping[str, Any]], by: str | None
) -> Mapping[str, Answers]:
    found: defaultdict[str, Answers] = defaultdict(Answers)
    for row in rows:
        found["" if by is None else row[by]].add(row)
    for row in reactions:
        found["" if by is None else row[by]].react(row)
    return found


def _most(rows: Iterable[Mapping[str, Any]], name: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in rows:
        if row[name] is not None:
            counts[row[name]] += row["n"]
    return dict(counts.most_common())
