"""Every requirement that binds is shown by a test, and the page that says so is current."""

import pytest

from tests.spec.mutants import MUTANTS, ROOT
from tests.spec.requirements import BINDING, PAGE, REQUIREMENTS, Requirement, page, shown_by


def test_the_list_is_complete() -> None:
    assert [row.number for row in REQUIREMENTS] == list(range(1, 73))
    assert set(shown_by()) <= {row.number for row in REQUIREMENTS}


@pytest.mark.parametrize("row", REQUIREMENTS, ids=lambda row: f"R{row.number}")
def test_a_requirement_has_a_test_or_a_reason(row: Requirement) -> None:
    if row.number in shown_by():
        assert not row.without_test
    else:
        assert row.level not in BINDING
        assert row.without_test


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: make conformance"


def test_every_binding_requirement_has_a_mutant_that_still_fits_the_code() -> None:
    """`make mutants` runs them; here only their texts are looked for."""
    binding = {row.number for row in REQUIREMENTS if row.level in BINDING}
    assert binding <= {mutant.number for mutant in MUTANTS}
    for mutant in MUTANTS:
        text = (ROOT / mutant.path).read_text("utf-8")
        assert text.count(mutant.old) == 1, (mutant.number, mutant.path, mutant.old)
        assert mutant.new != mutant.old
