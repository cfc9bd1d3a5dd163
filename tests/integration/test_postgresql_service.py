"""Two replicas of the service over one PostgreSQL: what one has done, the other knows."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from cds_service.context import ProcessContext
from cds_service.storage import session
from model.training.simulation import simulate_cohort
from tests.support.cards_check import assert_response
from tests.support.hospital import diagnosis, visit, visits
from tests.support.process import command, serving
from tests.support.service import new_context, release

PATIENTS = 25


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    """A database of its own."""
    name = f"replicas_{uuid4().hex}"
    admin = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgresql).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def count(context: ProcessContext, table: str, where: str = "true") -> Any:
    with session.reading(context.engine) as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar()  # noqa: S608 - names of this file.


def post(replica: httpx.Client, service: str, body: Any) -> httpx.Response:
    return replica.post(f"/cds-services/{service}", json=body)


def test_two_replicas_are_one_service(
    tmp_path: Path, url: str, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path, database_url=url)
    release(context, "1", *small_model)
    with (
        serving(tmp_path, CDS_DATABASE_URL=url) as one,
        serving(tmp_path, CDS_DATABASE_URL=url) as two,
        httpx.Client(base_url=one.url, timeout=30) as first,
        httpx.Client(base_url=two.url, timeout=30) as second,
        ThreadPoolExecutor(4) as pool,
    ):
        now = datetime.now(UTC)
        seen = list(visits(simulate_cohort(2 * PATIENTS, seed=9).head(PATIENTS)))
        calls = [visit(patient, row, now) for patient, row in seen]

        # C12: the same call to both at once is stored once, and both get the one answer.
        pending = [
            (
                pool.submit(post, first, "disease-severity", call),
                pool.submit(post, second, "disease-severity", call),
            )
            for call in calls
        ]
        answers = [(a.result(), b.result()) for a, b in pending]
        for one_answer, other_answer in answers:
            assert (one_answer.status_code, other_answer.status_code) == (200, 200)
            assert one_answer.content == other_answer.content
            assert_response(one_answer.content)
        assert count(context, "assessments") == PATIENTS
        assert count(context, "audit_events", "action = 'assess'") == PATIENTS
        cards = [card["uuid"] for a, _ in answers for card in a.json()["cards"]]
        assert count(context, "cards") == len(cards)
        again = post(second, "disease-severity", calls[0])
        assert again.content == answers[0][0].content
        other_body = calls[1] | {"hookInstance": calls[0]["hookInstance"]}
        assert post(second, "disease-severity", other_body).status_code == 409

        # The diagnosis comes to one replica at once with the same to the other.
        found = [diagnosis(patient, str(row["severity"]), now) for patient, row in seen]
        pending = [
            (
                pool.submit(post, first, "record-problem", body),
                pool.submit(post, second, "record-problem", body),
            )
            for body in found
        ]
        for both in pending:
            for future in both:
                response = future.result()
                assert (response.status_code, response.content) == (200, b'{"cards":[]}')
        assert count(context, "conditions") == PATIENTS
        assert count(context, "outcomes") == PATIENTS

        # Feedback reaches the replica that did not send the card.
        body = {
            "feedback": [
                {
                    "card": card,
                    "outcome": "overridden",
                    "outcomeTimestamp": now.isoformat(),
                    "overrideReason": {"userComment": "seen \x00 and left"},
                }
                for card in cards
            ]
        }
        response = post(second, "disease-severity/feedback", body)
        assert (response.status_code, response.json()) == (200, {})
        assert count(context, "feedback", "known_card") == len(cards)

        evaluated = command(
            tmp_path, "evaluate", "--include-open", CDS_DATABASE_URL=url, CDS_MINIMUM_OUTCOMES="15"
        )
        assert evaluated.returncode == 0, evaluated.stderr
        with session.reading(context.engine) as connection:
            query = text("SELECT model_version, result FROM evaluations WHERE kind = 'evaluate'")
            ((version, result),) = connection.execute(query)
        assert version == "1"
        scored = count(context, "assessments", "situation = 'scored'")
        assert result["counts"]["with_outcome"] == scored
        assert f"Model version 1: {scored} outcomes." in evaluated.stdout
        metrics = {m["metric"] for m in result["metrics"]}
        assert {"log_loss", "auroc", "recall"} <= metrics

        # A promotion reaches both without a restart.
        release(context, "2", *small_model)
        deadline = time.monotonic() + 10
        for replica in (first, second):
            while replica.get("/health/ready").json()["model_version"] != "2":
                assert time.monotonic() < deadline, "a replica kept the old model"
                time.sleep(0.1)
            patient, row = next(visits(simulate_cohort(20, seed=1)))
            fresh = visit(patient, row, now) | {"hookInstance": str(uuid4())}
            (card,) = post(replica, "disease-severity", fresh).json()["cards"]
            assert "Model 2" in card["detail"]
    logged = [json.loads(line) for p in (one, two) for line in p.lines()]
    assert not [line for line in logged if line["level"] in ("ERROR", "CRITICAL")]
    context.engine.dispose()
