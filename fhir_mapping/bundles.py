"""Prefetch values: absent, null, empty, an error, one resource or a Bundle of them (R17, R18).

An entry is kept as raw JSON, so that a resource that cannot be read spoils no other.
See https://hl7.org/fhir/R4/bundle.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from fhir_mapping.elements import UNREADABLE, Element, Raw, decode


class PrefetchState(StrEnum):
    """What the client sent under one prefetch key."""

    ABSENT = "absent"
    NULL = "null"
    OPERATION_OUTCOME = "operation_outcome"
    """An error: the OperationOutcome itself, or a Bundle of nothing but errors."""
    BUNDLE = "bundle"
    """Without entries, or with an OperationOutcome that is no error: searched, nothing found."""
    RESOURCE = "resource"
    MALFORMED = "malformed"


_FAILED = (PrefetchState.OPERATION_OUTCOME, PrefetchState.MALFORMED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as received."""

    raw: Raw
    full_url: str | None = None
    outcome: bool = False
    """Its Bundle entry says `search.mode = outcome`."""


@dataclass(frozen=True, slots=True)
class Contents:
    """One prefetch value taken apart."""

    state: PrefetchState
    entries: tuple[Entry, ...] = ()
    unreadable_entries: int = 0
    """Entries without a resource, or that are no objects."""
    cut_short: bool = False
    """There is a next page, or part of the search failed: newer readings may exist (C7)."""


class _Link(Element):
    relation: str | None = None
    url: str | None = None


class _Search(Element):
    mode: str | None = None


class _BundleEntry(Element):
    full_url: str | None = None
    resource: msgspec.Raw = msgspec.Raw()
    search: _Search | None = None


class _Bundle(Element):
    resource_type: str | None = None
    total: object = None
    link: list[_Link] | None = None
    entry: list[_BundleEntry] | None = None


class _LooseBundle(Element):
    """The same where an entry or a link has the wrong shape."""

    resource_type: str | None = None
    total: object = None
    link: object = None
    entry: list[msgspec.Raw] | None = None


class _Issue(Element):
    severity: str | None = None


class _Outcome(Element):
    resource_type: str | None = None
    issue: list[_Issue] | None = None


def prefetch_state(raw: Raw | None) -> PrefetchState:
    """What one prefetch value is; `raw` is its JSON, or `None` where the key is absent.

    A key that is absent, `null`, an empty Bundle and an error are four different answers of a
    client (R17). Epic's empty search, a Bundle with `total` 0 and one OperationOutcome, is a
    `BUNDLE` (R18).
    """
    return read_contents(raw).state


def read_contents(raw: Raw | Sequence[Raw] | None) -> Contents:
    """Take one prefetch value apart, or several that belong together; never raises.

    Of several, one that is an error or no FHIR leaves the rest cut short: what it would have held
    is not known.
    """
    if raw is not None and not isinstance(raw, bytes | msgspec.Raw):
        return _together([read_contents(one) for one in raw])
    if raw is None:
        return Contents(PrefetchState.ABSENT)
    if bytes(raw).strip() == b"null":
        return Contents(PrefetchState.NULL)
    bundle = decode(raw, _Bundle) or _loose(raw)
    if bundle is None or not bundle.resource_type:
        return Contents(PrefetchState.MALFORMED)
    if bundle.resource_type == "OperationOutcome":
        return Contents(PrefetchState.OPERATION_OUTCOME, (Entry(raw),))
    if bundle.resource_type != "Bundle":
        return Contents(PrefetchState.RESOURCE, (Entry(raw),))
    entries = tuple(
        Entry(e.resource, e.full_url, e.search is not None and e.search.mode == "outcome")
        for e in bundle.entry or ()
        if not _is_null(e.resource)
    )
    outcomes = [_outcome(entry) for entry in entries]
    # A search that counted its results has run, whatever it complains of.
    failed = bundle.total != 0 and any(o is not None and _is_error(o) for o in outcomes)
    if failed and all(o is not None for o in outcomes):
        return Contents(PrefetchState.OPERATION_OUTCOME, entries)
    return Contents(
        PrefetchState.BUNDLE,
        entries,
        unreadable_entries=len(bundle.entry or ()) - len(entries),
        cut_short=failed or any(link.relation == "next" for link in bundle.link or ()),
    )


def next_link(raw: Raw) -> str | None:
    """Where the page after this Bundle is; "" where it says that there is one but not where."""
    bundle = decode(raw, _Bundle) or _loose(raw)
    if bundle is None or bundle.resource_type != "Bundle":
        return None
    following = (link.url or "" for link in bundle.link or () if link.relation == "next")
    return next(following, None)


def without_links(raw: Raw) -> bytes:
    """The same Bundle without its links, once the pages they lead to are there too.

    One that cannot be taken apart stays as it is, and so counts as cut short.
    """
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return bytes(raw)
    members.pop("link", None)
    return msgspec.json.encode(members)


def _together(several: Sequence[Contents]) -> Contents:
    usable = [c for c in several if c.state in (PrefetchState.BUNDLE, PrefetchState.RESOURCE)]
    failed = [c for c in several if c.state in _FAILED]
    if not usable:
        return next(iter(failed or several), Contents(PrefetchState.ABSENT))
    if len(several) == 1:
        return usable[0]
    # One resource may come under two keys; it is one all the same.
    entries = {bytes(entry.raw): entry for contents in several for entry in contents.entries}
    return Contents(
        PrefetchState.BUNDLE,
        tuple(entries.values()),
        unreadable_entries=sum(c.unreadable_entries for c in several),
        cut_short=bool(failed) or any(c.cut_short for c in usable),
    )


def _is_null(raw: Raw) -> bool:
    """Whether there is nothing there: JSON `null`, or a member that was not sent."""
    return len(bytes(raw)) < 16 and bytes(raw).strip() in (b"", b"null")


def _loose(raw: Raw) -> _Bundle | None:
    bundle = decode(raw, _LooseBundle)
    if bundle is None:
        return None
    links = bundle.link if isinstance(bundle.link, list) else []
    following = [
        link for link in links if isinstance(link, dict) and link.get("relation") == "next"
    ]
    urls = [url for link in following if isinstance(url := link.get("url"), str)]
    return _Bundle(
        bundle.resource_type,
        bundle.total,
        [_Link("next", urls[0] if urls else None)] if following else None,
        [decode(entry, _BundleEntry) or _BundleEntry() for entry in bundle.entry or ()],
    )


def _outcome(entry: Entry) -> _Outcome | None:
    if b"OperationOutcome" not in bytes(entry.raw):
        return None
    outcome = decode(entry.raw, _Outcome)
    return outcome if outcome and outcome.resource_type == "OperationOutcome" else None


def _is_error(outcome: _Outcome) -> bool:
    return any(issue.severity in ("error", "fatal") for issue in outcome.issue or ())
