"""HL7 v2 messages for tests, as an ADT interface sends them."""

from collections.abc import Sequence


def message(
    *segments: str,
    event: str = "ADT^A08",
    control_id: str = "M1",
    sent: str = "20260302110000+0000",
    processing: str = "P",
    charset: str = "",
    patient: str = "p1^^^HOSP^MR",
    visit: str | None = "e1",
    disposition: str = "",
) -> str:
    """One message of CR-ended segments; `segments` follow PID and PV1."""
    header = ["MSH", "^~\\&", "EHR", "HOSP", "CDS", "HOSP", sent, "", event, control_id]
    header += [processing, "2.5.1", "", "", "", "", "", charset]
    lines = ["|".join(header), f"EVN||{sent}", f"PID|1||{patient}||Xqzfamily^Xqzgiven"]
    if visit is not None:
        fields = [""] * 46
        fields[0], fields[1], fields[2] = "PV1", "1", "E"
        fields[19], fields[36] = f"{visit}^^^HOSP^VN", disposition
        lines.append("|".join(fields))
    return "\r".join([*lines, *segments]) + "\r"


def dg1(
    code: str = "I21.9^Xqztext^I10C",
    *,
    kind: str = "F",
    at: str = "20260302100000+0000",
    identifier: str = "c1",
    action: str = "",
    number: int = 1,
    confidential: str = "",
) -> str:
    """A diagnosis."""
    fields = [""] * 22
    fields[0], fields[1], fields[3], fields[4] = "DG1", str(number), code, "Xqzdescription"
    fields[5], fields[6], fields[18], fields[20], fields[21] = (
        at,
        kind,
        confidential,
        identifier,
        action,
    )
    return "|".join(fields)


def prb(
    code: str = "I21.9^Xqztext^I10C",
    *,
    action: str = "AD",
    identifier: str = "c1",
    established: str = "20260302100000+0000",
    at: str = "",
    confirmation: str = "",
    status: str = "",
    security: str = "",
) -> str:
    """A problem."""
    fields = [""] * 26
    fields[0], fields[1], fields[2], fields[3], fields[4] = "PRB", action, at, code, identifier
    fields[7], fields[13], fields[14], fields[25] = established, confirmation, status, security
    return "|".join(fields)


def merge(into: str = "p1^^^HOSP^MR", old: str = "p9^^^HOSP^MR", event: str = "ADT^A40") -> str:
    """Two patients are one."""
    return message(f"MRG|{old}", event=event, patient=into, visit=None)


def framed(*messages: str) -> bytes:
    """Messages as MLLP sends them."""
    return b"".join(b"\x0b" + text.encode() + b"\x1c\r" for text in messages)


def acknowledged(answer: bytes) -> Sequence[str]:
    """MSA of an acknowledgement: code, control id, text."""
    (line,) = (s for s in answer.decode().split("\r") if s.startswith("MSA"))
    return line.split("|")[1:4]
