"""Roles and what they hold."""

import pytest

from cds_service.security.people import Person
from cds_service.security.permissions import Permission, Role, permissions
from cds_service.web.navigation import ENTRIES, is_active, offered


def somebody(*roles: Role, development: bool = False) -> Person:
    return Person(
        name="Ana",
        actor="user:ana",
        roles=frozenset(roles),
        session="s",
        csrf="t",
        development=development,
    )


def test_everything_but_the_sandbox_is_held_by_some_role() -> None:
    assert permissions(Role) == set(Permission) - {Permission.SANDBOX}
    assert permissions(Role, development=True) == set(Permission)


def test_who_runs_the_service_sees_no_patient() -> None:
    about_patients = {
        Permission.TRIAGE,
        Permission.EXPLANATION,
        Permission.REVIEW,
        Permission.WHAT_IF,
    }
    assert not permissions([Role.ADMINISTRATOR]) & about_patients
    assert permissions([]) == frozenset()


def test_only_reviewers_see_what_would_change_the_category() -> None:
    assert [role for role in Role if Permission.WHAT_IF in permissions([role])] == [Role.REVIEWER]


@pytest.mark.parametrize(
    ("person", "paths"),
    [
        (None, []),
        (somebody(), []),
        (somebody(Role.CLINICIAN), ["/triage"]),
        (somebody(Role.REVIEWER, Role.ADMINISTRATOR), ["/review", "/admin"]),
        (somebody(*Role, development=True), ["/sandbox", "/triage", "/review", "/admin"]),
    ],
)
def test_navigation_offers_what_is_permitted(person: Person | None, paths: list[str]) -> None:
    assert [entry.path for entry in offered(person, lambda _: True)] == paths


def test_navigation_offers_only_pages_that_are_there() -> None:
    found = offered(somebody(*Role, development=True), lambda path: path == "/review")
    assert [entry.path for entry in found] == ["/review"]


def test_a_page_below_another_keeps_it_active() -> None:
    entry = ENTRIES[0]
    assert is_active(entry, entry.path)
    assert is_active(entry, entry.path + "/x")
    assert not is_active(entry, entry.path + "x")


def test_a_person_says_little_of_itself() -> None:
    assert repr(somebody(Role.CLINICIAN)) == "Person(actor='user:ana')"
