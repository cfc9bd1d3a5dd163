"""What the review pages show: a case without its prediction (C18), and an answer beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.errors import ServiceError
from cds_service.security.clients import TRIAGE_BASE
from cds_service.services.review_desk import LastAnswer
from cds_service.services.review_view import ReviewView, ShownReading
from cds_service.services.reviewing import Answer
from cds_service.web.words import Words
from hooks.card_text import rare_name
from hooks.findings import MAX_NAMED
from hooks.wording import plain_data
from model.early_warning import as_charted
from model.features import CATEGORIES, FEATURE
from model.rare_codes import normal_rare_code
from model.severity import SEVERITIES, Severity

KEYS: Final[Mapping[str, Severity]] = {
    str(number): severity for number, severity in enumerate(SEVERITIES, 1)
}
"""Key and field value of each category, in their fixed order; codes stay out of the page (C11)."""
UNDETERMINED_KEY: Final = "u"
LONGEST_CODE: Final = 80
"""Letters of what may be typed as an ORPHAcode, which may be an address of orpha.net."""


@dataclass(frozen=True, slots=True)
class Row:
    """A reading as it stands in the table."""

    name: str
    value: str
    usual: str | None
    """Reference range; `None` where none is known at this age."""
    level: str | None
    """`high` or `low` against that range, else `None`."""
    taken: str | None
    """How long before the assessment."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer that can be chosen."""

    key: str
    name: str
    hint: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was predicted of one category."""

    name: str
    here: str
    usual: str | None
    share: float
    usual_share: float | None
    is_predicted: bool
    is_said: bool


def rows_of(view: ReviewView, words: Words) -> list[Row]:
    """The readings of a case."""
    return [_row(reading, words) for reading in view.readings]


def missing_of(view: ReviewView, words: Words) -> list[tuple[str, str]]:
    """What has no value, and why."""
    return [
        (
            words.feature(name),
            words.say("missing.unknown") if why is None else words.wording.say(f"missing.{why}"),
        )
        for name, why in view.missing
    ]


def person_of(view: ReviewView, words: Words) -> list[tuple[str, str]]:
    """Age, sex and the kind of encounter, with their names."""
    none = words.say("not_recorded")
    setting = f"setting.{view.encounter_class}"
    return [
        (words.feature("age"), none if view.age is None else words.wording.age(view.age)),
        (words.feature("sex"), none if view.sex is None else words.wording.say(f"sex.{view.sex}")),
        (words.say("setting"), words.say(setting) if words.has(setting) else none),
    ]


def patient_of(view: ReviewView, words: Words) -> list[tuple[str, str]]:
    """Who it is; empty where nobody was named, or no key reads the ids any more."""
    if view.ids is None:
        return []
    if view.ids.base == TRIAGE_BASE:
        return [(words.say("patient.case"), plain_data(view.ids.patient))]
    found = [(words.say("patient.id"), view.ids.patient)]
    if view.ids.encounter is not None:
        found.append((words.say("patient.encounter"), view.ids.encounter))
    found.append((words.say("patient.base"), view.ids.base))
    return [(name, plain_data(text)) for name, text in found]


def choices(words: Words, chosen: str | None = None) -> list[Choice]:
    """The five categories in their fixed order, and that it cannot be told."""
    found = [
        Choice(key, words.category(code), words.say(f"hint.{key}"), key == chosen)
        for key, code in KEYS.items()
    ]
    hint = words.say("hint.u")
    last = Choice(UNDETERMINED_KEY, words.say("undetermined"), hint, chosen == UNDETERMINED_KEY)
    return [*found, last]


def key_of(answer: Answer) -> str | None:
    """The key of what was said; `None` of a skip."""
    if answer.kind == "undetermined":
        return UNDETERMINED_KEY
    return next((key for key, code in KEYS.items() if code is answer.category), None)


def read_answer(fields: Mapping[str, str]) -> Answer | str:
    """The answer of a form, or the key of what is wrong with it."""
    said, typed = fields.get("answer", ""), fields.get("rare", "").strip()
    if said != UNDETERMINED_KEY and said not in KEYS:
        return "wrong.none"
    code = normal_rare_code(typed[:LONGEST_CODE])
    if typed and (code is None or not code.startswith("ORPHA:")):
        return "wrong.rare"
    if said == UNDETERMINED_KEY:
        return "wrong.rare_alone" if typed else Answer("undetermined")
    try:
        return Answer.of(KEYS[said].value, typed)
    except ServiceError:
        return "wrong.rare"


def estimates_of(last: LastAnswer, words: Words) -> list[Estimate]:
    """What was predicted, in frequencies against the base rate (C11), in the fixed order."""
    if last.prediction is None:
        return []
    rates = {} if last.facts is None else last.facts.base_rates
    found = []
    for code in SEVERITIES:
        share = last.prediction.probabilities.get(code.value)
        if share is not None:
            usual = rates.get(code)
            found.append(
                Estimate(
                    name=words.category(code),
                    here=words.wording.frequency(share),
                    usual=None if usual is None else words.wording.frequency(usual),
                    share=share,
                    usual_share=usual,
                    is_predicted=code.value == last.prediction.category,
                    is_said=code is last.answer.category,
                )
            )
    return found


def statements_of(last: LastAnswer, words: Words) -> list[str]:
    """What the card would say beside the estimates."""
    prediction, facts = last.prediction, last.facts
    if prediction is None or facts is None:
        return []
    named = prediction.prediction_set
    lines = []
    if named:
        lines.append(
            words.wording.say("set.named", names=_either(named, words))
            if len(named) <= MAX_NAMED
            else words.wording.say("set.open")
        )
    if prediction.atypicality is not None and prediction.atypicality < facts.unusual_below:
        lines.append(words.wording.say("unusual"))
    if facts.simulated:
        lines.append(words.wording.say("simulated"))
    return lines


def _either(codes: Sequence[str], words: Words) -> str:
    return words.wording.join([words.wording.category(Severity(code)) for code in codes], "or")


def said_of(answer: Answer, words: Words, name: str | None) -> str:
    """An answer in words; `name` is that of its rare disease, where it is known."""
    if answer.category is None:
        return words.say("undetermined" if answer.kind == "undetermined" else "skipped")
    text = words.category(answer.category)
    if answer.rare_code is None:
        return text
    return f"{text}; {rare_name(answer.rare_code, name, words.wording, plain_data)}"


def _row(reading: ShownReading, words: Words) -> Row:
    flags = [flag for flag in reading.flags if words.has(f"flag.{flag}")]
    return Row(
        name=words.feature(reading.name),
        value=_value(reading, words),
        usual=None if reading.usual is None else _range(reading.name, reading.usual, words),
        level=_level(reading),
        taken=None if reading.minutes_before is None else _age(reading.minutes_before, words),
        notes=tuple(words.say(f"flag.{flag}") for flag in flags),
    )


def _age(minutes: float, words: Words) -> str:
    whole = int(minutes)
    hours, rest = divmod(whole, 60)
    parts = [("hours", hours)] * bool(hours) + [("minutes", rest)] * bool(rest or not hours)
    return " ".join(words.say(unit, n=count) for unit, count in parts)


def _value(reading: ShownReading, words: Words) -> str:
    if reading.name in CATEGORIES or isinstance(reading.value, str):
        return words.wording.say(f"value.{reading.name}", value=reading.value)
    value = as_charted(reading.name, reading.value)
    text = words.wording.number(value, FEATURE[reading.name].decimals)
    counted = {"0": ".none", "1": ".one"}.get(text, "") if reading.name == "exercise_days" else ""
    return words.wording.say(f"value.{reading.name}{counted}", value=text)


def _range(name: str, usual: tuple[float, float], words: Words) -> str:
    decimals = FEATURE[name].decimals
    return "–".join(words.wording.number(limit, decimals) for limit in usual)


def _level(reading: ShownReading) -> str | None:
    if reading.usual is None or isinstance(reading.value, str):
        return None
    value = as_charted(reading.name, reading.value)
    return "low" if value < reading.usual[0] else "high" if value > reading.usual[1] else None
