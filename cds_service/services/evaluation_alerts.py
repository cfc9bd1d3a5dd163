"""Alerts from chunks: the loss has risen, categories have become more or less common.

Each takes two chunks running, and is closed when the newest chunk is within the margin again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.storage.evaluation_store import LOOKED_AT, EvaluationChunkStore
from cds_service.storage.model_store import ModelStore
from model.evaluation.loss_rise import RUNNING, LossRise, has_risen, loss_rise
from model.evaluation.prevalence_shift import MARGIN

PREVALENCE_SHIFT = "prevalence_shift"
LOSS_RISE = "loss_rise"


def watch_chunks(connection: Connection, *, at: datetime) -> None:
    """Raise and close alerts by the newest chunks of the live version, in the caller's
    transaction. Nothing new leaves everything as it is."""
    champion = ModelStore(connection).champion()
    if champion is None:
        return
    # A simulated cohort says neither how common categories are nor what loss to expect.
    if champion["simulated"]:
        return
    version = str(champion["version"])
    newest = EvaluationChunkStore(connection).newest(LOOKED_AT)
    alike = ModelStore(connection).alike(version)
    _prevalence(connection, _shifts(newest, alike), version, at)
    _loss(connection, newest, at)


def _shifts(
    newest: Sequence[Mapping[str, Any]], alike: Sequence[str]
) -> list[list[Mapping[str, Any]]]:
    """Shares of the categories in each chunk, by that of the versions `alike`, which say the same
    of every chart, that answered most of it: heads of rare diseases may change every few days."""
    found = []
    for chunk in newest:
        versions = chunk["result"]["versions"]
        told = [versions[one] for one in alike if one in versions]
        told = [one for one in told if one["prevalence_shift"]]
        if told:
            found.append(max(told, key=lambda one: int(one["answered"]))["prevalence_shift"])
    return found


def _prevalence(
    connection: Connection,
    shifts: Sequence[Sequence[Mapping[str, Any]]],
    version: str,
    at: datetime,
) -> None:
    if not shifts:
        return
    told = [{one["category"]: one for one in chunk} for chunk in shifts[:RUNNING]]
    changed = [
        one
        for category, one in told[0].items()
        if len(told) == RUNNING
        and one["changed"] is not None
        and all(chunk[category]["changed"] == one["changed"] for chunk in told)
    ]
    if changed:
        words = "; ".join(
            f"{one['category']} {one['ratio']:.2f} times its share of before "
            f"(98 % interval {one['lower']:.2f} to {one['upper']:.2f})"
            for one in changed
        )
        finding = Finding(
            kind=PREVALENCE_SHIFT,
            key=PREVALENCE_SHIFT,
            severity="warning",
            model_version=version,
            message=f"Categories are not as common as model version {version} takes for granted, "
            f"in {RUNNING} chunks running: {words}. Recalibrate before you retrain.",
            detail={"categories": changed},
        )
        raise_alert(connection, finding, at=at)
    elif all(1.0 / MARGIN <= one["ratio"] <= MARGIN for one in told[0].values()):
        cause_passed(
            connection,
            PREVALENCE_SHIFT,
            at=at,
            resolution="In the newest chunk each category is about as common as before.",
        )


def _loss(connection: Connection, newest: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """Each chunk by the version that answered most of it, against that version's own reference.

    By the live version alone nothing would ever be told where one is promoted each month: its
    chunks take a month to mature.
    """
    models = ModelStore(connection)
    rises: list[tuple[str, LossRise]] = []
    for chunk in newest:
        versions = chunk["result"]["versions"]
        if not versions:
            continue
        version = max(versions, key=lambda name: versions[name]["answered"])
        row = models.version(version)
        if row is None or row["simulated"]:
            continue
        rise = loss_rise(row["metrics"].get("held_out", []), versions[version]["weighted"])
        if rise is not None:
            rises.append((version, rise))
    if has_risen([rise for _, rise in rises]):
        version, now = rises[0]
        finding = Finding(
            kind=LOSS_RISE,
            key=LOSS_RISE,
            severity="warning",
            message=f"The log loss of what was answered, weighted for who was verified, is "
            f"{now.loss:.3f}; when model version {version} was made it was {now.reference:.3f}. "
            "Two chunks running show that it has risen.",
            detail={
                "answered_by": version,
                "log_loss": now.loss,
                "reference": now.reference,
                "standard_error": now.standard_error,
            },
        )
        raise_alert(connection, finding, at=at)
    elif rises and rises[0][1].passed:
        cause_passed(
            connection, LOSS_RISE, at=at, resolution="In the newest chunk it is about as before."
        )
