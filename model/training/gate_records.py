"""What a gate says, and how far each may be passed short of equality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TITLES: Mapping[str, str] = {
    "categories": "no category lost",
    "outcomes": "enough outcomes",
    "log_loss": "log loss",
    "category_log_loss": "log loss of each category",
    "sensitivity": "sensitivity for acute",
    "best_of_past_year": "best of the past year",
    "fairness": "fairness gap",
    "rare_floor": "rare diseases",
    "latency": "latency",
    "explanation": "explanation",
}
"""Every gate, in the order of the table, by its name in records."""
_PASSED = {True: "passed", False: "REFUSED", None: "not judged"}


@dataclass(frozen=True, slots=True)
class Margins:
    """How much worse a challenger may be; the reasons stand in decision 0018."""

    log_loss: float = 0.003
    """Log loss, nat."""
    category: float = 0.03
    """Log loss of a category against the rest, as a share of its entropy."""
    sensitivity: float = 0.05
    """Sensitivity for acute at the champion's flag rate."""
    fairness: float = 0.05
    """Growth of the largest difference of that sensitivity between groups."""
    latency_ratio: float = 2.0
    """Median time of an answer, as a multiple of the champion's."""
    latency_ms: float = 50.0
    """95th percentile of the time of an answer, ms."""
    minimum: int = 2_000
    """Held-out outcomes below which there is "not enough to decide"."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One question to the challenger, and its answer."""

    name: str
    """One of `TITLES`."""
    passed: bool | None
    """`None`: not judged."""
    sentence: str
    figures: dict[str, Any] = field(default_factory=dict)
    """JSON types."""


def gates_as_text(gates: Sequence[Mapping[str, Any]]) -> str:
    """One line a gate, from the records of `GateDecision.as_json`."""
    return "\n".join(
        f"{_PASSED[gate['passed']]:<10}  {TITLES.get(gate['name'], gate['name']):<25}  "
        f"{gate['sentence']}"
        for gate in gates
    )


def clause(gate: Gate) -> str:
    """The sentence of a gate as a part of another one."""
    return (gate.sentence[:1].lower() + gate.sentence[1:]).removesuffix(".")
