"""Local accounts and sessions, as rules over both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.errors import (
    BusyError,
    ConflictError,
    NotFoundError,
    ServiceError,
    SignInRefusedError,
    TooManyAttemptsError,
)
from cds_service.security.passwords import Passwords
from cds_service.security.permissions import Role
from cds_service.services import attempts as rules
from cds_service.services import sign_in
from cds_service.services.sessions import LONGEST, Sessions
from cds_service.services.sign_in import SignIn
from cds_service.services.users import UserService
from cds_service.storage.tables import AUDIT_EVENTS, SESSIONS, SIGN_IN_ATTEMPTS, USERS
from tests.support.people import PASSWORD, add_account, closed_context, quick_passwords
from tests.support.service import TestClock

WRONG = "not the password at all"


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    made = closed_context(tmp_path, database_url)
    add_account(made, "ana", Role.CLINICIAN)
    yield made
    made.engine.dispose()


def wait(context: ProcessContext, **time: float) -> None:
    clock = context.clock
    assert isinstance(clock, TestClock)
    clock.time += timedelta(**time)


def try_in(context: ProcessContext, name: str, password: str, address: str = "10.0.0.1") -> str:
    return SignIn(context, quick_passwords()).by_password(name, password, address=address)


def events(context: ProcessContext) -> list[tuple[str, str, str]]:
    with context.engine.connect() as connection:
        query = select(AUDIT_EVENTS).order_by(AUDIT_EVENTS.c.id)
        rows = connection.execute(query).all()
    return [(row.actor, row.action, row.object_id) for row in rows]


def everything(context: ProcessContext) -> str:
    """All that is stored of people, as text."""
    with context.engine.connect() as connection:
        tables = (USERS, SESSIONS, SIGN_IN_ATTEMPTS, AUDIT_EVENTS)
        return repr([connection.execute(select(table)).all() for table in tables])


def test_whoever_knows_the_password_is_let_in(context: ProcessContext) -> None:
    cookie = try_in(context, " ANA ", PASSWORD)
    person = Sessions(context).person(cookie)
    assert person is not None
    assert (person.name, person.actor, person.roles) == (
        "ana",
        "user:ana",
        frozenset({Role.CLINICIAN}),
    )
    assert events(context) == [("test", "add-user", "ana"), ("user:ana", "sign-in", "user:ana")]
    kept = everything(context)
    assert PASSWORD not in kept
    assert cookie.partition(".")[0] not in kept


@pytest.mark.parametrize(
    ("name", "who"), [("ana", "user:ana"), ("nobody", "user:unknown"), (PASSWORD, "user:unknown")]
)
def test_nobody_learns_what_was_wrong(context: ProcessContext, name: str, who: str) -> None:
    with pytest.raises(SignInRefusedError) as caught:
        try_in(context, name, WRONG)
    assert caught.value.diagnostics == "Name or password is not right."
    assert events(context)[-1] == (who, "refuse-sign-in", who)
    assert WRONG not in everything(context)
    # A name that is none may be a password in the wrong field.
    assert PASSWORD not in everything(context)


def test_a_changed_cookie_opens_nothing(context: ProcessContext) -> None:
    cookie = try_in(context, "ana", PASSWORD)
    secret, _, signature = cookie.partition(".")
    sessions = Sessions(context)
    for wrong in ("", ".", secret, f"{secret}.", f"{secret}x.{signature}", f"x.{signature}", "ñ.ñ"):
        assert sessions.person(wrong) is None, wrong
    forged = f"{'x' * 43}.{context.secrecy.sign('session', 'x' * 43)}"
    assert sessions.person(forged) is None


def test_a_session_ends_when_nothing_is_done(context: ProcessContext) -> None:
    cookie = try_in(context, "ana", PASSWORD)
    sessions = Sessions(context)
    for _ in range(3):
        wait(context, minutes=14)
        assert sessions.person(cookie) is not None
    assert sessions.seconds_left(cookie) == 15 * 60
    wait(context, minutes=10)
    # What a page asks for by itself keeps nothing alive.
    assert sessions.person(cookie, is_activity=False) is not None
    assert sessions.seconds_left(cookie) == 5 * 60
    wait(context, minutes=5)
    assert sessions.person(cookie) is None
    assert sessions.seconds_left(cookie) == 0


def test_a_session_ends_after_half_a_day_whatever_is_done(context: ProcessContext) -> None:
    cookie = try_in(context, "ana", PASSWORD)
    sessions = Sessions(context)
    steps = int(LONGEST / timedelta(minutes=10))
    for _ in range(steps - 1):
        wait(context, minutes=10)
        assert sessions.person(cookie) is not None
    wait(context, minutes=10)
    assert sessions.person(cookie) is None
    # Whose it was is known for an hour more, for what they were typing.
    wait(context, minutes=61)
    try_in(context, "ana", PASSWORD)
    with context.engine.connect() as connection:
        assert len(connection.execute(select(SESSIONS)).all()) == 1  # The old one is deleted.


def test_signing_out_ends_the_session_and_no_other(context: ProcessContext) -> None:
    sessions = Sessions(context)
    one, other = try_in(context, "ana", PASSWORD), try_in(context, "ana", PASSWORD)
    person = sessions.person(one)
    assert person is not None
    sessions.end(person)
    sessions.end(person)  # A second click.
    assert sessions.person(one) is None
    assert sessions.person(other) is not None
    assert [action for _, action, _ in events(context)].count("sign-out") == 1


def test_signing_in_again_ends_the_session_of_the_same_browser(context: ProcessContext) -> None:
    first = try_in(context, "ana", PASSWORD)
    service = SignIn(context, quick_passwords())
    second = service.by_password("ana", PASSWORD, address="10.0.0.1", replaces=first)
    assert Sessions(context).person(first) is None
    assert Sessions(context).person(second) is not None


def test_roles_count_as_they_are_now(context: ProcessContext) -> None:
    cookie = try_in(context, "ana", PASSWORD)
    users = UserService(context.engine, context.secrecy, context.clock, quick_passwords())
    users.set_roles("Ana", [Role.REVIEWER, Role.ADMINISTRATOR], actor="test")
    person = Sessions(context).person(cookie)
    assert person is not None
    assert person.roles == {Role.REVIEWER, Role.ADMINISTRATOR}


def test_removing_and_a_new_password_end_every_session(context: ProcessContext) -> None:
    users = UserService(context.engine, context.secrecy, context.clock, quick_passwords())
    sessions = Sessions(context)
    cookies = [try_in(context, "ana", PASSWORD) for _ in range(2)]
    assert users.set_password("ana", "another horse altogether", actor="test") == 2
    assert [sessions.person(cookie) for cookie in cookies] == [None, None]
    with pytest.raises(SignInRefusedError):
        try_in(context, "ana", PASSWORD)
    cookie = try_in(context, "ana", "another horse altogether")
    assert users.remove("ana", actor="test") == 1
    assert sessions.person(cookie) is None
    with pytest.raises(SignInRefusedError):
        try_in(context, "ana", "another horse altogether")
    assert users.users() == []
    with pytest.raises(NotFoundError):
        users.remove("ana", actor="test")
    users.add("ana", [Role.REVIEWER], PASSWORD, actor="test")
    assert sessions.person(cookie) is None
    assert sessions.person(try_in(context, "ana", PASSWORD)) is not None


def test_accounts_are_not_added_twice_nor_under_strange_names(context: ProcessContext) -> None:
    users = UserService(context.engine, context.secrecy, context.clock, quick_passwords())
    with pytest.raises(ConflictError):
        users.add("ANA", [Role.REVIEWER], PASSWORD, actor="test")
    for name in ("", "a b", "<b>", "x" * 65, "../x", "-x"):
        with pytest.raises(ServiceError, match="cannot be a name"):
            users.add(name, [Role.REVIEWER], PASSWORD, actor="test")
    with pytest.raises(ServiceError, match="12 characters or more"):
        users.add("luz", [Role.REVIEWER], "short", actor="test")
    assert [user["name"] for user in users.users()] == ["ana"]


def test_an_account_waits_longer_after_each_failure(context: ProcessContext) -> None:
    for _ in range(rules.ACCOUNT_FREE):
        with pytest.raises(SignInRefusedError):
            try_in(context, "ana", WRONG)
    waits = []
    for _ in range(6):
        # The right password opens nothing meanwhile, from wherever it comes.
        with pytest.raises(TooManyAttemptsError) as caught:
            try_in(context, "ana", PASSWORD, address="10.9.9.9")
        waits.append(caught.value.seconds // 60)
        wait(context, seconds=caught.value.seconds)
        with pytest.raises(SignInRefusedError):
            try_in(context, "ana", WRONG)
    assert waits == [1, 2, 4, 8, 15, 15]
    wait(context, minutes=16)
    assert try_in(context, "ana", PASSWORD)
    # Whoever gets in starts afresh.
    with pytest.raises(SignInRefusedError):
        try_in(context, "ana", WRONG)
    assert try_in(context, "ana", PASSWORD)


def test_names_that_are_none_wait_as_well(context: ProcessContext) -> None:
    for _ in range(rules.ACCOUNT_FREE):
        with pytest.raises(SignInRefusedError):
            try_in(context, "nobody", WRONG)
    with pytest.raises(TooManyAttemptsError):
        try_in(context, "nobody", WRONG)


def test_after_a_hundred_failures_only_a_new_password_opens(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ACCOUNT_MAX", 7)
    for _ in range(7):
        with pytest.raises(SignInRefusedError):
            try_in(context, "ana", WRONG)
        wait(context, minutes=16)
    wait(context, days=31)
    add_account(context, "luz", Role.REVIEWER)
    try_in(context, "luz", PASSWORD)  # Old attempts are tidied up meanwhile.
    with pytest.raises(TooManyAttemptsError):
        try_in(context, "ana", PASSWORD)
    users = UserService(context.engine, context.secrecy, context.clock, quick_passwords())
    users.set_password("ana", "another horse altogether", actor="test")
    assert try_in(context, "ana", "another horse altogether")


def test_an_address_waits_whatever_names_it_tries(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ADDRESS_FREE", 6)
    for number in range(5):
        with pytest.raises(SignInRefusedError):
            try_in(context, f"nobody{number}", WRONG)
    # An account of one's own does not wash the others away.
    assert try_in(context, "ana", PASSWORD)
    with pytest.raises(SignInRefusedError):
        try_in(context, "nobody9", WRONG)
    with pytest.raises(TooManyAttemptsError) as caught:
        try_in(context, "ana", PASSWORD)
    assert try_in(context, "ana", PASSWORD, address="10.0.0.2")
    wait(context, seconds=caught.value.seconds)
    assert try_in(context, "ana", PASSWORD)


def test_a_hospital_behind_one_address_may_mistype_all_day(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ADDRESS_FREE", 6)
    for number in range(30):
        with pytest.raises(SignInRefusedError):
            try_in(context, f"nobody{number}", WRONG)
        wait(context, seconds=150)


def test_attempts_side_by_side_are_counted_each(context: ProcessContext) -> None:
    """Counted before the password is looked at: parallel guesses gain nothing."""

    def attempt(_: int) -> str:
        try:
            return try_in(context, "ana", WRONG)
        except SignInRefusedError:
            return "refused"
        except TooManyAttemptsError:
            return "blocked"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(attempt, range(16)))
    assert found.count("refused") == rules.ACCOUNT_FREE
    assert found.count("blocked") == 16 - rules.ACCOUNT_FREE


def test_old_parameters_of_a_hash_are_renewed(context: ProcessContext) -> None:
    def stored() -> str:
        with context.engine.connect() as connection:
            return str(connection.execute(select(USERS.c.password_hash)).scalar_one())

    before = stored()
    better = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    SignIn(context, better).by_password("ana", PASSWORD, address="10.0.0.1")
    assert stored() != before
    assert "m=16,t=2" in stored()
    SignIn(context, better).by_password("ana", PASSWORD, address="10.0.0.1")


def test_too_many_at_once_are_told_to_wait(context: ProcessContext) -> None:
    service = SignIn(context, quick_passwords())
    for _ in range(sign_in.WAITING):
        service._places.acquire()
    with pytest.raises(BusyError):
        service.by_password("ana", PASSWORD, address="10.0.0.1")
