"""Diagnoses wait for each other; cards do not wait for them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.pool import QueuePool

from cds_service.app import THREADS
from cds_service.context import WRITERS
from cds_service.services.conditions import ConditionIntake
from cds_service.storage.condition_store import OutcomeStore
from tests.support.conditions import condition
from tests.support.service import Service, new_context
from tests.support.stored import SEEN, current, receive, set_time


def test_cards_are_answered_while_the_conditions_of_many_charts_wait(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), threading.Lock()
    kept = 0

    def slow(*_of: Any, **_more: Any) -> None:
        nonlocal kept
        go.wait(60)
        with begun:
            kept += 1

    monkeypatch.setattr(ConditionIntake, "from_chart", slow)
    request = service.request(service.vitals())
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "type": "searchset"}
    try:
        for number in range(THREADS + 1):
            again = request | {"hookInstance": f"00000000-0000-4000-8000-{number:012}"}
            assert service.assess(again).status_code == 200
        assert kept == 0
    finally:
        go.set()
    deadline = time.monotonic() + 30
    while kept <= THREADS and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kept == THREADS + 1, "each is kept in its turn"


def test_deliveries_that_wait_leave_connections_to_others(
    tmp_path: Path, database_url: str
) -> None:
    context = new_context(tmp_path, database_url)
    set_time(context, SEEN + timedelta(days=40))
    pool = context.engine.pool
    assert isinstance(pool, QueuePool)
    with ThreadPoolExecutor(WRITERS + 3) as threads:
        with context.engine.begin() as connection:
            OutcomeStore(connection).lock()
            waiting = [
                threads.submit(receive, context, condition(icd="I21.9", id=f"c{number}"))
                for number in range(WRITERS + 3)
            ]
            deadline = time.monotonic() + 20
            while pool.checkedout() <= WRITERS and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.3)  # Time in which more than that would come.
            assert pool.checkedout() == WRITERS + 1
        assert all(one.result().stored == 1 for one in waiting)
    assert len(current(context)) == WRITERS + 3
    context.engine.dispose()
