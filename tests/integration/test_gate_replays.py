"""The short form of `benchmarks.gates`: one replay, through the services, as shipped."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from benchmarks.gates_replay import MORE, MORE_MISLABELLED, Replay, simulated
from benchmarks.gates_summary import promises

NO_LIMIT = {
    "gate_log_loss": 100.0,
    "gate_category": 100.0,
    "gate_sensitivity": 1.0,
    "gate_fairness": 1.0,
}


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    one = Replay("simulated", 1, simulated(1), tmp_path_factory.mktemp("replay"))
    with threadpool_limits(1):
        yield one
    one.close()


def test_a_challenger_of_mislabelled_rows_is_refused_because_of_the_margins(
    replay: Replay,
) -> None:
    found = replay.judge(MORE_MISLABELLED)
    assert found.compared >= 2_000
    assert found.refused
    assert {"log_loss", "category_log_loss"} <= set(found.refused_by)
    assert found.log_loss > 0.03
    assert found.acute_log_loss > 0.03
    # Without margins nothing else holds it back, and the benchmark would say so.
    let_through = replay.judge(MORE_MISLABELLED, settings=NO_LIMIT)
    assert let_through.promoted
    assert [promise.held for promise in promises([let_through] * 3)] == [False]


def test_a_challenger_of_four_times_the_rows_is_better_let_through_and_goes_live(
    replay: Replay,
) -> None:
    found = replay.judge(MORE)
    assert found.promoted, found.refused_by
    assert found.log_loss < 0
    replay.promote(MORE)
    live = replay.models.champion()
    assert live is not None
    assert live["version"] == replay.versions[MORE] != replay.champion


def test_under_two_thousand_outcomes_nothing_is_decided(replay: Replay) -> None:
    found = replay.judge(MORE_MISLABELLED, settings={"minimum_held_out": 4_000})
    assert found.outcome == "not-enough"
    assert not found.promoted
    assert not found.refused
