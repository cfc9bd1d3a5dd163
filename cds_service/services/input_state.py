"""What a chunk hands on to the next one, so that none has to be read again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.evaluation.alarm_limits import Budget
from model.evaluation.input_watch import Figure, Judgement, Kind, parts

QUIET_CHUNKS = 2
"""Chunks running within the limits, after which the cause of an alert has passed."""


def as_json(found: Judgement | Budget) -> dict[str, Any]:
    """JSON types, as a chunk keeps them."""
    if isinstance(found, Budget):
        return {"distance": found.distance, "other": found.other}
    limits = found.limits
    return {
        "value": found.figure.value,
        "n": found.figure.n,
        "low": None if limits is None else limits.low,
        "high": None if limits is None else limits.high,
        "mean": None if limits is None else limits.mean,
        "beyond": found.beyond,
        "alarm": found.alarm,
    }


@dataclass(slots=True)
class State:
    """Reference chunks of each quantity, and how the last chunk stood."""

    shares: dict[str, list[list[float]]] = field(default_factory=dict)
    """Quantity → chunk, value, rows and events of each reference chunk."""
    categories: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Version → the same of its answers: a promotion starts a new reference for them."""
    inputs: dict[str, list[int]] = field(default_factory=dict)
    """Input → chunks that distances are taken from."""
    last: dict[str, list[int]] = field(default_factory=dict)
    """Quantity → `beyond` and the number of the last chunk that had it."""
    alarmed: dict[str, int] = field(default_factory=dict)
    """Quantity that alarmed → chunks running within its limits since."""
    moved: dict[str, list[list[float]]] = field(default_factory=dict)
    """Quantity → its chunks running beyond a limit: its reference, if it is accepted as it is."""
    renewed: list[str] = field(default_factory=list)
    """Inputs that were: what the live version learnt from is no reference for them any more."""
    codes: dict[str, list[str]] = field(default_factory=dict)
    """Input (`not_used`: none) → codes that have come until here."""
    units: dict[str, list[str]] = field(default_factory=dict)
    """Input → units."""
    faults: dict[str, int] = field(default_factory=dict)
    """Key of an alert for skew → chunks running without it since."""
    version: str | None = None
    left_behind: list[str] = field(default_factory=list)
    """Alarms of answers of a version that is no longer live; not kept."""

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> "State":
        """As `as_json` gave it; new without any."""
        stored = stored or {}
        return cls(
            shares={name: list(rows) for name, rows in stored.get("shares", {}).items()},
            categories={v: dict(rows) for v, rows in stored.get("categories", {}).items()},
            inputs={name: list(numbers) for name, numbers in stored.get("inputs", {}).items()},
            last=dict(stored.get("last", {})),
            alarmed=dict(stored.get("alarmed", {})),
            moved={name: list(rows) for name, rows in stored.get("moved", {}).items()},
            renewed=list(stored.get("renewed", [])),
            codes=dict(stored.get("codes", {})),
            units=dict(stored.get("units", {})),
            faults=dict(stored.get("faults", {})),
            version=stored.get("version"),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "shares": self.shares,
            "categories": self.categories,
            "inputs": self.inputs,
            "last": self.last,
            "alarmed": self.alarmed,
            "moved": self.moved,
            "renewed": self.renewed,
            "codes": self.codes,
            "units": self.units,
            "faults": self.faults,
            "version": self.version,
        }

    def under(self, version: str) -> "State":
        """The state for a chunk of a version: after a promotion its answers begin anew."""
        found = State.of(self.as_json())
        if self.version != version:
            found.left_behind = [n for n in found.alarmed if parts(n)[0] is Kind.CATEGORY]
            for name in [n for n in (*found.alarmed, *found.last) if _is_answer(n)]:
                found.alarmed.pop(name, None)
                found.last.pop(name, None)
                found.moved.pop(name, None)
        found.version = version
        return found

    def _chunks(self, name: str) -> list[list[float]]:
        if _is_answer(name):
            return self.categories.get(self.version or "", {}).get(name, [])
        return self.shares.get(name, [])

    def reference(self, name: str) -> list[Figure]:
        """Shares or correlations of a quantity in its reference chunks."""
        return [Figure(value, int(n), int(events)) for _, value, n, events in self._chunks(name)]

    def size(self, name: str) -> int:
        """How many reference chunks a share has."""
        return len(self._chunks(name))

    def told(self, name: str) -> str:
        """The reference of a share in words."""
        chunks = self._chunks(name)
        if not chunks:
            return "nothing yet"
        return local_chunks([int(chunk[0]) for chunk in chunks])

    def renew(self, name: str, *, most: int) -> "State":
        """The state if a quantity is accepted as it is now: the chunks that alarmed begin its new
        reference."""
        found = State.of(self.as_json())
        found.left_behind = self.left_behind
        chunks = found.moved.pop(name, [])[-most:]
        found.alarmed.pop(name, None)
        found.last.pop(name, None)
        if parts(name)[0] is Kind.DISTANCE:
            found.inputs[name] = [int(chunk[0]) for chunk in chunks]
            found.renewed = sorted({*found.renewed, name})
        elif _is_answer(name):
            found.categories.setdefault(found.version or "", {})[name] = chunks
        else:
            found.shares[name] = chunks
        return found

    def accepted(self, name: str) -> list[int]:
        """Local chunks that the distance of an input may be taken from."""
        return self.inputs.get(name, [])

    def before(self, name: str) -> int:
        """`beyond` of the last chunk that had this quantity."""
        return self.last[name][0] if name in self.last else 0

    def chunk_before(self, name: str) -> int | None:
        """The number of that chunk."""
        return self.last[name][1] if name in self.last else None

    def quiet_twice(self, judged: Mapping[str, Judgement]) -> list[str]:
        """Quantities whose alarm is over with this chunk."""
        return [
            name
            for name, quiet in self.alarmed.items()
            if name in judged
            and judged[name].limits is not None
            and not judged[name].beyond
            and quiet + 1 >= QUIET_CHUNKS
        ]

    def without_faults(self, seen: Collection[str]) -> list[str]:
        """Count the chunks without each fault, `seen` those of this one; returns what is over."""
        quiet = {key: 0 if key in seen else n + 1 for key, n in self.faults.items()}
        over = [key for key, n in quiet.items() if n >= QUIET_CHUNKS]
        kept = {key: n for key, n in quiet.items() if n < QUIET_CHUNKS}
        self.faults = kept | dict.fromkeys(seen, 0)
        return over

    def after(
        self,
        number: int,
        judged: Mapping[str, Judgement],
        accepted: Iterable[str],
        *,
        most: int,
    ) -> "State":
        """The state once a chunk was judged.

        The first `most` chunks of a quantity that were not beyond its limits are its reference.
        `accepted` are the inputs whose values are such.
        """
        found = State.of(self.as_json())
        for name in self.quiet_twice(judged):
            del found.alarmed[name]
        for name, one in judged.items():
            found.last[name] = [one.beyond, number]
            if one.alarm:
                found.alarmed[name] = 0
            elif name in found.alarmed:
                found.alarmed[name] = 0 if one.beyond else found.alarmed[name] + 1
            figure = one.figure
            row = [number, figure.value, figure.n, figure.events]
            if one.beyond:
                found.moved[name] = [*found.moved.get(name, []), row][-most:]
                continue
            found.moved.pop(name, None)
            if parts(name)[0] is not Kind.DISTANCE:
                self._extend(found, name, row, most)
        for name in accepted:
            numbers = found.inputs.setdefault(name, [])
            if len(numbers) < most:
                numbers.append(number)
        return found

    def _extend(self, found: "State", name: str, row: Sequence[float], most: int) -> None:
        where = found.shares
        if _is_answer(name):
            where = found.categories.setdefault(found.version or "", {})
        chunks = where.setdefault(name, [])
        if len(chunks) < most:
            where[name] = [*chunks, list(row)]


def local_chunks(numbers: Sequence[int]) -> str:
    """Reference chunks in words."""
    return f"{len(numbers)} local chunks, {numbers[0]} to {numbers[-1]}"


def _is_answer(name: str) -> bool:
    return parts(name)[0] is Kind.CATEGORY
