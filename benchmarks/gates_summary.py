"""What the verdicts of all replays come to, and whether it is as promised."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.gates_replay import CHALLENGERS, MORE, MORE_MISLABELLED, Verdict
from model.training.gate_records import TITLES

LET_THROUGH, HELD_BACK = 0.5, 0.75
"""Of the larger honest challengers more than the first are promoted, of the larger mislabelled
ones more than the second refused; the lower end of the 95 % interval must be above."""
_QUANTILE = 1.959964
"""Of the normal distribution, for two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened in `of` replays."""

    count: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % score interval (Wilson 1927)."""
        share, squared = self.count / self.of, _QUANTILE**2
        middle = share + squared / (2 * self.of)
        half = _QUANTILE * np.sqrt(share * (1 - share) / self.of + squared / (4 * self.of**2))
        scale = 1 + squared / self.of
        return max(0.0, float((middle - half) / scale)), min(1.0, float((middle + half) / scale))

    def above(self, limit: float) -> bool | None:
        """Whether it is more often than `limit` in truth; `None` if so few replays cannot tell."""
        low, high = self.interval
        if low > limit:
            return True
        attainable = Rate(self.of, self.of).interval[0] > limit
        return False if attainable or high < limit else None

    def __str__(self) -> str:
        """`19 of 20 [0.76, 0.99]`."""
        low, high = self.interval
        return f"{self.count} of {self.of} [{low:.2f}, {high:.2f}]"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise on one kind of rows."""

    said: str
    held: bool | None
    """`None`: so few replays cannot tell."""

    def __str__(self) -> str:
        """One line."""
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "cannot be told of so few"}
        return f"{self.said}: {verdict[self.held]}"


def promises(verdicts: Sequence[Verdict]) -> list[Promise]:
    """The two promises on each kind of rows, as far as there is something to judge them by."""
    found = []
    for source in dict.fromkeys(one.source for one in verdicts):
        for challenger, word, happened, limit in (
            (MORE, "promoted", _promoted, LET_THROUGH),
            (MORE_MISLABELLED, "refused", _refused, HELD_BACK),
        ):
            mine = _of(verdicts, source, challenger)
            if not mine:
                continue
            rate = rate_of(mine, happened)
            said = f"{source}: {challenger}, {word} in {rate}, asked above {limit}"
            found.append(Promise(said, rate.above(limit)))
    return found


def as_text(verdicts: Sequence[Verdict]) -> str:
    """A table of the rates for each kind of rows."""
    lines = []
    for source in dict.fromkeys(one.source for one in verdicts):
        mine = [one for one in verdicts if one.source == source]
        lines += ["", f"{source}, {_span([one.compared for one in mine])} held-out outcomes, of "]
        lines[-1] += f"them {_span([one.acute for one in mine])} acute"
        lines.append("-" * len(lines[-1]))
        for challenger in CHALLENGERS:
            judged = _of(verdicts, source, challenger)
            lines += _told(challenger, judged) if judged else []
    return "\n".join(lines[1:])


def _told(challenger: str, found: Sequence[Verdict]) -> list[str]:
    names = Counter(name for one in found for name in one.refused_by if one.refused)
    by = ", ".join(f"{TITLES[name]} {count}" for name, count in names.most_common())
    lines = [
        challenger,
        f"  promoted {rate_of(found, _promoted)}, refused {rate_of(found, _refused)}",
        *([f"  refused by: {by}"] if by else []),
        f"  less the champion: log loss {_mean([one.log_loss for one in found])}, "
        f"of acute {_mean([one.acute_log_loss for one in found])}, "
        f"sensitivity {_mean([one.sensitivity for one in found], 3)}",
    ]
    undecided = sum(not (one.promoted or one.refused) for one in found)
    return lines + ([f"  not enough to decide in {undecided}"] if undecided else [])


def rate_of(found: Sequence[Verdict], happened: Callable[[Verdict], bool]) -> Rate:
    """How often it happened."""
    return Rate(sum(map(happened, found)), len(found))


def _of(verdicts: Sequence[Verdict], source: str, challenger: str) -> list[Verdict]:
    return [one for one in verdicts if (one.source, one.challenger) == (source, challenger)]


def _promoted(one: Verdict) -> bool:
    return one.promoted


def _refused(one: Verdict) -> bool:
    return one.refused


def _mean(values: Sequence[float], decimals: int = 4) -> str:
    """Mean of the replays, and the lowest and highest of them."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "not judged"
    ends = f"{min(known):+.{decimals}f} to {max(known):+.{decimals}f}"
    return f"{np.mean(known):+.{decimals}f} ({ends})"


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
