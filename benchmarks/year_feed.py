"""Feeds a simulated hospital into the service: charts that open, diagnoses that come back.

Assessments go through what answers a call (`extract`, the scorer, `build_cards`,
`assessment_record`) and are stored in one transaction a day, which a call does for itself; one
can also be sent over HTTP with a signed token, and gives the same row (tested). Diagnoses go in
as Conditions by `OutcomeService.receive`, at the time the world says.
"""

import heapq
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import jwt
import msgspec
import numpy as np
import pandas as pd
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from sqlalchemy import insert

from benchmarks.year_world import NEW_KIND, NORTH, SOUTH, START, World, verification
from cds_service.app import create_app
from cds_service.context import ProcessContext
from cds_service.security.clients import Client, Mode, held_back, patient_base
from cds_service.services.assessing import AssessingService
from cds_service.services.clients import ClientService
from cds_service.services.deliveries import Incoming
from cds_service.services.outcomes import OutcomeService
from cds_service.services.records import Answer, assessment_record
from cds_service.services.training import HistoryFile, TrainingService
from cds_service.settings import Settings
from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, CARDS
from fhir_mapping.extract import extract
from hooks.cards import build_cards
from hooks.contexts import parse_patient_view
from hooks.disease_severity import HOOK, SERVICE_ID, Situation, decide_situation
from hooks.protocol import cards_response, encode, parse_request
from model.scorer import Scorer
from model.training.design import TrainingSettings

Visit = Mapping[Any, Any]
"""A row of `World.year`, by column."""
PUBLIC = "https://cds.example"
SECRET_KEYS = '["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]'  # noqa: S105  # invented
ACTOR = "administrator"
DESIGN = TrainingSettings(
    estimators=("logistic_splines",), balancings=("none",), folds=2, bootstrap_replicates=20
)
"""One kind of model: the year is about what happens to a model, not about which is best."""
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
DIAGNOSES = {
    "not-ill": ("Z00.00",),
    "mild": ("J00", "J06.9", "A09"),
    "acute": ("I21.9", "I63.9", "J96.01", "R57.0"),
    "chronic": ("I10", "E11.9", "J44.9"),
    "terminal": ("Z51.5",),
}
NEW_DIAGNOSIS = "R65.21"
_CODES = (
    ("heart_rate", "8867-4", "/min"),
    ("systolic_bp", "8480-6", "mm[Hg]"),
    ("diastolic_bp", "8462-4", "mm[Hg]"),
    ("respiratory_rate", "9279-1", "/min"),
    ("oxygen_saturation", "59408-5", "%"),
)
_UCUM = "http://unitsofmeasure.org"
_TAKEN = timedelta(minutes=10)
"""Before the chart is opened."""


@dataclass
class SimulatedClock:
    """A clock that the year sets."""

    time: datetime = START

    def __call__(self) -> datetime:
        """What time it is in the year."""
        return self.time


@dataclass
class Hospital:
    """A service in a folder of its own, and the hospital that uses it."""

    world: World
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    """Beside those of the year, for `Settings`."""
    _due: list[tuple[datetime, int]] = field(default_factory=list, init=False, repr=False)

    @cached_property
    def clock(self) -> SimulatedClock:
        """The only clock of the year."""
        return SimulatedClock()

    @cached_property
    def context(self) -> ProcessContext:
        """The process, over an empty database."""
        chosen: dict[str, Any] = {
            "data_dir": self.folder,
            "public_url": PUBLIC,
            "secret_keys": SECRET_KEYS,
            "log_level": "ERROR",
        }
        made = ProcessContext.create(Settings(**chosen | self.settings), clock=self.clock)
        session.upgrade(made.engine)
        return made

    @cached_property
    def visits(self) -> pd.DataFrame:
        """The visits of the year; `shown` and `verified` are filled as they happen."""
        return self.world.year.assign(shown=False, verified=False)

    @cached_property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """Signs the calls of both clients."""
        return ec.generate_private_key(ec.SECP384R1())

    def open(self) -> None:
        """Train a model on the history and make it and both clients live."""
        context = self.context
        self.clock.time = START - timedelta(hours=1)
        path = self.folder / "history.parquet"
        history_file(self.world.history, path)
        TrainingService(context.engine, context.settings, self.clock).train_history(
            HistoryFile(path), DESIGN, actor=ACTOR, progress=_nothing, with_report=False
        )
        context.champion.refresh()
        clients = ClientService(context.engine, context.settings, self.clock)
        public = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        for name in (NORTH, SOUTH):
            agreed = {
                "issuer": f"https://{name}.example/fhir",
                "jwks": {"keys": [public | {"kid": "1", "alg": "ES384", "use": "sig"}]},
                "fhir_servers": [f"https://{name}.example/fhir"],
                "allow_retraining": True,
            }
            clients.add(name, agreed, actor=ACTOR)
            clients.set_mode(name, Mode.LIVE, actor=ACTOR, approver="Dr. Ana Gil")
        context.directory.refresh()

    def client(self, name: str) -> Client:
        """A client as the process knows it."""
        return self.context.directory.by_issuer[f"https://{name}.example/fhir"][0]

    def see(self, rows: pd.DataFrame) -> None:
        """Assess these visits, all of them before now, and plan their diagnoses."""
        scorer = self.scorer
        records, cards = [], []
        for position, visit in zip(rows.index, rows.to_dict("records"), strict=True):
            record, card = self._record(visit, scorer)
            records.append(record)
            if card is not None:
                cards.append(card)
                self.visits.at[position, "shown"] = True
        with self.context.engine.begin() as connection:
            if records:
                connection.execute(insert(ASSESSMENTS), records)
            if cards:
                connection.execute(insert(CARDS), cards)
        self._plan(self.visits.loc[rows.index])

    @property
    def scorer(self) -> Scorer:
        """The live model."""
        found = self.context.champion.scorer
        if found is None:
            raise RuntimeError("no model is live")
        return found

    def _record(self, visit: Visit, scorer: Scorer) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The rows of one call: `AssessingService` without what only a second call needs."""
        body = encode(request(visit))
        asked = parse_request(body, service_hook=HOOK)
        client = self.client(visit["client"])
        self.clock.time = visit["at"]
        service = AssessingService(self.context)
        call = service.call(
            client,
            service=SERVICE_ID,
            instance=asked.hookInstance,
            context=parse_patient_view(asked.context),
            fhir_server=asked.fhirServer,
            request_hash=sha256(body).hexdigest(),
        )
        extraction = extract(
            {key: msgspec.Raw(bytes(value)) for key, value in (asked.prefetch or {}).items()},
            patient_id=call.context.patient_id,
            fhir_server=call.fhir_server,
            prediction_time=call.prediction_time,
            lookback_hours=self.context.settings.lookback_hours,
        )
        situation = decide_situation(extraction, scorer.facts, call.context.user_id)
        assessment = scorer.assess(extraction.row) if situation is Situation.SCORED else None
        decision = build_cards(
            extraction,
            assessment,
            scorer.facts,
            policy=client.policy,
            language=call.language,
            public_url=PUBLIC,
            card_uuid=str(uuid5(NAMESPACE_URL, f"card {call.id}")),
            suggestion_uuid=str(uuid5(NAMESPACE_URL, f"suggestion {call.id}")),
            assessment_id=call.id,
            context=call.context,
            situation=situation,
        )
        if held_back(client, scorer.facts, paused=False) is not None:
            raise RuntimeError("a live client got no cards")
        answer = Answer(extraction, assessment, decision, encode(cards_response(decision.cards)))
        return assessment_record(call, answer, scorer.facts.version, self.context.secrecy)

    def post(self, http: httpx.Client, visit: Visit) -> dict[str, Any]:
        """Send one visit over HTTP with a signed token; the answer."""
        self.clock.time = visit["at"]
        path = f"/cds-services/{SERVICE_ID}"
        now = int(visit["at"].timestamp())
        token = jwt.encode(
            {
                "iss": f"https://{visit['client']}.example/fhir",
                "aud": PUBLIC + path,
                "iat": now,
                "exp": now + 300,
                "jti": f"{visit['visit']} {now}",
            },
            self.key,
            algorithm="ES384",
            headers={"kid": "1", "typ": "JWT"},
        )
        headers = {"Authorization": f"Bearer {token}"}
        response = http.post(path, json=request(visit), headers=headers)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found

    def _plan(self, rows: pd.DataFrame) -> None:
        """Decide by chance which diagnoses become known, and when they come."""
        known = verification(
            rows["risk"].to_numpy(), rows["shown"].to_numpy(dtype=bool), rows["client"].to_numpy()
        )
        verified = rows["chance"].to_numpy() < known
        verified |= rows["rare_code"].notna().to_numpy()
        self.visits.loc[rows.index, "verified"] = verified
        for position, row in rows[verified].iterrows():
            days = float(row["known_days"]) + float(row["late_days"])
            heapq.heappush(self._due, (row["at"] + timedelta(days=days), int(str(position))))

    def deliver(self) -> int:
        """Send the diagnoses that are due by now; returns how many."""
        due: dict[str, list[Incoming]] = {NORTH: [], SOUTH: []}
        while self._due and self._due[0][0] <= self.clock.time:
            _, position = heapq.heappop(self._due)
            visit = self.visits.loc[position].to_dict()
            due[visit["client"]].append(self._incoming(visit))
        for client, conditions in due.items():
            self.send(client, conditions)
        return sum(map(len, due.values()))

    def send(self, client: str, conditions: Sequence[Incoming]) -> None:
        """Store Conditions as a client's; every one must be taken."""
        if not conditions:
            return
        received = OutcomeService(self.context).receive(
            conditions, client=client, channel="fhir-bundle", actor=f"client:{client}"
        )
        if received.stored != len(conditions):
            raise RuntimeError(f"a diagnosis was not taken: {received.counts()}")

    def _incoming(self, visit: Visit) -> Incoming:
        return Incoming(
            condition(visit),
            patient_base(self.client(visit["client"]), None, ()),
            visit["patient_id"],
            f"e-{visit['visit']}",
            ended_at_home=True if visit["severity"] == "mild" else None,
        )


def history_file(frame: pd.DataFrame, path: Path) -> None:
    """Write rows of the world as a hospital would hand them over."""
    names = ["patient_id", "age", "sex", "severity", "rare_code"]
    readings = [name for name, *_ in _CODES] + ["body_temperature"]
    told = frame[[*names, *readings]].assign(
        recorded_at=[one.isoformat() for one in frame["at"]], age=frame["age"].round(2)
    )
    told.to_parquet(path, index=False)


def request(visit: Visit) -> dict[str, Any]:
    """The `patient-view` call of a visit."""
    patient = visit["patient_id"]
    at: datetime = visit["at"]
    entries = [
        _observation(visit, code, visit[name], {"system": _UCUM, "code": unit, "unit": unit})
        for name, code, unit in _CODES
        if not np.isnan(visit[name])
    ]
    if visit["sent_unit"] is not None and not pd.isna(visit["sent_unit"]):
        unit = visit["sent_unit"]
        named = {"unit": unit}
        if unit == "Cel":
            named |= {"system": _UCUM, "code": unit}
        entries.append(_observation(visit, "8310-5", visit["sent_temperature"], named))
    return {
        "hook": HOOK,
        "hookInstance": str(uuid5(NAMESPACE_URL, visit["visit"])),
        "context": {
            "userId": "Practitioner/1",
            "patientId": patient,
            "encounterId": f"e-{visit['visit']}",
        },
        "prefetch": {
            "patient": {
                "resourceType": "Patient",
                "id": patient,
                "gender": visit["sex"],
                "birthDate": (at - timedelta(days=visit["age"] * 365.25)).date().isoformat(),
            },
            "vitals": {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [{"resource": one} for one in entries],
            },
            "encounter": {
                "resourceType": "Encounter",
                "id": f"e-{visit['visit']}",
                "status": "in-progress",
                "class": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": "EMER" if visit["client"] == NORTH else "AMB",
                },
                "subject": {"reference": f"Patient/{patient}"},
            },
            "conditions": {"resourceType": "Bundle", "type": "searchset"},
        },
    }


def _observation(visit: Visit, code: str, value: float, unit: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"{visit['visit']}-{code}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{visit['patient_id']}"},
        "effectiveDateTime": (visit["at"] - _TAKEN).isoformat(),
        "valueQuantity": {"value": float(value)} | unit,
    }


def condition(visit: Visit, identifier: str | None = None) -> dict[str, Any]:
    """The diagnosis of a visit, as its client sends it."""
    codes = DIAGNOSES[visit["severity"]]
    chosen = codes[int(sha256(visit["visit"].encode()).digest()[0]) % len(codes)]
    if visit["kind"] == NEW_KIND:
        chosen = NEW_DIAGNOSIS
    codings = [{"system": ICD_10_CM, "code": chosen}]
    rare = visit["rare_code"]
    if isinstance(rare, str):
        number = rare.removeprefix("ORPHA:")
        codings.append({"system": "http://www.orpha.net", "code": number})
    terminology = "http://terminology.hl7.org/CodeSystem"
    return {
        "resourceType": "Condition",
        "id": identifier or f"c-{visit['visit']}",
        "clinicalStatus": {
            "coding": [{"system": f"{terminology}/condition-clinical", "code": "active"}]
        },
        "verificationStatus": {
            "coding": [{"system": f"{terminology}/condition-ver-status", "code": "confirmed"}]
        },
        "code": {"coding": codings},
        "subject": {"reference": f"Patient/{visit['patient_id']}"},
        "encounter": {"reference": f"Encounter/e-{visit['visit']}"},
        "recordedDate": (visit["at"] + timedelta(days=float(visit["known_days"]))).isoformat(),
    }


@contextmanager
def serving(context: ProcessContext) -> Iterator[httpx.Client]:
    """The whole service on a real port until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(create_app(context), log_config=None, access_log=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError("the service did not start")
            time.sleep(0.01)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
                yield http
        finally:
            server.should_exit = True
            thread.join()


def _nothing(_step: str, _share: float) -> None:
    """Progress for nobody."""
