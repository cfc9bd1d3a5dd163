"""Reading from a FHIR R4 server on behalf of a caller (R19, R21, R28, R32).

See https://hl7.org/fhir/R4/http.html. No URL, id or token ever stands in an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

from fhir_mapping.addresses import is_below, read_url
from fhir_mapping.bundles import PrefetchState, next_link, prefetch_state, without_links
from fhir_mapping.elements import UNREADABLE, Raw, head
from fhir_mapping.errors import AccessFault, FHIRAccessError
from fhir_mapping.exchange import MAX_BODY, Exchange, Reply, status_error

_FHIR_JSON = "application/fhir+json"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header; anything else would be an injected header."""
_OAUTH_ERROR = re.compile(r"[a-z_]{1,40}")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_SEARCH = 2 * MAX_BODY
"""Bytes of all pages of one search; after that it counts as cut short."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The pages of a search, in the order they came."""

    bundles: tuple[bytes, ...] = field(repr=False)
    """Without the `next` links that were followed: one that is left leads to what was not read,
    and `bundles.read_contents` says so."""
    cut_short: bool
    """There is more than was read."""


_REDIRECTED = (301, 302, 307, 308)
MAX_REDIRECTS = 3
"""In a row, where a server's own redirects are followed."""


class FHIRAccess:
    """The way to FHIR servers, one a process; safe to use from many threads.

    `allow_private` lets it connect to private, loopback and link-local addresses, and over plain
    http; `follow_redirects` lets it follow redirects that stay below the base. Whether a server may
    be read at all is for the caller to decide.
    """

    def __init__(
        self, *, allow_private: bool, max_pages: int, follow_redirects: bool = False
    ) -> None:
        self._exchange = Exchange(allow_private=allow_private)
        self._redirects = MAX_REDIRECTS if follow_redirects else 0
        self._allow_private = allow_private
        self._max_pages = max_pages

    def close(self) -> None:
        """Close every connection."""
        self._exchange.close()

    def session(self, base_url: str, *, token: str | None, deadline: float) -> "FHIRSession":
        """Access to one server until `deadline` (`time.monotonic`), with a bearer token if any.

        Raises `FHIRAccessError`: refused, for a URL that is not https (http is for private
        networks) or not a base; unauthorized, for a token that no header can carry.
        """
        url = self._checked(base_url)
        if url.query:
            raise FHIRAccessError(AccessFault.REFUSED, "not a base URL")
        if token is not None and not _TOKEN.fullmatch(token):
            raise FHIRAccessError(AccessFault.UNAUTHORIZED, "unusable token")
        return FHIRSession(
            self._exchange,
            url,
            token,
            deadline,
            allow_private=self._allow_private,
            max_pages=self._max_pages,
            redirects=self._redirects,
        )

    def get_json(self, url: str, *, deadline: float) -> Mapping[str, Any]:
        """A JSON object from a URL: a JWKS, a CapabilityStatement. Raises `FHIRAccessError`."""
        headers = {"Accept": f"{_FHIR_JSON}, application/json;q=0.9"}
        reply = self._exchange.get(self._checked(url), headers, deadline=deadline)
        if reply.status != HTTPStatus.OK:
            raise status_error(reply.status)
        return _object(reply.body)

    def post_form(
        self,
        url: str,
        data: Mapping[str, str],
        *,
        deadline: float,
        authorization: str | None = None,
    ) -> Mapping[str, Any]:
        """What a token endpoint answers to a form, sent once, with an `Authorization` if given.

        Raises `FHIRAccessError`; its `detail` is the error code of RFC 6749, 5.2, if one came.
        """
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if authorization is not None:
            headers["Authorization"] = authorization
        body = urlencode(data).encode()
        reply = self._exchange.post(self._checked(url), headers, body, deadline=deadline)
        if reply.status != HTTPStatus.OK:
            raise FHIRAccessError(status_error(reply.status).kind, _oauth_error(reply))
        return _object(reply.body)

    def _checked(self, text: str) -> httpx.URL:
        url = read_url(text, allow_private=self._allow_private)
        if url is None:
            raise FHIRAccessError(AccessFault.REFUSED, "URL not allowed")
        return url


class FHIRSession:
    """Reads from one server with one token, until one deadline. Made by `FHIRAccess.session`."""

    def __init__(
        self,
        exchange: Exchange,
        base: httpx.URL,
        token: str | None,
        deadline: float,
        *,
        allow_private: bool,
        max_pages: int,
        redirects: int,
    ) -> None:
        self._exchange = exchange
        self._redirects = redirects
        self._base = base
        self._root = str(base).rstrip("/")
        self._headers = {"Accept": _FHIR_JSON}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._deadline = deadline
        self._allow_private = allow_private
        self._max_pages = max_pages

    def read(self, resource_type: str, resource_id: str) -> bytes:
        """One resource, as JSON. Raises `FHIRAccessError`.

        The body decides, not the content type: servers label FHIR in many ways.
        """
        if not _ID.fullmatch(resource_id) or not resource_id.strip("."):
            raise FHIRAccessError(AccessFault.NOT_FOUND, "not a FHIR id")
        body = self._get(httpx.URL(f"{self._root}/{resource_type}/{resource_id}"))
        return _resource(body, resource_type)

    def search(self, resource_type: str, parameters: Sequence[tuple[str, str]]) -> SearchResult:
        """Every page of a search, up to the limits; order and size of pages are the server's.

        Raises `FHIRAccessError` if the first page cannot be had. A later one that cannot leaves
        the search cut short: what was read is still true.
        """
        url = httpx.URL(f"{self._root}/{resource_type}", params=parameters)
        return self._pages(_searchset(self._get(url)), url)

    def follow(self, bundle: Raw) -> SearchResult:
        """A Bundle that came another way, as prefetch, with the pages after it (R21)."""
        return self._pages(bytes(bundle), httpx.URL(f"{self._root}/"))

    def _pages(self, first: bytes, url: httpx.URL) -> SearchResult:
        pages, size, seen = [first], len(first), {str(url)}
        while (link := next_link(pages[-1])) is not None:
            following = self._within(url, link)
            loop = following is None or str(following) in seen
            if following is None or loop or len(pages) >= self._max_pages or size > MAX_SEARCH:
                return SearchResult(tuple(pages), cut_short=True)
            try:
                page = _searchset(self._get(following))
            except FHIRAccessError:
                return SearchResult(tuple(pages), cut_short=True)
            url = following
            seen.add(str(url))
            size += len(page)
            pages[-1] = without_links(pages[-1])
            pages.append(page)
        return SearchResult(tuple(pages), cut_short=False)

    def _within(self, current: httpx.URL, link: str) -> httpx.URL | None:
        """The address of the next page, if it is on the same server and below the same base."""
        try:
            url = read_url(str(current.join(link)), allow_private=self._allow_private)
        except (httpx.InvalidURL, ValueError):
            return None
        return url if link and url is not None and is_below(url, self._base) else None

    def _get(self, url: httpx.URL) -> bytes:
        reply = self._exchange.get(url, self._headers, deadline=self._deadline)
        for _ in range(self._redirects):
            target = self._within(url, reply.headers.get("location", ""))
            if reply.status not in _REDIRECTED or target is None:
                break
            url = target
            reply = self._exchange.get(url, self._headers, deadline=self._deadline)
        if reply.status != HTTPStatus.OK:
            raise status_error(reply.status)
        return reply.body.removeprefix(_BYTE_ORDER_MARK)


def _resource(body: bytes, resource_type: str) -> bytes:
    found = head(body).resource_type
    if found == "OperationOutcome":
        raise FHIRAccessError(AccessFault.REJECTED, "OperationOutcome")
    if found != resource_type:
        raise FHIRAccessError(AccessFault.MALFORMED, "not the resource asked for")
    return body


def _searchset(body: bytes) -> bytes:
    if prefetch_state(_resource(body, "Bundle")) is PrefetchState.OPERATION_OUTCOME:
        raise FHIRAccessError(AccessFault.REJECTED, "OperationOutcome")
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        raise FHIRAccessError(AccessFault.MALFORMED, "not a JSON object") from None


def _oauth_error(reply: Reply) -> str:
    try:
        code = _object(reply.body).get("error")
    except FHIRAccessError:
        code = None
    known = isinstance(code, str) and _OAUTH_ERROR.fullmatch(code)
    return str(code) if known else f"status {reply.status}"
