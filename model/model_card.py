"""The facts of a model card, from what the artefact and the stored evaluation say, for everybody.

The card is read without sign-in, so nothing of it may point at a person: counts of fewer than ten
are left out, totals are rounded (`ROUNDED_TO`) so that they cannot be had by subtraction either,
and a rare disease is named only where enough people have it. Nothing is invented: what the
artefact does not say is `None`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.features import FEATURE, MODEL_COLUMNS, ROW_NAMES
from model.prediction_sets import MINIMUM_CASES
from model.small_cells import SMALLEST_SHOWN, shown, shown_table

ROUNDED_TO = 50
"""Totals are multiples of it: a small cell cannot be found as what is left of a total."""
PARTS = ("train", "tuning", "calibration", "held_out")
GROUP_FIGURES = ("auroc", "recall", "observed_to_expected")
"""Of a category in a group: ranking, sensitivity and calibration, each with its interval."""
_COUNTED = frozenset({"prevalence", "flag_rate"})
"""Metrics that times n are a count of rows."""

Documents = Mapping[str, Mapping[str, Any]]
"""The JSON files of an artefact folder, by name without `.json`."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What the register says of a version."""

    version: str
    checksum: str
    chosen: str
    """Name of the candidate it is."""
    created_at: datetime
    live: bool
    live_since: datetime | None
    """When it was last made live; `None` if it never was."""


def card_facts(
    registered: Registered,
    documents: Documents,
    evaluation: Mapping[str, Any] | None,
    study: Mapping[str, Any] | None = None,
    chunk: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything a model card states, as JSON types.

    `evaluation` is the newest stored result of `evaluate` for this version with its time under
    `at`, `study` what the report of the version found on its held-out part, `chunk` the newest
    chunk of matured assessments it was judged on; each may be `None`. Raises
    `KeyError` if an artefact lacks what every artefact has.
    """
    attributes, features = documents["attributes"], documents["features"]
    classes: list[str] = list(features["classes"])
    return {
        "model": {
            "version": registered.version,
            "kind": features["estimator"],
            "created_at": registered.created_at.isoformat(),
            "live": registered.live,
            "live_since": None
            if registered.live_since is None
            else registered.live_since.isoformat(),
            "checksum": registered.checksum,
            "seed": attributes["seed"],
            "code_version": attributes.get("code_version"),
            "package_versions": dict(attributes["versions"]),
        },
        "data": _data(attributes, classes),
        "population": {
            "min_age": attributes["min_age"],
            "max_age": attributes["max_age"],
            "categories": classes,
            "categories_not_covered": list(attributes["missing_categories"]),
            "validated_in_pregnancy": False,
        },
        "people": _people(attributes.get("people")),
        "inputs": _inputs(features["columns"]),
        "columns": [
            {"name": column.name, "rule": column.rule}
            for column in MODEL_COLUMNS
            if column.name in features["columns"]
        ],
        "candidates": _candidates(documents["metrics"].get("candidates", ()), registered.chosen),
        "calibration": {
            "temperature": documents["calibration"]["temperature"],
            "class_bias": dict(documents["calibration"]["class_bias"]),
        },
        "thresholds": {
            code: _threshold(documents["thresholds"]["categories"][code]) for code in classes
        },
        "guarantee": _guarantee(documents["prediction_sets"], classes),
        "held_out": _figures(documents["metrics"]["held_out"]),
        "groups": None if study is None else _groups(study),
        "local": None if evaluation is None else _local(evaluation),
        "local_groups": None if chunk is None else _local_groups(chunk, registered.version),
    }


def rounded(count: int | None) -> int | None:
    """A total as it is shown."""
    return None if count is None else ROUNDED_TO * int(count / ROUNDED_TO + 0.5)


def _data(attributes: Mapping[str, Any], classes: list[str]) -> dict[str, Any]:
    missing = attributes.get("rows_of_missing_categories", {})
    return {
        "simulated": bool(attributes["simulated"]),
        "label_version": attributes["label_version"],
        # Names of files are those of a hospital; their content is told apart by the hash.
        "sources_sha256": sorted(attributes["sources"].values()),
        "trained_through": attributes["trained_through"],
        "held_out_from": attributes["held_out_from"],
        "rows": {name: rounded(count) for name, count in attributes["rows"].items()},
        "rows_in_parts": {name: rounded(attributes["parts"][name]) for name in PARTS},
        "patients": rounded(attributes.get("patients")),
        "rows_without_patient": rounded(attributes["rows_without_patient"]),
        "rows_by_category": shown_table(classes, PARTS, attributes["rows_by_category"]),
        "rows_of_categories_not_covered": {code: shown(n) for code, n in missing.items()},
        "totals_rounded_to": ROUNDED_TO,
        "counts_hidden_under": SMALLEST_SHOWN,
    }


def _people(people: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if people is None:
        return None
    lines = {name: dict(people[name]) for name in ("age_bands", "sex")}
    rare = {code: n for code, n in people["rare_codes"].items() if shown(n)}
    return {
        **{
            name: shown_table([name], list(line), {name: line})[name]
            for name, line in lines.items()
        },
        "rare_codes": rare,
        "rare_codes_not_named": len(people["rare_codes"]) - len(rare),
    }


def _inputs(columns: Iterable[str]) -> list[dict[str, Any]]:
    """The inputs that the model's columns are computed from."""
    table = {column.name: column for column in MODEL_COLUMNS}
    used = {name for column in columns for name in table[column].uses}
    return [
        {
            "name": name,
            "unit": FEATURE[name].unit if name in FEATURE else None,
            "possible": list(FEATURE[name].possible) if name in FEATURE else None,
        }
        for name in ROW_NAMES
        if name in used
    ]


def _candidates(candidates: Iterable[Mapping[str, Any]], chosen: str) -> list[dict[str, Any]]:
    """As compared in the run, best first."""
    return [
        {
            "name": one["name"],
            "log_loss": one["log_loss"],
            "behind": one.get("behind"),
            "standard_error": one.get("standard_error"),
            "chosen": one["name"] == chosen,
        }
        for one in candidates
    ]


def _threshold(point: Mapping[str, Any]) -> dict[str, Any]:
    flagged = shown(round(point["flag_rate"] * point["rows"]))
    cases = shown(point["cases"])
    return {
        "threshold": point["threshold"],
        "wanted_flag_rate": point["wanted_flag_rate"],
        "flag_rate": point["flag_rate"] if flagged else None,
        "cases": cases,
        "sensitivity": point["sensitivity"] if cases else None,
        "positive_predictive_value": point["positive_predictive_value"] if flagged else None,
        "number_needed_to_evaluate": point["number_needed_to_evaluate"] if flagged else None,
    }


def _guarantee(sets: Mapping[str, Any], classes: list[str]) -> dict[str, Any]:
    return {
        "coverage": sets["coverage"],
        "minimum_cases": MINIMUM_CASES,
        "categories": {
            code: {
                "demonstrable": sets["categories"][code]["limit"] is not None,
                "cases": shown(sets["categories"][code]["cases"]),
            }
            for code in classes
        },
    }


def _figures(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Figures that rest on enough rows; the others have no value.

    Of single categories no number of rows is told, and a share only where none of the counts
    behind the shares of one metric can be had by subtraction.
    """
    # Cells of the confusion matrix are counts of few people.
    kept = [record for record in records if record.get("decided") is None]
    hidden: set[tuple[str, str | None]] = set()
    for metric in _COUNTED:
        counts = {
            record["category"]: round(record["value"] * record["n"])
            for record in kept
            if record["metric"] == metric and record["value"] is not None
        }
        line = shown_table([metric], list(counts), {metric: counts})[metric]
        hidden |= {(metric, category) for category, count in line.items() if count is None}
    found = []
    for record in kept:
        name, category = record["metric"], record["category"]
        enough = shown(record["n"]) is not None and (name, category) not in hidden
        found.append(
            {
                "metric": name,
                "category": category,
                **{key: record[key] if enough else None for key in ("value", "lower", "upper")},
                "n": shown(record["n"]) if category is None else None,
            }
        )
    return found


def _groups(study: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of one category by sex and age; sources are names of files, and stay out.

    The report has left small groups out already, and what would give them away.
    """
    return {
        "category": study["focus"],
        "figures": [
            {
                "cohort": one["cohort"],
                "level": one["level"],
                "rows": one["rows"],
                **{name: _interval(one[name]) for name in GROUP_FIGURES},
            }
            for one in study["cohorts"]
            if one["cohort"] in ("sex", "age")
        ],
    }


def _local_groups(chunk: Mapping[str, Any], version: str) -> dict[str, Any] | None:
    """The same of this site, on the newest chunk that the version was judged on.

    Totals are rounded: a chunk is judged again with every late outcome, and two exact counts would
    show what that one was.
    """
    judged = chunk["result"]["versions"][version]
    if judged["focus"] is None:
        return None
    return {
        "from": chunk["started_at"].isoformat(),
        "until": chunk["ended_at"].isoformat(),
        "assessments": rounded(chunk["rows"]),
        "verified": round(chunk["verified"] / chunk["rows"], 2) if chunk["rows"] else None,
        "category": judged["focus"],
        "figures": [
            {
                "cohort": one["cohort"],
                "level": one["level"],
                "rows": rounded(one["rows"]),
                **{name: _interval(one[name]) for name in GROUP_FIGURES},
            }
            for one in judged["cohorts"]
            if one["cohort"] in ("sex", "age")
        ],
    }


def _interval(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A figure without the number of cases it rests on."""
    return None if value is None else {name: value[name] for name in ("value", "lower", "upper")}


def _local(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """What `evaluate` found at this site."""
    return {
        "at": evaluation["at"],
        "with_outcome": rounded(evaluation.get("with_outcome")),
        "share_without_outcome": evaluation.get("share_without_outcome"),
        "label_version": evaluation.get("label_version"),
        "figures": _figures(evaluation.get("metrics", ())),
    }
