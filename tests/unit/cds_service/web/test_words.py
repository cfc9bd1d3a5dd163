"""Fixed words of pages, the same in both languages."""

import string

import pytest

from cds_service.web.attribute_text import texts
from cds_service.web.words import WORDS, Words
from hooks.wording import LANGUAGES, Language
from model.artefact import documents
from model.evaluation.report import _BY_CATEGORY, _OVERALL
from model.model_card import card_facts
from model.source_attributes import SOURCE_ATTRIBUTES, Group, Role
from tests.unit.model.test_model_card import CHECKSUM, KEPT, REGISTERED


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_words_and_gaps() -> None:
    assert set(WORDS["en"]) == set(WORDS["es"])
    for key, text in WORDS["en"].items():
        assert placeholders(text) == placeholders(WORDS["es"][key]), key
        assert text.strip(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_shown_has_words(language: Language) -> None:
    words = Words(language)
    needed = [f"asks.{one.id}" for one in SOURCE_ATTRIBUTES]
    needed += [f"group.{group.value}" for group in Group]
    needed += [f"asked_of.{role.value}" for role in Role]
    needed += [f"metric.{name}" for name in (*_OVERALL, *_BY_CATEGORY)]

    assert [key for key in needed if not words.has(key)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_c11_terminal_is_no_word_for_people_who_care(language: Language) -> None:
    for key, text in WORDS[language].items():
        assert "terminal" not in text.lower(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_claims_nothing_of_an_authority(language: Language) -> None:
    for key, text in WORDS[language].items():
        lower = text.lower()
        assert not any(name in lower for name in ("fda", "hti", "onc ", "ce mark", "mdr")), key
        assert not any(word in lower for word in ("compliant", "certified", "cumple")), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_run_can_say_is_said_and_nothing_else(language: Language) -> None:
    facts = card_facts(REGISTERED, documents(KEPT, CHECKSUM), None)
    said = texts(facts, Words(language))

    assert set(said) == {one.id for one in SOURCE_ATTRIBUTES if one.by_run}
    for paragraphs in said.values():
        assert paragraphs
        assert all(text and "{" not in text and "None" not in text for text in paragraphs)


def test_numbers_as_each_language_writes_them() -> None:
    english, spanish = Words("en"), Words("es")
    record = {"value": 0.1234, "lower": 0.1, "upper": 0.2}

    assert english.interval(record) == "0.123 [0.100,\u00a00.200]"
    assert spanish.interval(record) == "0,123 [0,100;\u00a00,200]"
    assert english.interval(record | {"value": None}) == "–"
    assert english.count(71050) == "71\u202f050"
    assert english.count(None) == "under 10"
    assert spanish.percent(0.0512) == "5,1 %"
    assert spanish.day("2026-03-01T12:00:00+00:00") == "2026-03-01"
    assert spanish.day(None) == "no consta"
