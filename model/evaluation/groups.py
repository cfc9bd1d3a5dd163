"""The figures of groups of patients: sex, age, rare or common, source, number of gaps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.evaluation.metrics import ranking
from model.evaluation.paired import log_losses
from model.evaluation.study_rows import (
    TOO_FEW,
    Draws,
    StudyRows,
    hide_complements,
    value_json,
)
from model.features import FloatArray
from model.small_cells import shown, shown_table

AGE_BANDS: tuple[tuple[float, float], ...] = (
    *((0, 18), (18, 40), (40, 65), (65, 80)),
    (80, np.inf),
)
"""Years from and below. 65 is where older age begins in US health statistics (NCHS), 80 splits the
oldest off; 40 is ours."""


def cohorts(rows: StudyRows, draws: Draws) -> list[dict[str, Any]]:
    """Figures of each sex, age band, rare and common, and source, of `rows` (JSON types).

    One record a group: `cohort`, `level`, `rows`, `cases` (of the focus category), and the
    figures of `group_figures`.
    """
    found = [
        {"cohort": cohort, "level": level} | group_figures(rows, member, draws)
        for cohort, level, member in _levels(rows)
    ]
    for cohort in {one["cohort"] for one in found}:
        hide_complements([one for one in found if one["cohort"] == cohort])
    return found


def group_figures(rows: StudyRows, member: NDArray[np.bool_], draws: Draws) -> dict[str, Any]:
    """Figures of the rows of one group, about the focus category where they are of one.

    `log_loss` (nat), `set_size`, and of the focus category `prevalence`, `auroc`,
    `average_precision`, `recall` (of the decisions), `flag_rate`, `observed_to_expected`. With
    fewer than `TOO_FEW` rows there are none, with fewer cases or others none of the category.
    """
    of = rows.only(member)
    n = len(of.outcome)
    case = (of.outcome == rows.focus).astype(np.float64)
    cases = int(case.sum())
    found: dict[str, Any] = {
        "rows": shown(n),
        "cases": shown(cases) if n >= TOO_FEW else None,
        "too_few": None,
    }
    names = ("log_loss", "set_size", "flag_rate")
    of_cases = ("prevalence", "auroc", "average_precision", "recall", "observed_to_expected")
    found |= dict.fromkeys((*names, *of_cases))
    if n < TOO_FEW:
        return found | {"too_few": "rows"}
    figures = _figures(of, case, draws)
    found |= {name: value_json(summarise(figures[name], n)) for name in names}
    if min(cases, n - cases) < TOO_FEW:
        return found | {"too_few": "cases"}
    return found | {name: value_json(summarise(figures[name], cases)) for name in of_cases}


def _figures(of: StudyRows, case: FloatArray, draws: Draws) -> dict[str, FloatArray]:
    probability = of.probabilities[:, of.focus]
    flagged = (of.decisions == of.focus).astype(np.float64)
    loss, size = log_losses(of.probabilities, of.outcome), of.members.sum(axis=1)
    blocks: list[dict[str, FloatArray]] = []
    for weights in bootstrap_weights(of.patient, draws.replicates, draws.seed):
        total, cases = weights.sum(axis=1), weights @ case
        area, average = ranking(probability, case, weights)
        blocks.append(
            {
                "log_loss": share(weights @ loss, total),
                "set_size": share(weights @ size, total),
                "flag_rate": share(weights @ flagged, total),
                "prevalence": share(cases, total),
                "auroc": area,
                "average_precision": average,
                "recall": share(weights @ (flagged * case), cases),
                "observed_to_expected": share(cases, weights @ probability),
            }
        )
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def operating_figures(rows: StudyRows, draws: Draws) -> list[dict[str, Any]]:
    """What each threshold does on `rows`: flag rate, sensitivity, PPV, charts looked at a case.

    A category is flagged where its probability reaches its threshold, whatever is decided in
    the end. A share of fewer than `TOO_FEW` cases (or flagged rows) has no value.
    """
    found: list[dict[str, Any]] = []
    for i, category in enumerate(rows.classes):
        case = (rows.outcome == i).astype(np.float64)
        flag = (rows.probabilities[:, i] >= rows.thresholds[category]).astype(np.float64)
        hits = case * flag
        parts: list[tuple[FloatArray, ...]] = []
        for weights in bootstrap_weights(rows.patient, draws.replicates, draws.seed):
            true, flags, hit = weights @ case, weights @ flag, weights @ hits
            total = weights.sum(axis=1)
            parts.append((share(flags, total), share(hit, true), share(hit, flags)))
        rate, sensitivity, precision = (np.concatenate(each) for each in zip(*parts, strict=True))
        cases, flags_n = int(case.sum()), int(flag.sum())
        of_flags = _enough(precision, flags_n)
        needed = MetricValue(None, None, None, flags_n)
        if of_flags.value and hits.sum() >= TOO_FEW:
            needed = _enough(share(np.ones_like(precision), precision), flags_n)
        found.append(
            {
                "category": category.value,
                "threshold": float(rows.thresholds[category]),
                "flag_rate": value_json(summarise(rate, len(case))),
                "sensitivity": value_json(_enough(sensitivity, cases)),
                "positive_predictive_value": value_json(of_flags),
                "number_needed_to_evaluate": value_json(needed),
            }
        )
    return found


def coverage_figures(rows: StudyRows, draws: Draws) -> list[dict[str, Any]]:
    """How often each category is in its set, and how large the sets of its cases are.

    `demonstrable` is false where the set rests on fewer than
    `model.prediction_sets.MINIMUM_CASES` calibration cases.
    """
    from model.prediction_sets import MINIMUM_CASES

    found: list[dict[str, Any]] = []
    size = rows.members.sum(axis=1).astype(np.float64)
    for i, category in enumerate(rows.classes):
        case = (rows.outcome == i).astype(np.float64)
        n = int(case.sum())
        inside, sizes = (
            np.concatenate(
                [
                    share(weights @ (case * values), weights @ case)
                    for weights in bootstrap_weights(rows.patient, draws.replicates, draws.seed)
                ]
            )
            for values in (rows.members[:, i].astype(np.float64), size)
        )
        calibration = rows.calibration_cases[i]
        found.append(
            {
                "category": category.value,
                "calibration_cases": shown(calibration),
                "demonstrable": calibration >= MINIMUM_CASES,
                "covered": value_json(_enough(inside, n)),
                "set_size": value_json(_enough(sizes, n)),
            }
        )
    return found


def set_sizes(rows: StudyRows) -> list[dict[str, Any]]:
    """Share of rows with a set of 1, 2, … K categories."""
    sizes = np.bincount(rows.members.sum(axis=1), minlength=len(rows.classes) + 1)
    n = max(len(rows.outcome), 1)
    return [{"size": i, "share": float(sizes[i] / n)} for i in range(1, len(rows.classes) + 1)]


def confusion(rows: StudyRows) -> list[dict[str, Any]]:
    """Decided against true: for each true category the counts, `None` where they are small."""
    size, codes = len(rows.classes), [code.value for code in rows.classes]
    counts = np.bincount(rows.outcome * size + rows.decisions, minlength=size * size)
    table = counts.reshape(size, size)
    decided = shown_table(
        codes,
        codes,
        {code: dict(zip(codes, table[i], strict=True)) for i, code in enumerate(codes)},
    )
    return [
        {"category": code, "rows": shown(int(table[i].sum())), "decided": decided[code]}
        for i, code in enumerate(codes)
    ]


def _enough(values: FloatArray, n: int) -> MetricValue:
    return summarise(values, n) if n >= TOO_FEW else MetricValue(None, None, None, n)


def _levels(rows: StudyRows) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    frame = rows.frame
    if "sex" in frame:
        text = frame["sex"].to_numpy(dtype=object)
        for level in ("female", "male", "other"):
            if (text == level).any():
                yield "sex", level, np.asarray(text == level, dtype=bool)
        known = np.isin(text.astype(str), ("female", "male", "other"))
        if not known.all():
            yield "sex", "not known", ~known
    if "age" in frame:
        age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
        for low, high in AGE_BANDS:
            inside = (age >= low) & (age < high)
            if inside.any():
                name = f"{low:g} and over" if np.isinf(high) else f"{low:g} to {high - 1:g}"
                yield "age", name, inside
    if "rare_code" in frame:
        rare = frame["rare_code"].notna().to_numpy(dtype=bool)
        if rare.any():
            yield "disease", "rare", rare
            yield "disease", "common", ~rare
    if "source" in frame:
        source = frame["source"].to_numpy(dtype=object)
        names = sorted({str(name) for name in source if isinstance(name, str)})
        if len(names) > 1:
            for name in names:
                yield "source", name, np.asarray(source == name, dtype=bool)
