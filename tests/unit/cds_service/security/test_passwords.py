"""Passwords of local accounts."""

import pytest
from argon2 import PasswordHasher

from cds_service.security.passwords import (
    LONGEST,
    SHORTEST,
    Passwords,
    WeakPasswordError,
    check_password,
)
from tests.support.people import quick_passwords


def why_not(password: str) -> str | None:
    """Why a password is too weak for Ana."""
    try:
        check_password(password, "ana")
    except WeakPasswordError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "password",
    [
        "a horse that is no battery",
        "ocho palabras sin ningún número",
        "kXw9#qLp2vRz",
        "12 pine trees",
        "長い長いパスワードの例です",
        "x" + "yzab" * 63,
    ],
)
def test_long_passwords_are_taken_whatever_they_are_made_of(password: str) -> None:
    assert why_not(password) is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "kXw9#qLp2vR",  # 11
        "x" * (LONGEST + 1),
        "aaaaaaaaaaaaaaa",
        "abababababababab",
        "123456789012",
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "Password1234",
        "ana.gil@hospital",
        "ana.gil@hospital2026",
        "cds-service-ana.gil@hospital1",
    ],
)
def test_what_anybody_would_try_is_refused(password: str) -> None:
    with pytest.raises(WeakPasswordError) as caught:
        check_password(password, "ana.gil@hospital")
    assert not password or password not in str(caught.value)


def test_the_shortest_is_twelve() -> None:
    assert SHORTEST == 12
    assert why_not("kXw9#qLp2vRz") is None
    assert why_not("kXw9#qLp2vR") is not None


def test_a_hash_fits_its_password_alone() -> None:
    passwords = quick_passwords()
    stored = passwords.hash("a horse that is no battery")
    assert stored.startswith("$argon2id$")
    assert "horse" not in stored
    assert passwords.matches("a horse that is no battery", stored)
    assert not passwords.matches("a horse that is no batterY", stored)
    assert not passwords.matches("a horse that is no battery", None)
    assert not passwords.matches("what no account has as its password", None)
    assert not passwords.matches("anything", "no hash at all")
    assert passwords.hash("a horse that is no battery") != stored


def test_two_spellings_of_one_letter_are_one() -> None:
    passwords = quick_passwords()
    stored = passwords.hash("contrase\u00f1a de la ca\u00f1a")
    assert passwords.matches("contrasen\u0303a de la can\u0303a", stored)


def test_the_parameters_are_those_of_rfc_9106() -> None:
    """RFC 9106, 4: t=3, 64 MiB, 4 lanes."""
    stored = Passwords().hash("a horse that is no battery")
    assert "$m=65536,t=3,p=4$" in stored
    assert not Passwords().is_outdated(stored)
    weaker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    assert Passwords().is_outdated(weaker)
