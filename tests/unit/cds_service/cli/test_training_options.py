"""Options of `train`: flag rates by category, and the search."""

from pathlib import Path

import pytest
import typer

from cds_service.cli.training import parse_flag_rates
from model.severity import Severity
from tests.support.cohorts import small_cohort
from tests.support.commands import run


def test_a_flag_rate_without_a_category_is_of_acute_illness() -> None:
    assert parse_flag_rates(None) == {}
    assert parse_flag_rates(["0.1"]) == {Severity.ACUTE: 0.1}
    assert parse_flag_rates(["acute=0.05", "Terminal=0.02"]) == {
        Severity.ACUTE: 0.05,
        Severity.TERMINAL: 0.02,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["much"], "much is not a number"),
        (["grave=0.1"], "categories are not-ill, mild"),
        (["0.1", "acute=0.2"], "names acute twice"),
    ],
)
def test_a_flag_rate_that_says_nothing_is_refused(given: list[str], message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        parse_flag_rates(given)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    small_cohort(1_200, 5).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("option", [("--trials", 5), ("--search-minutes", 1), ("--workers", 2)])
def test_options_of_a_search_need_it(
    tmp_path: Path, history: Path, option: tuple[str, int]
) -> None:
    found = run(tmp_path, "train", "--history", history, *option)
    assert found.code == 2
    assert f"{option[0]} needs --search" in found.err


def test_a_search_needs_history(tmp_path: Path) -> None:
    found = run(tmp_path, "train", "--search")
    assert found.code == 2
    assert "--search needs --history" in found.err


def test_a_search_without_time_says_what_it_left_out(tmp_path: Path, history: Path) -> None:
    run(tmp_path, "db", "upgrade")
    found = run(
        *(tmp_path, "train", "--history", history, "--search", "--search-minutes", 0),
        *("--workers", 1, "--flag-rate", "acute=0.2", "--flag-rate", "terminal=0.02"),
    )
    assert found.code == 0, found.err
    assert "chosen: lowest log loss" in found.out
    assert "random_forest + smote" in found.out
    assert "not tried: time was up" in found.out
    assert "The search ended early" in found.out
    thresholds = found.out.partition("threshold of")[2].partition("On the held-out")[0]
    shares = {line.split()[0]: line.split()[1] for line in thresholds.splitlines()[2:] if line}
    assert 0.15 < float(shares["acute"].strip("%")) / 100 <= 0.2
    assert float(shares["terminal"].strip("%")) / 100 <= 0.02
    assert not list((tmp_path / "models").glob(".search-*"))
