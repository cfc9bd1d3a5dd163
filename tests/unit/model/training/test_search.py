"""The search: the same result each time, stopped and resumed, in one process or two."""

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.training.candidates import Tried
from model.training.design import TrainingSettings, Way
from model.training.evaluating import FoldResult, Ground, Job, Progress
from model.training.evaluations import PREFIX, Kept, evaluating
from model.training.run import train
from model.training.search import search
from model.training.tuning import best_ways, tune
from tests.support.artefacts import DESCRIPTION, small_settings
from tests.support.cohorts import small_cohort
from tests.unit.model.training.test_evaluating import ground

SEARCH = small_settings(
    estimators=("logistic", "decision_tree", "xgboost"),
    balancings=("none", "class_weights"),
    folds=2,
    search=True,
    trials=7,
)


class StoppedError(Exception):
    """In the place of a kill."""


def _train(root: Path, settings: TrainingSettings = SEARCH, **more: object) -> str:
    result = train(
        small_cohort(900, 41),
        settings,
        artefact_root=root,
        data=DESCRIPTION,
        **more,  # type: ignore[arg-type]  # names are checked by it
    )
    return result.checksum


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Checksum of a search in one process that nothing disturbed."""
    root = tmp_path_factory.mktemp("alone")
    checksum = _train(root)
    assert [path.name for path in root.iterdir()] == [f"severity-{checksum[:16]}"]
    return checksum


def test_two_processes_find_the_same(alone: str, tmp_path: Path) -> None:
    assert _train(tmp_path, workers=2) == alone
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_search_that_was_stopped_goes_on_with_what_it_has(
    alone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    def stop(_step: str, done: float) -> None:
        if done > share:
            raise StoppedError

    with pytest.raises(StoppedError):
        _train(tmp_path, progress=stop)
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith(PREFIX)
    before = len(list(folder.iterdir()))
    assert before > 0
    evaluated: list[Job] = []
    honest = Ground.evaluate

    def counted(self: Ground, way: Way, fold: int, threads: int) -> FoldResult:
        evaluated.append((way, fold))
        return honest(self, way, fold, threads)

    monkeypatch.setattr(Ground, "evaluate", counted)
    assert _train(tmp_path) == alone
    # Six ways, three of them tuned by six more sets of parameters; two folds each.
    assert len(evaluated) == 2 * (6 + 3 * 6) - before
    assert [path.name for path in tmp_path.iterdir()] == [f"severity-{alone[:16]}"]


def test_what_is_kept_names_nobody_and_holds_no_reading(tmp_path: Path) -> None:
    here, job = ground(SEARCH), (Way("logistic", "none"), 0)
    result = here.evaluate(*job, threads=1)
    kept = Kept(tmp_path, here)
    kept.put(job, result)
    (path,) = tmp_path.rglob("*.npz")
    with np.load(path, allow_pickle=False) as content:
        assert set(content.files) == {"margins", "rounds", "seconds"}
        assert content["margins"].shape == ((here.fold == 0).sum(), 5)
    found = kept.get(job)
    assert found is not None
    np.testing.assert_array_equal(found.margins, result.margins)
    assert (found.rounds, found.seconds) == (result.rounds, result.seconds)
    assert kept.get((Way("logistic", "none"), 1)) is None
    assert Kept(tmp_path, replace(here, categories=4)).get(job) is None


@pytest.mark.parametrize("content", [b"", b"not a result", b"PK\x03\x04 cut short"])
def test_a_damaged_result_is_evaluated_again(tmp_path: Path, content: bytes) -> None:
    here, job = ground(SEARCH), (Way("logistic", "none"), 0)
    kept = Kept(tmp_path, here)
    with evaluating(here, kept, workers=1, out_of_time=lambda: False) as run:
        first = run([job], lambda _done: None)[job]
        (path,) = tmp_path.rglob("*.npz")
        path.write_bytes(content)
        again = run([job], lambda _done: None)[job]
    np.testing.assert_array_equal(first.margins, again.margins)


def test_without_time_one_that_can_be_served_is_chosen_and_the_rest_named(tmp_path: Path) -> None:
    here = ground(SEARCH)
    found = search(
        here, SEARCH, lambda _done: None, root=tmp_path, workers=1, out_of_time=lambda: True
    )
    assert found.chosen.name == "logistic + none"
    assert set(found.not_tried) == {
        *("logistic + class weights", "decision_tree + none", "decision_tree + class weights"),
        *("xgboost + none", "xgboost + class weights"),
    }
    assert set(found.not_tried.values()) == {"not tried: time was up"}
    assert "ended early, for time was up: 1 of 6 ways" in found.notes[-1]


def test_time_may_end_between_sets_of_parameters(tmp_path: Path) -> None:
    calls = 0

    def later() -> bool:
        nonlocal calls
        calls += 1
        # Ten evaluations of the first stage are asked for first.
        return calls > 14

    found = search(
        ground(SEARCH), SEARCH, lambda _done: None, root=tmp_path, workers=1, out_of_time=later
    )
    assert found.not_tried == {}
    assert "ended early" in found.notes[-1]
    assert any(1 < candidate.trials < 7 for candidate in found.table) or "1" in found.notes[0]


def test_the_search_improves_on_the_defaults_and_counts_trials(tmp_path: Path) -> None:
    here = ground(SEARCH)
    found = search(
        here, SEARCH, lambda _done: None, root=tmp_path, workers=1, out_of_time=lambda: False
    )
    tuned = [candidate for candidate in found.table if candidate.parameters]
    assert tuned
    for candidate in tuned:
        plain = next(c for c in found.table if c.way == candidate.way.plain)
        assert candidate.log_loss < plain.log_loss
        assert (candidate.trials, plain.trials) == (7, 1)
    assert len(found.notes) == 1
    assert found.notes[0].count(" 7") == 3


def _tried(estimator: str, loss: float, how: str = "none") -> Tried:
    return Tried(Way(estimator, how), np.full(10, loss), (), 0.1)


def test_the_three_best_are_tuned_and_one_that_can_be_served_is_among_them() -> None:
    others = [_tried("mlp", 0.1), _tried("random_forest", 0.2), _tried("decision_tree", 0.3)]
    served = [_tried("xgboost", 0.5), _tried("logistic", 0.4)]
    found = best_ways([*served, *others])
    assert [way.estimator for way in found] == ["mlp", "random_forest", "decision_tree", "logistic"]
    found = best_ways([*others[:2], *served])
    assert [way.estimator for way in found] == ["mlp", "random_forest", "logistic"]


def test_parameters_stay_in_their_ranges_and_focal_has_its_own() -> None:
    here = ground(SEARCH)
    asked: list[Way] = []

    def run(jobs: Sequence[Job], _progress: Progress) -> dict[Job, FoldResult]:
        asked.extend(way for way, fold in jobs if fold == 0)
        blank = [np.zeros(((here.fold == k).sum(), 5), dtype=np.float32) for k in (0, 1)]
        return {(way, fold): FoldResult(blank[fold], None, 0.0) for way, fold in jobs}

    screened = [
        Tried(Way("xgboost", how), np.full(len(here.outcome), 1.0), (), 0.1)
        for how in ("none", "focal")
    ]
    tune(here, replace(SEARCH, trials=12), screened, run, lambda _done: None, lambda: False)
    assert len(asked) == 2 * 11
    for way in asked:
        values = dict(way.parameters)
        assert ("gamma" in values) == (way.balancing == "focal")
        assert 2 <= values["max_depth"] <= 5
        assert 0.05 <= values["eta"] <= 0.3
