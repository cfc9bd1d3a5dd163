"""The report of a model version: a record as JSON, and one page that needs nothing else.

The page has no script, loads nothing and names no patient. It is drawn from the record alone, so
that it can be drawn again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from model.evaluation.comparators import (
    AGE,
    COMPARATORS,
    CONSTANT,
    NEWS2,
    NEWS2_AGE_AND_MISSING,
    NEWS2_AND_AGE,
)
from model.evaluation.figure_parts import PREDICTION_WORDS, words
from model.evaluation.figures import draw
from model.evaluation.study import MODEL
from model.small_cells import SMALLEST_SHOWN, shown_table

_PARTS = ("train", "tuning", "calibration", "held_out")
_HEADLINE = (MODEL, CONSTANT, AGE, NEWS2, NEWS2_AND_AGE)
_AGAINST: Mapping[str, str] = {
    CONSTANT: "the constant predictor",
    AGE: "age alone",
    NEWS2: "NEWS2 points",
    NEWS2_AND_AGE: "NEWS2 points and age",
    NEWS2_AGE_AND_MISSING: "NEWS2 points, age and the number of gaps",
}
_WELL_CALIBRATED = (0.8, 1.2)
"""Slopes that issue no warning; Van Calster 2019 gives no limit, this one is ours."""


def report_record(
    report: Mapping[str, Any],
    attributes: Mapping[str, Any],
    *,
    version: str,
    created_at: str,
    looks: int | None,
) -> dict[str, Any]:
    """What is kept of a training run as `report.json`; small counts are left out.

    `report` is that of `model.training.run.TrainingResult` with its `study`, `attributes` those
    of the artefact, `created_at` ISO 8601, `looks` how often the held-out part was looked at
    (`None`: not counted). Raises `KeyError` without a study.
    """
    return {
        "version": version,
        "created_at": created_at,
        "looks": looks,
        **{
            name: attributes[name]
            for name in (
                *("simulated", "description", "label_version", "code_version", "seed"),
                *("min_age", "max_age", "versions", "sources", "missing_categories"),
            )
        },
        **{
            name: report[name]
            for name in (
                *("rows", "patients", "held_out_from", "notes", "chosen", "not_tried"),
                *("candidates", "temperature", "columns", "study"),
            )
        },
        "rows_by_category": shown_table(
            list(report["rows_by_category"]), _PARTS, report["rows_by_category"]
        ),
        "rare": _rare(report.get("rare", [])),
        "wanted_flag_rates": {
            code: point["wanted_flag_rate"] for code, point in report["operating_points"].items()
        },
    }


def _rare(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rare diseases of at least `SMALLEST_SHOWN` patients, and how many others there are."""
    large = [one for one in found if one["cases"] >= SMALLEST_SHOWN]
    names = (
        *("code", "name", "cases", "auroc", "auroc_lower", "auroc_of_category"),
        *("auroc_of_category_lower", "sensitivity", "live"),
    )
    return {
        "codes": [{name: one[name] for name in names} for one in large],
        "flag_rate": large[0]["flag_rate"] if large else None,
        "others": len(found) - len(large),
        "others_live": sum(bool(one["live"]) for one in found) - sum(one["live"] for one in large),
    }


def html_report(record: Mapping[str, Any]) -> str:
    """The page of a record (see `report_record`), whose study is not `None`."""
    environment = Environment(
        loader=PackageLoader("model.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "value": _two_lines(value_text),
        "percent": _two_lines(percent_text),
        "count": count_text,
        "words": words,
        "spaced": lambda name: str(name).replace("_", " "),
    }
    study = record["study"]
    pictures = {
        name: {"svg": Markup(picture.svg), "alt": picture.alt}  # noqa: S704  # drawn by us
        for name, picture in draw(study).items()
    }
    return environment.get_template("report.html").render(
        record=record,
        study=study,
        pictures=pictures,
        summary=summary(record),
        compared=_table(study),
        names=PREDICTION_WORDS,
        headline=_HEADLINE,
        comparators=COMPARATORS,
    )


def summary(record: Mapping[str, Any]) -> list[str]:
    """What a reader who reads nothing else must know, in plain sentences."""
    study, table = record["study"], _table(record["study"])
    focus = words(study["focus"]).lower()
    loss, area = table[MODEL]["log_loss", None], table[MODEL]["auroc", study["focus"]]
    found = [
        f"It is a model of kind {record['chosen']}, of {_listed(study['inputs'])}, for people of "
        f"{record['min_age']:g} to {record['max_age']:g} years. Every figure here is of "
        f"{count_text(study['held_out']['rows'])} held-out rows of "
        f"{count_text(study['held_out']['patients'])} patients it has not learnt from.",
        "The categories are told apart "
        + (
            f"with an AUROC of {value_text(area['value'])} for {focus}; the log loss is "
            f"{value_text(loss['value'])}."
            if _has(area["value"])
            else f"too seldom to say: too few {focus} cases are held out."
        ),
    ]
    if _has(loss["value"]):
        found += _against(table)
    served = record["study"]["calibration"]["methods"][0]
    low, high = _WELL_CALIBRATED
    off = [
        f"{words(e['category']).lower()} {e['slope']['value']:.2f}"
        for e in served["by_category"]
        if _has(e["slope"]) and not low <= e["slope"]["value"] <= high
    ]
    found.append(
        f"The largest probability of a row is off by {served['calibration_error']:.3f} on "
        "average. "
        + (
            f"Calibration slopes outside {low:g} to {high:g}: {', '.join(off)}."
            if off
            else f"No calibration slope lies outside {low:g} to {high:g}."
        )
    )
    open_ = [
        words(e["category"]).lower()
        for e in study["coverage"]["by_category"]
        if not e["demonstrable"]
    ]
    if open_:
        found.append(f"The promise of prediction sets is not demonstrable for {_listed(open_)}.")
    if record["missing_categories"]:
        missing = [words(code).lower() for code in record["missing_categories"]]
        found.append(f"It does not know the category {_listed(missing)}: no probability is given.")
    return found


def value_text(value: Mapping[str, Any] | None, digits: int = 3, scale: float = 1.0) -> str:
    """`0.812 (0.790 to 0.834)`, or "too few"."""
    if not _has(value) or value is None:
        return "too few"
    text = f"{scale * value['value']:.{digits}f}"
    if value["lower"] is None or value["upper"] is None:
        return text
    low, high = (f"{scale * value[name]:.{digits}f}" for name in ("lower", "upper"))
    return f"{text} ({low} to {high})"


def percent_text(value: Mapping[str, Any] | None) -> str:
    """`12.3 (10.1 to 14.5) %`, or "too few"."""
    return f"{value_text(value, 1, 100.0)} %" if _has(value) else "too few"


def count_text(count: int | None) -> str:
    """A count with thin gaps, or "not shown" where it is small or would give one away."""
    return "not shown" if count is None else f"{count:,}".replace(",", "\u202f")


def _two_lines(in_words: Callable[..., str]) -> Callable[..., Markup]:
    """The same for a cell of a table: the interval smaller, on a line of its own."""

    def cell(*arguments: Any) -> Markup:
        figure, _, rest = in_words(*arguments).partition(" (")
        if not rest:
            return Markup("{}").format(figure)
        interval, _, unit = rest.partition(")")
        return Markup("{}{} <small>{}</small>").format(figure, unit, interval)

    return cell


_Entry = Mapping[str, Any]


def _table(study: Mapping[str, Any]) -> dict[str, dict[tuple[str, str | None], _Entry]]:
    """The comparisons by prediction, metric and category."""
    found: dict[str, dict[tuple[str, str | None], _Entry]] = {}
    for entry in study["compared"]:
        by_key = found.setdefault(entry["prediction"], {})
        by_key[entry["metric"], entry["category"]] = entry
    return found


def _against(table: Mapping[str, Mapping[tuple[str, str | None], _Entry]]) -> list[str]:
    """What the model is better or worse than in log loss, a sentence each."""
    said: dict[str, list[str]] = {"lower": [], "higher": [], "open": []}
    for name in COMPARATORS:
        gap = table[name]["log_loss", None]["difference"]
        if gap["lower"] is None or gap["lower"] <= 0.0 <= gap["upper"]:
            said["open"].append(_AGAINST[name])
        else:
            which = "lower" if gap["value"] < 0.0 else "higher"
            said[which].append(f"{_AGAINST[name]} by {abs(gap['value']):.3f}")
    found = [
        f"Its log loss is {which} than that of {_listed(said[which])}."
        for which in ("lower", "higher")
        if said[which]
    ]
    if said["open"]:
        found.append(f"No difference in log loss is shown from {_listed(said['open'])}.")
    return found


def _listed(names: Sequence[str]) -> str:
    plain = [name.replace("_", " ") for name in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"


def _has(value: Mapping[str, Any] | None) -> bool:
    return value is not None and value["value"] is not None
