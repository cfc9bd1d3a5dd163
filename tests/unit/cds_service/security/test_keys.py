"""Keys from URLs: only listed ones, cached, rotated, and not fetched at every stranger's wish."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest

from cds_service.security.clients import ClientSettings
from cds_service.security.keys import (
    FRESH_SECONDS,
    MAX_WAITING,
    RETRY_SECONDS,
    STALE_SECONDS,
    UNKNOWN_KEY_SECONDS,
    KeyRing,
    TokenRefusedError,
    key_set,
    usable_count,
)
from tests.support.jwts import Key, ec_key, jwks, rsa_key

URL = "https://ehr.example/jwks.json"
OTHER = "https://ehr.example/other.json"
SETTINGS = ClientSettings(issuer="https://ehr.example", jwks_urls=(URL, OTHER))
ONE, TWO = ec_key(kid="one"), ec_key(kid="two")


class Far:
    """A server of keys, and a clock."""

    def __init__(self, *keys: Key) -> None:
        self.content: object = jwks(*keys)
        self.asked: list[str] = []
        self.time = 1000.0
        self.ring = KeyRing(self.fetch, lambda: self.time)

    def fetch(self, url: str) -> object:
        self.asked.append(url)
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def find(self, kid: str = "one", jku: str | None = URL, **changes: Any) -> int:
        found = self.ring.find(
            SETTINGS.model_copy(update=changes), key_id=kid, algorithm="ES384", jku=jku
        )
        return len(found)

    def refuses(self, kid: str = "one", jku: str | None = URL, **changes: Any) -> str:
        with pytest.raises(TokenRefusedError) as caught:
            self.find(kid, jku, **changes)
        return caught.value.reason


@pytest.mark.parametrize(
    "jku",
    [URL + "/", URL + "?x", URL.upper(), "http://169.254.169.254/", "", "https://evil.example"],
)
def test_a_jku_that_is_not_listed_is_never_fetched(jku: str) -> None:
    far = Far(ONE)
    assert far.refuses(jku=jku) == "jku_not_listed"
    assert far.asked == []


def test_a_listed_jku_is_fetched_and_without_one_the_first() -> None:
    far = Far(ONE)
    assert far.find(jku=OTHER) == 1
    assert far.asked == [OTHER]
    assert far.find(jku=None) == 1
    assert far.asked == [OTHER, URL]


def test_pinned_keys_need_no_fetching_whatever_the_token_says() -> None:
    far = Far(TWO)
    assert far.find(jku="https://evil.example", jwks_urls=(), jwks=jwks(ONE)) == 1
    assert far.find(jku=None, jwks_urls=(), jwks=jwks(ONE)) == 1
    assert far.refuses("two", jwks_urls=(), jwks=jwks(ONE)) == "unknown_key"
    assert far.asked == []


def test_keys_are_kept_for_a_while() -> None:
    far = Far(ONE)
    for _ in range(5):
        assert far.find() == 1
    far.time += FRESH_SECONDS - 1
    assert far.find() == 1
    assert len(far.asked) == 1
    far.time += 1
    assert far.find() == 1
    assert len(far.asked) == 2


def test_a_new_key_is_found_without_waiting_for_the_old_ones_to_age() -> None:
    far = Far(ONE)
    far.find()
    far.content = jwks(TWO)
    far.time += UNKNOWN_KEY_SECONDS
    assert far.find("two") == 1
    assert len(far.asked) == 2
    # The key that was taken back is gone with it.
    assert far.refuses("one") == "unknown_key"


def test_invented_key_ids_cause_no_flood() -> None:
    far = Far(ONE)
    far.find()
    for number in range(50):
        assert far.refuses(f"invented-{number}") == "unknown_key"
        far.time += 1
    assert len(far.asked) == 1
    far.time += UNKNOWN_KEY_SECONDS
    for number in range(50):
        far.refuses(f"invented-{number}")
    assert len(far.asked) == 2


@pytest.mark.parametrize("answer", [OSError("away"), "<html>", {}, {"keys": []}, {"keys": "x"}, []])
def test_keys_outlive_their_server_for_a_bounded_time(answer: object) -> None:
    far = Far(ONE)
    far.find()
    far.content = answer
    far.time += FRESH_SECONDS
    assert far.find() == 1
    assert len(far.asked) == 2
    far.time += STALE_SECONDS - FRESH_SECONDS - 1
    assert far.find() == 1
    far.time += 1
    assert far.refuses() == "keys_not_available"
    far.content = jwks(ONE)
    far.time += RETRY_SECONDS
    assert far.find() == 1


def test_a_server_that_is_away_is_not_asked_by_every_call() -> None:
    far = Far()
    far.content = OSError("away")
    for _ in range(20):
        assert far.refuses() == "keys_not_available"
    assert len(far.asked) == 1
    far.time += RETRY_SECONDS
    far.content = jwks(ONE)
    assert far.find() == 1


def test_many_calls_at_once_ask_once() -> None:
    started, go = threading.Event(), threading.Event()
    asked = []

    def slow(url: str) -> object:
        asked.append(url)
        started.set()
        assert go.wait(10)
        return jwks(ONE)

    ring = KeyRing(slow)

    def find(_: int) -> int:
        return len(ring.find(SETTINGS, key_id="one", algorithm="ES384", jku=URL))

    with ThreadPoolExecutor(8) as pool:
        pending = [pool.submit(find, number) for number in range(8)]
        assert started.wait(10)
        go.set()
        assert [one.result() for one in pending] == [1] * 8
    assert asked == [URL]


def test_a_server_of_keys_that_hangs_takes_a_bounded_number_of_threads() -> None:
    """Key ids of strangers' own invention would else stop every other client's calls."""
    go = threading.Event()
    asked = []

    def hangs(url: str) -> object:
        asked.append(url)
        assert url == OTHER or go.wait(20)
        return jwks(ONE)

    ring = KeyRing(hangs)

    def find(key_id: str) -> str:
        try:
            ring.find(SETTINGS, key_id=key_id, algorithm="ES384", jku=URL)
        except TokenRefusedError as error:
            return error.reason
        return "found"

    ring.find(SETTINGS, key_id="one", algorithm="ES384", jku=OTHER)
    with ThreadPoolExecutor(MAX_WAITING + 5) as pool:
        pending = [pool.submit(find, f"invented-{n}") for n in range(MAX_WAITING + 5)]
        try:
            done = [one.result(20) for one in islice(as_completed(pending, 20), 5)]
            assert done == ["too_many_wait_for_keys"] * 5
            # Keys that are there already need no place.
            assert ring.find(SETTINGS, key_id="one", algorithm="ES384", jku=OTHER)
        finally:
            go.set()
        assert [one.result() for one in pending].count("unknown_key") == MAX_WAITING
    assert asked == [OTHER, URL]
    assert find("one") == "found"


def test_nobody_waits_for_a_refresh_while_older_keys_will_do() -> None:
    started, go = threading.Event(), threading.Event()
    time = [0.0]
    answers = iter([False, True])

    def sometimes_slow(url: str) -> object:
        del url
        if next(answers):
            started.set()
            assert go.wait(10)
        return jwks(ONE)

    ring = KeyRing(sometimes_slow, lambda: time[0])

    def find() -> int:
        return len(ring.find(SETTINGS, key_id="one", algorithm="ES384", jku=URL))

    assert find() == 1
    time[0] += FRESH_SECONDS
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(find)
        assert started.wait(10)
        assert find() == 1
        assert not refreshing.done()
        go.set()
        assert refreshing.result() == 1


def test_ids_of_epic_hold_plus_slash_and_equals() -> None:
    key = rsa_key()
    ring = KeyRing(lambda _: jwks(key))
    (found,) = ring.find(SETTINGS, key_id="a+b/c0ZGVm==", algorithm="RS384", jku=None)
    assert found.algorithm_name == "RS384"


def test_a_key_set_is_read_with_care() -> None:
    assert key_set(None) == ()
    assert key_set({"keys": [1, None, ONE.public()]}) == (ONE.public(),)
    assert len(key_set({"keys": [ONE.public()] * 1000})) == 100
    assert (
        usable_count([ONE.public(), ONE.public(kid=None), {"kty": "oct"}, rsa_key().public()]) == 2
    )
