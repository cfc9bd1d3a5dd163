"""The tables of codes hold together."""

from fhir_mapping.codes import (
    BLOOD_PRESSURE,
    ENCOUNTER_CLASSES,
    EXTRA_LOOKBACK,
    EXTRA_PREFETCH,
    INVASIVE,
    LOINC_SYSTEMS,
    MEANING,
    PREGNANCY_STATUS,
    RANK,
)
from model.features import EXTRA_INPUTS, READINGS


def test_every_measured_input_has_a_code_and_every_code_an_input() -> None:
    others = {BLOOD_PRESSURE, INVASIVE, PREGNANCY_STATUS}
    assert set(MEANING.values()) == set(READINGS) | set(EXTRA_INPUTS) | others


def test_every_extra_input_has_a_prefetch_key_and_a_look_back() -> None:
    assert set(EXTRA_PREFETCH) == set(EXTRA_LOOKBACK) == set(EXTRA_INPUTS)


def test_c6_heart_rate_8867_4_is_preferred() -> None:
    rates = {code for code, name in MEANING.items() if name == "heart_rate"}
    assert rates == {"8867-4", "8889-8", "8893-0"}
    assert RANK["8867-4"] < min(RANK["8889-8"], RANK["8893-0"])


def test_loinc_is_known_by_uri_slash_and_oid_only() -> None:
    assert {
        "http://loinc.org",
        "http://loinc.org/",
        "urn:oid:2.16.840.1.113883.6.1",
    } == LOINC_SYSTEMS


def test_encounter_classes_that_shorten_the_look_back() -> None:
    acute = {code for code, name in ENCOUNTER_CLASSES.items() if name != "ambulatory"}
    assert {"EMER", "IMP", "ACUTE", "NONAC", "OBSENC", "SS"} <= acute
