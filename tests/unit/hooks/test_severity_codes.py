"""The CodeSystem of severity categories (clinical rule C22)."""

import pytest
from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.valueset import ValueSet

from hooks.severity_codes import (
    DISPLAYS,
    severity_code_system,
    severity_coding,
    severity_value_set,
)
from model.severity import SEVERITIES, Severity
from tests.support.cards_check import assert_no_empty

URL = "https://cds.example.org/"


def test_c22_code_system_is_valid_and_complete() -> None:
    resource = severity_code_system(URL)

    CodeSystem.model_validate(resource)
    assert_no_empty(resource, "CodeSystem")
    assert resource["url"] == "https://cds.example.org/fhir/CodeSystem/severity-category"
    assert resource["version"]
    assert [concept["code"] for concept in resource["concept"]] == [s.value for s in SEVERITIES]
    assert resource["count"] == 5


def test_c22_value_set_takes_the_whole_code_system() -> None:
    resource = severity_value_set(URL)

    ValueSet.model_validate(resource)
    assert resource["url"] == severity_code_system(URL)["valueSet"]
    assert resource["compose"]["include"] == [{"system": severity_code_system(URL)["url"]}]


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_coding_uses_a_display_the_code_system_has(severity: Severity, language: str) -> None:
    coding = severity_coding(severity, URL, language)
    concept = next(c for c in severity_code_system(URL)["concept"] if c["code"] == coding["code"])

    known = [concept["display"], *(d["value"] for d in concept["designation"])]
    assert coding["display"] in known


def test_c11_displays_do_not_say_terminal() -> None:
    shown = [display for displays in DISPLAYS.values() for display in displays.values()]

    assert len(shown) == 10
    assert not any("terminal" in display.lower() for display in shown)
    assert DISPLAYS["en"][Severity.TERMINAL] == "Advanced or life-limiting illness"
