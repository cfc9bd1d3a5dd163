"""HL7 v2 from files and sockets ends in outcomes, and says what became of it."""

import asyncio
import gzip
import logging
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, ClientSettings
from cds_service.services import hl7v2
from cds_service.services.hl7v2 import HL7Service, Taken
from cds_service.services.mllp import MLLPListener
from cds_service.services.outcomes import OutcomeService
from cds_service.services.resource_files import IngestError
from cds_service.storage import session
from cds_service.storage.tables import AUDIT_EVENTS, CONDITIONS, PATIENT_MERGES
from fhir_mapping.hl7v2_diagnoses import Reading
from tests.support.hl7v2 import acknowledged, dg1, framed, merge, message, prb
from tests.support.stored import BASE, SEEN, assessed, category, current, rows, set_time

CLIENT = Client("ehr", ClientSettings(fhir_servers=(BASE,)))


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def service(context: ProcessContext, client: Client = CLIENT, **reading: Any) -> HL7Service:
    return HL7Service(context, client, base=client.base, reading=Reading(**reading), actor="test")


def take(context: ProcessContext, path: Path, content: str | bytes, **reading: Any) -> Taken:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return service(context, **reading).take_files([path], progress=lambda _step, _share: None)


def send(context: ProcessContext, text: str, **reading: Any) -> tuple[str, str]:
    """Code and text of the acknowledgement."""
    code, _, words = acknowledged(service(context, **reading).answer(text.encode()))
    return code, words


def test_a_file_of_messages_gives_outcomes_once(context: ProcessContext, tmp_path: Path) -> None:
    assessment = assessed(context, encounter="e1")
    text = message(dg1(kind="W"), control_id="1") + message(dg1(), control_id="2")
    first = take(context, tmp_path / "adt.hl7", text)
    assert (first.messages, first.repeated, first.received.stored) == (2, 0, 2)
    assert category(context, assessment) == "acute"
    assert current(context)[0]["channel"] == "hl7v2"
    again = take(context, tmp_path / "again.hl7", framed(text))
    assert (again.repeated, again.received.stored) == (2, 0)
    assert rows(context, CONDITIONS) == 2
    packed = take(context, tmp_path / "adt.hl7.gz", gzip.compress(text.encode()))
    assert packed.repeated == 2


def test_messages_of_many_batches_and_bad_ones_among_them(
    context: ProcessContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hl7v2, "BATCH", 3)
    texts = [message(dg1(identifier=f"c{i}"), control_id=str(i)) for i in range(10)]
    texts[4] = message(dg1(), event="ORU^R01")
    texts[6] = "MSH|^^|Xqz\r"
    texts[8] = message(dg1(identifier="c8"), patient="Xqz^^^H^SS")
    taken = take(context, tmp_path / "adt.hl7", "".join(texts))
    assert (taken.messages, taken.received.stored) == (10, 7)
    assert taken.faults == Counter(
        {
            "MSH-9: no message of ADT, BAR or PPR": 1,
            "MSH-2: two separators are the same character": 1,
        }
    )
    assert [issue.split(":")[0] for issue in taken.issues] == ["message 5", "message 7"]
    assert taken.skipped == Counter(no_patient_id=1)
    assert "Xqz" not in str(taken)
    # What could not be told is tried again once the site has said how to read it.
    again = take(context, tmp_path / "adt.hl7", "".join(texts), identifier_type="SS")
    assert again.received.stored == 1


def test_a_merge_stands_between_the_messages_around_it(
    context: ProcessContext, tmp_path: Path
) -> None:
    mine, theirs = assessed(context), assessed(context, patient="p9")
    old = message(dg1(identifier="c9"), patient="p9^^^HOSP^MR", visit=None, control_id="1")
    late = message(
        dg1("E11.9^^I10C", identifier="c8"), patient="p9^^^HOSP^MR", visit=None, control_id="3"
    )
    taken = take(context, tmp_path / "adt.hl7", old + merge() + late)
    assert (taken.received.stored, taken.received.merged) == (2, 1)
    assert rows(context, PATIENT_MERGES) == 1
    assert category(context, mine) == category(context, theirs) == "acute"
    assert len(current(context)) == 2


def test_a_file_that_is_gone_is_refused(context: ProcessContext, tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="There is no file"):
        service(context).take_files([tmp_path / "no.hl7"], progress=lambda _s, _h: None)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (message(dg1()), "AA", ""),
        (message(prb(), event="PPR^PC1"), "AA", ""),
        (message(event="ADT^A02"), "AA", ""),
        (message(dg1(), processing="T"), "AA", "MSH-11"),
        (message(dg1(), event="ORU^R01"), "AR", "MSH-9"),
        ("MSH|^~\\&|only", "AR", "MSH-9"),
        ("PID|1||p1\r", "AR", "MSH"),
        (message(dg1(), charset="KS X 1001"), "AR", "MSH-18"),
        (message(dg1(), patient="Xqz^^^H^SS"), "AE", "No identifier"),
        (merge(old="Xqz^^^H^SS"), "AE", "No identifier"),
        (message(dg1("I21.9^^I10C", identifier="c1"), visit="Xqz" + "x" * 200), "AA", ""),
    ],
)
def test_every_message_is_answered(
    context: ProcessContext, text: str, code: str, words: str
) -> None:
    got, said = send(context, text)
    assert (got, words in said) == (code, True)
    assert "Xqz" not in said


def test_an_answer_is_given_after_the_commit_and_a_repetition_changes_nothing(
    context: ProcessContext,
) -> None:
    assessment = assessed(context, encounter="e1")
    working, final = message(dg1(kind="W"), control_id="1"), message(dg1(), control_id="2")
    assert send(context, working) == ("AA", "")
    assert send(context, final) == ("AA", "")
    assert category(context, assessment) == "acute"
    # The sender had not seen our answer, and sends the first again: the outcome stays.
    assert send(context, working) == ("AA", "Taken before")
    assert category(context, assessment) == "acute"
    assert rows(context, CONDITIONS) == 2


def test_a_message_that_cannot_be_stored_is_not_taken(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any, **_more: Any) -> None:
        raise RuntimeError("Xqz")

    with monkeypatch.context() as patch:
        patch.setattr(OutcomeService, "receive", fails)
        assert send(context, message(dg1()))[0] == "AE"
    assert rows(context, CONDITIONS) == 0
    assert send(context, message(dg1())) == ("AA", "")
    assert rows(context, CONDITIONS) == 1


def test_an_invalid_diagnosis_is_not_remembered_as_taken(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = message(dg1("I21.9^^I10C"))
    with monkeypatch.context() as patch:
        patch.setattr("fhir_mapping.hl7v2_diagnoses.fhir_time", lambda _text, _zone: "Xqz")
        assert send(context, text) == ("AE", "A diagnosis is not valid as a FHIR Condition")
    assert send(context, text) == ("AA", "")


def test_c21_what_the_client_allows_is_kept(context: ProcessContext) -> None:
    text = message(dg1(confidential="Y"))
    assert send(context, text)[0] == "AA"
    assert rows(context, CONDITIONS) == 0
    allowing = Client("other", ClientSettings(fhir_servers=(BASE,), allow_restricted=True))
    service(context, allowing).answer(text.encode())
    assert rows(context, CONDITIONS) == 1


@contextmanager
def listener(context: ProcessContext) -> Iterator[int]:
    """The listener in front of the service, on a port of its own."""
    ready, stop = threading.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        taking = service(context)
        one = MLLPListener(taking.answer, refuse=taking.refuse)
        ports.append(await one.start("127.0.0.1", 0))
        ready.set()
        await asyncio.to_thread(stop.wait)
        await one.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        stop.set()
        thread.join()


def replies(connection: socket.socket, count: int) -> list[str]:
    data = b""
    while data.count(b"\x1c\r") < count:
        data += connection.recv(65_536)
    blocks = [block.lstrip(b"\x0b") for block in data.split(b"\x1c\r") if block]
    return [" ".join(acknowledged(block)[:2]) for block in blocks]


def test_over_a_socket_in_whatever_packets(
    context: ProcessContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assessment = assessed(context, encounter="e1")
    data = framed(
        message(dg1(kind="A"), control_id="m1"),
        "no message at all",
        message(dg1(), control_id="m2"),
        message(dg1(), control_id="m2"),
    )
    data += b"\x0b" + message("ZXX|\xff", control_id="m3", charset="ASCII").encode("latin-1")
    data += b"\x1c\r"
    with (
        listener(context) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        for start in range(0, len(data), 200):
            connection.sendall(data[start : start + 200])
        assert replies(connection, 5) == ["AA m1", "AR ", "AA m2", "AA m2", "AR m3"]
    assert category(context, assessment) == "acute"
    assert rows(context, CONDITIONS) == 2
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert "Xqz" not in logged


def test_the_same_message_over_two_connections_at_once(context: ProcessContext) -> None:
    assessed(context, encounter="e1")
    texts = [framed(message(dg1(), control_id="m1"))] * 4
    with listener(context) as port:
        sockets = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in texts]
        for one, text in zip(sockets, texts, strict=True):
            one.sendall(text)
        assert [replies(one, 1) for one in sockets] == [["AA m1"]] * 4
        for one in sockets:
            one.close()
    assert rows(context, CONDITIONS) == 1


def test_what_was_taken_stands_in_the_audit_trail_without_the_patient(
    context: ProcessContext,
) -> None:
    send(context, message(dg1(identifier="Xqz1"), patient="Xqz2^^^H^MR", visit="Xqz3"))
    with session.reading(context.engine) as connection:
        (event,) = connection.execute(select(AUDIT_EVENTS)).all()
    assert (event.object_id, event.detail["stored"]) == ("hl7v2", 1)
    assert "Xqz" not in str(tuple(event))
