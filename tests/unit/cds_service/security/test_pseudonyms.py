"""Names in exports: the same for the same, and nothing that the service uses itself."""

import hmac
from base64 import b64encode
from hashlib import sha256

import pytest

from cds_service.security.pseudonyms import Pseudonyms, export_key
from cds_service.security.secrecy import Secrecy

KEYS = [b"n" * 32, b"o" * 32]
BASE = "https://ehr.example/fhir"


def test_a_name_is_a_keyed_hash_of_server_and_id() -> None:
    names = Pseudonyms(b"e" * 32)
    expected = hmac.new(b"e" * 32, f"patient\0{BASE}\0p1".encode(), sha256).hexdigest()[:32]
    assert names.patient(f"{BASE}/", "p1") == expected
    others = {
        names.patient(BASE, "p2"),
        names.patient("https://other.example/fhir", "p1"),
        names.assessment("p1"),
        names.outcome("p1"),
        names.unknown_patient("p1"),
        Pseudonyms(b"f" * 32).patient(BASE, "p1"),
    }
    assert len(others - {expected}) == 6


def test_a_new_secret_key_in_front_changes_no_name() -> None:
    assert Pseudonyms.derived(KEYS).patient(BASE, "p1") == Pseudonyms.derived(KEYS[1:]).patient(
        BASE, "p1"
    )


def test_a_name_is_no_hash_of_the_database() -> None:
    name = Pseudonyms.derived(KEYS).patient(BASE, "p1")
    for key in KEYS:
        assert hmac.new(key, f"patient\0{BASE}\0p1".encode(), sha256).hexdigest()[:32] != name
    for stored in Secrecy(KEYS).patient_keys(BASE, "p1"):
        assert not stored.startswith(name)


@pytest.mark.parametrize("text", ["", "short", b64encode(b"k" * 31).decode(), "ñ"])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64 of 32 bytes"):
        export_key(text)
    assert export_key(b64encode(b"k" * 32).decode()) == b"k" * 32
