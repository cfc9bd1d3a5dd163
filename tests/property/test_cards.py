"""Whatever is read and whatever the model says, a card keeps its promises."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fhir_mapping.readings import MissingReason, RareOnRecord
from hooks.cards import DEVELOPMENT_POLICY, CardDecision, Indicator
from hooks.disease_severity import Situation, decide_situation
from hooks.vendors import Vendor
from hooks.wording import LANGUAGES, SENTENCES, from_data
from model.assessment import Assessment, Contribution, ModelFacts
from model.early_warning import dangerous_readings
from model.features import FEATURE, READINGS, REASONS
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import (
    ADULT,
    CONTEXT,
    an_assessment,
    an_extraction,
    decide,
    some_facts,
    the_card,
)
from tests.support.cards_check import assert_card, assert_for_vendor

SHARES = st.floats(0, 1)
ENDINGS = {
    "en": "decision support, not a diagnosis",
    "es": "apoyo a la decisión, no un diagnóstico",
}


@st.composite
def extractions(draw: st.DrawFn) -> Any:
    """Readings anywhere in the possible range, any of them missing for any reason."""
    values = {
        name: draw(st.floats(*FEATURE[name].possible)) for name in draw(st.sets(_names, max_size=6))
    }
    flags = st.sampled_from(["extreme", "preliminary", "maybe_not_latest"])
    return an_extraction(
        values,
        age=draw(st.none() | st.floats(0, 122)),
        sex=draw(st.none() | st.sampled_from(["female", "male", "other", "unknown"])),
        minutes={name: draw(st.floats(0, 100_000)) for name in values},
        flags={name: tuple(draw(st.sets(flags, max_size=3))) for name in values},
        reasons={name: draw(st.sampled_from(MissingReason)) for name in (*READINGS, "age", "sex")},
        pregnant=draw(st.booleans()),
        maybe_not_latest=draw(st.booleans()),
        age_is_approximate=draw(st.booleans()),
        rare=tuple(draw(st.lists(_rare, max_size=4))),
    )


@st.composite
def assessments(draw: st.DrawFn) -> tuple[Assessment, ModelFacts]:
    """Any assessment over the categories a model covers, acute among them or not."""
    covered = tuple(s for s in SEVERITIES if draw(st.integers(0, 5)) > 0) or (Severity.CHRONIC,)
    raw = [draw(st.floats(0, 1)) + 1e-6 for _ in covered]
    given_reasons = draw(st.permutations(REASONS))
    contributions = tuple(
        Contribution(reason, draw(st.floats(-5, 5))) for reason in given_reasons[:5]
    )
    assessment = Assessment(
        probabilities={s: p / sum(raw) for s, p in zip(covered, raw, strict=True)},
        category=draw(st.sampled_from(covered)),
        prediction_set=tuple(s for s in covered if draw(st.booleans())),
        contributions=dict.fromkeys(covered, contributions),
        baseline=dict.fromkeys(covered, 0.0),
        atypicality=draw(st.none() | SHARES),
        above_threshold={s: draw(st.booleans()) for s in covered},
    )
    facts = some_facts(
        version=draw(st.text(max_size=120)),
        simulated=draw(st.booleans()),
        base_rates={s: draw(SHARES) for s in covered},
        missing_categories=tuple(s for s in SEVERITIES if s not in covered),
        coverage=draw(st.sampled_from([0.8, 0.9, 0.95])),
        excludable=tuple(s for s in covered if draw(st.booleans())),
    )
    return assessment, facts


_names = st.sampled_from(READINGS)
_rare = st.builds(RareOnRecord, st.just("ORPHA:558"), st.none() | st.text(max_size=150))


def make(
    extraction: Any,
    scored: tuple[Assessment, ModelFacts],
    language: str,
    vendor: Vendor = Vendor.STANDARD,
    **changes: Any,
) -> CardDecision:
    """The answer in the situation the extraction is in."""
    assessment, facts = scored
    return decide(
        extraction,
        assessment,
        facts,
        language=language,
        situation=decide_situation(extraction, facts, CONTEXT.user_id),
        policy=replace(DEVELOPMENT_POLICY, vendor=vendor),
        **changes,
    )


def words(value: object) -> list[str]:
    """Every string of a card that a person reads: codes and addresses are left out."""
    if isinstance(value, dict):
        return [w for k, v in value.items() if k not in {"code", "system", "url"} for w in words(v)]
    if isinstance(value, list):
        return [w for item in value for w in words(item)]
    return [str(value)]


@settings(max_examples=200, deadline=None)
@given(
    extractions(),
    assessments(),
    st.sampled_from(LANGUAGES),
    st.sampled_from(Vendor),
    st.frozensets(st.sampled_from(SEVERITIES)),
)
def test_every_card_is_valid_and_says_what_every_card_must_say(
    extraction: Any,
    scored: tuple[Assessment, ModelFacts],
    language: str,
    vendor: Vendor,
    known: frozenset[Severity],
) -> None:
    decision = make(extraction, scored, language, vendor, known_before=known)

    assert len(decision.cards) == 1
    card = decision.cards[0]
    assert_card(card)
    assert_for_vendor(card, vendor)
    assert card["detail"].endswith(ENDINGS[language])
    assert (SENTENCES[language]["simulated"] in card["detail"]) == scored[1].simulated


@settings(max_examples=200, deadline=None)
@given(extractions(), assessments(), st.sampled_from(LANGUAGES), st.sampled_from(Vendor))
def test_c11_terminal_is_never_a_word_on_a_card(
    extraction: Any, scored: tuple[Assessment, ModelFacts], language: str, vendor: Vendor
) -> None:
    facts = some_facts(missing_categories=scored[1].missing_categories)
    known = frozenset(SEVERITIES)
    decision = make(extraction, (scored[0], facts), language, vendor, known_before=known)
    (card,) = decision.cards

    assert not any("terminal" in text.lower() for text in words(card))
    if decision.category is Severity.TERMINAL:
        assert card["indicator"] != "critical"
        assert "suggestions" not in card


@settings(max_examples=150, deadline=None)
@given(extractions(), assessments(), st.sampled_from(LANGUAGES))
def test_c7_and_c10_indicator_and_category_follow_the_rules(
    extraction: Any, scored: tuple[Assessment, ModelFacts], language: str
) -> None:
    decision = make(extraction, scored, language)
    red = dangerous_readings(extraction.row, pregnant=extraction.pregnant)
    acute = decision.kind is Situation.SCORED and scored[0].above_threshold.get(Severity.ACUTE)
    old = extraction.maybe_not_latest

    assert (decision.indicator is Indicator.INFO) == (not red and not acute)
    if decision.indicator is Indicator.CRITICAL:
        assert red
        assert acute
        assert not old
    if red or old:
        assert decision.category is not Severity.NOT_ILL
    if extraction.rare:
        assert decision.category not in (Severity.NOT_ILL, Severity.MILD)


@settings(max_examples=150, deadline=None)
@given(extractions(), assessments(), st.sampled_from(LANGUAGES))
def test_beside_a_rare_disease_on_record_nothing_reassures(
    extraction: Any, scored: tuple[Assessment, ModelFacts], language: str
) -> None:
    rare = (*extraction.rare, RareOnRecord("ORPHA:324"))
    (card,) = make(replace(extraction, rare=rare), scored, language).cards
    sentences = SENTENCES[language]

    assert sentences["rare.alone"].partition("{")[0] in card["detail"]
    assert sentences["exclusion"].partition(":")[0] not in card["detail"]
    assert sentences["set.named"].partition("{")[0] not in card["detail"]


LONGEST = {
    "heart_rate": 200.0,
    "body_temperature": 34.0,
    "systolic_bp": 300.0,
    "diastolic_bp": 120.0,
    "respiratory_rate": 100.0,
    "oxygen_saturation": 50.0,
}


@pytest.mark.requirement("R35")
@settings(max_examples=100, deadline=None)
@given(
    st.sets(_names, min_size=1),
    st.floats(0, 200_000),
    SHARES,
    SHARES,
    st.booleans(),
    st.sampled_from(LANGUAGES),
)
def test_r35_summary_is_short_with_the_longest_values(
    measured: set[str],
    minutes: float,
    probability: float,
    usual: float,
    simulated: bool,
    language: str,
) -> None:
    extraction = an_extraction(
        {name: LONGEST[name] for name in measured}, minutes=dict.fromkeys(measured, minutes)
    )
    facts = some_facts(simulated=simulated, base_rates=dict.fromkeys(SEVERITIES, usual))
    for category in SEVERITIES:
        card = the_card(extraction, an_assessment(category, probability), facts, language=language)
        assert len(card["summary"]) < 140
    for situation in (Situation.INSUFFICIENT_DATA, Situation.MODEL_FAILED):
        card = the_card(extraction, facts=facts, situation=situation, language=language)
        assert len(card["summary"]) < 140


_HOSTILE = st.text(
    st.sampled_from("<>&*_`[]()#|~!\\:/.@-+=\"'$^{} \t\n\rwhtpsa1\u202e\u0000\u00e9")
) | st.sampled_from(
    [
        '<iframe srcdoc="<script>parent.XSS=3</script>">',
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "![x](https://evil.example/p.png)",
        "https://evil.example www.evil.example mailto:a@evil.example",
        "x\n\n# heading\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "&lt;script&gt; &#60;b&#62;",
        "**bold** _em_ ~~del~~ `code` ``` \n```\ncode",
        "\\<b>\\\\<b>",
    ]
)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# What mdast-util-gfm-autolink-literal looks for in text after escapes are resolved.
_AUTOLINK = re.compile(r"https?://|www\.|[-.\w+]+@[-\w]+\.", re.IGNORECASE)


def structure(markdown: str) -> list[str]:
    """Kinds of all tokens, in order, neighbouring text merged."""
    kinds = []
    for token in _MARKDOWN.parse(markdown):
        for kind in [token.type, *(child.type for child in token.children or [])]:
            if not (kind in {"text", "text_special"} and kinds and kinds[-1] == "text"):
                kinds.append("text" if kind == "text_special" else kind)
    return kinds


def rendered_text(markdown: str) -> str:
    """The text a reader sees."""
    return "".join(
        child.content for token in _MARKDOWN.parse(markdown) for child in token.children or []
    )


@pytest.mark.requirement("R38")
@settings(max_examples=300, deadline=None)
@given(_HOSTILE, st.sampled_from(LANGUAGES), st.sampled_from(Vendor))
def test_r38_data_changes_no_markup(hostile: str, language: str, vendor: Vendor) -> None:
    extraction, assessment = an_extraction(ADULT), an_assessment()
    known, named = (
        replace(extraction, rare=(RareOnRecord("ORPHA:558", name or "-"),))
        for name in ("x", hostile)
    )
    (harmless,) = make(known, (assessment, some_facts(version="7")), language, vendor).cards

    (card,) = make(named, (assessment, some_facts(version=hostile)), language, vendor).cards

    assert_card(card)
    assert_for_vendor(card, vendor)
    assert structure(card["detail"]) == structure(harmless["detail"])
    assert not _AUTOLINK.search(rendered_text(card["detail"]))


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_escaped_text_still_reads_as_it_was(text: str) -> None:
    read = rendered_text("Model " + from_data(text) + " end").replace("\u200b", "")

    assert " ".join(read.split()) == " ".join(f"Model {text} end".split())
