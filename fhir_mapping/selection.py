"""The latest valid value of each input, chosen by instant and never by order (C4, C7, R22)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from fhir_mapping.codes import RANK
from fhir_mapping.datetimes import parse_instant
from fhir_mapping.observations import MEASURED, PRESSURES, Candidate, Findings
from fhir_mapping.readings import MissingReason, Reading, Skipped
from fhir_mapping.skipping import SUPERSEDED, UNPAIRED
from model.features import EXTRA_INPUTS, is_extreme


@dataclass(frozen=True, slots=True)
class Selection:
    """What is used of the Observations, and what is not."""

    readings: tuple[Reading, ...]
    """In the order of `model.features.ROW_NAMES`, at most one an input."""
    skipped: tuple[Skipped, ...]
    reasons: dict[str, MissingReason]
    """Input without a reading → the reason of its most recent rejection, if there is one."""


def select(
    findings: Findings,
    prediction_time: datetime,
    *,
    maybe_not_latest: bool,
    extra_maybe_not_latest: Collection[str] = (),
) -> Selection:
    """Choose among `findings`; the order of the Observations changes nothing.

    `maybe_not_latest` flags every vital sign that is used (C7), `extra_maybe_not_latest` names the
    extra inputs to flag. Two different blood groups contradict each other, whatever their times:
    one of them is not of this patient or is wrong, and neither is used.
    """
    by_feature: dict[str, list[Candidate]] = {}
    for candidate in findings.candidates:
        by_feature.setdefault(candidate.feature, []).append(candidate)
    rejected = [(r.skipped, r.time) for r in findings.rejections]
    chosen: dict[str, Candidate] = {}
    skipped: list[Skipped] = []
    groups = by_feature.get("abo_group", [])
    if len({c.value for c in groups}) > 1:
        rejected += [(c.skipped(MissingReason.CONTRADICTORY), c.time) for c in groups]
        del by_feature["abo_group"]
    for name in MEASURED:
        if name in PRESSURES:
            continue
        candidates = by_feature.get(name, [])
        if candidates:
            best = chosen[name] = _latest(candidates)
            skipped += [c.skipped(SUPERSEDED) for c in candidates if c is not best]
    pair, impossible = _blood_pressure(*(by_feature.get(name, []) for name in PRESSURES))
    rejected += [(c.skipped(MissingReason.IMPLAUSIBLE), c.time) for c in impossible]
    chosen |= {c.feature: c for c in pair}
    settled = {id(c) for c in (*pair, *impossible)}
    for name in PRESSURES:
        for candidate in by_feature.get(name, ()):
            if id(candidate) not in settled:
                behind = name in chosen and candidate.time <= chosen[name].time
                skipped.append(candidate.skipped(SUPERSEDED if behind else UNPAIRED))
    readings = tuple(
        _reading(
            chosen[name],
            prediction_time,
            maybe_not_latest=name in extra_maybe_not_latest
            if name in EXTRA_INPUTS
            else maybe_not_latest,
        )
        for name in MEASURED
        if name in chosen
    )
    reasons = _latest_reasons(rejected, MEASURED)
    if groups and "abo_group" not in by_feature:
        reasons["abo_group"] = MissingReason.CONTRADICTORY
    return Selection(
        readings,
        (*(s for s, _ in rejected), *skipped),
        {name: reason for name, reason in reasons.items() if name not in chosen},
    )


def _latest(candidates: Sequence[Candidate]) -> Candidate:
    newest = max(c.time for c in candidates)
    return min((c for c in candidates if c.time == newest), key=_preference)


def _preference(c: Candidate) -> tuple[int, bool, float, float, str, float | str, str, str, str]:
    """Order among values of one time, the preferred first.

    The preferred code (C6), a final value before a preliminary one, what was published last,
    then last changed, then the id; value and status only decide between resources alike in all
    that.
    """
    return (
        RANK[c.code],
        c.status == "preliminary",
        -_timestamp(c.issued),
        -_timestamp(c.last_updated),
        c.reference or "",
        c.received_value,
        c.received_unit,
        c.received_time,
        c.status,
    )


def _timestamp(text: str | None) -> float:
    at = parse_instant(text)
    return -inf if at is None else at.timestamp()


def _blood_pressure(
    systolic: Sequence[Candidate], diastolic: Sequence[Candidate]
) -> tuple[tuple[Candidate, ...], list[Candidate]]:
    """The pressures to use, and those that contradict each other.

    The latest valid systolic leads: an older pair must not hide a newer fall in pressure. With it
    goes the diastolic of one Observation, else of the same time (C4); without one the diastolic
    is missing. A lone diastolic counts only where there is no valid systolic.
    """
    impossible: list[Candidate] = []
    tops, bottoms = _by_time(systolic), _by_time(diastolic)
    for time in sorted(tops, reverse=True):
        if time not in bottoms:
            return (_latest(tops[time]),), impossible
        pair = _pair(tops[time], bottoms[time], impossible)
        if pair:
            return pair, impossible
    discarded = {id(c) for c in impossible}
    valid = [c for c in diastolic if id(c) not in discarded]
    return ((_latest(valid),) if valid else ()), impossible


def _pair(
    tops: list[Candidate], bottoms: list[Candidate], impossible: list[Candidate]
) -> tuple[Candidate, ...]:
    """A systolic and a diastolic of one time, or nothing."""
    tops, bottoms = sorted(tops, key=_preference), sorted(bottoms, key=_preference)
    # One Observation has at most one of each, already checked against each other.
    of_source = {c.source: c for c in bottoms}
    for top in tops:
        if top.source in of_source:
            return top, of_source[top.source]
    for top, bottom in zip(tops, bottoms, strict=False):
        if _number(top) > _number(bottom):
            return top, bottom
        impossible += (top, bottom)
    return ()


def _number(candidate: Candidate) -> float:
    """The value of a pressure."""
    assert not isinstance(candidate.value, str)  # noqa: S101  # a blood group is none
    return candidate.value


def _by_time(candidates: Iterable[Candidate]) -> dict[datetime, list[Candidate]]:
    times: dict[datetime, list[Candidate]] = {}
    for candidate in candidates:
        times.setdefault(candidate.time, []).append(candidate)
    return times


def _latest_reasons(
    rejected: Iterable[tuple[Skipped, datetime | None]], names: Sequence[str]
) -> dict[str, MissingReason]:
    """The reason of the most recent rejection of each input; one without a time counts last."""
    newest: dict[str, tuple[float, str]] = {}
    for skipped, time in rejected:
        feature = skipped.feature
        if feature is not None and feature in names:
            entry = (-inf if time is None else time.timestamp(), skipped.reason)
            newest[feature] = max(entry, newest.get(feature, entry))
    return {name: MissingReason(reason) for name, (_, reason) in newest.items()}


def _reading(candidate: Candidate, prediction_time: datetime, *, maybe_not_latest: bool) -> Reading:
    flags = {
        "extreme": not isinstance(candidate.value, str)
        and is_extreme(candidate.feature, candidate.value),
        "preliminary": candidate.status == "preliminary",
        "maybe_not_latest": maybe_not_latest,
    }
    before = (prediction_time - candidate.time).total_seconds() / 60
    return Reading(
        feature=candidate.feature,
        value=candidate.value,
        time=candidate.time,
        minutes_before=max(before, 0.0),
        code=candidate.code,
        received_value=candidate.received_value,
        received_unit=candidate.received_unit,
        received_time=candidate.received_time,
        status=candidate.status,
        reference=candidate.reference,
        flags=tuple(name for name, holds in flags.items() if holds),
    )
