"""Whatever arrives as HL7 v2, only its own error is raised, and nothing of it is told."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fhir_mapping.hl7v2 import (
    HL7Error,
    acknowledgement,
    read_message,
    split_messages,
)
from fhir_mapping.hl7v2_diagnoses import Reading, read_diagnoses
from fhir_mapping.resources import parse_resource
from tests.support.hl7v2 import dg1, framed, merge, message, prb

MARK = "Xqzmark"
GOOD = [
    message(dg1(), dg1("J00^^I10C", number=2)),
    message(prb(), event="PPR^PC1"),
    merge(),
]
parts = st.sampled_from(
    ["|", "^", "~", "\\", "&", "\r", "\n", "\x0b", "\x1c", '""', "MSH|^~\\&|", "PID|", "DG1|", MARK]
) | st.text(max_size=8)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A good message with parts cut out and others put in."""
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(text)))
        until = draw(st.integers(place, min(len(text), place + 12)))
        text = text[:place] + draw(parts) + text[until:]
    encoding = draw(st.sampled_from(["utf-8", "latin-1", "utf-16"]))
    return text.encode(encoding, "replace")


def said_of(data: bytes) -> str:
    """Reads a message; what is said to a person where it cannot be read."""
    try:
        found = read_diagnoses(read_message(data), Reading())
    except HL7Error as refused:
        return f"{refused} {refused.element}"
    for condition in found.conditions:
        # The rules take it or tell what is wrong; none of them raises.
        parse_resource("Condition", condition)
        assert found.patient_id
    return ""


@given(broken())
def test_broken_messages(data: bytes) -> None:
    assert MARK not in said_of(data)
    ack = acknowledgement(data, "AR", "text", at=datetime(2026, 3, 1, tzinfo=UTC), control_id="1")
    assert ack.count(b"\rMSA") == 1
    assert ack.count(b"\r") == 2
    read_message(ack)


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    assert MARK not in said_of(data)
    for one in split_messages([data[:50], data[50:]]):
        assert MARK not in said_of(one)


@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=4), st.integers(1, 400))
def test_splitting_does_not_depend_on_the_pieces(messages: list[str], size: int) -> None:
    data = framed(*messages)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert len(list(split_messages(pieces))) == len(messages)
