"""What the explanation page shows: rows of its tables, and the geometry of its charts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from cds_service.services.explanation import Explanation, Measured
from cds_service.web.words import Words
from cds_service.web.words import written as time_text
from fhir_mapping.readings import Reading
from hooks.build_up import DECIMALS, BuildUp, written
from hooks.findings import Findings
from hooks.reading_text import ReadingText
from hooks.result_text import ResultText, result_text, rules_text
from hooks.wording import sentence
from model.early_warning import PARAMETERS, as_charted
from model.features import CATEGORIES, FEATURE, READINGS
from model.reference_ranges import reference_range

PAUSED = "paused"
CHART_WIDTH = 320
CHART_HEIGHT = 110
BAR_WIDTH = 200
_MARGIN = 12
_KINDS = ("Patient", "Observation", "Encounter", "Condition", "OperationOutcome")
"""Resource types that are named; any other text could be anything."""
_MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Input:
    """An input as it was used."""

    name: str
    value: str
    received: str
    """As it came, with its code and unit; empty for what came from the patient's record."""
    reference: str
    age: str
    notes: str
    """`extreme` and the like in words."""
    points: str
    """NEWS2 points; empty where it counts for none."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a chart: its words and its bar, in units of `BAR_WIDTH`."""

    text: str
    amount: str
    frequency: str
    x: float
    width: float
    direction: str
    """`for`, `against` or `total`."""


@dataclass(frozen=True, slots=True)
class Point:
    """A reading of a line."""

    x: float
    y: float
    value: str
    at: str
    here: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A reading over time."""

    feature: str
    name: str
    unit: str
    label: str
    """What the line shows, for who does not see it."""
    points: Sequence[Point]
    path: str
    """Of an SVG polyline."""
    band: tuple[float, float] | None
    """Top and height of the reference range."""
    band_text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A nearest change in words."""

    name: str
    now: str
    then: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything on the page."""

    id: str
    at: str
    version: str
    held: str | None
    unanswered: bool
    rebuilt: bool
    text: ResultText | None
    """`None` where everything is paused."""
    full_set: Sequence[str] | None
    why_no_set: str | None
    inputs: Sequence[Input]
    skipped: Sequence[str]
    category: str | None
    """Whose reasons are shown, in the middle of a sentence."""
    reasons: Sequence[Bar]
    steps: Sequence[Bar]
    zero: float
    """Where a reason that moves nothing lies."""
    lines: Sequence[Line]
    assessments: int
    changes: Sequence[Change] | None
    chosen: str | None


def shown(found: Explanation, words: Words, zone: tzinfo) -> Shown:
    """The page of `found`; times are written in `zone`."""
    findings = found.findings
    is_told = found.held is None and not found.unanswered
    text: ResultText | None
    if found.held == PAUSED:
        text = None
    elif is_told:
        text = result_text(findings, words.wording, found.client.policy)
    else:
        text = rules_text(findings, words.wording)
    members = findings.full_set if is_told else None
    explained = findings.explained if found.build_up is not None else None
    is_open = text is not None
    return Shown(
        id=found.id,
        at=time_text(found.at, zone),
        version=found.model_version,
        held=None if found.held is None else words.wording.say(f"risk.held_back.{found.held}"),
        unanswered=found.unanswered,
        rebuilt=found.rebuilt,
        text=text,
        full_set=None if members is None else [words.wording.display(one) for one in members],
        why_no_set=_why_no_set(findings, words) if is_told and members is None else None,
        inputs=_inputs(findings, words) if is_open else [],
        skipped=_skipped(findings, words) if is_open else [],
        category=None if explained is None else words.wording.category(explained),
        reasons=[] if found.build_up is None else _reasons(found.build_up, findings, words),
        steps=[] if found.build_up is None else _steps(found.build_up, findings, words),
        zero=BAR_WIDTH / 2,
        lines=_lines(found, words, zone) if is_open else [],
        assessments=found.assessments,
        changes=None if found.changes is None else _changes(found, words),
        chosen=None if findings.category is None else words.wording.display(findings.category),
    )


def signed(units: int, words: Words) -> str:
    """Hundredths of log-odds with their sign: "+0.84", "−0.30"."""
    text = words.figure(abs(written(units)), DECIMALS)
    return f"{'+' if units > 0 else _MINUS if units < 0 else ''}{text}"


def _why_no_set(findings: Findings, words: Words) -> str | None:
    if findings.assessment is None:
        return None
    reason = "red" if findings.red else "maybe_not_latest" if findings.maybe_not_latest else "rare"
    return words.wording.say(f"risk.not_stated.{reason}")


def _value(name: str, value: float | str, words: Words) -> str:
    """A value with its unit, as the card writes it."""
    if name == "sex":
        return words.wording.say(f"sex.{value}")
    charted = (
        str(value)
        if isinstance(value, str)
        else words.wording.number(as_charted(name, float(value)), FEATURE[name].decimals)
    )
    counted = {"0": ".none", "1": ".one"}.get(charted, "") if name == "exercise_days" else ""
    return words.wording.say(f"value.{name}{counted}", value=charted)


def _inputs(findings: Findings, words: Words) -> list[Input]:
    extraction, wording = findings.extraction, words.wording
    patient = extraction.patient
    found = []
    if patient.age is not None:
        age = wording.age(patient.age, approximate=patient.age_is_approximate)
        found.append(Input(words.feature("age"), age, "", "", "", "", ""))
    if patient.sex is not None:
        sex = wording.say(f"sex.{patient.sex}")
        found.append(Input(words.feature("sex"), sex, "", "", "", "", ""))
    points = {} if findings.news2 is None else findings.news2.points
    for one in extraction.readings:
        # In pregnancy the adult ranges do not hold.
        usual = reference_range(one.feature, None if extraction.pregnant else patient.age)
        found.append(
            Input(
                name=words.feature(one.feature),
                value=_value(one.feature, one.value, words),
                received=_received(one, words),
                reference="" if usual is None else _range(one.feature, usual, words),
                age=wording.ago(one.minutes_before),
                notes=", ".join(words.say(f"flag.{flag}") for flag in one.flags),
                points=str(points[one.feature]) if one.feature in PARAMETERS and points else "",
            )
        )
    return found


def _received(one: Reading, words: Words) -> str:
    value = one.received_value
    text = value if isinstance(value, str) else _as_it_came(value, words)
    return words.say("received.of", value=f"{text} {one.received_unit}".strip(), code=one.code)


def _as_it_came(value: float, words: Words) -> str:
    """With the decimal sign of the language, and all decimals up to the sixth."""
    decimals = 0 if float(value).is_integer() else len(f"{value:f}".rstrip("0").partition(".")[2])
    return words.figure(value, decimals)


def _range(name: str, usual: tuple[float, float], words: Words) -> str:
    return "–".join(words.wording.number(limit, FEATURE[name].decimals) for limit in usual)


def _skipped(findings: Findings, words: Words) -> list[str]:
    """What came and was not used, counted by kind and reason."""
    groups = Counter(
        (one.feature, one.resource_type if one.resource_type in _KINDS else "other", one.reason)
        for one in findings.extraction.skipped
    )
    lines = []
    for (feature, kind, reason), n in groups.items():
        name = words.feature(feature) if feature is not None else words.say(f"kind.{kind}")
        key = f"skipped.{reason}"
        why = words.say(key) if words.has(key) else words.wording.say(f"missing.{reason}")
        lines.append(
            words.say("skipped.line" if n == 1 else "skipped.lines", name=name, why=why, n=n)
        )
    return lines


def _reasons(build: BuildUp, findings: Findings, words: Words) -> list[Bar]:
    """Bars to both sides of the middle, the strongest first."""
    readings = ReadingText(findings.extraction, words.wording)
    half = BAR_WIDTH / 2
    largest = max((abs(step.value) for step in build.steps), default=1.0)
    bars = []
    for step in build.steps:
        width = half * abs(step.value) / largest
        bars.append(
            Bar(
                text=sentence(readings.reason(step.reason)),
                amount=signed(step.units, words),
                frequency="",
                x=half if step.value > 0 else half - width,
                width=width,
                direction="for" if step.value > 0 else "against",
            )
        )
    return bars


def _steps(build: BuildUp, findings: Findings, words: Words) -> list[Bar]:
    """From the start, step by step, to the end: each bar begins where the one before ended."""
    readings = ReadingText(findings.extraction, words.wording)
    totals = [build.start, *(step.after for step in build.steps)]
    low, high = min(totals), max(totals)
    room = max(high - low, 1)

    def place(units: int) -> float:
        return 4 + (BAR_WIDTH - 8) * (units - low) / room

    def total(key: str, units: int, probability: float) -> Bar:
        frequency = words.wording.frequency(probability)
        amount = signed(units, words)
        return Bar(words.say(key), amount, frequency, place(units) - 2, 4, "total")

    bars = [total("build.start", build.start, build.start_probability)]
    for step in build.steps:
        left, right = sorted((place(step.before), place(step.after)))
        bars.append(
            Bar(
                text=sentence(readings.reason(step.reason)),
                amount=signed(step.units, words),
                frequency=words.wording.frequency(step.probability),
                x=left,
                width=max(right - left, 1),
                direction="for" if step.value > 0 else "against",
            )
        )
    return [*bars, total("build.end", build.end, build.end_probability)]


def _lines(found: Explanation, words: Words, zone: tzinfo) -> list[Line]:
    """A line for each vital sign that was measured more than once."""
    extraction = found.findings.extraction
    age = None if extraction.pregnant else extraction.patient.age
    lines = []
    for name in READINGS:
        measured = [one for one in found.measured if one.feature == name]
        if len(measured) > 1:
            lines.append(_line(name, measured, reference_range(name, age), words, zone))
    return lines


def _line(
    name: str,
    measured: Sequence[Measured],
    usual: tuple[float, float] | None,
    words: Words,
    zone: tzinfo,
) -> Line:
    values = [one.value for one in measured]
    limits = [float(limit) for limit in (*values, *(usual or ()))]
    low, high = min(limits), max(limits)
    room = (high - low) or 1.0
    first = measured[0].at
    span = (measured[-1].at - first).total_seconds() or 1.0

    def x_of(at: datetime) -> float:
        return _MARGIN + (CHART_WIDTH - 2 * _MARGIN) * (at - first).total_seconds() / span

    def y_of(value: float) -> float:
        return _MARGIN + (CHART_HEIGHT - 2 * _MARGIN) * (high - value) / room

    points = [
        Point(
            round(x_of(one.at), 1),
            round(y_of(one.value), 1),
            _value(name, one.value, words),
            time_text(one.at, zone),
            one.here,
        )
        for one in measured
    ]
    band = None
    if usual is not None:
        top = y_of(usual[1])
        band = (round(top, 1), round(y_of(usual[0]) - top, 1))
    return Line(
        feature=name,
        name=words.feature(name),
        unit=FEATURE[name].unit,
        label=words.say(
            "time.label",
            name=words.feature(name),
            n=len(points),
            first=points[0].value,
            last=points[-1].value,
        ),
        points=points,
        path=" ".join(f"{one.x},{one.y}" for one in points),
        band=band,
        band_text=""
        if usual is None
        else words.wording.say("reference", range=_range(name, usual, words)),
    )


def _changes(found: Explanation, words: Words) -> list[Change]:
    row, changes = found.findings.extraction.row, []
    for one in found.changes or ():
        now = row.value(one.feature)
        if now is None or one.feature in CATEGORIES:
            continue
        then = _value(one.feature, one.value, words)
        changes.append(
            Change(
                name=words.feature(one.feature),
                now=_value(one.feature, now, words),
                then=then,
                text=words.say("change.would", category=words.wording.display(one.category)),
            )
        )
    return changes
