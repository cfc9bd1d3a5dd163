"""Notifications of the R5 backport, as the guide's own examples have them and as they should not
be."""

from typing import Any

import pytest
from hypothesis import given, settings

from fhir_mapping.notifications import MAX_EVENT, NoticeKind, below, read_notice
from tests.support.strategies import json_values

BASE = "https://ehr.example/fhir"


def bundle(status: Any, *entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}, *entries]}


def status(kind: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "SubscriptionStatus", "type": kind} | more


def test_the_kinds_of_the_guide_are_read() -> None:
    for kind in NoticeKind:
        found = read_notice(bundle(status(kind.value)))
        assert found is not None
        assert found.kind is kind


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"entry": "x"},
        {"entry": []},
        {"entry": ["x"]},
        bundle(None),
        bundle({"resourceType": "Condition"}),
        bundle({"resourceType": "Parameters"}),
        bundle({"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": "x"}]}),
        bundle(status("event")),
        bundle(status(["handshake"])),
    ],
)
def test_what_is_no_notification_is_none(other: dict[str, Any]) -> None:
    assert read_notice(other) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("7", 7),
        (7, 7),
        ("0", 0),
        ("x", None),
        ("-1", None),
        (True, None),
        (1.5, None),
        ("\u0663", None),
        ("9" * 18, 10**18 - 1),
        ("9" * 5_000, None),
        (str(2**63), MAX_EVENT),
    ],
)
def test_numbers_come_as_text_and_as_numbers(number: Any, expected: int | None) -> None:
    found = read_notice(bundle(status("heartbeat", eventsSinceSubscriptionStart=number)))
    assert found is not None
    assert found.last_event == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Condition/a", (BASE, "Condition", "a")),
        (f"{BASE}/Condition/a", (BASE, "Condition", "a")),
        (f"{BASE}/Condition/a/_history/2", (BASE, "Condition", "a")),
        ("HTTPS://EHR.EXAMPLE:443/fhir/Patient/a", (BASE, "Patient", "a")),
        ("https://two.example/Condition/a", ("https://two.example", "Condition", "a")),
        ("https://ehr.example/other/Condition/a", None),
        ("https://ehr.example.evil.example/fhir/Condition/a", None),
        ("https://ehr.example/fhir/x/Condition/a", None),
        ("https://user@ehr.example/fhir/../Condition/a", None),
        ("http://ehr.example/fhir/Condition/a", None),
        ("Observation/a", None),
        ("/Condition/a", None),
        ("Condition/..", None),
        ("Condition/a?x=1", None),
        ("Condition/a#x", None),
        ("Condition/", None),
        ("Condition", None),
        ("", None),
    ],
)
def test_only_what_lies_on_the_clients_servers_is_read(
    reference: str, expected: tuple[str, str, str] | None
) -> None:
    assert below(reference, (BASE, "https://two.example")) == expected


def test_without_a_server_nothing_can_be_read() -> None:
    assert below("Condition/a", ()) is None


@given(json_values, json_values)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_read_or_not_and_never_raises(one: Any, other: Any) -> None:
    beat = read_notice({"entry": [{"resource": status("heartbeat", notificationEvent=one)}, other]})
    assert beat is not None
    assert beat.kind is NoticeKind.HEARTBEAT
    parameters = {"resourceType": "Parameters", "parameter": one}
    for entries in ([{"resource": one}, other], [{"resource": parameters}, other], one):
        notice = read_notice({"entry": entries})
        assert notice is None or notice.kind in NoticeKind
