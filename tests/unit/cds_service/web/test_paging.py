"""Long lists, a page at a time."""

import pytest

from cds_service.web.paging import pager, paging


@pytest.mark.parametrize(
    ("asked", "number"),
    [(None, 1), ("", 1), ("2", 2), ("3", 3), ("4", 3), ("0", 1), ("-1", 1), ("x", 1), ("²", 1)],
)
def test_the_page_that_was_asked_for_or_the_nearest(asked: str | None, number: int) -> None:
    found = paging(asked, 101)
    assert (found.number, found.pages, found.offset) == (number, 3, (number - 1) * 50)


def test_an_empty_list_has_one_page() -> None:
    found = paging("9" * 30, 0)
    assert (found.number, found.pages, found.offset) == (1, 1, 0)
    assert pager(found)["before"] is None
    assert pager(found)["after"] is None


def test_links_keep_what_was_asked_for() -> None:
    found = pager(paging("2", 150), action="a&b", actor="", day=None)
    assert found["before"] == "?action=a%26b&page=1"
    assert found["after"] == "?action=a%26b&page=3"
