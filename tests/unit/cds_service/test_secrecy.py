"""Patient keys and encrypted fields."""

import pytest

from cds_service.security.secrecy import Secrecy, normalise_base

OLD, NEW = b"o" * 32, b"n" * 32


def test_c3_the_same_id_on_two_servers_is_two_patients() -> None:
    secrecy = Secrecy([NEW])
    (one,) = secrecy.patient_keys("https://a.example/fhir", "1")
    (two,) = secrecy.patient_keys("https://b.example/fhir", "1")
    assert one != two


def test_c3_a_base_url_has_one_spelling() -> None:
    secrecy = Secrecy([NEW])
    assert secrecy.patient_keys("HTTPS://A.example/fhir/", "1") == secrecy.patient_keys(
        "https://a.example/fhir", "1"
    )
    assert normalise_base("https://a.example/FHIR") == "https://a.example/FHIR"
    assert normalise_base("client:development") == "client:development"


@pytest.mark.parametrize(
    ("base", "normal"),
    [
        ("https://a.example:443/fhir", "https://a.example/fhir"),
        ("http://a.example:80", "http://a.example"),
        ("https://a.example:8443/fhir/", "https://a.example:8443/fhir"),
        ("https://[2001:DB8::1]/fhir", "https://[2001:db8::1]/fhir"),
        ("https://[2001:db8::1]:444/fhir", "https://[2001:db8::1]:444/fhir"),
    ],
)
def test_c3_a_default_port_makes_no_other_server(base: str, normal: str) -> None:
    assert normalise_base(base) == normal


@pytest.mark.parametrize("base", ["http://[bad", "https://a.example:port/", "https://", "https:"])
def test_what_is_no_url_stays_as_it_is(base: str) -> None:
    assert normalise_base(base) == base


def test_patient_encounter_and_resource_of_one_id_have_different_keys() -> None:
    secrecy = Secrecy([NEW])
    keys = {
        secrecy.patient_keys("b", "1")[0],
        secrecy.encounter_keys("b", "1")[0],
        secrecy.source_keys("b", "1")[0],
    }
    assert len(keys) == 3


def test_look_ups_try_every_key_newest_first() -> None:
    both = Secrecy([NEW, OLD]).patient_keys("b", "1")
    assert both == [*Secrecy([NEW]).patient_keys("b", "1"), *Secrecy([OLD]).patient_keys("b", "1")]


def test_fields_are_encrypted_anew_each_time_and_read_with_any_key() -> None:
    old = Secrecy([OLD])
    first, second = old.encrypt(b"Patient/1"), old.encrypt(b"Patient/1")
    assert first != second
    assert b"Patient" not in first
    assert Secrecy([NEW, OLD]).decrypt(first) == b"Patient/1"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"x" * len(data)])
def test_a_damaged_field_is_refused(damage) -> None:  # type: ignore[no-untyped-def]  # a lambda from the list
    secrecy = Secrecy([NEW])
    with pytest.raises(ValueError, match="no secret key"):
        secrecy.decrypt(damage(secrecy.encrypt(b"x")))
