"""What is watched of the inputs, and when a chunk is beyond its limits. Pure figures.

The rule is the same for the service, its tests and `benchmarks.null_chunks`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from model.evaluation.alarm_limits import (
    Budget,
    Limits,
    correlation_limits,
    distance_limits,
    distance_spreads,
    jumped,
    share_limits,
)
from model.evaluation.drift import Reference


class Kind(StrEnum):
    """What a watched quantity is; a quantity is called `kind:name`, a distance by its input."""

    DISTANCE = "distance"
    MISSING = "missing"
    STALE = "stale"
    IMPLAUSIBLE = "implausible"
    UNKNOWN_UNIT = "unknown_unit"
    CATEGORY = "category"
    CORRELATION = "correlation"


UNUSABLE = (Kind.IMPLAUSIBLE, Kind.UNKNOWN_UNIT)
"""Shares of the readings of an input that came and could not be used."""
_BOTH = (Kind.MISSING, Kind.CATEGORY, Kind.CORRELATION)
"""What may move either way; of the others only a rise is bad news."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity of one chunk."""

    value: float
    """D, a share or a correlation."""
    n: int
    """Rows it is of."""
    events: int = 0
    """Of a share, the rows that count."""

    @classmethod
    def share(cls, events: int, rows: int) -> "Figure | None":
        """A share; `None` of no rows."""
        return cls(events / rows, rows, events) if rows else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A figure beside its limits."""

    figure: Figure
    limits: Limits | None
    """`None`: the reference is too small to judge."""
    beyond: int
    """1 above, -1 below, 0 within the limits or not judged."""
    alarm: bool
    """Beyond twice running, the same way; or a jump of unusable readings, at once."""


def quantity(kind: Kind, name: str) -> str:
    """What a quantity is called."""
    return name if kind is Kind.DISTANCE else f"{kind.value}:{name}"


def parts(name: str) -> tuple[Kind, str]:
    """The kind of a quantity, and the input or category it is of."""
    kind, separator, rest = name.partition(":")
    return (Kind(kind), rest) if separator else (Kind.DISTANCE, name)


def budget_of(watched: Iterable[str]) -> Budget:
    """The alarm budget, shared over the quantities that are watched."""
    kinds = [parts(name)[0] for name in watched]
    distances = kinds.count(Kind.DISTANCE)
    tails = sum(2 if kind in _BOTH else 1 for kind in kinds) - distances
    return Budget.shared(distances, tails)


def limits_of(
    name: str, figure: Figure, reference: Sequence[Figure], budget: Budget
) -> Limits | None:
    """The limits of a share or correlation from those of the reference chunks."""
    kind, _ = parts(name)
    if kind is Kind.CORRELATION:
        return correlation_limits(
            [(one.value, one.n) for one in reference], n=figure.n, tail=budget.other
        )
    return share_limits(
        [(one.events, one.n) for one in reference],
        of=figure.n,
        tail=budget.other,
        both=kind in _BOTH,
    )


def judge(name: str, figure: Figure, limits: Limits | None, before: int) -> Judgement:
    """Hold a figure against its limits; `before` is `beyond` of the chunk before that had one."""
    if limits is None:
        return Judgement(figure, None, 0, alarm=False)
    beyond = limits.beyond(figure.value)
    at_once = parts(name)[0] in UNUSABLE and jumped(figure.value, limits)
    return Judgement(figure, limits, beyond, alarm=at_once or (beyond != 0 and beyond == before))


def judge_all(
    figures: Mapping[str, Figure],
    reference: Mapping[str, Sequence[Figure]],
    distances: Mapping[str, Reference],
    before: Mapping[str, int],
    *,
    watched: Iterable[str],
) -> dict[str, Judgement]:
    """Every figure held against the reference chunks of its quantity.

    `distances` are the references of the inputs whose D is held against anything, `reference`
    those of all else. `watched` are all quantities that share the budget, judged now or at
    another time.
    """
    budget = budget_of(watched)
    spreads = distance_spreads({name: one.distances for name, one in distances.items()})
    judged = {}
    for name, figure in figures.items():
        if parts(name)[0] is not Kind.DISTANCE:
            limits = limits_of(name, figure, reference.get(name, ()), budget)
        elif name in spreads:
            limits = distance_limits(
                spreads[name],
                values=figure.n,
                reference_values=len(distances[name].values),
                tail=budget.distance,
            )
        else:
            limits = None
        judged[name] = judge(name, figure, limits, before.get(name, 0))
    return judged
