"""Which addresses and URLs may be reached for a caller."""

import httpx
import pytest

from fhir_mapping.addresses import is_below, may_connect, read_url

PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "::1",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "::10.0.0.1",
    "::ffff:0:10.0.0.1",
    "fec0::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_only_when_allowed(address: str) -> None:
    assert not may_connect(address, allow_private=False)
    assert may_connect(address, allow_private=True)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_always(address: str) -> None:
    assert may_connect(address, allow_private=False)


@pytest.mark.parametrize("address", ["0.0.0" + ".0", "::", "224.0.0.1", "ff02::1", "nonsense", ""])
def test_what_is_no_host_never(address: str) -> None:
    assert not may_connect(address, allow_private=True)
    assert not may_connect(address, allow_private=False)


@pytest.mark.requirement("R25")
def test_plain_http_only_where_private_addresses_are_allowed() -> None:
    assert read_url("http://fhir.example/r4", allow_private=False) is None
    assert read_url("http://fhir.example/r4", allow_private=True) is not None
    assert read_url("https://fhir.example/r4", allow_private=False) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fhir.example/r4",
        "ftp://fhir.example/r4",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@fhir.example/r4",
        "https://fhir.example/r4#x",
        "https://fhir.example/r4/%2e%2e/admin",
        "https://fhir.example/r4/..%5cadmin",
        "https://fhir.example:99999/r4",
        "https://[::1/r4",
        "https://fhir.example/\x00",
    ],
)
def test_urls_that_are_never_asked(text: str) -> None:
    assert read_url(text, allow_private=True) is None


@pytest.mark.parametrize(
    ("url", "below"),
    [
        ("https://fhir.example/r4", True),
        ("https://fhir.example/r4?_getpages=1", True),
        ("https://fhir.example/r4/Observation?page=2", True),
        ("https://FHIR.example:443/r4/Observation", True),
        ("https://fhir.example/r4x/Observation", False),
        ("https://fhir.example/other", False),
        ("https://fhir.example/r4/../other", False),
        ("http://fhir.example/r4/Observation", False),
        ("https://fhir.example:8443/r4/Observation", False),
        ("https://evil.example/r4/Observation", False),
        ("https://fhir.example.evil.example/r4/Observation", False),
    ],
)
def test_a_page_is_below_the_same_base(url: str, below: bool) -> None:
    assert is_below(httpx.URL(url), httpx.URL("https://fhir.example/r4/")) is below
