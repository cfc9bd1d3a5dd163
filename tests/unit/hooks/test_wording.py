"""Sentences, numbers and times in both languages."""

import string

import pytest

from fhir_mapping.readings import MissingReason
from hooks.topics import Topic
from hooks.wording import LANGUAGES, SENTENCES, Wording, choose_language, from_data, sentence
from model.features import EXTRA_INPUTS, FEATURES, READINGS, REASONS, SEXES
from model.severity import SEVERITIES

ENGLISH, SPANISH = Wording("en"), Wording("es")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_sentences() -> None:
    assert set(SENTENCES["en"]) == set(SENTENCES["es"])


@pytest.mark.parametrize("key", SENTENCES["en"])
def test_both_languages_have_the_same_placeholders(key: str) -> None:
    assert placeholders(SENTENCES["en"][key]) == placeholders(SENTENCES["es"][key])


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_can_be_named_has_a_name(language: str) -> None:
    needed = (
        [f"feature.{name}" for name in (*(f.name for f in FEATURES), *REASONS)]
        + [f"value.{name}" for name in (*READINGS, "blood_pressure")]
        + [f"missing.{reason.value}" for reason in MissingReason]
        + [f"category.{severity.value}" for severity in SEVERITIES]
        + [f"sex.{sex}" for sex in SEXES]
        + [f"value.{name}" for name in EXTRA_INPUTS]
        + [f"topic.{topic.value}" for topic in Topic]
    )

    assert set(needed) <= set(SENTENCES[language])


ALARMING = ("alarm", "critical", "severe", "urgent", "emergency", "deadly", "danger", "grave ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_c11_no_alarm_no_cause_and_no_terminal(language: str) -> None:
    for key, text in SENTENCES[language].items():
        lower = text.lower()
        assert "terminal" not in lower, key
        assert not any(word in lower for word in ALARMING), key
        assert not any(word in lower for word in ("cause", "because of", "causa")), key


@pytest.mark.parametrize(
    ("probability", "english", "spanish", "short"),
    [
        (0.0, "fewer than 1 in 100", "menos de 1 de cada 100", "fewer than 1"),
        (0.00999, "fewer than 1 in 100", "menos de 1 de cada 100", "fewer than 1"),
        (0.01, "1 in 100", "1 de cada 100", "1"),
        (0.07, "7 in 100", "7 de cada 100", "7"),
        (0.145, "15 in 100", "15 de cada 100", "15"),
        (0.99, "99 in 100", "99 de cada 100", "99"),
        (0.9901, "more than 99 in 100", "más de 99 de cada 100", "more than 99"),
        (1.0, "more than 99 in 100", "más de 99 de cada 100", "more than 99"),
    ],
)
def test_c11_frequencies(probability: float, english: str, spanish: str, short: str) -> None:
    assert ENGLISH.frequency(probability) == english
    assert SPANISH.frequency(probability) == spanish
    assert ENGLISH.frequency(probability, short=True) == short


@pytest.mark.parametrize(
    ("minutes", "english", "spanish"),
    [
        (0.0, "0 min ago", "hace 0 min"),
        (10.9, "10 min ago", "hace 10 min"),
        (59.99, "59 min ago", "hace 59 min"),
        (60.0, "1 h ago", "hace 1 h"),
        (239.0, "3 h ago", "hace 3 h"),
        (48 * 60.0, "2 d ago", "hace 2 d"),
        (60 * 24 * 60.0, "60 d ago", "hace 60 d"),
        (61 * 24 * 60.0, "2 months ago", "hace 2 meses"),
        (365.25 * 24 * 60.0, "12 months ago", "hace 12 meses"),
    ],
)
def test_times(minutes: float, english: str, spanish: str) -> None:
    assert ENGLISH.ago(minutes) == english
    assert SPANISH.ago(minutes) == spanish


@pytest.mark.parametrize(
    ("years", "english", "spanish"),
    [
        (0.0, "0 d", "0 d"),
        (0.1, "36 d", "36 d"),
        (0.5, "6 months", "6 meses"),
        (1.99, "23 months", "23 meses"),
        (2.0, "2 years", "2 años"),
        (71.9, "71 years", "71 años"),
    ],
)
def test_ages(years: float, english: str, spanish: str) -> None:
    assert ENGLISH.age(years) == english
    assert SPANISH.age(years) == spanish


def test_an_approximate_age_says_so() -> None:
    assert ENGLISH.age(71.9, approximate=True) == "about 71 years"
    assert SPANISH.age(71.9, approximate=True) == "unos 71 años"


def test_numbers_have_the_decimal_sign_of_the_language() -> None:
    assert ENGLISH.number(37.25, 1) == "37.2"
    assert SPANISH.number(37.9, 1) == "37,9"
    assert SPANISH.number(118) == "118"


def test_lists() -> None:
    assert ENGLISH.join(["a"]) == "a"
    assert ENGLISH.join(["a", "b"], "or") == "a or b"
    assert SPANISH.join(["a", "b", "c"]) == "a, b y c"


def test_sentences_begin_with_a_capital() -> None:
    assert sentence("heart rate 80/min") == "Heart rate 80/min"
    assert sentence("SpO2 94%") == "SpO2 94%"
    assert sentence("") == ""


@pytest.mark.requirement("R38")
@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("starter-1.2", "starter-1.2"),
        ("a_b*c`d", "a\\_b\\*c\\`d"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y)", "\\[x\\]\\(y\\)"),
        ("a\n\n# b\t|c", "a \\# b \\|c"),
        ("a\\<", "a\\\\&lt;"),
        ("https://e.x WWW.e.x a@e.x", "https:\u200b//e.x WWW\u200b.e.x a\u200b@e.x"),
        ("a\u202eb\u0000c", "a b c"),
        ("x" * 101, "x" * 100),
    ],
)
def test_r38_text_from_data_is_escaped(text: str, escaped: str) -> None:
    assert from_data(text) == escaped


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, None),
        ("", None),
        ("es", "es"),
        ("es-419", "es"),
        ("ES-mx,en;q=0.5", "es"),
        ("en;q=0.5, es;q=0.9", "es"),
        ("en ; q = 0.3 ,\tes;q=0.2", "en"),
        ("fr, es;q=0.5, en;q=0.5", "es"),
        ("fr, en;q=0.5, es;q=0.5", "en"),
        ("fr-CA", None),
        ("*", None),
        ("fr, *;q=0.5", None),
        ("es;q=0", None),
        ("es;q=0, *", "en"),
        ("es;q=0, es-MX", None),
        ("es-MX;q=0, es", "es"),
        ("en;q=0.4, *;q=0.8", "es"),
        ("en;q=0.2, es;q=0.3, *", "es"),
        ("en;q=0.001", "en"),
        ("en;q=2, es;q=0.1", "es"),
        ("en;q=0.1234, es;q=0.1", "es"),
        ("en;level=1, es;q=0.1", "es"),
        ("es_419, en;q=0.1", "en"),
        ("español", None),
        ("," * 5_000 + "es", "es"),
        ("a" * 50_000, None),
    ],
)
def test_the_language_a_header_asks_for(header: str | None, language: str | None) -> None:
    assert choose_language(header) == language
