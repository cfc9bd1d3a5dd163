"""Clinical rule C1: who may be assessed."""

import pytest

from model.assessment import ModelFacts
from model.population import ages_in_range, in_population


def _facts(min_age: float = 18.0, max_age: float = 110.0) -> ModelFacts:
    return ModelFacts("1", True, min_age, max_age, {}, (), 0.9, ())


@pytest.mark.parametrize(
    ("age", "inside"),
    [(17.99, False), (18.0, True), (110.9, True), (111.0, False), (None, False)],
)
def test_c1_adults_of_18_to_110_years(age: float | None, inside: bool) -> None:
    assert in_population(age, _facts()) is inside


def test_c1_the_artefact_decides() -> None:
    assert in_population(7.0, _facts(min_age=6.0))
    assert not in_population(70.0, _facts(max_age=65.0))


def test_an_unknown_age_is_outside() -> None:
    assert ages_in_range([float("nan"), 50.0], 18, 110).tolist() == [False, True]
