"""Bearer secrets: random, recognisable, and never kept as they are."""

import re

from cds_service.security.secrets import hash_of, id_of, matches, new_secret


def test_a_secret_is_long_random_and_recognisable() -> None:
    secrets = [new_secret() for _ in range(50)]
    assert len({secret.text for secret in secrets}) == 50
    for secret in secrets:
        assert re.fullmatch(r"cds_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", secret.text)
        assert id_of(secret.text) == secret.id
        assert secret.text not in (secret.hash, repr(secret))
        assert secret.text.split("_", 2)[2] not in repr(secret)


def test_only_the_whole_secret_matches() -> None:
    secret = new_secret()
    assert matches(secret.text, secret.hash)
    for text in (secret.text[:-1], secret.text + "x", secret.text.swapcase(), "", "cds_"):
        assert not matches(text, secret.hash)
    assert hash_of(secret.text) == secret.hash


def test_other_texts_are_no_secrets() -> None:
    good = new_secret().text
    for text in ("", "cds_", good[:-1], good + "=", "x" + good, "a.b.c", "cds_é" + good[5:]):
        assert id_of(text) is None
