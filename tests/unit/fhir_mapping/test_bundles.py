"""What arrived under a prefetch key."""

import json

import msgspec
import pytest

from fhir_mapping.bundles import (
    PrefetchState,
    next_link,
    prefetch_state,
    read_contents,
    without_links,
)
from tests.support.builders import (
    bundle,
    epic_empty_search,
    observation,
    operation_outcome,
    patient,
    raw,
)


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, PrefetchState.NULL),
        (bundle(), PrefetchState.BUNDLE),
        (bundle(observation()), PrefetchState.BUNDLE),
        (patient(), PrefetchState.RESOURCE),
        (observation(), PrefetchState.RESOURCE),
        (operation_outcome("error"), PrefetchState.OPERATION_OUTCOME),
        (operation_outcome("warning"), PrefetchState.OPERATION_OUTCOME),
        (bundle(operation_outcome("error"), total=None), PrefetchState.OPERATION_OUTCOME),
        (bundle(operation_outcome("error"), observation()), PrefetchState.BUNDLE),
        (bundle(operation_outcome("warning"), total=None), PrefetchState.BUNDLE),
        ({}, PrefetchState.MALFORMED),
        ({"resourceType": 5}, PrefetchState.MALFORMED),
        ({"resourceType": "Bundle", "entry": "none"}, PrefetchState.MALFORMED),
        ([observation()], PrefetchState.MALFORMED),
        ("Bundle", PrefetchState.MALFORMED),
        (0, PrefetchState.MALFORMED),
    ],
)
def test_absent_null_empty_and_error_differ(value: object, expected: PrefetchState) -> None:
    assert prefetch_state(raw(value)) is expected
    assert prefetch_state(msgspec.Raw(raw(value))) is expected


@pytest.mark.requirement("R17")
def test_a_key_that_was_not_sent_is_absent() -> None:
    assert prefetch_state(None) is PrefetchState.ABSENT


@pytest.mark.requirement("R18")
@pytest.mark.parametrize(
    "value", [epic_empty_search(), bundle(operation_outcome("error"), total=0)]
)
def test_the_empty_search_of_epic_is_an_empty_bundle(value: object) -> None:
    contents = read_contents(raw(value))
    assert contents.state is PrefetchState.BUNDLE
    assert not contents.cut_short


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nul", b'{"resourceType": "Bundle"', b'{"resourceType": "\xff"}', b"[" * 10_000],
)
def test_what_is_no_json_is_malformed(text: bytes) -> None:
    assert prefetch_state(text) is PrefetchState.MALFORMED


def test_entries_keep_their_resource_and_url() -> None:
    sent = bundle(observation(id="o1"), patient(), full_urls={0: "urn:uuid:o1"})
    contents = read_contents(raw(sent))
    assert [json.loads(bytes(e.raw))["resourceType"] for e in contents.entries] == [
        "Observation",
        "Patient",
    ]
    assert [e.full_url for e in contents.entries] == ["urn:uuid:o1", None]


def test_an_entry_of_the_wrong_shape_spoils_no_other() -> None:
    sent = bundle(observation(id="o1"))
    sent["entry"] += [None, 5, {}, {"fullUrl": 7, "resource": observation()}, {"resource": None}]
    sent["link"] = [{"relation": 5}, "next"]
    contents = read_contents(raw(sent))
    assert len(contents.entries) == 1
    assert contents.unreadable_entries == 5
    assert not contents.cut_short


def test_c7_a_next_page_means_cut_short() -> None:
    assert not read_contents(raw(bundle(observation()))).cut_short
    sent = bundle(observation(), next_url="https://ehr.example/fhir?page=2")
    assert read_contents(raw(sent)).cut_short
    sent["entry"].append(None)
    assert read_contents(raw(sent)).cut_short


def test_c7_a_search_that_failed_in_part_means_cut_short() -> None:
    assert read_contents(raw(bundle(observation(), operation_outcome("error")))).cut_short
    assert not read_contents(raw(bundle(observation(), operation_outcome("warning")))).cut_short


def test_the_next_link_of_a_bundle() -> None:
    assert next_link(raw(bundle(next_url="https://x.example/p2"))) == "https://x.example/p2"
    assert next_link(raw(bundle(link=[{"relation": "next"}]))) == ""
    assert next_link(raw(bundle(link=[{"relation": "next", "url": 5}, 7]))) == ""
    assert next_link(raw(bundle(link=[{"relation": "self", "url": "x"}]))) is None
    assert next_link(raw({"resourceType": "Patient", "link": [{"relation": "next"}]})) is None
    assert next_link(b"null") is None
    assert next_link(b"<html>") is None


def test_without_its_links_a_bundle_is_whole() -> None:
    paged = raw(bundle({"resourceType": "Basic"}, next_url="https://x.example/p2"))
    assert read_contents(paged).cut_short
    whole = read_contents(without_links(paged))
    assert not whole.cut_short
    assert len(whole.entries) == 1


def test_a_bundle_that_cannot_be_taken_apart_keeps_its_links() -> None:
    paged = raw(bundle(next_url="https://x.example/p2"))[:-1] + b', "\xff": 1}'
    assert without_links(paged) == paged
    assert read_contents(paged).cut_short
