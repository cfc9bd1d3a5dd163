"""Whether a challenger serves one sex or age worse, where the champion served all more alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.intervals import share
from model.features import FloatArray
from model.training.gate_figures import (
    MINIMUM_GROUP_CASES,
    gap,
    groups,
    lower_bound,
    upper_bound,
)
from model.training.gate_records import Gate


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of patients, called `sex female` and alike."""

    members: Mapping[str, NDArray[np.bool_]]
    """Which rows belong to each group that has enough acute cases, (n,)."""
    too_few: tuple[str, ...]
    """Groups with rows but too few acute cases."""

    @classmethod
    def of(cls, rows: pd.DataFrame, acute: NDArray[np.bool_]) -> "Groups":
        """The groups among `rows`; `acute` tells which of these are acute, (n,)."""
        found = {
            f"{by} {name}": inside
            for by, members in groups(rows).items()
            for name, inside in members.items()
            if inside.any()
        }
        enough = {
            name: inside
            for name, inside in found.items()
            if int((inside & acute).sum()) >= MINIMUM_GROUP_CASES
        }
        return cls(enough, tuple(name for name in found if name not in enough))

    def alike(self) -> dict[str, list[str]]:
        """Those that are compared with each other: by sex, and by age."""
        found: dict[str, list[str]] = {}
        for name in self.members:
            found.setdefault(name.split(" ", 1)[0], []).append(name)
        return {by: names for by, names in found.items() if len(names) > 1}


@dataclass(frozen=True, slots=True)
class _Growth:
    """How far the largest difference of sensitivity grew between the sexes, or between ages."""

    by: str
    champion: float
    challenger: float
    lower: float
    """One-sided 95 % bound of the growth."""
    lost: tuple[str, ...]
    """Groups found less often than by the champion, with 95 % confidence."""

    @property
    def growth(self) -> float:
        return self.challenger - self.champion

    def refused(self, margin: float) -> bool:
        """Whether it grew by more than the margin, and not by chance, and some group lost."""
        return self.growth > margin and self.lower > 0 and bool(self.lost)

    def figures(self) -> dict[str, Any]:
        return {
            "fairness_between": self.by,
            "fairness_gap_champion": self.champion,
            "fairness_gap_challenger": self.challenger,
            "fairness_growth_lower": self.lower,
            "fairness_groups_lost": list(self.lost),
        }


def fairness(
    judged: Groups,
    values: Mapping[str, FloatArray],
    drawn: Mapping[str, FloatArray],
    margin: float,
) -> Gate:
    """The gate on sensitivity for acute between groups, by sex and by age each.

    Of each group `g`, `values` (n,) and `drawn` (replicates,) hold `cases g`, the acute, and
    `champion g` and `challenger g`, those of them that are flagged. Groups of ten cases can show
    nothing to be small: refused is what grew by more than the margin and, with 95 % confidence,
    did grow. And only where a group is found less often than before: to keep the champion because
    others are found more often would help nobody.
    """
    left_out: dict[str, Any] = {"fairness_groups_left_out": list(judged.too_few)}
    few = f"; fewer than {MINIMUM_GROUP_CASES} acute cases: {', '.join(judged.too_few)}"
    rest = few if judged.too_few else ""
    found = [_growth(by, names, values, drawn) for by, names in judged.alike().items()]
    if not found:
        return Gate("fairness", None, f"Not judged: no two groups to compare{rest}.", left_out)
    told = max(found, key=lambda one: (one.refused(margin), one.growth))
    lost = f"; found less often: {', '.join(told.lost)}" if told.lost else ""
    if told.growth > margin and not told.lost:
        lost = "; no group is found less often with 95 % confidence"
    sentence = (
        f"Sensitivity for acute differs by up to {told.challenger:.3f} between groups by "
        f"{told.by}, the champion's by {told.champion:.3f} (growth {told.growth:+.3f}, at least "
        f"{told.lower:+.3f} with 95 % confidence, allowed {margin:+.3f}){lost}{rest}."
    )
    figures = told.figures() | left_out
    return Gate("fairness", not told.refused(margin), sentence, figures)


def _growth(
    by: str,
    names: Sequence[str],
    values: Mapping[str, FloatArray],
    drawn: Mapping[str, FloatArray],
) -> _Growth:
    at_hand = {name: value.sum(keepdims=True) for name, value in values.items()}
    old, new = (_gap(model, names, at_hand) for model in ("champion", "challenger"))
    grown = _gap("challenger", names, drawn) - _gap("champion", names, drawn)
    lost = tuple(
        name
        for name in names
        if upper_bound(
            share(drawn[f"challenger {name}"] - drawn[f"champion {name}"], drawn[f"cases {name}"])
        )
        < 0
    )
    return _Growth(by, float(old[0]), float(new[0]), lower_bound(grown), lost)


def _gap(model: str, names: Sequence[str], source: Mapping[str, FloatArray]) -> FloatArray:
    return gap(
        {name: source[f"{model} {name}"] for name in names},
        {name: source[f"cases {name}"] for name in names},
    )
