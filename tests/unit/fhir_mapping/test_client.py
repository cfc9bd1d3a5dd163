"""Reading from a FHIR server, the good and the bad, on a real socket."""

import gzip
import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from fhir_mapping import connections, exchange
from fhir_mapping.bundles import next_link, read_contents
from fhir_mapping.client import MAX_REDIRECTS, FHIRAccess, FHIRSession
from fhir_mapping.errors import AccessFault, FHIRAccessError
from tests.support import fhir_server as fake
from tests.support.builders import bundle, observation, operation_outcome, patient
from tests.support.certificates import own_certificate
from tests.support.fhir_server import FHIRServer, fhir_server

OBSERVATIONS = [observation(value=60 + n, id=f"o{n}") for n in range(7)]
SEARCH = ("Observation", [("patient", "p1"), ("category", "vital-signs")])


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_BACKOFF", (0.01, 0.02))


@pytest.fixture
def server() -> Iterator[FHIRServer]:
    with fhir_server([patient(), *OBSERVATIONS]) as started:
        yield started


@pytest.fixture
def access() -> Iterator[FHIRAccess]:
    access = FHIRAccess(allow_private=True, max_pages=5)
    yield access
    access.close()


def session(
    access: FHIRAccess, server: FHIRServer, seconds: float = 20, **more: Any
) -> FHIRSession:
    token = more.get("token")
    return access.session(server.url, token=token, deadline=monotonic() + seconds)


def kind_of(error: pytest.ExceptionInfo[FHIRAccessError]) -> AccessFault:
    """The kind, once it is sure that nothing of the request stands in the error."""
    assert error.value.__cause__ is None
    assert error.value.__context__ is None or error.value.__suppress_context__
    assert "p1" not in str(error.value)
    assert "127.0.0.1" not in str(error.value)
    return error.value.kind


def ids(bundles: tuple[bytes, ...]) -> list[str]:
    return sorted(json.loads(bytes(entry.raw))["id"] for entry in read_contents(bundles).entries)


def test_reads_a_resource_with_the_token(access: FHIRAccess, server: FHIRServer) -> None:
    server.token = "secret-token"
    found = session(access, server, token="secret-token").read("Patient", "p1")

    assert json.loads(found) == patient()
    (asked,) = server.log
    assert asked.path == "Patient/p1"
    assert asked.headers["Accept"] == "application/fhir+json"
    assert asked.headers["Authorization"] == "Bearer secret-token"
    assert "Cookie" not in asked.headers


def test_sends_no_token_where_there_is_none(access: FHIRAccess, server: FHIRServer) -> None:
    session(access, server).read("Patient", "p1")

    assert server.log[0].token is None


def test_search_parameters_arrive_as_they_are(access: FHIRAccess, server: FHIRServer) -> None:
    sent = [("patient", "p1"), ("code", "http://loinc.org|882-1,http://loinc.org|883-9")]
    session(access, server).search("Observation", sent)

    assert server.log[0].query == sent


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_search_returns_every_page_whatever_its_size(server: FHIRServer, size: int) -> None:
    server.page_size = size
    reader = FHIRAccess(allow_private=True, max_pages=7)
    found = session(reader, server).search(*SEARCH)
    reader.close()

    assert ids(found.bundles) == [f"o{n}" for n in range(7)]
    assert not found.cut_short
    assert not read_contents(found.bundles).cut_short


def test_more_pages_than_allowed_is_cut_short(access: FHIRAccess, server: FHIRServer) -> None:
    server.page_size = 1
    found = session(access, server).search(*SEARCH)

    assert len(ids(found.bundles)) == 5
    assert found.cut_short
    assert read_contents(found.bundles).cut_short
    assert len(server.log) == 5


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/fhir/R4/Observation?_page=1",
        "https://evil.invalid/fhir/R4/Observation",
        "/elsewhere/Observation?_page=1",
        "{base}/../admin",
        "{base}evil/Observation",
        "http://[broken",
        "",
    ],
)
def test_a_next_link_that_leads_elsewhere_is_not_followed(
    access: FHIRAccess, server: FHIRServer, link: str
) -> None:
    server.behaviours["Observation"] = fake.next_is(link.replace("{base}", server.url))
    found = session(access, server, token="secret-token").search(*SEARCH)

    assert ids(found.bundles) == [f"o{n}" for n in range(7)]
    assert found.cut_short
    assert read_contents(found.bundles).cut_short
    assert len(server.log) == 1


def test_a_loop_of_next_links_ends(access: FHIRAccess, server: FHIRServer) -> None:
    links = {"0": "1", "1": "2", "2": "1"}
    server.behaviours["Observation"] = fake.next_is(
        lambda asked: f"{server.url}/Observation?_page={links[dict(asked.query).get('_page', '0')]}"
    )
    found = session(access, server).search(*SEARCH)

    assert found.cut_short
    assert len(server.log) == 3


def test_a_next_link_may_be_relative(access: FHIRAccess, server: FHIRServer) -> None:
    server.behaviours["Observation"] = fake.at_first(
        1, fake.next_is("Observation?patient=p1&category=vital-signs&_page=0")
    )
    found = session(access, server).search(*SEARCH)

    assert not found.cut_short
    assert len(found.bundles) == 2


@pytest.mark.parametrize("bad", [fake.status(500), fake.status(403), fake.html(), fake.drop])
def test_a_later_page_that_fails_leaves_what_was_read(
    access: FHIRAccess, server: FHIRServer, bad: fake.Behaviour
) -> None:
    server.page_size = 3
    server.behaviours["Observation"] = fake.later_pages(bad)
    found = session(access, server).search(*SEARCH)

    assert len(ids(found.bundles)) == 3
    assert found.cut_short
    assert read_contents(found.bundles).cut_short


def test_a_bundle_that_came_another_way_is_followed(access: FHIRAccess, server: FHIRServer) -> None:
    server.token = "secret-token"
    first = bundle(observation(id="own"), next_url=f"{server.url}/Observation?patient=p1")
    found = session(access, server, token="secret-token").follow(json.dumps(first).encode())

    assert ids(found.bundles) == [*[f"o{n}" for n in range(7)], "own"]
    assert not found.cut_short
    assert next_link(found.bundles[0]) is None


# FHIR, but for its size.
LARGE = json.dumps(patient()).encode() + b" " * 10_000_000
PACKED = json.dumps(bundle(patient()) | {"id": "p1"}).encode()

BAD = [
    (fake.status(401), AccessFault.UNAUTHORIZED),
    (fake.status(403), AccessFault.UNAUTHORIZED),
    (fake.status(404), AccessFault.NOT_FOUND),
    (fake.status(410), AccessFault.NOT_FOUND),
    (fake.status(400), AccessFault.REJECTED),
    (fake.status(422), AccessFault.REJECTED),
    (fake.status(429), AccessFault.UNAVAILABLE),
    (fake.status(429, Retry_After="30"), AccessFault.UNAVAILABLE),
    (fake.status(500), AccessFault.UNAVAILABLE),
    (fake.status(503), AccessFault.UNAVAILABLE),
    (fake.status(204), AccessFault.MALFORMED),
    (fake.redirect("http://127.0.0.1:1/"), AccessFault.REFUSED),
    (fake.html(), AccessFault.MALFORMED),
    (fake.damaged, AccessFault.MALFORMED),
    (fake.cut_body, AccessFault.UNAVAILABLE),
    (fake.drop, AccessFault.UNAVAILABLE),
    (fake.body(b""), AccessFault.MALFORMED),
    (fake.body(b"null"), AccessFault.MALFORMED),
    (fake.body(b'"Bundle"'), AccessFault.MALFORMED),
    (fake.body(b'{"resourceType":"Basic"}'), AccessFault.MALFORMED),
    (fake.body(b'{"resourceType":"\xff"}'), AccessFault.MALFORMED),
    (fake.body(b'{"a":' * 50_000), AccessFault.MALFORMED),
    (fake.body(LARGE), AccessFault.MALFORMED),
    (fake.body(gzip.compress(LARGE), Content_Encoding="gzip"), AccessFault.MALFORMED),
    (fake.gzip_bomb(), AccessFault.MALFORMED),
    # What follows the end of what is packed counts too.
    (fake.body(gzip.compress(PACKED) + LARGE, Content_Encoding="gzip"), AccessFault.MALFORMED),
    (fake.body(b"not gzip", Content_Encoding="gzip"), AccessFault.MALFORMED),
    (fake.body(gzip.compress(b"{}" * 500)[:-9], Content_Encoding="gzip"), AccessFault.MALFORMED),
    (fake.body(b"{}", Content_Encoding="br"), AccessFault.MALFORMED),
    (fake.body(operation_outcome("error")), AccessFault.REJECTED),
]


@pytest.mark.parametrize(("bad", "kind"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_is_wrong_is_told_by_kind(
    access: FHIRAccess, server: FHIRServer, bad: fake.Behaviour, kind: AccessFault
) -> None:
    server.behaviours["*"] = bad
    with pytest.raises(FHIRAccessError) as error:
        session(access, server, token="secret-token").read("Patient", "p1")
    assert kind_of(error) is kind
    with pytest.raises(FHIRAccessError) as error:
        session(access, server, token="secret-token").search(*SEARCH)
    assert kind_of(error) is kind


@pytest.mark.parametrize("follow", [False, True])
def test_a_servers_own_redirect_is_followed_only_if_that_is_configured(
    server: FHIRServer, *, follow: bool
) -> None:
    server.behaviours["Patient"] = fake.at_first(1, fake.redirect(f"{server.url}/Patient/p1"))
    access = FHIRAccess(allow_private=True, max_pages=5, follow_redirects=follow)
    read = session(access, server, token="secret-token").read
    if follow:
        assert b'"p1"' in read("Patient", "p1")
        assert [asked.token for asked in server.asked("Patient")] == ["secret-token"] * 2
    else:
        with pytest.raises(FHIRAccessError) as error:
            read("Patient", "p1")
        assert kind_of(error) is AccessFault.REFUSED
    access.close()


@pytest.mark.parametrize("place", ["loop", "other server", "above the base", "nowhere"])
def test_no_redirect_leads_away_or_round_for_ever(server: FHIRServer, place: str) -> None:
    with fhir_server([patient()]) as other:
        to = {
            "loop": f"{server.url}/Patient/p1",
            "other server": f"{other.url}/Patient/p1",
            "above the base": server.url.removesuffix("/fhir/R4") + "/admin",
            "nowhere": "",
        }[place]
        server.behaviours["Patient"] = fake.redirect(to)
        access = FHIRAccess(allow_private=True, max_pages=5, follow_redirects=True)
        with pytest.raises(FHIRAccessError) as error:
            session(access, server, token="secret-token").read("Patient", "p1")
        access.close()
        assert kind_of(error) is AccessFault.REFUSED
        assert other.log == []
    assert len(server.log) == (1 + MAX_REDIRECTS if place == "loop" else 1)


def test_a_search_that_failed_inside_its_bundle_is_rejected(
    access: FHIRAccess, server: FHIRServer
) -> None:
    failed = bundle(operation_outcome("error"), total=None)
    server.behaviours["Observation"] = fake.body(failed)
    with pytest.raises(FHIRAccessError) as error:
        session(access, server).search(*SEARCH)
    assert kind_of(error) is AccessFault.REJECTED


@pytest.mark.parametrize("behaviour", [fake.wrong_content_type, fake.zipped])
def test_the_body_counts_not_its_label(
    access: FHIRAccess, server: FHIRServer, behaviour: fake.Behaviour
) -> None:
    server.behaviours["*"] = behaviour
    assert json.loads(session(access, server).read("Patient", "p1")) == patient()
    assert len(ids(session(access, server).search(*SEARCH).bundles)) == 7


def test_a_byte_order_mark_is_passed_over(access: FHIRAccess, server: FHIRServer) -> None:
    server.behaviours["*"] = fake.body(b"\xef\xbb\xbf" + json.dumps(patient()).encode())
    assert json.loads(session(access, server).read("Patient", "p1")) == patient()


@pytest.mark.parametrize("bad", [fake.hang, fake.drip, fake.drip_headers])
def test_nothing_outlasts_the_deadline(
    access: FHIRAccess, server: FHIRServer, bad: fake.Behaviour
) -> None:
    server.behaviours["*"] = bad
    with pytest.raises(FHIRAccessError) as error:
        session(access, server, 0.3).read("Patient", "p1")
    assert kind_of(error) is AccessFault.TIMEOUT


def test_nothing_is_asked_after_the_deadline(access: FHIRAccess, server: FHIRServer) -> None:
    with pytest.raises(FHIRAccessError) as error:
        session(access, server, -1).read("Patient", "p1")
    assert kind_of(error) is AccessFault.TIMEOUT
    assert server.log == []


@pytest.mark.parametrize(
    "bad",
    [
        fake.status(429, Retry_After="0"),
        fake.status(
            429,
            Retry_After="Wed, 21 Oct 2026 07:28:00 GMT",
            Date="Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        fake.status(502),
        fake.status(503),
        fake.status(504),
        fake.drop,
        fake.cut_body,
    ],
)
def test_what_passes_is_asked_again(
    access: FHIRAccess, server: FHIRServer, bad: fake.Behaviour
) -> None:
    server.behaviours["*"] = fake.at_first(2, bad)
    assert json.loads(session(access, server).read("Patient", "p1")) == patient()
    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("bad", "times"),
    [
        (fake.status(429, Retry_After="30"), 1),
        (fake.status(503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"), 1),
        (fake.status(503, Retry_After="soon"), 1),
        (fake.status(500), 1),
        (fake.status(401), 1),
        (fake.status(503), 3),
        (fake.drop, 3),
    ],
)
def test_what_does_not_pass_is_not_asked_for_ever(
    access: FHIRAccess, server: FHIRServer, bad: fake.Behaviour, times: int
) -> None:
    server.behaviours["*"] = bad
    with pytest.raises(FHIRAccessError):
        session(access, server).read("Patient", "p1")
    assert len(server.log) == times


def test_a_port_where_nobody_listens(access: FHIRAccess) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(FHIRAccessError) as error:
        access.session(base, token=None, deadline=monotonic() + 20).read("Patient", "p1")
    assert kind_of(error) is AccessFault.UNAVAILABLE
    assert error.value.detail == "no connection"


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    access = FHIRAccess(allow_private=False, max_pages=1)
    with pytest.raises(FHIRAccessError) as error:
        access.session(f"https://{host}:1/r4", token=None, deadline=monotonic() + 20).read(
            "Patient", "p1"
        )
    access.close()
    assert kind_of(error) is AccessFault.REFUSED


@pytest.mark.requirement("R32")
def test_the_address_that_was_checked_is_the_one_that_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is public when it is checked and private when it is connected to."""
    real, answers = socket.getaddrinfo, ["93.184.215.14", "127.0.0.1"]
    reached = []

    def rebinding(host: str, *rest: Any, **more: Any) -> Any:
        if host == "fhir.example":
            host = answers.pop(0)
        return real(host, *rest, **more)

    def connect(_self: object, host: str, *_rest: Any, **_more: Any) -> Any:
        reached.append(host)
        raise connections.httpcore.ConnectError

    monkeypatch.setattr(connections.socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(connections.httpcore.SyncBackend, "connect_tcp", connect)
    access = FHIRAccess(allow_private=False, max_pages=1)
    with pytest.raises(FHIRAccessError):
        access.session("https://fhir.example/r4", token=None, deadline=monotonic() + 20).read(
            "Patient", "p1"
        )
    access.close()
    assert reached == ["93.184.215.14"]


@pytest.mark.requirement("R32")
def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(2, 1, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_a, **_k: places)
    access = FHIRAccess(allow_private=False, max_pages=1)
    with pytest.raises(FHIRAccessError) as error:
        access.session("https://fhir.example/r4", token=None, deadline=monotonic() + 20).read(
            "Patient", "p1"
        )
    access.close()
    assert kind_of(error) is AccessFault.REFUSED


def test_a_resolver_that_hangs_does_not_outlast_the_deadline(
    access: FHIRAccess, server: FHIRServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        connections.socket, "getaddrinfo", lambda *_a, **_k: server.closing.wait() and []
    )
    with pytest.raises(FHIRAccessError) as error:
        session(access, server, 0.2).read("Patient", "p1")
    assert kind_of(error) is AccessFault.TIMEOUT


def test_a_name_whose_look_up_hangs_keeps_no_other_name_waiting(
    access: FHIRAccess, server: FHIRServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, found, asked = threading.Event(), socket.getaddrinfo, []

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        asked.append(host)
        if host == "dead.invalid":
            released.wait(20)
        return found("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = httpx.URL(server.url).port
    try:
        for _ in range(12):
            with pytest.raises(FHIRAccessError) as error:
                access.session("http://dead.invalid", token=None, deadline=monotonic() + 0.05).read(
                    "Patient", "p1"
                )
            assert kind_of(error) is AccessFault.TIMEOUT
        other = access.session(
            f"http://other.invalid:{port}/fhir/R4", token=None, deadline=monotonic() + 5
        )
        assert other.read("Patient", "p1")
    finally:
        released.set()
    assert [host for host in asked if "invalid" in host] == ["dead.invalid", "other.invalid"]


@pytest.mark.parametrize(
    "base", ["http://fhir.example/r4", "https://u:p@fhir.example/r4", "https://fhir.example/r4?x=1"]
)
def test_a_base_that_is_none_is_refused(base: str) -> None:
    access = FHIRAccess(allow_private=False, max_pages=1)
    with pytest.raises(FHIRAccessError) as error:
        access.session(base, token=None, deadline=monotonic() + 20)
    access.close()
    assert kind_of(error) is AccessFault.REFUSED


@pytest.mark.parametrize("token", ["two\r\nlines: x", "with space", "ñ", ""])
def test_a_token_no_header_can_carry_is_not_sent(access: FHIRAccess, token: str) -> None:
    with pytest.raises(FHIRAccessError) as error:
        access.session("http://127.0.0.1:1", token=token, deadline=monotonic() + 20)
    assert kind_of(error) is AccessFault.UNAUTHORIZED


@pytest.mark.parametrize("wrong", ["..", ".", "a/b", "../x", "a b", "", "x" * 65])
def test_an_id_cannot_lead_elsewhere(access: FHIRAccess, server: FHIRServer, wrong: str) -> None:
    with pytest.raises(FHIRAccessError) as error:
        session(access, server).read("Patient", wrong)
    assert error.value.kind is AccessFault.NOT_FOUND
    assert server.log == []


def test_no_proxy_of_the_environment_is_used(
    server: FHIRServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    own = FHIRAccess(allow_private=True, max_pages=1)
    assert json.loads(session(own, server).read("Patient", "p1")) == patient()
    own.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that only itself vouches for, with its key."""
    return own_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.requirement("R25")
def test_a_hospitals_own_certificates_are_trusted_where_it_says_so(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with fhir_server([patient()], tls=tls) as server:
        stranger = FHIRAccess(allow_private=True, max_pages=1)
        with pytest.raises(FHIRAccessError) as error:
            session(stranger, server).read("Patient", "p1")
        stranger.close()
        assert kind_of(error) is AccessFault.UNAVAILABLE
        assert error.value.detail == "certificate not trusted"
        assert server.log == []

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        own = FHIRAccess(allow_private=True, max_pages=1)
        assert json.loads(session(own, server).read("Patient", "p1")) == patient()
        # The name is checked too, although the connection goes to an address.
        server.url = server.url.replace("localhost", "127.0.0.1")
        with pytest.raises(FHIRAccessError) as error:
            session(own, server).read("Patient", "p1")
        assert error.value.detail == "certificate not trusted"
        server.url = server.url.replace("127.0.0.1", "localhost")
        server.behaviours["*"] = fake.drip
        with pytest.raises(FHIRAccessError) as error:
            session(own, server, 0.3).read("Patient", "p1")
        own.close()
        assert kind_of(error) is AccessFault.TIMEOUT


def test_cookies_of_one_patient_do_not_reach_the_next(
    access: FHIRAccess, server: FHIRServer
) -> None:
    server.behaviours["Patient"] = fake.body(patient(), Set_Cookie="patient=p1")
    session(access, server).read("Patient", "p1")
    session(access, server).search(*SEARCH)
    assert "Cookie" not in server.log[1].headers


@pytest.mark.requirement("R29")
def test_nothing_of_a_request_reaches_a_log(
    access: FHIRAccess, server: FHIRServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session(access, server, token="secret-token").read("Patient", "p1")
    server.behaviours["*"] = fake.status(500)
    with pytest.raises(FHIRAccessError):
        session(access, server, token="secret-token").search(*SEARCH)
    for record in caplog.records:
        assert "secret-token" not in record.getMessage()
        assert "p1" not in record.getMessage()


def test_a_json_object_is_fetched(access: FHIRAccess, server: FHIRServer) -> None:
    server.behaviours["*"] = fake.body({"keys": []}, "application/json")
    assert access.get_json(f"{server.url}/jwks.json", deadline=monotonic() + 20) == {"keys": []}
    server.behaviours["*"] = fake.body([1], "application/json")
    with pytest.raises(FHIRAccessError) as error:
        access.get_json(f"{server.url}/jwks.json", deadline=monotonic() + 20)
    assert error.value.kind is AccessFault.MALFORMED
    server.behaviours["*"] = fake.status(404)
    with pytest.raises(FHIRAccessError) as error:
        access.get_json(f"{server.url}/jwks.json", deadline=monotonic() + 20)
    assert error.value.kind is AccessFault.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "answer", "kind", "detail"),
    [
        (400, {"error": "invalid_client"}, AccessFault.REJECTED, "invalid_client"),
        (401, {"error": "Secret Value"}, AccessFault.UNAUTHORIZED, "status 401"),
        (503, None, AccessFault.UNAVAILABLE, "status 503"),
    ],
)
def test_a_form_is_posted_once_and_its_error_code_told(
    access: FHIRAccess,
    server: FHIRServer,
    status: int,
    answer: object,
    kind: AccessFault,
    detail: str,
) -> None:
    server.tokens = lambda form: (200, {"access_token": "t", "form": form})
    url = f"{server.url}/token"
    found = access.post_form(url, {"grant_type": "x y"}, deadline=monotonic() + 20)
    assert found == {"access_token": "t", "form": {"grant_type": "x y"}}
    server.tokens = lambda _form: (status, answer)
    with pytest.raises(FHIRAccessError) as error:
        access.post_form(url, {"grant_type": "x"}, deadline=monotonic() + 20)
    assert kind_of(error) is kind
    assert error.value.detail == detail
    assert len(server.log) == 2
