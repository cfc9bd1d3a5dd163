"""Readings in words: value, unit, age, reference range, and why one is missing."""

from collections.abc import Iterable

from fhir_mapping.readings import Extraction, Missing, MissingReason, Reading
from hooks.wording import Wording
from model.early_warning import RED_LIMITS, as_charted
from model.features import CATEGORIES, EXTRA_INPUTS, FEATURE
from model.reference_ranges import ADULT_AGE, reference_range

PRESSURES = ("systolic_bp", "diastolic_bp")
MEASURED = (
    "heart_rate",
    "body_temperature",
    "blood_pressure",
    "respiratory_rate",
    "oxygen_saturation",
)
"""Reasons that are measured, in the order of the card."""
SHOWN = (*MEASURED, *EXTRA_INPUTS)
"""What a card lists beside age and sex, in its order."""


class ReadingText:
    """The readings of one extraction in one language."""

    def __init__(self, extraction: Extraction, wording: Wording) -> None:
        """Describe the readings of `extraction` with `wording`."""
        self._extraction = extraction
        self._wording = wording
        self._readings = {reading.feature: reading for reading in extraction.readings}

    def present(self, reason: str) -> bool:
        """Whether there is a value for `reason` (one of `SHOWN`)."""
        return bool(self._features(reason))

    def brief(self, feature: str) -> str:
        """Name and value of a feature that has one: "systolic pressure 84 mmHg"."""
        return self._wording.say("reading", name=self._name(feature), value=self._value(feature))

    def dated(self, feature: str) -> str:
        """The same with its age: "systolic pressure 84 mmHg (10 min ago)"."""
        minutes = self._minutes(feature)
        if minutes is None:
            return self.brief(feature)
        return self._wording.say(
            "reading.noted", text=self.brief(feature), notes=self._wording.ago(minutes)
        )

    def red(self, feature: str) -> str:
        """A red reading with the limit it is beyond (C9)."""
        low, high = RED_LIMITS[feature]
        value = as_charted(feature, self._number(feature))
        below = low is not None and value <= low
        limit = low if below else high
        text = self._wording.number(limit or 0, FEATURE[feature].decimals)
        beyond = self._wording.say("red.below" if below else "red.above", limit=text)
        return self._wording.say(
            "reading.noted",
            text=self.brief(feature),
            notes="; ".join([*self._taken((feature,)), beyond]),
        )

    def full(self, reason: str) -> str:
        """A reason as the card lists it: value, age, status and reference, or why it is missing."""
        say = self._wording.say
        if reason == "age":
            return self._age()
        if reason == "sex":
            return self._sex()
        features = self._features(reason)
        if not features:
            return say("reading.missing", name=self._name(reason), reason=self._why(reason))
        name, value = self._charted_as(reason, features)
        return self._noted(say("reading", name=self._name(name), value=value), features)

    def reason(self, reason: str) -> str:
        """A reason for a prediction: as `full`, in the words of its own level.

        "Fast heart rate 118/min (…)", "temperature 36.8 °C, within reference (…)". The level is
        that of the value as it is shown, against the range it is shown beside; without a range
        there is none to state.
        """
        sex = self._extraction.patient.sex
        if reason == "sex" and sex is not None:
            return self._wording.say(f"level.sex.{sex}")
        features = self._features(reason)
        level = self._level(features)
        if level is None:
            return self.full(reason)
        name, value = self._charted_as(reason, features)
        text = self._wording.say(f"level.{name}.{level}", value=value)
        return self._noted(text, features)

    def extreme(self) -> list[str]:
        """Readings that call for a second measurement (C5)."""
        return [self.brief(r.feature) for r in self._extraction.readings if "extreme" in r.flags]

    def missing(self) -> list[str]:
        """What has no value, grouped by reason: "SpO2, sex (no reading)"."""
        groups: dict[str, list[str]] = {}
        for item in filter(_asked_for, self._extraction.missing):
            groups.setdefault(item.reason.value, []).append(item.feature)
        return [
            self._wording.say(
                "missing.group",
                names=", ".join(self._names(features)),
                reason=self._wording.say(f"missing.{reason}"),
            )
            for reason, features in groups.items()
        ]

    def missing_core(self) -> list[str]:
        """Names of the core inputs without a value."""
        return self._names(
            item.feature
            for item in self._extraction.missing
            if item.feature in FEATURE and FEATURE[item.feature].core
        )

    def _names(self, features: Iterable[str]) -> list[str]:
        """Names in order; both pressures together are the blood pressure."""
        listed = list(features)
        if set(PRESSURES) <= set(listed):
            listed[listed.index("systolic_bp")] = "blood_pressure"
            listed.remove("diastolic_bp")
        return [self._name(feature) for feature in listed]

    def _features(self, reason: str) -> tuple[str, ...]:
        wanted = PRESSURES if reason == "blood_pressure" else (reason,)
        row = self._extraction.row
        return tuple(feature for feature in wanted if row.value(feature) is not None)

    def _name(self, feature: str) -> str:
        return self._wording.say(f"feature.{feature}")

    def _number(self, feature: str) -> float:
        value = self._extraction.row.value(feature)
        if not isinstance(value, int | float):
            raise ValueError(f"{feature} has no value")
        return float(value)

    def _charted(self, feature: str) -> str:
        value = as_charted(feature, self._number(feature))
        return self._wording.number(value, FEATURE[feature].decimals)

    def _value(self, feature: str) -> str:
        # A category is one of a closed list (`model.features`), never text from data.
        charted = (
            str(self._extraction.row.value(feature))
            if feature in CATEGORIES
            else self._charted(feature)
        )
        # "1 days a month" is no English; nothing else is counted in words.
        counted = {"0": ".none", "1": ".one"}.get(charted, "") if feature == "exercise_days" else ""
        return self._wording.say(f"value.{feature}{counted}", value=charted)

    def _taken(self, features: tuple[str, ...]) -> list[str]:
        """How long ago, and whether preliminary."""
        notes = []
        minutes = [m for feature in features if (m := self._minutes(feature)) is not None]
        if minutes:
            notes.append(self._wording.ago(max(minutes)))
        readings: list[Reading] = [self._readings[f] for f in features if f in self._readings]
        if any("preliminary" in reading.flags for reading in readings):
            notes.append(self._wording.say("preliminary"))
        return notes

    def _charted_as(self, reason: str, features: tuple[str, ...]) -> tuple[str, str]:
        """Name and value of a reason: one pressure alone has its own name."""
        if len(features) == 1:
            return features[0], self._value(features[0])
        value = self._wording.say(
            "value.blood_pressure",
            systolic=self._charted("systolic_bp"),
            diastolic=self._charted("diastolic_bp"),
        )
        return reason, value

    def _noted(self, text: str, features: tuple[str, ...]) -> str:
        """The text with how long ago, whether preliminary, and the reference range."""
        notes = self._taken(features)
        ranges = [self._range(feature) for feature in features]
        if None not in ranges:
            key = "reference.age" if self._is_child() else "reference"
            named = [self._reference(feature) for feature in features]
            notes.append(self._wording.say(key, range="/".join(named)))
        if not notes:
            return text
        return self._wording.say("reading.noted", text=text, notes="; ".join(notes))

    def _level(self, features: tuple[str, ...]) -> str | None:
        """`high`, `low` or `within` the shown range; of two pressures that lie on different sides
        `high_low` or `low_high`; `None` where no range is known or there is no value."""
        levels = []
        for feature in features:
            found = self._range(feature)
            if found is None:
                return None
            value = as_charted(feature, self._number(feature))
            levels.append("low" if value < found[0] else "high" if value > found[1] else "within")
        outside = [level for level in levels if level != "within"]
        if len(set(outside)) > 1:
            return "_".join(outside)
        return outside[0] if outside else "within" if levels else None

    def _minutes(self, feature: str) -> float | None:
        if feature in self._readings:
            return self._readings[feature].minutes_before
        return self._extraction.row.minutes_before.get(feature)

    def _range(self, feature: str) -> tuple[float, float] | None:
        # In pregnancy the adult ranges do not hold (C9 has no adult limits there either).
        age = None if self._extraction.pregnant else self._extraction.patient.age
        return reference_range(feature, age)

    def _reference(self, feature: str) -> str:
        decimals = FEATURE[feature].decimals
        limits = self._range(feature) or ()
        return "–".join(self._wording.number(limit, decimals) for limit in limits)

    def _is_child(self) -> bool:
        age = self._extraction.patient.age
        return age is not None and age < ADULT_AGE

    def _age(self) -> str:
        patient = self._extraction.patient
        if patient.age is None:
            return self._wording.say(
                "reading.missing", name=self._name("age"), reason=self._why("age")
            )
        value = self._wording.age(patient.age, approximate=patient.age_is_approximate)
        return self._wording.say("reading", name=self._name("age"), value=value)

    def _sex(self) -> str:
        sex = self._extraction.patient.sex
        if sex is None:
            return self._wording.say(
                "reading.missing", name=self._name("sex"), reason=self._why("sex")
            )
        value = self._wording.say(f"sex.{sex}")
        return self._wording.say("reading", name=self._name("sex"), value=value)

    def _why(self, reason: str) -> str:
        features = PRESSURES if reason == "blood_pressure" else (reason,)
        for item in self._extraction.missing:
            if item.feature in features:
                return self._wording.say(f"missing.{item.reason.value}")
        return self._wording.say("missing.no_observation")


def _asked_for(item: Missing) -> bool:
    """Whether the card names it: an extra input that was not sent was not asked for either."""
    return item.feature not in EXTRA_INPUTS or item.reason is not MissingReason.NOT_IN_PREFETCH
