"""Outcomes asked for, against a FHIR server and a token endpoint on real sockets."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from cds_service.context import ProcessContext
from cds_service.services.outcome_puller import OutcomePuller, pull_outcomes
from cds_service.services.pulling import MAX_ATTEMPTS, OutcomePulls, Pulled
from cds_service.storage import session
from cds_service.storage.notification_store import NotificationStore
from cds_service.storage.tables import CONDITIONS, NOTIFICATIONS, OUTCOME_PULLS, PATIENT_MERGES
from tests.support.backend import TokenEndpoint, add_backend_client
from tests.support.builders import encounter, patient
from tests.support.conditions import condition
from tests.support.fhir_server import FHIRServer, fhir_server, html, later_pages, status
from tests.support.service import new_context
from tests.support.stored import SEEN, assessed, category, rows, set_time

Json = dict[str, Any]


@dataclass
class Pull:
    """A process, a server, and what asking does."""

    context: ProcessContext
    server: FHIRServer
    tokens: TokenEndpoint
    pulls: OutcomePulls

    def assessed(self, **more: Any) -> str:
        """An assessment of the client `ehr` on its own server."""
        return assessed(self.context, **{"client": "ehr", "base": self.server.url} | more)

    def run(self, *, days: float | None = None, early: bool = False) -> Pulled:
        """Ask, some days after the assessment."""
        if days is not None:
            set_time(self.context, SEEN + timedelta(days=days))
        return pull_outcomes(self.context, self.pulls, actor="test", name=None, early=early)

    def paths(self) -> list[str]:
        """What was read since the last time."""
        found = [
            f"{one.path}?{'&'.join(f'{n}={v}' for n, v in one.query)}".rstrip("?")
            for one in self.server.log
            if one.path != "token"
        ]
        self.server.log.clear()
        return found

    def table(self) -> list[tuple[int, int, str | None, bool]]:
        """Day, attempts, result and whether done, of every pull."""
        with session.reading(self.context.engine) as connection:
            query = select(OUTCOME_PULLS).order_by(
                OUTCOME_PULLS.c.assessment_id, OUTCOME_PULLS.c.day
            )
            return [
                (row.day, row.attempts, row.result, row.done_at is not None)
                for row in connection.execute(query)
            ]


@pytest.fixture
def pull(tmp_path: Path, database_url: str) -> Iterator[Pull]:
    with fhir_server([patient(), encounter()]) as server:
        context = new_context(tmp_path, database_url, fhir_allow_private=True)
        add_backend_client(context, server, tmp_path)
        yield Pull(context, server, TokenEndpoint(server), OutcomePulls(context))
        context.fhir.close()
        context.engine.dispose()


def infarct(**more: Any) -> Json:
    return condition(icd="I21.9", encounter="Encounter/e1", **more)


def test_patients_are_asked_for_on_day_1_7_and_30(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    early = pull.run(days=0.9)
    assert (early.asked, early.next_due) == (0, SEEN + timedelta(days=1))
    assert pull.paths() == []

    pull.server.resources.append(infarct(category="encounter-diagnosis"))
    first = pull.run(days=1)
    assert (first.asked, first.received.stored) == (1, 1)
    assert category(pull.context, assessment) == "acute"
    assert pull.paths() == [
        "Patient/p1",
        "Condition?patient=p1&category=problem-list-item",
        "Condition?patient=p1&category=encounter-diagnosis",
        "Encounter/e1",
    ]
    assert pull.run(days=1.5).asked == 0
    again = pull.run(days=7)
    assert (again.asked, again.received.stored, again.received.unchanged) == (1, 0, 1)
    assert pull.run(days=29).asked == 0

    pull.server.resources[-1] = condition(icd="I10", encounter="Encounter/e1")
    last = pull.run(days=30)
    assert (last.asked, last.received.stored, last.next_due) == (1, 1, None)
    assert category(pull.context, assessment) == "chronic"
    assert [done for *_, done in pull.table()] == [True] * 3
    assert pull.run(days=90).asked == 0


def test_what_a_stopped_service_missed_is_asked_for_once(pull: Pull) -> None:
    pull.assessed(encounter="e1")
    pull.assessed(at=SEEN + timedelta(hours=5), encounter="e2")
    found = pull.run(days=60)
    assert found.asked == 1
    assert len(pull.paths()) == 3
    assert [done for *_, done in pull.table()] == [True] * 6


def test_now_asks_before_the_day_and_again_on_it(pull: Pull) -> None:
    pull.assessed()
    assert pull.run(days=0.1, early=True).asked == 1
    assert [done for *_, done in pull.table()] == [False] * 3
    assert pull.run(days=0.2).asked == 0
    assert pull.run(days=1).asked == 1


def test_c2_excluded_patients_and_those_of_other_clients_are_never_asked_for(pull: Pull) -> None:
    pull.assessed(situation="excluded")
    pull.assessed(client="development")
    # On another server than the client's own the token has no business.
    pull.assessed(base="https://elsewhere.example/fhir")
    found = pull.run(days=60)
    assert (found.asked, pull.paths()) == (0, [])
    assert found.ended == {"not a server of this client": 1}


def test_the_token_is_asked_for_as_smart_says_and_kept_in_memory_only(
    pull: Pull, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for number in range(3):
        pull.assessed(patient=f"p{number}")
        pull.server.resources.append(patient(f"p{number}"))
    assert pull.run(days=1).asked == 3
    (claims,) = pull.tokens.claims
    form = claims["form"]
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"].endswith(":client-assertion-type:jwt-bearer")
    assert form["scope"] == "system/Condition.rs system/Patient.rs system/Encounter.rs"
    assert claims["iss"] == claims["sub"] == "cds-backend"
    assert claims["aud"] == f"{pull.server.url}/token"
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert pull.tokens.headers == [{"alg": "RS384", "kid": "k1", "typ": "JWT"}]

    # Shortly before it expires another is asked for, with an assertion of its own.
    pull.assessed(patient="p1", at=SEEN + timedelta(seconds=280))
    set_time(pull.context, SEEN + timedelta(days=1, seconds=280))
    pull.run()
    assert len(pull.tokens.claims) == 2
    assert pull.tokens.claims[0]["jti"] != pull.tokens.claims[1]["jti"]

    secret = [form["client_assertion"], "xqz-token-1", "xqz-token-2"]
    records = "".join(str(vars(record)) for record in caplog.records)
    assert not any(one in records + caplog.text for one in secret)
    with session.reading(pull.context.engine) as connection:
        for table in CONDITIONS.metadata.tables.values():
            stored = str(connection.execute(select(table)).all())
            assert not any(one in stored for one in secret), table.name


@pytest.mark.parametrize("expires_in", [0, None, "60", 1e12])
def test_an_odd_lifetime_of_a_token_is_survived(pull: Pull, expires_in: object) -> None:
    pull.tokens.expires_in = expires_in
    pull.assessed()
    assert pull.run(days=1).asked == 1
    assert not pull.run(days=7).failed


@pytest.mark.parametrize(
    ("granted", "kind"),
    [
        ((400, {"error": "invalid_client"}), "rejected"),
        ((401, {"error": "invalid_client"}), "unauthorized"),
        ((200, {"token_type": "bearer"}), "malformed"),
        ((200, {"access_token": "x", "token_type": "mac"}), "malformed"),
        ((200, {"access_token": "x", "token_type": "bearer", "expires_in": "soon"}), "malformed"),
        ((200, b"<html>"), "malformed"),
        ((503, {}), "unavailable"),
    ],
)
def test_a_token_that_is_not_given_is_asked_for_later(
    pull: Pull, granted: tuple[int, object], kind: str
) -> None:
    good = pull.server.tokens
    pull.server.tokens = lambda _form: granted
    assessment = pull.assessed(encounter="e1")
    found = pull.run(days=1)
    assert found.failed == {kind: 1}
    assert found.all_failed
    assert pull.paths() == []
    pull.server.tokens = good
    pull.server.resources.append(infarct())
    assert pull.run().asked == 0
    set_time(pull.context, SEEN + timedelta(days=1, minutes=5))
    found = pull.run()
    assert (found.received.stored, found.all_failed) == (1, False)
    assert category(pull.context, assessment) == "acute"


def test_attempts_are_further_and_further_apart(pull: Pull) -> None:
    pull.assessed()
    pull.server.behaviours["*"] = status(403)
    assert pull.run(days=1).failed == {"unauthorized": 1}
    waits = []
    for _ in range(8):
        now = pull.context.clock()
        due = OutcomePulls(pull.context).run(actor="test").next_due
        assert due is not None
        waits.append(due - now)
        set_time(pull.context, due)
        pull.run()
    assert [wait.total_seconds() / 300 for wait in waits[:4]] == [1, 2, 4, 8]
    assert max(waits) <= timedelta(days=1)


def test_a_pull_is_given_up_at_last(pull: Pull) -> None:
    pull.assessed()
    pull.server.behaviours["*"] = status(403)
    pull.run(days=40)
    with pull.context.engine.begin() as connection:
        connection.execute(OUTCOME_PULLS.update().values(attempts=MAX_ATTEMPTS - 1))
    found = pull.run(days=80)
    assert found.ended == {"given up: unauthorized": 1}
    assert [done for *_, done in pull.table()] == [True] * 3


def test_401_makes_a_new_token_next_time(pull: Pull) -> None:
    pull.assessed()
    pull.server.behaviours["Condition"] = status(401)
    assert pull.run(days=1).failed == {"unauthorized": 1}
    assert len(pull.tokens.claims) == 1
    del pull.server.behaviours["Condition"]
    assert not pull.run(days=1.1).failed
    assert len(pull.tokens.claims) == 2


@pytest.mark.parametrize("code", [404, 410])
def test_a_patient_the_server_does_not_have_is_not_asked_for_again(pull: Pull, code: int) -> None:
    pull.assessed(patient="gone")
    pull.server.behaviours["Patient"] = status(code)
    found = pull.run(days=60)
    assert (found.ended, found.failed) == ({"patient not found": 1}, {})
    assert [done for *_, done in pull.table()] == [True] * 3


def test_without_access_to_patient_and_encounter_conditions_are_enough(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    pull.server.resources.append(infarct())
    pull.server.behaviours |= {"Patient": status(403), "Encounter": status(403)}
    found = pull.run(days=1)
    assert (found.received.stored, found.failed) == (1, {})
    assert category(pull.context, assessment) == "acute"


def test_a_server_that_does_not_answer_is_left_alone(pull: Pull) -> None:
    for number in range(8):
        pull.assessed(patient=f"p{number}")
    pull.server.behaviours["*"] = html()
    # Malformed is said of one resource; the others are asked for all the same.
    assert pull.run(days=1).failed == {"malformed": 8}
    pull.server.behaviours["*"] = status(401)
    pull.server.log.clear()
    found = pull.run(days=2)
    assert found.failed == {"unauthorized": 3}
    assert len({one.path for one in pull.server.asked("Patient")}) == 3
    del pull.server.behaviours["*"]
    pull.server.resources += [patient(f"p{number}") for number in range(8)]
    assert pull.run(days=5).asked == 8


def test_what_a_cut_search_brought_is_stored_and_asked_for_again(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    pull.server.resources += [
        infarct(id=f"c{number}", category="encounter-diagnosis") for number in range(3)
    ]
    pull.server.page_size = 1
    pull.server.behaviours["Condition"] = later_pages(status(500))
    found = pull.run(days=1)
    assert (found.received.stored, found.failed) == (1, {"incomplete": 1})
    assert category(pull.context, assessment) == "acute"
    del pull.server.behaviours["Condition"]
    found = pull.run(days=2)
    assert (found.received.stored, found.received.unchanged) == (2, 1)


def test_a_category_the_server_refuses_does_not_hide_the_other(pull: Pull) -> None:
    pull.assessed(encounter="e1")
    pull.server.resources.append(infarct())

    def one_category(handler: Any, asked: Any) -> bool:
        if ("category", "problem-list-item") not in asked.query:
            return False
        return status(400)(handler, asked)

    pull.server.behaviours["Condition"] = one_category
    for _ in range(4):
        found = pull.run(days=1) if not pull.table() else pull.run()
        assert found.failed == {"incomplete": 1}
        assert found.next_due is not None
        set_time(pull.context, found.next_due)
    # After some attempts it is taken as it is.
    assert pull.run().failed == {}
    pull.server.behaviours["Condition"] = status(400)
    assert pull.run(days=7).failed == {"rejected": 1}


def test_c15_the_assessed_encounter_says_who_went_home(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    home = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
    discharged = {"dischargeDisposition": {"coding": [{"system": home, "code": "home"}]}}
    pull.server.resources = [
        patient(),
        encounter(hospitalization=discharged),
        encounter(id="e9", hospitalization=discharged),
        condition(icd="J00", encounter="Encounter/e1"),
        condition(icd="J00", id="c9", encounter="Encounter/e9"),
    ]
    pull.run(days=1)
    assert category(pull.context, assessment) == "mild"
    # Of encounters that were not assessed nothing is read.
    assert [path for path in pull.paths() if "Encounter" in path] == ["Encounter/e1"]


def test_c3_what_is_not_the_patients_is_not_stored(pull: Pull) -> None:
    pull.assessed()

    def wrong(handler: Any, _asked: Any) -> bool:
        other = infarct(subject={"reference": "Patient/p2"})
        absolute = infarct(id="c2", subject={"reference": "https://other.example/Patient/p1"})
        entries = [{"resource": other}, {"resource": absolute}, {"resource": {"id": 7}}, {}]
        handler.send(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})
        return True

    pull.server.behaviours["Condition"] = wrong
    found = pull.run(days=1)
    assert found.received.skipped == {"wrong_patient": 2}
    assert rows(pull.context, CONDITIONS) == 0


def test_a_patient_merged_at_the_server_is_merged_here(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    link = [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]
    pull.server.resources = [
        patient(link=link),
        infarct(subject={"reference": "Patient/p2"}),
    ]
    found = pull.run(days=1)
    assert (found.received.merged, found.received.stored) == (1, 1)
    assert rows(pull.context, PATIENT_MERGES) == 1
    assert category(pull.context, assessment) == "acute"
    assert pull.run(days=7).received.merged == 0


def test_two_processes_share_the_work(pull: Pull) -> None:
    for number in range(40):
        pull.assessed(patient=f"p{number}")
        pull.server.resources += [
            patient(f"p{number}"),
            infarct(id=f"c{number}", subject={"reference": f"Patient/p{number}"}),
        ]
    # Each process has a token of its own, and both are good.
    pull.server.token = None
    pull.server.tokens = lambda _form: (200, {"access_token": "x", "token_type": "bearer"})
    set_time(pull.context, SEEN + timedelta(days=1))
    with ThreadPoolExecutor(2) as pool:
        others = [OutcomePulls(pull.context) for _ in range(2)]
        done = list(pool.map(lambda one: one.run(actor="test"), others))
    assert sum(one.asked for one in done) == 40
    assert sum(one.received.stored for one in done) == 40
    assert len(pull.server.asked("Patient")) == 40


def test_what_a_killed_process_had_in_hand_is_taken_up_again(pull: Pull) -> None:
    pull.assessed()
    set_time(pull.context, SEEN + timedelta(days=1))
    with pytest.MonkeyPatch.context() as patch:

        def killed_here(*_arguments: Any, **_more: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("cds_service.services.pulling.read_patient", killed_here)
        with pytest.raises(KeyboardInterrupt):
            pull.run()
    assert pull.run().asked == 0
    assert pull.run(days=1.02).asked == 1


def test_the_puller_of_a_serving_process_asks_by_itself(pull: Pull) -> None:
    pull.assessed(encounter="e1")
    pull.server.resources.append(infarct())
    set_time(pull.context, SEEN + timedelta(days=1))
    puller = OutcomePuller(pull.context)
    found = puller.once()
    assert found is not None
    assert found.received.stored == 1


def test_the_puller_does_nothing_without_access(tmp_path: Path) -> None:
    context = new_context(tmp_path, outcome_pull_seconds=0.001)
    puller = OutcomePuller(context)
    assert puller.once() is None
    puller.start()
    puller.stop()
    context.engine.dispose()


def test_a_key_file_that_is_gone_is_told_of(pull: Pull, tmp_path: Path) -> None:
    pull.assessed()
    (tmp_path / "backend.pem").unlink()
    found = pull.run(days=1)
    assert found.all_failed
    (problem,) = found.problems
    assert "backend.pem cannot be read" in problem
    assert found.failed == {"backend not set up": 1}


def keep(pull: Pull, *references: str) -> None:
    focus = pull.context.secrecy.encrypt(json.dumps(references).encode()) if references else None
    with pull.context.engine.begin() as connection:
        NotificationStore(connection).add(client="ehr", at=pull.context.clock(), focus=focus)


def notices(pull: Pull) -> list[str | None]:
    with session.reading(pull.context.engine) as connection:
        query = select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.received_at)
        return [row.result if row.done_at else None for row in connection.execute(query)]


def test_a_notice_is_followed_to_what_it_names(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    set_time(pull.context, SEEN + timedelta(hours=30))
    pull.run()
    pull.paths()
    pull.server.resources.append(infarct())
    keep(pull, f"{pull.server.url}/Condition/c1")
    found = pull.run()
    assert (found.notices, found.received.stored, found.asked) == (1, 1, 0)
    assert pull.paths() == ["Condition/c1"]
    assert category(pull.context, assessment) == "acute"
    assert notices(pull) == ["stored 1, known 0"]

    pull.server.resources.pop()
    keep(pull, f"{pull.server.url}/Condition/c1", f"{pull.server.url}/Patient/p1")
    assert pull.run().received.withdrawn == 1
    assert category(pull.context, assessment) is None


def test_an_empty_notice_asks_for_what_is_open(pull: Pull) -> None:
    assessment = pull.assessed(encounter="e1")
    set_time(pull.context, SEEN + timedelta(hours=2))
    pull.server.resources.append(infarct())
    assert pull.run().asked == 0
    keep(pull)
    keep(pull)
    found = pull.run()
    assert (found.notices, found.asked, found.received.stored) == (1, 1, 1)
    assert category(pull.context, assessment) == "acute"


def test_a_notice_that_cannot_be_followed_waits(pull: Pull) -> None:
    set_time(pull.context, SEEN)
    pull.server.behaviours["Condition"] = status(403)
    keep(pull, f"{pull.server.url}/Condition/c1")
    keep(pull, "https://elsewhere.example/fhir/Condition/c1")
    found = pull.run()
    assert found.failed == {"unauthorized": 1, "refused": 1}
    assert found.all_failed
    assert notices(pull) == [None, None]
    del pull.server.behaviours["Condition"]
    assert pull.run().notices == 0
    pull.server.resources.append(infarct())
    set_time(pull.context, SEEN + timedelta(minutes=5))
    assert pull.run().received.stored == 1


def test_no_patient_stands_in_the_log_the_audit_or_the_tables(
    pull: Pull, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pull.assessed(patient="Xqz-patient", encounter="Xqz-encounter")
    pull.server.resources += [
        patient("Xqz-patient"),
        infarct(id="Xqz-condition", subject={"reference": "Patient/Xqz-patient"}),
    ]
    pull.run(days=1)
    pull.server.behaviours["*"] = status(500)
    pull.run(days=7)
    ours = [record for record in caplog.records if record.name == "cds_service"]
    assert "Xqz" not in "".join(str(vars(record)) for record in ours)
    with session.reading(pull.context.engine) as connection:
        for table in ("audit_events", "outcome_pulls", "conditions"):
            assert "Xqz" not in str(connection.execute(text(f"SELECT * FROM {table}")).all())  # noqa: S608
