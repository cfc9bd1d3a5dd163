"""How things are said: sentences, numbers and times in the language of the reader."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hooks.severity_codes import DISPLAYS
from hooks.wording_en import ENGLISH
from hooks.wording_es import SPANISH
from model.severity import Severity

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = ("en", "es")
SENTENCES: dict[Language, dict[str, str]] = {"en": ENGLISH, "es": SPANISH}

# RFC 9110, 12.4.2 and 12.5.4; RFC 4647, 2.1.
_LANGUAGE_RANGE = re.compile(
    r"\s*(?P<range>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)"
    r"\s*(?:;\s*q\s*=\s*(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.IGNORECASE,
)

MAX_DATA_TEXT = 100
"""Characters of a string from data that reach a card."""

_MONTH = 365.25 / 12
"""d"""

_MARKDOWN = frozenset("\\`*_{}[]()#!|~$^")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ZERO_WIDTH_SPACE = "\u200b"
# Some renderers look for bare addresses after they have resolved escapes, so escaping does not
# stop them: http://, www. and name@host are broken up as well.
_LINK_STARTS = re.compile(r":(?=//)|www(?=\.)|(?=@)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of one language."""

    language: Language

    def say(self, key: str, **values: object) -> str:
        """The sentence `key` with its placeholders filled; raises `KeyError` for either."""
        return SENTENCES[self.language][key].format(**values)

    def display(self, severity: Severity) -> str:
        """The category as a heading."""
        return DISPLAYS[self.language][severity]

    def category(self, severity: Severity) -> str:
        """The category in the middle of a sentence."""
        return self.say(f"category.{severity.value}")

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with the decimal sign of the language."""
        text = f"{value:.{decimals}f}"
        return text.replace(".", ",") if self.language == "es" else text

    def frequency(self, probability: float, *, short: bool = False) -> str:
        """A probability (0 to 1) as "8 in 100"; `short` leaves out the "in 100".

        Under 1 and over 99 in 100 it says only that: a model is never that sure (C11).
        """
        prefix = "short.frequency" if short else "frequency"
        # Decimal shares such as 0.07 x 100 are not whole in binary.
        hundredths = round(probability * 100, 9)
        if hundredths < 1:
            return self.say(f"{prefix}.below")
        if hundredths > 99:
            return self.say(f"{prefix}.above")
        return self.say(prefix, n=math.floor(hundredths + 0.5))

    def ago(self, minutes: float) -> str:
        """How long ago, in whole minutes, hours (from 1), days (from 2) or months (from 2),
        rounded down."""
        if minutes < 60:
            return self.say("ago.minutes", n=math.floor(minutes))
        if minutes < 48 * 60:
            return self.say("ago.hours", n=math.floor(minutes / 60))
        days = minutes / (24 * 60)
        if days < 2 * _MONTH:
            return self.say("ago.days", n=math.floor(days))
        return self.say("ago.months", n=math.floor(days / _MONTH))

    def age(self, years: float, *, approximate: bool = False) -> str:
        """An age as clinicians say it: days under two months, months under two years."""
        if years < 2 / 12:
            text = self.say("age.days", value=math.floor(years * 365.25))
        elif years < 2:
            text = self.say("age.months", value=math.floor(years * 12))
        else:
            text = self.say("age.years", value=math.floor(years))
        return self.say("age.about", age=text) if approximate else text

    def join(self, items: Sequence[str], how: Literal["and", "or"] = "and") -> str:
        """Items as "a, b and c"; one item as it is."""
        if len(items) == 1:
            return items[0]
        return self.say(f"list.{how}", first=", ".join(items[:-1]), last=items[-1])


def sentence(text: str) -> str:
    """The text with its first letter in upper case; "SpO2" and numbers stay."""
    return text[:1].upper() + text[1:]


def from_data(text: str) -> str:
    """Text that came from data, safe within a line of GitHub-Flavored Markdown (R38).

    HTML and Markdown characters are escaped, control and direction characters become spaces,
    what a renderer would turn into a link by itself is broken up, and the length is bounded.
    """
    plain = plain_data(text)
    plain = _LINK_STARTS.sub(lambda match: match.group() + _ZERO_WIDTH_SPACE, plain)
    return "".join(_HTML.get(c) or ("\\" + c if c in _MARKDOWN else c) for c in plain)


def plain_data(text: str) -> str:
    """Text that came from data, for where it is escaped later: one line of bounded length."""
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(plain.split())[:MAX_DATA_TEXT]


def choose_language(header: str | None) -> Language | None:
    """The language that an `Accept-Language` header asks for (RFC 9110, 12.5.4).

    A region is no language of its own: `es-419` is read as `es` (RFC 4647, 3.4), unless `es`
    itself is refused with `q=0`. What cannot be read is passed over. `None` where the header is
    missing, asks for none of `LANGUAGES`, or leaves the choice between them open (`*`).
    """
    wanted: dict[str, float] = {}
    for part in (header or "").split(","):
        match = _LANGUAGE_RANGE.fullmatch(part)
        if match is not None:
            wanted.setdefault(match["range"].lower(), float(match["q"] or 1))
    anything = wanted.pop("*", 0.0)
    named: dict[str, float] = {}
    for name, share in wanted.items():
        language = name.partition("-")[0]
        named[language] = max(share, named.get(language, 0.0))
    named |= {name: 0.0 for name, share in wanted.items() if share == 0 and name in LANGUAGES}
    # In the order of the header, which decides between equals.
    ours: dict[Language, float] = {
        one: share for name, share in named.items() for one in LANGUAGES if one == name
    }
    best = max(ours, key=lambda one: ours[one], default=None)
    if best is not None and ours[best] > 0 and ours[best] >= anything:
        return best
    others = [one for one in LANGUAGES if one not in named]
    if anything > 0 and len(others) == 1:
        return others[0]
    return best if best is not None and ours[best] > 0 else None
