"""What the sandbox makes of a card, whatever is in it, and of what a visitor typed."""

from dataclasses import replace
from typing import Any

import pytest

from cds_service.routes.sandbox import WORDS
from cds_service.services.sandbox import Became, Visit
from cds_service.services.sandbox_charts import Ids
from cds_service.services.sandbox_patients import PATIENTS, Reading
from cds_service.services.sandbox_wire import Exchange, laid_out
from cds_service.web import sandbox_form, sandbox_view
from cds_service.web.markdown import markdown
from cds_service.web.words import Words
from hooks.wording import Language

EN, ES = Words("en", WORDS), Words("es", WORDS)


def exchange(received: str, status: int | None = 200) -> Exchange:
    return Exchange("open", "POST", "http://127.0.0.1:1/x", (), "{}", status, received, 12.3)


def visit(received: str, status: int | None = 200) -> Visit:
    return Visit(
        "v", PATIENTS[0], PATIENTS[0].readings, Ids.new(), "en", "h", exchange(received, status)
    )


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** and *soft*", "<p><strong>bold</strong> and <em>soft</em></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("&lt;i&gt; \\*", "<p>&lt;i&gt; *</p>\n"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
        ("<img src=x onerror=y>", "<p>&lt;img src=x onerror=y&gt;</p>\n"),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>\n"),
        ("![a](http://b)", "<p>![a](http://b)</p>\n"),
        ("<http://a.b>", "<p>&lt;http://a.b&gt;</p>\n"),
        ("http://a.b", "<p>http://a.b</p>\n"),
        ("# a", "<p># a</p>\n"),
        ("&#60;b&#62;", "<p>&lt;b&gt;</p>\n"),
    ],
)
def test_markdown_is_emphasis_and_lists_alone(text: str, html: str) -> None:
    assert markdown(text) == html


@pytest.mark.parametrize(
    "received",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"cards": {}}',
        '{"cards": [1, null, "x"]}',
        '{"issue": [1]}',
    ],
)
def test_an_answer_without_cards_shows_none(received: str) -> None:
    opened = visit(received)
    assert sandbox_view.cards(opened, EN) == []
    assert sandbox_view.fault(opened.opened) is None
    assert sandbox_view.exchange(opened.opened, EN)["received"] in (received, laid_out_of(received))


def laid_out_of(text: str) -> str:
    return exchange(text).laid_out


def test_a_card_of_wrong_types_is_an_empty_one() -> None:
    card = {
        "indicator": "hard-stop",
        "summary": 1,
        "detail": None,
        "source": "x",
        "links": ["x", {"label": 1, "url": "javascript:alert(1)"}],
        "suggestions": {"label": "x"},
        "overrideReasons": [{}],
    }
    (shown,) = sandbox_view.cards(visit(laid_out({"cards": [card]})), EN)
    assert shown["indicator"] == "info"
    assert shown["summary"] == ""
    assert shown["detail"] == ""
    assert shown["source"] == {"label": "", "url": None}
    assert shown["links"] == [{"label": "", "url": None}]
    assert shown["suggestions"] == []


def test_what_went_wrong_is_told() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "Not ready."}]}
    assert sandbox_view.fault(exchange(laid_out(outcome), 503)) == "Not ready."
    nothing = sandbox_view.exchange(exchange("", None), ES)
    assert nothing["result"] == "sin respuesta"
    assert not nothing["is_good"]
    assert sandbox_view.exchange(exchange("{}", 200), EN)["result"] == "answered 200 after 12 ms"


BECAME = Became(scored=True, category="acute", reason=None, predicted="acute", prompted=False)


def test_what_became_of_it_is_said_in_words() -> None:
    assert sandbox_view.became(BECAME, EN) == [
        "The outcome of this assessment: acute illness.",
        "The model had said the same.",
    ]
    other = sandbox_view.became(replace(BECAME, category="mild", prompted=True), EN)
    assert other[1] == "The model had said: acute illness."
    assert "counted apart" in other[2]
    # C11: never the code of the category.
    advanced = sandbox_view.became(replace(BECAME, category="terminal"), EN)
    assert "terminal" not in " ".join(advanced)
    none = replace(BECAME, category=None)
    assert "goes home" in sandbox_view.became(replace(none, reason="home_not_known"), EN)[0]
    assert sandbox_view.became(replace(none, reason="known_before"), EN) == [EN.say("became.none")]
    assert "no category" in sandbox_view.became(replace(BECAME, scored=False), EN)[0]


def test_a_form_that_nobody_changed_sends_the_chart() -> None:
    for patient in PATIENTS:
        for words in (EN, ES):
            typed = sandbox_form.fields_of(patient.readings, words)
            assert sandbox_form.read(typed.fields) == replace(typed, fields=sent_of(typed.fields))


def sent_of(fields: Any) -> dict[str, str]:
    """A form has no time of its own for the diastolic pressure."""
    return dict(fields) | {"diastolic_bp_minutes": fields["systolic_bp_minutes"]}


@pytest.mark.parametrize(("text", "value"), [("38,7", 38.7), (" 38.7 ", 38.7), ("-1", -1.0)])
def test_numbers_are_taken_as_people_write_them(text: str, value: float) -> None:
    sent = {
        "body_temperature": text,
        "body_temperature_minutes": "5",
        "body_temperature_unit": "[degF]",
    }
    typed = sandbox_form.read(sent)
    assert typed.readings == {"body_temperature": Reading(value, "[degF]", 5)}
    assert not typed.wrong


@pytest.mark.parametrize("text", ["x", "nan", "inf", "1e9", "3 8", "<b>"])
def test_what_is_no_number_is_told_and_kept(text: str) -> None:
    typed = sandbox_form.read({"heart_rate": text, "heart_rate_minutes": "5"})
    assert typed.wrong == {"heart_rate"}
    assert typed.readings == {}
    (line,) = (one for one in sandbox_form.lines(typed, EN) if one["name"] == "heart_rate")
    assert line["value"] == text
    assert line["wrong"]


@pytest.mark.parametrize("minutes", ["", "-1", "x", "525601"])
def test_a_reading_has_a_time(minutes: str) -> None:
    typed = sandbox_form.read({"diastolic_bp": "70", "systolic_bp_minutes": minutes})
    assert typed.wrong == {"systolic_bp_minutes"}
    assert typed.readings == {}


def test_an_unknown_unit_is_not_sent() -> None:
    sent = {"body_temperature": "38", "body_temperature_minutes": "1"}
    typed = sandbox_form.read(sent | {"body_temperature_unit": "<script>"})
    assert typed.readings["body_temperature"].unit == "Cel"


@pytest.mark.parametrize("language", ["en", "es"])
def test_everything_that_is_looked_for_has_words(language: Language) -> None:
    words = Words(language, WORDS)
    for patient in PATIENTS:
        assert words.has(f"story.{patient.key}")
        assert all(words.has(f"problem.{problem.code}") for problem in patient.problems)
    assert all(group["name"] for group in sandbox_view.diagnoses(words))
    for name in ("discovery", "open", "accepted", "overridden", "diagnosis"):
        assert words.has(f"wire.{name}")
