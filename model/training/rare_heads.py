"""Fitting few-shot heads for rare diseases, and showing whether the readings tell the disease.

A code with three confirmed cases (patients) gets a prototype. It is served only if leave-one-out
over its cases and 1,000 other rows gives a lower bound of the AUROC above 0.80, both among all of
these rows and among those of the cases' own category: else the head would tell the category, which
the model does already. docs/decisions/0016-rare-heads.md says what few cases can show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from model.features import FloatArray
from model.prototypes import PrototypeHead, Prototypes, contrasts
from model.rare_codes import codes_of, in_order
from model.rarity import Rarity, fit_rarity
from model.severity import Severity
from model.training.finishing import Finished
from model.training.fitting import select
from model.training.rows import Rows
from model.training.selection import Eligible
from model.training.splits import TRAIN, TUNING
from model.training.thresholds import threshold_for

MINIMUM_CASES = 3
"""Confirmed cases (patients) below which there is nothing to try."""
OTHERS = 1_000
"""Rows of other patients that the cases are told from."""
OTHERS_OF_CATEGORY = 300
"""Of the cases' own category, at least as many where there are."""
REQUIRED_AUROC = 0.80
"""The lower bound must be above it: what users are promised before a head may speak."""
CONFIDENCE = 0.90
"""One-sided."""
_FIT_ROWS = 20_000
"""Rows that the space is fitted on at most."""
_FEWEST_FIT_ROWS = 100
_PRIOR_CASES = 1.0
"""Weight of the common centre in a prototype, in cases: the posterior mean where diseases lie
around the centre as patients do (a normal prior of the same covariance; Efron and Morris 1973)."""
NOT_IDENTIFIED = "the readings do not identify this disease"


@dataclass(frozen=True, slots=True)
class RareReport:
    """What was found out about one code."""

    code: str
    name: str | None
    cases: int
    """Patients among the rows the model may learn from."""
    rows: int
    auroc: float | None
    """Leave-one-out against other rows; `None` with too few cases."""
    auroc_lower: float | None
    auroc_of_category: float | None
    """Against rows of the same category."""
    auroc_of_category_lower: float | None
    others: int
    flag_rate: float
    """Stated."""
    sensitivity: float | None
    """Share of the cases' charts flagged at it, leave-one-out."""
    live: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class RareRows:
    """What heads are fitted on; one entry a row in every array."""

    features: FloatArray
    """(n, d): readings and age, NaN where missing, then contrasts of the probabilities."""
    names: tuple[str, ...]
    """Of the d features."""
    codes: Sequence[tuple[str, ...]]
    """Rare diseases of each row."""
    outcome: NDArray[np.intp]
    patient: NDArray[np.intp]
    parts: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        cells: "pd.Series[Any] | None",
        inputs: FloatArray,
        names: tuple[str, ...],
        probabilities: FloatArray,
        outcome: NDArray[np.intp],
        patient: NDArray[np.intp],
        parts: NDArray[np.str_],
    ) -> "RareRows":
        """From the column `rare_code`, the readings (n, len(names)) and probabilities (n, K)."""
        added = contrasts(probabilities)
        empty: list[tuple[str, ...]] = [()] * len(inputs)
        return cls(
            np.concatenate([inputs, added], axis=1),
            (*names, *(f"logit_{i}" for i in range(added.shape[1]))),
            empty if cells is None else [codes_of(cell) for cell in cells],
            outcome,
            patient,
            parts,
        )

    @classmethod
    def of_run(
        cls, eligible: Eligible, rows: Rows, finished: Finished, classes: tuple[Severity, ...]
    ) -> "RareRows":
        """The rows of a training run, with the readings that atypicality looks at."""
        covered = eligible.covered(classes)
        names = finished.rarity.inputs
        return cls.of(
            eligible.frame[covered].get("rare_code"),
            select(rows.matrix, names),
            names,
            finished.probabilities,
            rows.outcome,
            rows.patient,
            rows.parts,
        )


def fit_rare_heads(
    rows: RareRows, *, flag_rate: float, seed: int, names: Mapping[str, str] | None = None
) -> tuple[Prototypes | None, list[RareReport]]:
    """The heads that may be served (`None` if there is none), and a report of every code.

    Cases and other rows come from the training and tuning parts. The other rows are left out of
    the fit of the space; nobody with a rare disease is among them or in that fit. The same rows
    and seed give the same heads.
    """
    known = names or {}
    learnt = np.isin(rows.parts, (TRAIN, TUNING))
    listed = in_order(
        code for codes, may in zip(rows.codes, learnt, strict=True) if may for code in codes
    )
    if not listed:
        return None, []
    draw = _Draw.of(rows, _common(rows, learnt), seed)
    if draw is None:
        reports = [_too_few_rows(code, rows, learnt, flag_rate, known.get(code)) for code in listed]
        return None, reports
    tried = [
        _fit_one(code, known.get(code), rows, _cases_of(code, rows, learnt), draw, flag_rate)
        for code in listed
    ]
    heads = tuple(head for report, head in tried if head is not None and report.live)
    return Prototypes(draw.space, heads) if heads else None, [report for report, _ in tried]


def try_head(
    rows: RareRows, code: str, *, flag_rate: float, seed: int
) -> tuple[RareReport, Prototypes | None]:
    """One code's report, and its head even where it may not be served: for experiments."""
    learnt = np.isin(rows.parts, (TRAIN, TUNING))
    draw = _Draw.of(rows, _common(rows, learnt), seed)
    if draw is None:
        return _too_few_rows(code, rows, learnt, flag_rate, None), None
    report, head = _fit_one(code, None, rows, _cases_of(code, rows, learnt), draw, flag_rate)
    return report, None if head is None else Prototypes(draw.space, (head,))


def _common(rows: RareRows, learnt: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Learnt rows of patients none of whose rows has a rare disease."""
    rare = np.asarray([bool(codes) for codes in rows.codes], dtype=bool)
    return np.asarray(learnt & ~np.isin(rows.patient, rows.patient[rare]))


def _cases_of(code: str, rows: RareRows, learnt: NDArray[np.bool_]) -> NDArray[np.bool_]:
    named = np.asarray([code in codes for codes in rows.codes], dtype=bool)
    return np.asarray(learnt & named)


@dataclass(frozen=True, slots=True)
class _Draw:
    """Rows to compare with, and the space, which is fitted on none of them."""

    space: Rarity
    others: NDArray[np.intp]
    of_category: Mapping[int, NDArray[np.intp]]
    reference: NDArray[np.intp]
    """The other rows and all common ones of the tuning part: thresholds are set on them."""

    @classmethod
    def of(cls, rows: RareRows, common: NDArray[np.bool_], seed: int) -> "_Draw | None":
        """A seeded draw; never more than half of the common rows, `None` if too few are left."""
        shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(common))
        others = shuffled[: min(OTHERS, len(shuffled) // 2)]
        of_category = {}
        for category in np.unique(rows.outcome[common]).tolist():
            own = shuffled[rows.outcome[shuffled] == category]
            of_category[category] = own[: min(OTHERS_OF_CATEGORY, len(own) // 2)]
        compared = np.unique(np.concatenate([others, *of_category.values()]))
        fit = np.setdiff1d(shuffled[rows.parts[shuffled] == TRAIN], compared)
        if len(fit) < _FEWEST_FIT_ROWS:
            return None
        if len(fit) > _FIT_ROWS:
            fit = np.random.default_rng(seed).choice(fit, _FIT_ROWS, replace=False)
        tuning = np.flatnonzero(common & (rows.parts == TUNING))
        nothing = np.empty((0, rows.features.shape[1]))
        space = fit_rarity(rows.names, rows.features[np.sort(fit)], nothing)
        return cls(space, others, of_category, np.union1d(others, tuning))


def _fit_one(
    code: str,
    name: str | None,
    rows: RareRows,
    cases: NDArray[np.bool_],
    draw: _Draw,
    flag_rate: float,
) -> tuple[RareReport, PrototypeHead | None]:
    patients = np.unique(rows.patient[cases])
    n = len(patients)
    if n < MINIMUM_CASES:
        sentence = f"{_cases(n)}: too few to tell, {MINIMUM_CASES} are needed."
        return _empty(code, name, n, int(cases.sum()), flag_rate, sentence), None
    standard = draw.space.standardised(rows.features)
    means = np.asarray([_mean(standard[cases & (rows.patient == one)]) for one in patients])
    among_all, among_own, found = np.empty(n), np.empty(n), np.empty(n)
    for i, one in enumerate(patients):
        prototype = _displacement(np.delete(means, i, axis=0))
        score = _Scores(draw.space, rows.features, prototype)
        own = np.flatnonzero(cases & (rows.patient == one))
        among_all[i] = score.rank(own, draw.others)
        among_own[i] = np.mean(
            [score.rank(own[[k]], draw.of_category[rows.outcome[row]]) for k, row in enumerate(own)]
        )
        threshold = threshold_for(score.of(draw.reference), flag_rate)
        found[i] = float(np.mean(score.of(own) >= threshold))
    fewest = min(len(draw.of_category[category]) for category in np.unique(rows.outcome[cases]))
    auroc, of_category = float(among_all.mean()), float(among_own.mean())
    lower = auroc_lower(auroc, n, len(draw.others))
    category_lower = auroc_lower(of_category, n, fewest)
    live = min(lower, category_lower) > REQUIRED_AUROC
    sensitivity = float(found.mean())
    report = RareReport(
        code=code,
        name=name,
        cases=n,
        rows=int(cases.sum()),
        auroc=auroc,
        auroc_lower=lower,
        auroc_of_category=of_category,
        auroc_of_category_lower=category_lower,
        others=len(draw.others),
        flag_rate=flag_rate,
        sensitivity=sensitivity,
        live=live,
        sentence=_sentence(
            n, (auroc, lower), (of_category, category_lower), sensitivity, flag_rate, live
        ),
    )
    prototype = _displacement(means)
    scores = _Scores(draw.space, rows.features, prototype).of(draw.reference)
    threshold = threshold_for(scores, flag_rate)
    head = PrototypeHead(code, name, n, tuple(prototype.tolist()), threshold, flag_rate)
    return report, head


class _Scores:
    """Scores under one prototype; a row without a reading is below all others."""

    def __init__(self, space: Rarity, features: FloatArray, prototype: FloatArray) -> None:
        self._space, self._features, self._prototype = space, features, prototype[None, :]

    def of(self, rows: NDArray[np.intp]) -> FloatArray:
        found = self._space.log_ratios(self._features[rows], self._prototype)[:, 0]
        return np.where(np.isnan(found), -np.inf, found)

    def rank(self, cases: NDArray[np.intp], others: NDArray[np.intp]) -> float:
        """Share of the other rows below a case, ties counted half; mean over the cases' rows."""
        if len(others) == 0:
            return 0.0
        mine, theirs = self.of(cases)[:, None], self.of(others)[None, :]
        return float(((mine > theirs) + 0.5 * (mine == theirs)).mean())


def _mean(values: FloatArray) -> FloatArray:
    """Mean of the values that are there, by column; NaN where none is."""
    seen = np.isfinite(values)
    total = np.where(seen, values, 0.0).sum(axis=0)
    count = seen.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _displacement(means: FloatArray) -> FloatArray:
    """The prototype of patients (n, d): their mean, shrunk towards the common centre, which is 0.

    Each feature by n/(n + 1), where n are the patients that have it; one that nobody has is 0.
    """
    count = np.isfinite(means).sum(axis=0)
    return np.asarray(np.nan_to_num(_mean(means)) * count / (count + _PRIOR_CASES))


def auroc_lower(auroc: float, cases: int, others: int, confidence: float = CONFIDENCE) -> float:
    """One-sided lower bound of an AUROC, method 5 of Newcombe (2006, Stat Med 25:559).

    The variance of Hanley and McNeil (1982), with both sample sizes replaced by their mean in its
    two last terms, is taken at the bound itself: it does not vanish for a perfect ranking, as that
    of a bootstrap of three perfect cases does. 0 without cases or others.
    """
    if min(cases, others) == 0:
        return 0.0
    z = float(norm.ppf(confidence))
    mean = (cases + others) / 2.0 - 1.0

    def excess(bound: float) -> float:
        spread = mean * ((1.0 - bound) / (2.0 - bound) + bound / (1.0 + bound))
        variance = bound * (1.0 - bound) * (1.0 + spread) / (cases * others)
        return auroc - bound - z * float(np.sqrt(variance))

    if auroc <= 0.0:
        return 0.0
    # At 1 the variance is 0 and a perfect ranking has a second root there: the other is meant.
    return float(brentq(excess, 0.0, min(auroc, 1.0 - 1e-9)))


def _cases(n: int) -> str:
    return f"{n} confirmed {'case' if n == 1 else 'cases'}"


def _sentence(
    n: int,
    among_all: tuple[float, float],
    among_own: tuple[float, float],
    sensitivity: float,
    flag_rate: float,
    live: bool,
) -> str:
    figures = (
        f"AUROC {among_all[0]:.2f}, at least {among_all[1]:.2f}, among other charts, "
        f"{among_own[0]:.2f}, at least {among_own[1]:.2f}, among those of the same category"
    )
    if not live:
        return f"{_cases(n)}: {NOT_IDENTIFIED} ({figures}; above {REQUIRED_AUROC:.2f} is needed)."
    return (
        f"{_cases(n)}: a head is live ({figures}); with {flag_rate:.1%} of charts flagged it finds "
        f"{sensitivity:.0%} of them, each left out in turn."
    )


def _empty(
    code: str, name: str | None, cases: int, rows: int, flag_rate: float, sentence: str
) -> RareReport:
    return RareReport(
        code, name, cases, rows, None, None, None, None, 0, flag_rate, None, False, sentence
    )


def _too_few_rows(
    code: str, rows: RareRows, learnt: NDArray[np.bool_], flag_rate: float, name: str | None
) -> RareReport:
    cases = _cases_of(code, rows, learnt)
    n = len(np.unique(rows.patient[cases]))
    sentence = f"{_cases(n)}: too few common rows to tell them from."
    return _empty(code, name, n, int(cases.sum()), flag_rate, sentence)
