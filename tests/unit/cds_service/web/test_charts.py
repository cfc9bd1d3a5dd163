"""Charts: well-formed whatever the figures, escaped whatever the labels, told without colour."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds_service.web.charts import (
    Chart,
    Group,
    Series,
    Unit,
    bars,
    columns,
    histogram,
    lines,
    reliability,
)
from cds_service.web.charts.parts import STYLES, WIDTH
from cds_service.web.charts.scales import scale_of
from cds_service.web.words import WORDS, Words

START = datetime(2026, 3, 1, tzinfo=UTC)
UNIT = Unit(Words("en"))
HOSTILE = '<script>alert(1)</script> & "x" \x00\x0b]]>'
VALUE = st.none() | st.floats()
SERIES = st.lists(
    st.tuples(st.text(max_size=40), st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=12)),
    max_size=4,
)


def parsed(chart: Chart) -> ET.Element:
    """The picture; raises where it is not well-formed, or a place in it is no number."""
    root = ET.fromstring(str(chart.svg))  # noqa: S314  # drawn by ourselves
    for one in root.iter():
        for name in ("d", "points", "x", "y", "cx", "cy", "width", "height"):
            assert re.fullmatch(r"[-+.,\sMLHVhvze\d]*", one.get(name, "")), one.attrib
    return root


def texts(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter("text")]


def lengths(found: Sequence[tuple[str, Sequence[tuple[float | None, ...]]]]) -> int:
    return min((len(rows) for _, rows in found), default=0)


def series_of(
    found: Sequence[tuple[str, Sequence[tuple[float | None, float | None, float | None]]]],
) -> list[Series]:
    n = lengths(found)
    return [
        Series(
            name,
            [row[0] for row in rows[:n]],
            [row[1] for row in rows[:n]],
            [row[2] for row in rows[:n]],
        )
        for name, rows in found
    ]


@settings(deadline=None)
@given(SERIES, st.text(max_size=30), st.sampled_from(["lines", "columns", "stacked", "bars"]))
def test_any_figures_and_labels_give_a_well_formed_picture(
    found: list[tuple[str, list[tuple[float | None, float | None, float | None]]]],
    title: str,
    kind: str,
) -> None:
    series = series_of(found)
    n = lengths(found)
    labels = [title + str(i) for i in range(n)]
    if kind == "lines":
        at = [START + timedelta(days=i) for i in range(n)]
        chart = lines("a", title, at, labels, series, UNIT, label_head="Day", limits=series[:1])
    elif kind == "bars":
        chart = bars("a", title, labels, series, UNIT, label_head="Name")
    else:
        stacked = kind == "stacked"
        chart = columns("a", title, labels, series, UNIT, label_head="Day", stacked=stacked)
    root = parsed(chart)
    assert root.get("role") == "img"
    # Every figure stands behind the picture, drawn or not.
    assert len(chart.rows) == n
    assert all(len(row) == len(chart.head) for row in chart.rows)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUE, VALUE, VALUE, VALUE), max_size=10), st.text(max_size=30))
@example([(0.0, 5e-324, None, None)], "")
def test_any_groups_give_a_reliability_diagram(
    found: list[tuple[float | None, float | None, float | None, float | None]], title: str
) -> None:
    chart = reliability("a", title, [Group(*one, count="12") for one in found], UNIT)
    root = parsed(chart)
    assert root.find("title") is not None
    assert len(chart.rows) == len(found)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUE, VALUE), max_size=30), st.booleans())
def test_any_bins_give_a_histogram(
    found: list[tuple[float | None, float | None]], with_reference: bool
) -> None:
    now = Series("now", [one[0] for one in found])
    before = Series("before", [one[1] for one in found]) if with_reference else None
    labels = [str(i) for i in range(len(found))]
    chart = histogram("a", "Pulse", labels, now, before, UNIT, label_head="Bin")
    parsed(chart)
    assert len(chart.rows) == len(found)


@settings(deadline=None)
@given(st.lists(st.floats(-1e15, 1e15), max_size=6), st.none() | st.floats(-1e3, 1e3))
def test_a_scale_holds_its_values_and_its_ticks_lie_inside(
    values: list[float], low: float | None
) -> None:
    scale = scale_of(values, low=low)
    assert scale.low < scale.high
    assert len(scale.ticks) <= 12
    for value in values:
        assert 0.0 <= scale.place(value, 0.0, 100.0) <= 100.0
    room = (scale.high - scale.low) * 1e-6
    assert all(scale.low - room <= tick <= scale.high + room for tick in scale.ticks)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0.0, 0.25, 0.5, 0.75, 1.0]),
        ([3.0, 17.0], [0.0, 5.0, 10.0, 15.0, 20.0]),
        ([0.61, 0.64], [0.61, 0.62, 0.63, 0.64]),
        ([-2.0, 2.0], [-2.0, -1.0, 0.0, 1.0, 2.0]),
    ],
)
def test_ticks_are_round(values: list[float], ticks: list[float]) -> None:
    assert scale_of(values).ticks == pytest.approx(ticks)


def test_a_gap_breaks_the_line_and_a_figure_alone_is_still_seen() -> None:
    at = [START + timedelta(days=i) for i in range(6)]
    labels = [f"{one:%Y-%m-%d}" for one in at]
    values = [1.0, 2.0, None, 3.0, float("nan"), 2.0]
    chart = lines("a", "Loss", at, labels, [Series("v", values)], UNIT, label_head="Day")
    root = parsed(chart)
    assert len(root.findall("polyline")) == 1
    assert len(root.findall("circle")) == 4
    assert [row[1] for row in chart.rows] == ["1.000", "2.000", "–", "3.000", "–", "2.000"]


def test_an_interval_is_a_band_along_a_line_and_a_stroke_at_a_figure_alone() -> None:
    at = [START + timedelta(days=i) for i in range(4)]
    series = Series("v", [1.0, 2.0, None, 3.0], [0.5, 1.5, None, 2.5], [1.5, 2.5, None, 3.5])
    chart = lines("a", "Loss", at, ["1", "2", "3", "4"], [series], UNIT, label_head="Day")
    root = parsed(chart)
    assert len(root.findall("polygon")) == 1
    assert [one.get("class") for one in root.findall("path[@class='whisker s0']")]
    assert chart.rows[0][1] == "1.000\u00a0[0.500,\u00a01.500]"
    assert "95 % interval" in [key.name for key in chart.legend]


def test_nothing_is_told_by_colour_alone() -> None:
    at = [START, START + timedelta(days=1)]
    series = [Series(f"v{i}", [float(i), i + 1.0]) for i in range(STYLES)]
    root = parsed(lines("a", "Loss", at, ["1", "2"], series, UNIT, label_head="Day"))
    dashes = [one.get("stroke-dasharray") for one in root.findall("polyline")]
    assert len(set(dashes)) == STYLES
    root = parsed(columns("a", "Cards", ["1", "2"], series, UNIT, label_head="Day"))
    hatches = [
        None if (hatch := one.find("path")) is None else hatch.get("d")
        for one in root.iter("pattern")
    ]
    assert len(hatches) == len(set(hatches)) == STYLES
    assert {one.get("fill") for one in root.findall("rect")} == {
        f"url(#a-p{i})" for i in range(STYLES)
    }


def test_what_is_said_names_first_last_lowest_and_highest() -> None:
    at = [START + timedelta(days=i) for i in range(3)]
    series = [Series("v", [1.0, 3.0, 2.0])]
    chart = lines("a", "Loss", at, ["Mon", "Tue", "Wed"], series, UNIT, label_head="Day")
    desc = parsed(chart).find("desc")
    assert desc is not None
    assert desc.text == (
        "v: 3 figures, from 1.000 (Mon) to 2.000 (Wed); lowest 1.000 (Mon), highest 3.000 (Tue)."
    )


def test_labels_and_titles_are_escaped_and_cannot_be_markup() -> None:
    series = [Series(HOSTILE, [1.0, 2.0])]
    at = [START, START + timedelta(days=1)]
    for chart in (
        lines("a", HOSTILE, at, [HOSTILE, "x"], series, UNIT, label_head=HOSTILE),
        columns("a", HOSTILE, [HOSTILE, "x"], series, UNIT, label_head=HOSTILE),
        bars("a", HOSTILE, [HOSTILE, "x"], series, UNIT, label_head=HOSTILE),
        histogram("a", HOSTILE, [HOSTILE, "x"], series[0], series[0], UNIT, label_head=HOSTILE),
        reliability("a", HOSTILE, [Group(0.1, 0.2, 0.1, 0.3, HOSTILE)], UNIT),
    ):
        root = parsed(chart)
        assert not list(root.iter("script"))
        assert "<script" not in str(chart.svg)
        title = root.find("title")
        assert title is not None
        assert (title.text or "").startswith("<script>alert(1)</script> & ")


def test_bars_tell_their_figures_and_stay_inside() -> None:
    labels = ["Acute", "A name that is as long as names of clients can become, and longer"]
    series = [Series("n", [10.0, 4.0], [8.0, 3.0], [12.0, 5.0])]
    root = parsed(bars("a", "Cards", labels, series, Unit(Words("en"), decimals=0), label_head="x"))
    assert "10" in texts(root)
    assert any(text.endswith("…") for text in texts(root))
    for rect in root.findall("rect"):
        assert float(rect.get("x", "")) + float(rect.get("width", "")) <= WIDTH


def test_stacked_columns_stand_on_each_other() -> None:
    series = [Series("a", [2.0]), Series("b", [3.0])]
    root = parsed(columns("a", "n", ["1"], series, UNIT, label_head="x", stacked=True))
    lower, upper = root.findall("rect")
    assert float(upper.get("y", "")) + float(upper.get("height", "")) == pytest.approx(
        float(lower.get("y", "")), abs=0.11
    )


def test_percentages_are_written_in_the_language_of_the_reader() -> None:
    unit = Unit(Words("es", WORDS), decimals=3, percent=True)
    assert unit.write(0.125) == "12,5 %"
    assert unit.write(None) == "–"
    assert Unit(Words("en")).write(float("inf")) == "–"


def test_nothing_to_draw_is_said() -> None:
    chart = lines("a", "Loss", [], [], [], UNIT, label_head="Day")
    assert chart.is_empty
    desc = parsed(chart).find("desc")
    assert desc is not None
    assert desc.text == "There are no figures yet."


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="2 figures for 1 labels"):
        columns("a", "n", ["1"], [Series("a", [1.0, 2.0])], UNIT, label_head="x")
    with pytest.raises(ValueError, match="0 times for 1 labels"):
        lines("a", "n", [], ["1"], [Series("a", [1.0])], UNIT, label_head="x")
