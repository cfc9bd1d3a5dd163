"""The triage pages have words for whatever may be wrong, in both languages."""

import inspect
import re

import pytest

from cds_service.routes.triage import WORDS
from cds_service.services import triage_form
from cds_service.services.triage_form import AGAIN, FIELDS, Problem, number_limits
from cds_service.web.triage_page import label, shown_fields, shown_problems
from cds_service.web.words import Words
from hooks.cards import Indicator
from hooks.wording import LANGUAGES, Language

KINDS = set(re.findall(r'_say\(.+?, "(\w+)"', inspect.getsource(triage_form)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_is_wrong_has_words(language: Language) -> None:
    words = Words(language, WORDS)
    assert {"required", "impossible", "extreme", "not_higher"} <= KINDS
    values = {"low": 68.0, "high": 114.8, "unit": "[degF]"}
    for kind in KINDS:
        (shown,) = shown_problems([Problem("heart_rate", kind, values)], words)
        assert shown.field == "heart_rate"
        assert "{" not in shown.text
    for indicator in Indicator:
        assert words.say(f"indicator.{indicator.value}")
    for _, unit, _ in number_limits():
        assert words.say(f"unit.{unit}")


@pytest.mark.parametrize(
    ("language", "limits"), [("en", "68 and 114.8 °F"), ("es", "68 y 114,8 °F")]
)
def test_limits_are_written_as_the_reader_writes_them(language: Language, limits: str) -> None:
    words = Words(language, WORDS)
    problem = Problem(
        "body_temperature", "impossible", {"low": 68.0, "high": 114.8, "unit": "[degF]"}
    )
    (shown,) = shown_problems([problem], words)
    assert limits in shown.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_has_a_label(language: Language) -> None:
    words = Words(language, WORDS)
    for name in FIELDS:
        if not name.startswith(AGAIN):
            assert label(name, words)


def test_a_confirmation_belongs_to_its_value() -> None:
    words = Words("en", WORDS)
    problem = Problem("heart_rate", "extreme", {})
    for again, confirmed in (("230", True), ("231", False), (None, False)):
        typed = {"heart_rate": "230"} | ({} if again is None else {f"{AGAIN}heart_rate": again})
        field = shown_fields(typed, [problem], words)["heart_rate"]
        assert field.asks
        assert field.confirmed is confirmed
