"""One Observation → values that may be used, or the reason why not (C3 to C7).

Choosing among the values of several Observations is `fhir_mapping.selection`'s work.
See https://hl7.org/fhir/R4/observation.html and https://hl7.org/fhir/R4/observation-vitalsigns.html.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from fhir_mapping.blood_groups import BloodGroup, read_blood_group
from fhir_mapping.bundles import Entry
from fhir_mapping.codes import (
    BLOOD_PRESSURE,
    INVASIVE,
    LOINC_SYSTEMS,
    MEANING,
    PREGNANCY_STATUS,
    RANK,
    USED_STATUSES,
)
from fhir_mapping.datetimes import parse_instant
from fhir_mapping.elements import (
    CodeableConcept,
    Head,
    Measured,
    Observation,
    Outline,
    Reference,
    decode,
    head,
)
from fhir_mapping.pregnancy import Answer, read_answer
from fhir_mapping.readings import MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from fhir_mapping.skipping import (
    NOT_USED,
    OPERATION_OUTCOME,
    received_code,
    resource_reference,
    skip,
    unknown_unit,
)
from fhir_mapping.units import convert, received_unit
from model.features import EXTRA_INPUTS, READINGS, is_possible

CLOCK_SKEW = timedelta(minutes=5)
"""How far a reading may lie after the prediction time, because clocks differ (C7)."""

PRESSURES = ("systolic_bp", "diastolic_bp")
MEASURED = (*READINGS, *EXTRA_INPUTS)
"""Inputs that Observations give, in table order."""
_CONTRADICTORY = "contradictory codings"


@dataclass(slots=True)
class Candidate:
    """A value that is valid by itself; later the latest is chosen."""

    feature: str
    value: float | str
    time: datetime
    code: str
    received_value: float | str
    received_unit: str
    received_time: str
    status: str
    reference: str | None
    issued: str | None
    last_updated: str | None
    source: int
    """Number of the Observation: two pressures with one number come from one resource."""

    def skipped(self, reason: str) -> Skipped:
        """The same value, not used."""
        return Skipped("Observation", self.reference, reason, self.feature)


@dataclass(slots=True)
class Rejection:
    """A value or resource that cannot be used, and when it was meant for."""

    skipped: Skipped
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Window:
    """The patient and the span of time readings may come from, both ends included."""

    patient: PatientMatcher
    earliest: datetime
    latest: datetime
    """The prediction time and `CLOCK_SKEW`."""
    extra: Mapping[str, datetime] = field(default_factory=dict)
    """Extra inputs that are asked for → earliest time of their own. Others are not read."""


@dataclass(slots=True)
class Findings:
    """What the Observations of one request hold."""

    candidates: list[Candidate] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """To the question for pregnancy (82810-3)."""


def read_observations(entries: Iterable[Entry], window: Window) -> Findings:
    """Sort the entries into usable values, pregnancy answers and rejections; never raises.

    Every resource that gives no candidate and no answer gives a rejection. Components that no
    input has, such as the mean pressure beside the other two, are passed over.
    """
    reader = _Reader(window)
    for number, entry in enumerate(entries):
        reader.read(entry, number)
    return reader.findings


class _Reader:
    """Reads entries one after another into `findings`; holds what concerns the current one."""

    __slots__ = ("_concept", "_number", "_reference", "_time", "_window", "findings")

    def __init__(self, window: Window) -> None:
        self.findings = Findings()
        self._window = window
        self._number = 0
        self._reference: str | None = None
        self._time: datetime | None = None
        self._concept: CodeableConcept | None = None

    def read(self, entry: Entry, number: int) -> None:
        self._number, self._reference, self._time = number, None, None
        self._concept = None
        observation = decode(entry.raw, Observation)
        if entry.outcome:
            self._add(Rejection(skip(head(entry.raw), OPERATION_OUTCOME), None))
        elif observation is None:
            self._read_damaged(entry)
        elif observation.resource_type != "Observation":
            self._add(Rejection(skip(Head(observation.resource_type, observation.id)), None))
        else:
            self._reference = resource_reference("Observation", observation.id)
            self._read_observation(observation)

    def _read_observation(self, observation: Observation) -> None:
        """Take the value or give the most basic reason not to: whose, what, when, how."""
        self._concept = observation.code
        meaning, code = self._meaning(observation.code)
        when: _Time | MissingReason = MissingReason.NO_TIME
        if meaning is not None:
            when = _when(observation)
            if isinstance(when, _Time):
                self._time = when.at
        window = self._window
        reason: str
        if not self._is_of_patient(observation.subject) or (
            observation.focus and not all(map(self._is_of_patient, observation.focus))
        ):
            # A focus is whom the value really describes: a fetus in its mother's chart.
            reason = MissingReason.WRONG_PATIENT
        elif meaning is None or meaning == INVASIVE:
            reason = NOT_USED
        elif meaning == _CONTRADICTORY or observation.modifier_extension:
            # FHIR: an element with an unknown modifier extension may mean something else.
            reason = MissingReason.MALFORMED
        elif meaning == PREGNANCY_STATUS and isinstance(when, _Time):
            answer = read_answer(observation, when.at, window.latest, self._reference)
            if isinstance(answer, Answer):
                self.findings.answers.append(answer)
                return
            reason = answer
        elif observation.status not in USED_STATUSES:
            reason = MissingReason.WRONG_STATUS
        elif not isinstance(when, _Time):
            reason = when
        elif when.at > window.latest:
            reason = MissingReason.FUTURE
        elif when.at < window.extra.get(meaning, window.earliest):
            reason = MissingReason.STALE
        elif meaning == BLOOD_PRESSURE:
            self._read_panel(observation, when)
            return
        elif meaning == "abo_group":
            self._take(observation, meaning, code, read_blood_group(observation), when)
            return
        else:
            self._take(observation, meaning, code, _value(meaning, observation), when)
            return
        self._reject(reason, meaning)

    def _meaning(self, concept: CodeableConcept | None) -> tuple[str | None, str]:
        """As `_meaning`; an extra input that is not asked for is nothing of ours."""
        meaning, code = _meaning(concept)
        if meaning in EXTRA_INPUTS and meaning not in self._window.extra:
            return None, ""
        return meaning, code

    def _read_panel(self, panel: Observation, when: "_Time") -> None:
        """Both pressures of a panel (C4); of either exactly one component may speak."""
        parts: dict[str, list[tuple[Measured, str]]] = {name: [] for name in PRESSURES}
        for component in panel.component or ():
            meaning, code = _meaning(component.code)
            if meaning == INVASIVE:
                self._reject(NOT_USED, None)
                return
            if meaning in parts:
                parts[meaning].append((component, code))
        if not panel.component and panel.has_member and panel.data_absent_reason is None:
            # The members carry the values and are Observations of their own.
            self._reject(NOT_USED, None)
            return
        found = {name: _only(name, components) for name, components in parts.items()}
        systolic, diastolic = (found[name] for name in PRESSURES)
        if (
            isinstance(systolic, _Measurement)
            and isinstance(diastolic, _Measurement)
            and systolic.value <= diastolic.value
        ):
            found = dict.fromkeys(PRESSURES, MissingReason.IMPLAUSIBLE)
        for name, measurement in found.items():
            item, code = parts[name][0] if parts[name] else (panel, "")
            self._take(panel, name, code, measurement, when, item)

    def _take(
        self,
        observation: Observation,
        feature: str,
        code: str,
        measurement: "_Measurement | BloodGroup | MissingReason",
        when: "_Time",
        item: Measured | None = None,
    ) -> None:
        """Take a value, or say why not; `item` is the part that holds it, if it is a part."""
        if isinstance(measurement, MissingReason):
            unit = None
            if measurement is MissingReason.UNKNOWN_UNIT:
                unit = _unknown_unit(item or observation)
            self._reject(measurement, feature, unit)
            return
        self.findings.candidates.append(
            Candidate(
                feature,
                measurement.value,
                when.at,
                code,
                measurement.received_value,
                measurement.received_unit,
                when.text,
                observation.status or "",
                self._reference,
                observation.issued,
                observation.meta.last_updated if observation.meta else None,
                self._number,
            )
        )

    def _read_damaged(self, entry: Entry) -> None:
        """What does not decode is skipped, still under the input it was meant for."""
        outline = decode(entry.raw, Outline)
        found = outline or head(entry.raw)
        if found.resource_type != "Observation":
            self._add(Rejection(skip(found), None))
        elif outline is None:
            self._add(Rejection(skip(found, MissingReason.MALFORMED), None))
        else:
            self._reference = resource_reference("Observation", outline.id)
            text = outline.effective_date_time
            self._time = parse_instant(text) if isinstance(text, str) else None
            known = self._is_of_patient(outline.subject)
            reason = MissingReason.MALFORMED if known else MissingReason.WRONG_PATIENT
            self._reject(reason, self._meaning(outline.code)[0])

    def _reject(self, reason: str, meaning: str | None, unit: str | None = None) -> None:
        features: tuple[str | None, ...] = (meaning,)
        if meaning == BLOOD_PRESSURE:
            features = PRESSURES
        elif meaning not in MEASURED:
            features = (None,)
        for feature in features:
            code = received_code(self._concept)
            skipped = Skipped("Observation", self._reference, str(reason), feature, code, unit)
            self._add(Rejection(skipped, self._time))

    def _add(self, rejection: Rejection) -> None:
        self.findings.rejections.append(rejection)

    def _is_of_patient(self, reference: Reference | None) -> bool:
        return reference is not None and self._window.patient.matches(reference.reference)


class _Time(NamedTuple):
    text: str
    """As received."""
    at: datetime


class _Measurement(NamedTuple):
    value: float
    """In the unit of the feature."""
    received_value: float
    received_unit: str


def _meaning(concept: CodeableConcept | None) -> tuple[str | None, str]:
    """What a code stands for and the LOINC code that says so; `None` for nothing of ours.

    Any of several codings may match. Codings that name different inputs contradict each other;
    one that says "invasive" outweighs a general code beside it (C6).
    """
    best, meaning = "", None
    for coding in (concept.coding if concept else None) or ():
        code = coding.code
        if code is None or coding.system not in LOINC_SYSTEMS or code not in MEANING:
            continue
        found = MEANING[code]
        if found == INVASIVE:
            return INVASIVE, code
        if meaning is not None and found != meaning:
            meaning = _CONTRADICTORY
        elif meaning is None or RANK[code] < RANK[best]:
            best, meaning = code, found
    return meaning, best


def _only(feature: str, components: list[tuple[Measured, str]]) -> _Measurement | MissingReason:
    """The measurement of the one component of a panel for a pressure."""
    if len(components) > 1:
        return MissingReason.MALFORMED
    return _value(feature, components[0][0]) if components else MissingReason.DATA_ABSENT


def _value(feature: str, item: Measured) -> _Measurement | MissingReason:
    """The value in the unit of the feature, or why there is none.

    A value with a comparator is a limit, not a measurement: nothing exact was recorded, so it
    counts as absent. An integer has no unit, and other types of value are not a measurement. A
    value beside a `dataAbsentReason` breaks invariant obs-6 and is not trusted.
    """
    quantity = item.value_quantity
    if item.modifier_extension:
        return MissingReason.MALFORMED
    if item.data_absent_reason is not None:
        return MissingReason.DATA_ABSENT
    if quantity is None:
        if item.value_integer is not None:
            return MissingReason.UNKNOWN_UNIT
        return MissingReason.MALFORMED if item.has_other_value() else MissingReason.DATA_ABSENT
    if quantity.value is None or quantity.comparator is not None:
        return MissingReason.DATA_ABSENT
    unit = received_unit(quantity.unit, quantity.system, quantity.code)
    value = convert(feature, quantity.value, quantity.unit, quantity.system, quantity.code)
    if unit is None or value is None:
        return MissingReason.UNKNOWN_UNIT
    if not is_possible(feature, value):
        return MissingReason.IMPLAUSIBLE
    return _Measurement(value, quantity.value, unit)


def _unknown_unit(item: Measured) -> str:
    quantity = item.value_quantity
    if quantity is None:
        return unknown_unit(None)
    return unknown_unit(received_unit(quantity.unit, quantity.system, quantity.code))


def _when(observation: Observation) -> _Time | MissingReason:
    """The time of a reading (C7).

    Of a period its end, else its start; of a timing its first event. Never `issued`, which is
    when the value was published.
    """
    text = observation.effective_date_time or observation.effective_instant
    if not text and observation.effective_period is not None:
        period = observation.effective_period
        text = period.end or period.start
        start, end = parse_instant(period.start), parse_instant(period.end)
        if start is not None and end is not None and end < start:
            return MissingReason.MALFORMED
    if not text and observation.effective_timing is not None:
        text = next(iter(observation.effective_timing.event or ()), None)
    if not text:
        return MissingReason.NO_TIME
    at = parse_instant(text)
    return MissingReason.MALFORMED if at is None else _Time(text, at)
