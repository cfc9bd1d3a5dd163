"""HL7 v2 messages are taken apart as they are sent, not as they should be."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import hl7
import pytest

from fhir_mapping.hl7v2 import (
    MAX_MESSAGE,
    HL7Error,
    acknowledgement,
    fhir_time,
    read_message,
    split_messages,
)
from tests.support.hl7v2 import dg1, framed, message

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ONE, TWO = message(dg1(), control_id="M1"), message(dg1(), control_id="M2")


def split(data: bytes, size: int = 7) -> list[bytes]:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return list(split_messages(pieces))


@pytest.mark.parametrize(
    "data",
    [
        (ONE + TWO).encode(),
        (ONE + TWO).replace("\r", "\r\n").encode(),
        (ONE + TWO).replace("\r", "\n").encode(),
        b"\xef\xbb\xbf" + (ONE + "\r\r" + TWO).encode(),
        framed(ONE, TWO),
        f"FHS|^~\\&|x\rBHS|^~\\&|x\r{ONE}{TWO}BTS|2\rFTS|1\r".encode(),
    ],
    ids=["cr", "crlf", "lf", "mark", "mllp", "batch"],
)
def test_a_file_is_split_into_its_messages(data: bytes) -> None:
    found = split(data)
    assert [read_message(one).header.value(10) for one in found] == ["M1", "M2"]
    assert [one.decode().rstrip("\r") for one in found] == [ONE.rstrip("\r"), TWO.rstrip("\r")]


def test_what_stands_before_the_first_header_is_told_of() -> None:
    found = split(b"PID|1||p1\r" + ONE.encode())
    assert len(found) == 2
    with pytest.raises(HL7Error, match="does not begin with MSH"):
        read_message(found[0])


def test_a_message_without_end_is_cut_and_refused() -> None:
    chunks = [ONE.encode(), *[b"x" * 1_000_000] * 12]
    found = list(split_messages(chunks))
    assert sum(map(len, found)) < 3 * MAX_MESSAGE
    with pytest.raises(HL7Error, match="longer than"):
        read_message(found[0])


def test_a_message_chooses_its_own_separators() -> None:
    text = "MSH$*%!@$EHR$H$C$H$20260302$$ADT*A08$7$P$2.5\rPID$1$$p1*$*$*HOSP@1.2*MR%p2***X*PI\r"
    read = read_message(text.replace("*$*$*", "***").encode())
    assert (read.kind, read.event, read.header.value(10)) == ("ADT", "A08", "7")
    pid = read.first("PID")
    assert pid is not None
    assert pid.repetitions(3) == [
        [["p1"], [""], [""], ["HOSP", "1.2"], ["MR"]],
        [["p2"], [""], [""], ["X"], ["PI"]],
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r"a\T\b", "a&b"),
        (r"a\S\b", "a^b"),
        (r"a\R\b", "a~b"),
        (r"a\F\b", "a|b"),
        (r"a\E\b", "a\\b"),
        (r"a\X4142\b", "aABb"),
        (r"\H\a\N\ \.br\b", "a b"),
        (r"a\unknown\b", "ab"),
        (r"a\b", "ab"),
        ('""', ""),
    ],
)
def test_escape_sequences_are_read(raw: str, text: str) -> None:
    segment = read_message(message(f"ZXX|{raw}").encode()).first("ZXX")
    assert segment is not None
    assert segment.value(1) == text


def test_the_parser_of_the_package_never_sees_an_escape(caplog: pytest.LogCaptureFixture) -> None:
    # Its own unescape would write the field into the log.
    segment = read_message(message(r"ZXX|Xqz\C2842\\M1\\X4G\ ").encode()).first("ZXX")
    assert segment is not None
    assert segment.value(1).startswith("Xqz")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("", "utf-8"),
        ("", "latin-1"),
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("~8859/2", "utf-8"),
    ],
)
def test_character_sets(charset: str, encoding: str) -> None:
    data = message("ZXX|Ñandú", charset=charset).encode(encoding)
    segment = read_message(data).first("ZXX")
    assert segment is not None
    assert segment.value(1) == "Ñandú"


@pytest.mark.parametrize(
    ("data", "element"),
    [
        (b"", "MSH"),
        (b"\xff\xfe\x00M", "MSH"),
        (b"MSH", "MSH"),
        (b"MSHX^~\\&X", "MSH"),
        (b"MSH|^^\\&|x", "MSH-2"),
        (b"MSH||~\\&|x", "MSH-2"),
        (message(charset="GB 18030-2000").encode(), "MSH-18"),
        (message("ZXX|Ñ", charset="ASCII").encode(), "MSH-18"),
        ((ONE + TWO).encode(), "MSH"),
        (b"MSH|^~\\&|" + b"x" * MAX_MESSAGE, "MSH"),
    ],
)
def test_what_is_no_message_is_refused_by_the_field(data: bytes, element: str) -> None:
    with pytest.raises(HL7Error) as caught:
        read_message(data)
    assert caught.value.element == element


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260302", "2026-03-02"),
        ("202603", "2026-03"),
        ("2026", "2026"),
        ("20260302101530+0545", "2026-03-02T10:15:30+05:45"),
        ("20260302101530.1234-0300", "2026-03-02T10:15:30-03:00"),
        ("202603021015", "2026-03-02T10:15:00+01:00"),
        ("2026030210", "2026-03-02T10:00:00+01:00"),
        ("20260230", None),
        ("20260302251530", None),
        ("2026030", None),
        ("Xqz", None),
        ("", None),
        ("202603021015+9999", "2026-03-02T10:15:00+01:00"),
        ("18000101120000", "1800-01-01"),
    ],
)
def test_times_become_fhir_times(text: str, expected: str | None) -> None:
    assert fhir_time(text, ZoneInfo("Europe/Madrid")) == expected


def test_a_time_without_a_known_zone_is_a_day() -> None:
    assert fhir_time("20260302233000", None) == "2026-03-02"
    assert fhir_time("20260302233000", timezone(timedelta(hours=-3))) == "2026-03-02T23:30:00-03:00"


def test_an_acknowledgement_goes_back_to_the_sender() -> None:
    data = message(dg1(), control_id="A-7 x").encode()
    ack = acknowledgement(data, "AE", "no | ^ value", at=AT, control_id="r1")
    header, msa = ack.decode().rstrip("\r").split("\r")
    assert header == "MSH|^~\\&|CDS|HOSP|EHR|HOSP|20260302120000+0000||ACK^A08|r1|P|2.5.1"
    assert msa == "MSA|AE|A-7 x|no   value"
    assert hl7.parse(ack.decode()).segment("MSA")[1][0] == "AE"


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"MSH", b"MSH|^~\\&", b"MSH|^~\\&|\xff\x01|"])
def test_what_cannot_be_read_is_acknowledged_too(data: bytes) -> None:
    ack = acknowledgement(data, "AR", "unreadable", at=AT, control_id="r1").decode()
    assert ack.startswith("MSH|^~\\&|")
    assert "\rMSA|AR||unreadable\r" in ack


@pytest.mark.parametrize("start", ["MSH|^~|||", "MSH|^~\\|||||", "MSH~|^~~~"])
def test_separators_end_where_the_fields_begin(start: str) -> None:
    message = read_message(f"{start}\rPID{start[3]}1\r".encode())
    assert (message.separators.field, message.separators.component) == (start[3], start[4])


@pytest.mark.parametrize("start", ["MSH§^~\\&§", "MSH|§~\\&|", "MSH|^~\\&\x1b|"])
def test_separators_outside_ascii_are_refused_and_the_answer_can_be_read(start: str) -> None:
    data = f"{start}EHR\rEVN".encode("latin-1")
    with pytest.raises(HL7Error, match="does not begin with MSH and its separators"):
        read_message(data)
    ack = acknowledgement(data, "AR", "text", at=datetime(2026, 3, 1, tzinfo=UTC), control_id="1")
    assert read_message(ack).separators.field == "|"
