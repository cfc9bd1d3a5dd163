"""Blood group and exercise days from the chart to the card, only where they are asked for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.storage.session import reading
from cds_service.storage.tables import ASSESSMENTS
from model.training.run import TrainingResult, train
from tests.support.artefacts import DESCRIPTION, small_settings
from tests.support.builders import bundle, observation
from tests.support.cohorts import small_cohort, with_extra_inputs
from tests.support.service import Service, new_context, release, running


@pytest.fixture(scope="module", params=[(), ("abo_group", "exercise_days")], ids=["off", "on"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TrainingResult:
    frame = with_extra_inputs(small_cohort(2_000, 41), 5)
    settings = small_settings(extra_inputs=request.param)
    return train(frame, settings, artefact_root=tmp_path_factory.mktemp("extra"), data=DESCRIPTION)


@pytest.fixture
def asked(tmp_path: Path, model: TrainingResult) -> Iterator[tuple[Service, bool]]:
    context = new_context(tmp_path)
    release(context, "1", model.path, model.checksum)
    with running(context, context.clock) as service:
        yield service, bool(model.scorer.facts.extra_inputs)


def chart(service: Service) -> dict[str, Any]:
    ago = service.clock() - timedelta(days=200)
    group = observation("883-9", None, at=ago, valueString="A Rh positive")
    days = observation("89555-7", 3.5, "d/wk", at=ago)
    request = service.request(service.vitals())
    request["prefetch"] |= {"blood_group": bundle(group), "exercise": bundle(days)}
    return request


def test_they_reach_the_model_and_the_card_only_where_they_are_asked_for(
    asked: tuple[Service, bool],
) -> None:
    service, on = asked
    offered = service.http.get("/cds-services").json()["services"][0]["prefetch"]
    assert ("blood_group" in offered, "exercise" in offered) == (on, on)
    (card,) = service.assess(chart(service)).json()["cards"]
    with reading(service.context.engine) as connection:
        row = connection.execute(select(ASSESSMENTS)).one()
    said = {name: row.features.get(name) for name in ("abo_group", "exercise_days")}
    assert said == ({"abo_group": "A", "exercise_days": 15.0} if on else dict.fromkeys(said))
    explained = {reason for reasons in row.contributions.values() for reason in reasons}
    assert ({"abo_group", "exercise_days"} <= explained) is on
    missing = {entry["feature"] for entry in row.provenance["missing"]}
    assert not missing & set(said)
    assert "blood group" not in card["detail"].partition("Missing")[2]


def test_what_is_asked_for_and_not_there_is_said_to_be_missing(
    asked: tuple[Service, bool],
) -> None:
    service, on = asked
    request = service.request(service.vitals())
    request["prefetch"] |= {"blood_group": None, "exercise": bundle()}
    service.assess(request)
    with reading(service.context.engine) as connection:
        provenance = connection.execute(select(ASSESSMENTS.c.provenance)).scalar_one()
    reasons = {entry["feature"]: entry["reason"] for entry in provenance["missing"]}
    found = {name: reasons.get(name) for name in ("abo_group", "exercise_days")}
    asked_for = {"abo_group": "null_prefetch", "exercise_days": "no_observation"}
    assert found == (asked_for if on else dict.fromkeys(found))
