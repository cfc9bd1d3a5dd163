"""How pages say things: fixed words, numbers and dates in the language of the reader."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo

from cds_service.web import (
    charts_en,
    charts_es,
    layout_en,
    layout_es,
    model_card_en,
    model_card_es,
    result_en,
    result_es,
)
from hooks.wording import Language, Wording
from model.severity import Severity
from model.small_cells import SMALLEST_SHOWN

Table = Mapping[Language, Mapping[str, str]]
"""The fixed words of a page in every language."""

WORDS: Table = {"en": model_card_en.ENGLISH, "es": model_card_es.SPANISH}
"""Of the model card."""
LAYOUT: Table = {"en": layout_en.ENGLISH, "es": layout_es.SPANISH}
"""Of what all pages share."""
CHARTS: Table = {"en": charts_en.ENGLISH, "es": charts_es.SPANISH}
"""Of charts, which any page may have."""
RESULT: Table = {"en": result_en.ENGLISH, "es": result_es.SPANISH}
"""Around a result, wherever one is shown."""
LANGUAGE_NAMES: Mapping[Language, str] = {"en": "English", "es": "Español"}


def written(at: datetime, zone: tzinfo) -> str:
    """A time (aware) to the minute as it is where the service is (`CDS_TIME_ZONE`), with its
    zone."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def level_of(cohort: str, level: str, words: "Words") -> str:
    """A group of patients in words: a sex, ages as "18–39" and "80+", a rare disease or none."""
    if cohort == "sex":
        name = "unknown" if level == "not known" else level
        text = words.wording.say(f"sex.{name}")
        return text[:1].upper() + text[1:]
    if words.has(f"level.{cohort}.{level}"):
        return words.say(f"level.{cohort}.{level}")
    return level.replace(" to ", "–").replace(" and over", "+")


def beside(table: Table, english: Mapping[str, str], spanish: Mapping[str, str]) -> Table:
    """The words of a page, and those of `table` where it has none."""
    return {"en": {**table["en"], **english}, "es": {**table["es"], **spanish}}


class Words:
    """The words of pages in one language."""

    def __init__(
        self, language: Language, table: Table = WORDS, *, zone: tzinfo | None = None
    ) -> None:
        """Speak `language` with the words of `table`, and those of the layout where it has none;
        times are told in `zone`, by default UTC."""
        self.language = language
        self.zone = zone or UTC
        self._words = {**CHARTS[language], **LAYOUT[language], **table[language]}
        self.wording = Wording(language)

    def say(self, key: str, **values: object) -> str:
        """The words `key` with their gaps filled; raises `KeyError` for either."""
        return self._words[key].format(**values)

    def time(self, at: datetime) -> str:
        """A time (aware) to the minute as it is where the service is, with its zone."""
        return written(at, self.zone)

    def has(self, key: str) -> bool:
        """Whether there are words for `key`."""
        return key in self._words

    def category(self, code: str) -> str:
        """A category as a heading, never as its code (C11)."""
        return self.wording.display(Severity(code))

    def categories(self, codes: Iterable[str]) -> str:
        """Categories in the middle of a sentence."""
        return self.wording.join([self.wording.category(Severity(code)) for code in codes])

    def feature(self, name: str) -> str:
        """An input as a heading."""
        text = self.wording.say(f"feature.{name}")
        return text[:1].upper() + text[1:]

    def figure(self, value: float | None, decimals: int = 3) -> str:
        """A number, or the sign for none."""
        return self.say("none") if value is None else self.wording.number(value, decimals)

    def percent(self, share: float | None, decimals: int = 1) -> str:
        """A share (0 to 1) as a percentage."""
        return self.say("none") if share is None else f"{self.figure(share * 100, decimals)} %"

    def count(self, count: int | None) -> str:
        """A count, or that it is too small to be shown; groups of three parted by a thin space."""
        if count is None:
            return self.say("hidden", smallest=SMALLEST_SHOWN)
        return f"{count:,}".replace(",", "\u202f")

    def about(self, total: int | None) -> str:
        """A rounded total."""
        return self.say("not_recorded") if total is None else self.count(total)

    def day(self, moment: str | None) -> str:
        """The day of a time in ISO 8601, as it is written everywhere the same."""
        if moment is None:
            return self.say("not_recorded")
        return datetime.fromisoformat(moment).date().isoformat()

    def interval(self, record: Mapping[str, float | None] | None) -> str:
        """A figure with its interval; the sign for none where it rests on too little."""
        if record is None or record["value"] is None:
            return self.say("none")
        value = self.figure(record["value"])
        if record["lower"] is None or record["upper"] is None:
            return value
        lower, upper = self.figure(record["lower"]), self.figure(record["upper"])
        # Broken, if at all, before the bracket.
        bounds = self.say("bounds", lower=lower, upper=upper).replace(" ", "\u00a0")
        return f"{value} {bounds}"
