"""False alarms of the input watch where nothing has changed, and how soon a shift is found.

`python -m benchmarks.null_chunks` holds 500 chunks of 500 rows against ten reference chunks of the
same stream, once with independent rows and once with clustered ones, and prints the chunks with an
alarm of any watched quantity, with the one-sided 95 % upper bound of their rate (Clopper and
Pearson 1934). `--seeds N` does so N times, each time with other reference chunks. Then a shift of
systolic pressure of 10 mmHg is looked for in 100 other streams of each kind. Exit status 1 if more
than 4 of 500 chunks of a seed alarm, or if the shift is missed by the second chunk more often than
in one stream in twenty.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit
from scipy.stats import beta

from model.evaluation.drift import Reference, correlation, distance
from model.evaluation.input_watch import Figure, Kind, judge_all, quantity
from model.features import FloatArray

MEAN_SD: Mapping[str, tuple[float, float, int]] = {
    "age": (58, 18, 0),
    "heart_rate": (82, 17, 0),
    "body_temperature": (36.9, 0.6, 1),
    "systolic_bp": (126, 20, 0),
    "diastolic_bp": (76, 13, 0),
    "respiratory_rate": (17, 4, 0),
    "oxygen_saturation": (96.5, 2.5, 0),
}
"""Input → mean, SD and decimals, about those of emergency visits."""
REASON_SHARES = {Kind.MISSING: 0.08, Kind.STALE: 0.02, Kind.IMPLAUSIBLE: 0.004} | {
    Kind.UNKNOWN_UNIT: 0.001
}
CATEGORIES = ("not-ill", "mild", "acute", "chronic", "terminal")
ROWS_A_DAY = 100
UPPER = 0.02


@dataclass
class Stream:
    """Rows of one hospital, a chunk at a time.

    Clustered: patients open their chart three times on average, half of the variance is between
    patients, days differ by 0.05 SD (1 mmHg) and resemble the day before (correlation 0.7), and
    two sites that differ by 0.3 SD share each day unequally.
    """

    seed: int
    clustered: bool
    rows: int = 500
    shift: float = 0.0
    """Added to systolic pressure, mmHg."""
    _day: dict[str, FloatArray] = field(default_factory=dict)
    _left: int = 0

    def __post_init__(self) -> None:
        """Begin on a day of its own."""
        self._random = np.random.default_rng([self.seed, self.clustered])
        width = len(MEAN_SD)
        self._day = {"input": np.zeros(width), "missing": np.zeros(width), "site": np.zeros(1)}
        for _ in range(20):
            self._next_day()

    def _next_day(self) -> None:
        for name, sd in (("input", 0.05), ("missing", 0.25), ("site", 0.5)):
            old = self._day[name]
            new = self._random.normal(0, sd, len(old))
            self._day[name] = 0.7 * old + np.sqrt(1 - 0.7**2) * new
        self._left = ROWS_A_DAY

    def chunk(self) -> "Chunk":
        """The next rows."""
        width = len(MEAN_SD)
        patient = np.arange(self.rows)
        day_input = np.zeros((self.rows, width))
        day_missing = np.zeros((self.rows, width))
        site = np.zeros(self.rows)
        random = self._random
        if self.clustered:
            patient = np.cumsum(random.random(self.rows) < 1 / 3)
            for row in range(self.rows):
                if not self._left:
                    self._next_day()
                self._left -= 1
                day_input[row], day_missing[row] = self._day["input"], self._day["missing"]
                site[row] = random.random() < expit(self._day["site"][0])
        patients = int(patient.max()) + 1
        between = 0.5 if self.clustered else 0.0
        person = random.normal(0, 1, (patients, width))[patient]
        z = np.sqrt(between) * person + np.sqrt(1 - between) * random.normal(
            0, 1, (self.rows, width)
        )
        z += day_input + 0.3 * (site[:, None] - 0.5) * self.clustered
        habit = random.normal(0, 1.0 * self.clustered, (patients, width))[patient]
        return self._measured(z, habit + day_missing)

    def _measured(self, z: FloatArray, habit: FloatArray) -> "Chunk":
        random = self._random
        values, reasons = {}, {}
        for i, (name, (mean, sd, decimals)) in enumerate(MEAN_SD.items()):
            values[name] = np.round(mean + sd * z[:, i], decimals)
            for kind, share in REASON_SHARES.items():
                chance = expit(np.log(share / (1 - share)) + habit[:, i])
                reasons[quantity(kind, name)] = random.random(len(z)) < chance
            gone = np.logical_or.reduce([reasons[quantity(k, name)] for k in REASON_SHARES])
            reasons[quantity(Kind.MISSING, name)] = gone
            values[name][gone] = np.nan
        values["systolic_bp"] = values["systolic_bp"] + self.shift
        risk = 0.8 * z[:, 1] - 0.5 * z[:, 3] + 0.6 * z[:, 5] - 0.6 * z[:, 6]
        category = np.clip(np.round(1.2 + 0.5 * z[:, 0] + 0.5 * risk), 0, 4).astype(int)
        outcome = (random.random(len(z)) < expit(-2.2 + risk)).astype(float)
        outcome[random.random(len(z)) < 0.4] = np.nan
        return Chunk(values, reasons, category, outcome)


@dataclass
class Chunk:
    """Rows, of which the figures are made."""

    values: dict[str, FloatArray]
    reasons: dict[str, "np.ndarray"]
    category: "np.ndarray"
    outcome: FloatArray

    def figures(self) -> dict[str, Figure]:
        """Every watched quantity but the distances."""
        rows = len(self.category)
        found = {name: Figure.share(int(hit.sum()), rows) for name, hit in self.reasons.items()} | {
            quantity(Kind.CATEGORY, name): Figure.share(int((self.category == i).sum()), rows)
            for i, name in enumerate(CATEGORIES)
        }
        for name, column in self.values.items():
            goes = correlation(column, self.outcome)
            if goes is not None:
                found[quantity(Kind.CORRELATION, name)] = Figure(goes.value, goes.n)
        return {name: figure for name, figure in found.items() if figure is not None}


@dataclass
class Watch:
    """Reference chunks of a stream and what is held against them, as the service does it."""

    chunks: list[Chunk]

    def __post_init__(self) -> None:
        """Measure the reference."""
        self._distances = {
            name: Reference.of([chunk.values[name] for chunk in self.chunks]) for name in MEAN_SD
        }
        self._reference: dict[str, list[Figure]] = {}
        for chunk in self.chunks:
            for name, figure in chunk.figures().items():
                self._reference.setdefault(name, []).append(figure)
        self._before: dict[str, int] = {}

    def alarms(self, chunk: Chunk) -> list[str]:
        """What alarms in the next chunk."""
        figures = chunk.figures() | {
            name: Figure(
                distance(chunk.values[name], reference.values),
                int(np.isfinite(chunk.values[name]).sum()),
            )
            for name, reference in self._distances.items()
        }
        judged = judge_all(
            figures,
            self._reference,
            self._distances,
            self._before,
            watched=[*self._reference, *self._distances],
        )
        self._before = {name: one.beyond for name, one in judged.items()}
        return [name for name, one in judged.items() if one.alarm]

    @property
    def beyond(self) -> list[str]:
        """What was beyond its limit in the last chunk, alarm or not."""
        return [name for name, way in self._before.items() if way]


def null_alarms(
    seed: int, *, clustered: bool, chunks: int = 500, reference: int = 10, rows: int = 500
) -> tuple[int, Counter[str], int]:
    """Chunks of an unchanged stream with an alarm, what alarmed, and chunks beyond any limit."""
    stream = Stream(seed, clustered, rows)
    watch = Watch([stream.chunk() for _ in range(reference)])
    count, beyond, names = 0, 0, Counter[str]()
    for _ in range(chunks):
        found = watch.alarms(stream.chunk())
        count += bool(found)
        beyond += bool(watch.beyond)
        names.update(found)
    return count, names, beyond


def found_within(
    seed: int, *, clustered: bool, shift: float = 10.0, reference: int = 10, rows: int = 500
) -> int | None:
    """After how many chunks a shift of systolic pressure alarms; `None` not within four."""
    stream = Stream(seed, clustered, rows)
    watch = Watch([stream.chunk() for _ in range(reference)])
    watch.alarms(stream.chunk())
    stream.shift = shift
    for number in range(1, 5):
        if "systolic_bp" in watch.alarms(stream.chunk()):
            return number
    return None


def upper_bound(count: int, of: int) -> float:
    """One-sided 95 % upper bound of a rate (Clopper and Pearson 1934)."""
    return 1.0 if count >= of else float(beta.ppf(0.95, count + 1, of - count))


def main() -> int:
    """Run, print, and say whether it holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.null_chunks")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--chunks", type=int, default=500)
    parser.add_argument("--reference", type=int, default=10)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--streams", type=int, default=100)
    options = parser.parse_args()
    say = lambda text: sys.stdout.write(text + "\n") and sys.stdout.flush()  # noqa: E731
    wrong = 0
    size = {"reference": options.reference, "rows": options.rows}
    for clustered in (False, True):
        kind = "clustered" if clustered else "independent"
        total = 0
        for seed in range(1, options.seeds + 1):
            count, names, beyond = null_alarms(
                seed, clustered=clustered, chunks=options.chunks, **size
            )
            total += count
            bound = upper_bound(count, options.chunks)
            wrong += bound >= UPPER
            say(
                f"{kind}, seed {seed}: {count} of {options.chunks} chunks with an alarm, upper "
                f"bound {bound:.2%}; {beyond} beyond a limit once"
                + "".join(f"; {name} {n}" for name, n in names.most_common(3))
            )
        of = options.chunks * options.seeds
        say(f"{kind}, all: {total} of {of}, upper bound {upper_bound(total, of):.2%}")
        times = Counter(
            found_within(1_000 + seed, clustered=clustered, **size)
            for seed in range(options.streams)
        )
        late = sum(n for when, n in times.items() if when is None or when > 2)
        wrong += late > options.streams / 20
        say(
            f"{kind}, +10 mmHg: found by the second chunk in {options.streams - late} of "
            f"{options.streams} streams"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
