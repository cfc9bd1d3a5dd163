"""Which addresses and URLs may be reached on behalf of a caller.

`fhirServer` and `link.next` are chosen by whoever calls: without these rules a request could make
the service read from inside the hospital's network (R32, server-side request forgery).
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote

import httpx

Address = IPv4Address | IPv6Address

_DEFAULT_PORT = {"http": 80, "https": 443}
_LAST_PORT = 65535
_NAT64 = ip_network("64:ff9b::/96")
"""IPv4 addresses as a NAT64 gateway writes them (RFC 6052)."""
_GLOBAL_UNICAST = ip_network("2000::/3")
"""All that is assigned to the public IPv6 network (IANA). Outside lie site-local addresses, a
gateway's own NAT64 prefix (RFC 8215), and IPv4 addresses written in ways of the past."""


def may_connect(text: str, *, allow_private: bool) -> bool:
    """Whether a connection to this IP address may be made.

    Public addresses may always, private, loopback and link-local ones only with `allow_private`,
    multicast and "any" addresses never. An IPv4 address inside an IPv6 address counts as itself.
    """
    try:
        # A zone ("fe80::1%eth0") says which interface, not which address.
        address = _embedded(ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if address.is_multicast or address.is_unspecified:
        return False
    if allow_private:
        return True
    is_public = address.version == 4 or address in _GLOBAL_UNICAST
    return address.is_global and is_public


def _embedded(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in _NAT64:
        inside = IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def read_url(text: str, *, allow_private: bool) -> httpx.URL | None:
    """An absolute https URL that may be asked for, `None` for any other.

    Plain http only with `allow_private`: in production tokens travel encrypted (R25). Never with
    a user or password in it, nor with `..` in the path.
    """
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port
    except (httpx.InvalidURL, ValueError, TypeError):
        return None
    schemes = ("https", "http") if allow_private else ("https",)
    if url.scheme not in schemes or not host or url.userinfo or url.fragment:
        return None
    if port is not None and not 0 < port <= _LAST_PORT:
        return None
    segments = unquote(url.path).replace("\\", "/").split("/")
    return None if {".", ".."} & set(segments) else url


def is_below(url: httpx.URL, base: httpx.URL) -> bool:
    """Whether `url` has the origin of `base` (scheme, host, port) and its path or one below."""
    if origin(url) != origin(base):
        return False
    root = base.path.rstrip("/")
    return url.path == root or url.path.startswith(root + "/")


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, the port also where it is the default one."""
    return url.scheme, url.host, url.port or _DEFAULT_PORT.get(url.scheme)
