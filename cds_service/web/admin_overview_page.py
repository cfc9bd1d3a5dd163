"""What the overview shows below its tiles: charts, and the tables behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from cds_service.services.overview import Answers, Calls, Overview, card_kinds
from cds_service.web.admin_overview_tiles import milliseconds, ratio, share_of
from cds_service.web.admin_sections import Section, Table, named
from cds_service.web.charts import Series, Unit, bars, columns, lines
from cds_service.web.words import Words
from model.severity import Severity

MOST_CLIENTS = 20
"""Clients in the table; the others are added up."""
_CATEGORIES = frozenset(code.value for code in Severity)


def sections(overview: Overview, words: Words) -> list[Section]:
    """The charts, each under what it is about."""
    return [
        _calls(overview, words),
        _cards(overview, words),
        _clients(overview, words),
        _verified(overview, words),
    ]


def _calls(overview: Overview, words: Words) -> Section:
    labels, short, at = _axis(overview)
    by_day = [overview.calls_by_day.get(day, Calls()) for day in overview.days]
    waiting = [overview.waiting_by_day.get(day, Calls()) for day in overview.days]
    count = Unit(words, decimals=0, name=words.say("unit.calls"))
    seconds = Unit(words, decimals=0, name=words.say("unit.latency"))
    services = sorted(overview.calls_by_service.items(), key=lambda one: -one[1].total)
    return Section(
        id="calls",
        title=words.say("calls"),
        lead=[words.say("calls.lead")],
        charts=[
            columns(
                "calls-day",
                words.say("chart.calls"),
                labels,
                [
                    Series(
                        words.say("well"), [one.total - one.refused - one.failed for one in by_day]
                    ),
                    Series(words.say("refused"), [one.refused for one in by_day]),
                    Series(words.say("failed"), [one.failed for one in by_day]),
                ],
                count,
                label_head=words.say("day"),
                stacked=True,
                short=short,
            ),
            lines(
                "latency-day",
                words.say("chart.latency"),
                at,
                labels,
                [
                    Series(words.say("median"), [_in_ms(one.median) for one in waiting]),
                    Series(words.say("high"), [_in_ms(one.high) for one in waiting]),
                ],
                seconds,
                label_head=words.say("day"),
                low=0.0,
                short=short,
            ),
        ],
        tables=[
            Table(
                words.say("by_service"),
                [
                    _head(key, words)
                    for key in ("service", "calls.head", "refused", "failed", "median", "high")
                ],
                [
                    [
                        named(words, "service", name),
                        words.count(one.total),
                        _of(one.refused, one.total, words),
                        _of(one.failed, one.total, words, 2),
                        milliseconds(one.median, words),
                        milliseconds(one.high, words),
                    ]
                    for name, one in services
                ],
            )
        ]
        if services
        else [],
    )


def _cards(overview: Overview, words: Words) -> Section:
    labels, short, at = _axis(overview)
    by_day = [overview.answers_by_day.get(day, Answers()) for day in overview.days]
    kinds = card_kinds(overview)
    share = Unit(words, percent=True, name=words.say("unit.flagged"))
    held = overview.held_back
    return Section(
        id="cards",
        title=words.say("cards"),
        lead=[words.say("cards.lead")],
        charts=[
            columns(
                "cards-day",
                words.say("chart.cards"),
                labels,
                [Series(_kind(kind, words), [one.cards[kind] for one in by_day]) for kind in kinds],
                Unit(words, decimals=0, name=words.say("unit.cards")),
                label_head=words.say("day"),
                stacked=True,
                short=short,
            ),
            lines(
                "flagged-day",
                words.say("chart.flagged"),
                at,
                labels,
                [
                    Series(
                        words.say("tile.flagged"),
                        [ratio(one.flagged, one.scored) for one in by_day],
                    )
                ],
                share,
                label_head=words.say("day"),
                low=0.0,
                short=short,
            ),
            columns(
                "feedback-day",
                words.say("chart.feedback"),
                labels,
                [
                    Series(words.say("accepted"), [one.accepted for one in by_day]),
                    Series(words.say("overridden"), [one.overridden for one in by_day]),
                    Series(
                        words.say("unanswered"),
                        [max(one.shown - one.answered, 0) for one in by_day],
                    ),
                ],
                Unit(words, decimals=0, name=words.say("unit.feedback")),
                label_head=words.say("day"),
                stacked=True,
                short=short,
            ),
        ],
        tables=[
            Table(
                words.say("held"),
                [words.say("held.why"), words.say("assessments")],
                [[named(words, "held", why), words.count(n)] for why, n in held.items()],
            )
        ]
        if held
        else [],
    )


def _clients(overview: Overview, words: Words) -> Section:
    by_client = _named_clients(overview, words)
    kinds = card_kinds(overview)
    shown = [(name, one) for name, one in by_client if one.shown]
    return Section(
        id="clients",
        title=words.say("clients"),
        lead=[words.say("clients.lead")] if by_client else [words.say("clients.none")],
        charts=[
            bars(
                "cards-client",
                words.say("chart.clients"),
                [name for name, _ in shown],
                [
                    Series(_kind(kind, words), [one.cards[kind] for _, one in shown])
                    for kind in kinds
                ],
                Unit(words, decimals=0, name=words.say("unit.cards")),
                label_head=words.say("client"),
                stacked=True,
            )
        ]
        if shown
        else [],
        tables=[
            Table(
                words.say("by_client"),
                [
                    _head(key, words)
                    for key in (
                        "client",
                        "assessments",
                        "tile.flagged",
                        "tile.cards",
                        "accepted",
                        "overridden",
                    )
                ],
                [
                    [
                        name,
                        words.count(one.assessed),
                        share_of(one.flagged, one.scored, words),
                        words.count(one.shown),
                        _of(one.accepted, one.answered, words),
                        _of(one.overridden, one.answered, words),
                    ]
                    for name, one in by_client
                ],
            )
        ]
        if by_client
        else [],
    )


def _verified(overview: Overview, words: Words) -> Section:
    counts = overview.verification
    total = sum(counts.values())
    states = ("verified", "open", "unverified")
    return Section(
        id="verification",
        title=words.say("verification"),
        lead=[words.say("verification.lead")],
        tables=[
            Table(
                words.say("verification.table"),
                [words.say("verification.state"), words.say("assessments")],
                [
                    [words.say(f"verification.{state}"), _of(counts[state], total, words)]
                    for state in states
                ],
            ),
            *(
                [
                    Table(
                        words.say("versions"),
                        [words.say("version"), words.say("assessments")],
                        [[name, words.count(n)] for name, n in overview.versions.items()],
                    )
                ]
                if overview.versions
                else []
            ),
        ],
    )


def _named_clients(overview: Overview, words: Words) -> list[tuple[str, Answers]]:
    """Clients, the busiest first; the least busy ones of very many added up."""
    every = list(overview.answers_by_client.items())
    if len(every) <= MOST_CLIENTS:
        return every
    rest = Answers()
    for _, one in every[MOST_CLIENTS:]:
        rest = replace(
            rest,
            assessed=rest.assessed + one.assessed,
            scored=rest.scored + one.scored,
            flagged=rest.flagged + one.flagged,
            shown=rest.shown + one.shown,
            cards=rest.cards + one.cards,
            accepted=rest.accepted + one.accepted,
            overridden=rest.overridden + one.overridden,
        )
    others = words.say("clients.others", n=words.count(len(every) - MOST_CLIENTS))
    return [*every[:MOST_CLIENTS], (others, rest)]


def _axis(overview: Overview) -> tuple[Sequence[str], Sequence[str], Sequence[datetime]]:
    """Days as they are written, as they stand under the axis, and as times."""
    days = [date.fromisoformat(day) for day in overview.days]
    at = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    return overview.days, [f"{day:%m-%d}" for day in days], at


def _kind(kind: str, words: Words) -> str:
    return words.category(kind) if kind in _CATEGORIES else named(words, "situation", kind)


def _head(key: str, words: Words) -> str:
    """Words of a legend as the heading of a column."""
    text = words.say(key)
    return text[:1].upper() + text[1:]


def _of(part: int, whole: int, words: Words, decimals: int = 1) -> str:
    """A count with its share."""
    if not whole:
        return words.count(part)
    return f"{words.count(part)} ({share_of(part, whole, words, decimals)})"


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1_000


def chosen_period(text: str | None, periods: Mapping[str, int]) -> str:
    """The period that was asked for; the second if it is none."""
    return text if text is not None and text in periods else list(periods)[1]
