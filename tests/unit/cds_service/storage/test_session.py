"""Engines: what a connection is set to, and which addresses are refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cds_service.errors import ConfigurationError
from cds_service.storage import session
from cds_service.storage.feedback_store import FeedbackStore
from cds_service.storage.tables import FEEDBACK

INSTANTS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""The first and the last that FHIR and Python can write."""


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/Lima"])
def test_every_instant_comes_back_whatever_the_zone_of_the_server(
    database_url: str, zone: str
) -> None:
    if database_url.startswith("postgresql"):
        database_url += f"?options=-c%20timezone%3D{zone}"
    engine = session.create_database_engine(database_url)
    session.upgrade(engine)
    with engine.begin() as connection:
        FeedbackStore(connection).add(
            [
                {
                    "id": str(at),
                    "client": "c",
                    "service": "s",
                    "card_uuid": "x",
                    "known_card": False,
                    "outcome": "accepted",
                    "outcome_timestamp": at,
                    "received_at": at,
                    "reason_system": None,
                    "reason_code": None,
                    "accepted_suggestions": None,
                    "comment": None,
                }
                for at in INSTANTS
            ]
        )
    with session.reading(engine) as connection:
        query = select(FEEDBACK.c.outcome_timestamp).order_by(FEEDBACK.c.outcome_timestamp)
        times = list(connection.execute(query).scalars())
    engine.dispose()
    assert times == list(INSTANTS)
    assert {time.utcoffset() for time in times} == {timedelta(0)}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("secret", "not a URL"),
        ("mysql://u:secret@host/x", "SQLite or PostgreSQL"),
        ("postgresql+secret://host/x", "postgresql"),
        ("sqlite:////dev/null/x/y", "Not a directory"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        session.create_database_engine(url)
    assert "secret" not in str(refused.value)


def test_an_error_does_not_quote_what_was_to_be_stored(tmp_path: Path) -> None:
    engine = session.create_database_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with pytest.raises(Exception, match="no such table") as failed, engine.begin() as connection:
        FeedbackStore(connection).add([{"id": "patient 4711"}])
    engine.dispose()
    assert "4711" not in str(failed.value)
