"""Alerts of the input watch in plain clinical words: medians and shares, no patient's value."""

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.services.alerts import Finding
from cds_service.services.input_state import State
from model.evaluation.input_watch import Judgement, Kind, parts
from model.features import FEATURE

NAMES: Mapping[str, str] = {
    "age": "age",
    "heart_rate": "heart rate",
    "body_temperature": "body temperature",
    "systolic_bp": "systolic blood pressure",
    "diastolic_bp": "diastolic blood pressure",
    "respiratory_rate": "respiratory rate",
    "oxygen_saturation": "oxygen saturation",
    "sex": "sex",
    "abo_group": "blood group",
    "exercise_days": "days of exercise",
}


def key_of(name: str) -> str:
    """The key of the alert of a watched quantity."""
    return f"input_drift:{name}"


def drift_findings(
    judged: Mapping[str, Judgement],
    shown: Mapping[str, Mapping[str, Any]],
    state: State,
    *,
    number: int,
    rows: int,
    told: Mapping[str, str],
    model_version: str,
) -> list[Finding]:
    """Alerts of chunk `number`, of `rows` assessments; `state` is that before it, and `told` what
    each quantity was held against."""
    findings = []
    for name, one in judged.items():
        if one.alarm:
            first = state.chunk_before(name) if state.before(name) == one.beyond else None
            chunks = [number] if first is None else [first, number]
            findings.append(
                _finding(
                    name,
                    one,
                    shown.get(name),
                    chunks=chunks,
                    rows=rows,
                    reference=told[name],
                    model_version=model_version,
                )
            )
    return findings


def _finding(
    name: str,
    judged: Judgement,
    shown: Mapping[str, Any] | None,
    *,
    chunks: Sequence[int],
    rows: int,
    reference: str,
    model_version: str,
) -> Finding:
    """The alert of a quantity beyond its limit; `shown` is what is shown of its input."""
    where = (
        f"in chunk {chunks[-1]} ({rows} assessments)"
        if len(chunks) == 1
        else f"in chunks {chunks[0]} and {chunks[-1]} ({rows} assessments each)"
    )
    limits = judged.limits
    assert limits is not None  # noqa: S101  # what is beyond a limit has one
    return Finding(
        kind="input_drift",
        key=key_of(name),
        severity="warning",
        message=f"{_said(name, judged, shown)}, {where}. Held against {reference}.",
        model_version=model_version,
        detail={
            "quantity": name,
            "value": judged.figure.value,
            "rows": judged.figure.n,
            "low": limits.low,
            "high": limits.high,
            "mean": limits.mean,
            "reference": reference,
            "chunks": list(chunks),
        },
    )


def _said(name: str, judged: Judgement, shown: Mapping[str, Any] | None) -> str:
    kind, subject = parts(name)
    limits, value = judged.limits, judged.figure.value
    assert limits is not None  # noqa: S101  # as above
    known = NAMES.get(subject, subject)
    if kind is Kind.DISTANCE:
        return f"{_moved(subject, shown)} (D {value:.2f}, limit {limits.high:.2f})"
    if kind is Kind.CORRELATION:
        return (
            f"{capital(known)} goes with acute illness otherwise than before: rank correlation "
            f"{value:.2f}, was {limits.mean:.2f} (limits {limits.low:.2f} to {limits.high:.2f})"
        )
    limit = limits.high if judged.beyond > 0 else limits.low
    change = f"{_percent(value)}, was {_percent(limits.mean)} (limit {_percent(limit or 0.0)})"
    more = "more" if judged.beyond > 0 else "fewer"
    if kind is Kind.MISSING:
        return f"{capital(known)} is missing in {more} assessments: {change}"
    if kind is Kind.STALE:
        return f"{capital(known)} is too old to be used in more assessments: {change}"
    if kind is Kind.IMPLAUSIBLE:
        return (
            f"More readings of {known} are impossible and rejected: {change} of those that came; "
            "check the device and its unit"
        )
    if kind is Kind.UNKNOWN_UNIT:
        return (
            f"More readings of {known} have no unit or one that is not known, and are rejected: "
            f"{change} of those that came; check the interface"
        )
    return f"The answer is {subject} in {more} assessments: {change}"


def _moved(name: str, shown: Mapping[str, Any] | None) -> str:
    known = capital(NAMES.get(name, name))
    if shown is None or shown.get("median") is None or shown.get("reference_median") is None:
        return f"{known} has moved"
    if name == "sex":
        now, before = shown["mean"], shown["reference_mean"]
        return f"The share of women has moved: {_percent(now)}, was {_percent(before)}"
    places = FEATURE[name].decimals
    now, before = shown["median"], shown["reference_median"]
    if round(now, places) == round(before, places):
        return f"{known} is spread otherwise: median {now:.{places}f} as before"
    return f"{known} has moved: median {now:.{places}f}, was {before:.{places}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def capital(text: str) -> str:
    """As a sentence begins."""
    return text[:1].upper() + text[1:]
