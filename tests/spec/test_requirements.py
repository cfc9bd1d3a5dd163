"""Every requirement that binds is shown by a test, and the page that says so is current."""

import pytest

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
