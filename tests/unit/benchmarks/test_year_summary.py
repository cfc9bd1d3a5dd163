"""The summary of the simulated year: it must be able to say that a promise does not hold."""

import pytest

from benchmarks.year import _seeds
from benchmarks.year_calendar import CUFFS, NEW_DISEASE, SCENARIOS, SELECTIVE, STABLE, Calendar
from benchmarks.year_promises import Line
from benchmarks.year_summary import summary


def stable(chunks: int, alarms: int) -> Line:
    return Line(STABLE, "", None, {"chunks": chunks, "alarms": alarms})


def selective(weighted: int, naive: int) -> Line:
    counts = {"prevalence_chunks": 100, "prevalence_weighted": weighted, "prevalence_naive": naive}
    return Line(
        SELECTIVE,
        "",
        True,
        counts | {"recall_chunks": 100, "recall_weighted": 95, "recall_naive": 80},
    )


def test_one_seed_that_fails_fails_the_scenario() -> None:
    (told,) = summary([Line(CUFFS, "", True), Line(CUFFS, "", False), Line(CUFFS, "", True)])
    assert told.held is False
    assert told.said == "holds in 2 of 3 seeds"
    (told,) = summary([Line(CUFFS, "", True)] * 3)
    assert told.held


def test_false_alarms_are_held_against_the_budget_over_all_seeds() -> None:
    # One in fifty is allowed: 5 of 260 may be that, 14 of 260 are not.
    (within,) = summary([stable(13, 1)] * 5 + [stable(13, 0)] * 15)
    assert within.held
    (beyond,) = summary([stable(13, 1)] * 14 + [stable(13, 0)] * 6)
    assert beyond.held is False
    assert "14 false alarms of inputs in 260 chunks of 20 seeds" in beyond.said


def test_weighted_intervals_must_cover_and_better_than_the_naive() -> None:
    # P(X <= 88 | 100, 0.95) = 0.004 and P(X <= 90) = 0.028: the limit is 0.01.
    assert summary([selective(90, 40)])[0].held
    assert summary([selective(88, 40)])[0].held is False
    assert summary([selective(95, 95)])[0].held is False
    assert summary([Line(SELECTIVE, "", False)])[0].held is False


def test_recovery_is_told_over_all_seeds() -> None:
    lines = [
        Line(NEW_DISEASE, "", True, {"recovered": recovered, "days": days, "loss_alerts": alerts})
        for recovered, days, alerts in ((500, 60, 0), (700, 70, 2), (600, 80, 1))
    ]
    (told,) = summary(lines)
    assert "60% recovered in the median (50% to 70%)" in told.said
    assert "live after 70 days (60 to 80)" in told.said
    assert told.said.endswith("told by an alert in 2")


def test_seeds_are_a_number_or_a_range() -> None:
    assert _seeds("3") == [1, 2, 3]
    assert _seeds("5-6") == [5, 6]
    for wrong in ("0", "x", "3-", "6-5"):
        with pytest.raises(Exception, match="seed"):
            _seeds(wrong)


def test_a_scenario_alone_takes_no_more_days_than_it_needs() -> None:
    calendar = Calendar()
    assert calendar.needed([CUFFS]) == calendar.cuffs[1] < 365
    assert calendar.needed(SCENARIOS) == 365
    world = calendar.world(1, [CUFFS])
    assert world.events.cuffs == calendar.cuffs
    assert world.events.new_disease is None
    assert world.events.fahrenheit is None
