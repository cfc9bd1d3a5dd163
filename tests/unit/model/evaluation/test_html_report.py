"""The page of a report: needs nothing else, obeys no data, reads in order, and is reproducible."""

import copy
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from model.evaluation.figures import draw
from model.evaluation.html_report import (
    _rare,
    count_text,
    html_report,
    percent_text,
    summary,
    value_text,
)
from tests.support.studies import NASTY, studied


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return studied(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def page(record: dict[str, Any]) -> str:
    return html_report(record)


class Outline(HTMLParser):
    """Tags, attributes, ids and headings of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_needs_nothing_else(page: str) -> None:
    outline = Outline(page)
    assert not {"script", "link", "img", "iframe", "object", "image"} & {t for t, _ in outline.tags}
    for _, attributes in outline.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src"):
                assert (value or "").startswith("#")
    # The names of SVG are no address that anything is fetched from.
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) == {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }
    assert "@import" not in page
    for target in re.findall(r"url\(([^)]*)\)", page):
        assert target.startswith("#")


def test_the_name_of_a_source_is_text(page: str) -> None:
    assert NASTY not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page


def test_it_reads_in_order(page: str) -> None:
    outline = Outline(page)
    assert outline.named("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - before <= 1 for before, later in pairwise(levels))
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for link in outline.named("a"):
        assert str(link["href"])[1:] in ids


def test_tables_and_pictures_say_what_they_are(page: str) -> None:
    outline = Outline(page)
    tables = len(outline.named("table"))
    assert tables >= 14
    assert len(outline.named("caption")) == tables
    assert all("scope" in header for header in outline.named("th"))
    figures = outline.named("figure")
    assert len(figures) == len(outline.named("svg")) >= 12
    assert all(len(str(figure["aria-label"])) > 30 for figure in figures)


def test_the_summary_comes_first_and_compares(record: dict[str, Any], page: str) -> None:
    said = " ".join(summary(record))
    for words in ("constant predictor", "age alone", "NEWS2 points and age", "held-out rows"):
        assert words in said
    assert page.index("In short") < page.index("Data and parts")
    assert "simulated patients" in page[: page.index("In short")]
    assert "2 times" in page


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without pictures, for what is about their words."""
    monkeypatch.setattr("model.evaluation.html_report.draw", lambda _study: {})


@pytest.mark.usefixtures("_undrawn")
def test_without_simulation_it_does_not_say_so(record: dict[str, Any]) -> None:
    real = record | {"simulated": False, "missing_categories": ["terminal"], "looks": None}
    page = html_report(real)
    assert "simulated" not in page
    assert "was looked at" not in page
    assert "does not know the category life-limiting" in page


@pytest.mark.usefixtures("_undrawn")
def test_rare_diseases_of_few_patients_are_counted_and_not_listed(record: dict[str, Any]) -> None:
    # The cohort of the record has one, of some twenty patients.
    (entry,) = record["rare"]["codes"]
    assert entry["code"] == "ORPHA:558" or "558" in entry["code"]
    assert entry["cases"] >= 10
    assert "558" in html_report(record)
    known = {
        "name": None,
        "auroc": 0.98,
        "auroc_lower": 0.93,
        "auroc_of_category": 0.86,
        "auroc_of_category_lower": 0.74,
        "sensitivity": 0.4,
        "flag_rate": 0.01,
    }
    found = _rare(
        [
            known | {"code": "1", "cases": 9, "live": True},
            known | {"code": "2", "cases": 3, "live": False},
            known | {"code": "3", "cases": 10, "live": False},
        ]
    )
    assert [one["code"] for one in found["codes"]] == ["3"]
    assert (found["others"], found["others_live"]) == (2, 1)
    page = html_report(record | {"rare": found})
    # Both bounds are shown: a disease may be told from everybody and not from its own category.
    assert all(f">{figure}<" in page for figure in ("0.98", "0.93", "0.86", "0.74", "0.40"))
    assert "while 1 % of all charts are" in page
    assert "the readings do not identify this disease" in page
    assert "2 diseases have fewer than 10 patients" in page


@pytest.mark.usefixtures("_undrawn")
def test_not_demonstrable_is_said_in_those_words(record: dict[str, Any]) -> None:
    changed = copy.deepcopy(record)
    entry = changed["study"]["coverage"]["by_category"][2]
    entry |= {"demonstrable": False, "calibration_cases": 12}
    page = html_report(changed)
    assert "is not demonstrable for acute" in page
    row = page[page.index("<caption>Sets by true category") :]
    assert re.search(r"Acute</th><td[^>]*>12</td><td[^>]*>not demonstrable<", row)


def test_little_is_reported_as_little(record: dict[str, Any]) -> None:
    """Nothing but gaps: every figure too few, no picture that would need one."""

    def emptied(found: Any) -> Any:
        if isinstance(found, list):
            return [emptied(one) for one in found]
        if isinstance(found, dict):
            if {"value", "lower", "upper", "n"} == set(found):
                return {"value": None, "lower": None, "upper": None, "n": None}
            return {name: emptied(value) for name, value in found.items()}
        return found

    changed = record | {"study": emptied(record["study"])}
    changed["study"] |= {"learning_curve": [], "decision_curves": [], "importance": None}
    changed["study"] |= {"sources": None}
    page = html_report(changed)
    assert page.count("too few") > 60
    assert set(draw(changed["study"])) == {"correlations"}


def test_the_same_record_gives_the_same_page(record: dict[str, Any], page: str) -> None:
    assert html_report(record) == page


def test_figures_in_words() -> None:
    value = {"value": 0.12345, "lower": 0.1, "upper": 0.2, "n": 30}
    assert value_text(value) == "0.123 (0.100 to 0.200)"
    assert percent_text(value) == "12.3 (10.0 to 20.0) %"
    assert value_text(value | {"lower": None, "upper": None}) == "0.123"
    assert value_text(None) == percent_text(value | {"value": None}) == "too few"
    assert count_text(12345) == "12\u202f345"
    assert count_text(None) == "not shown"
