"""Alerts from chunks: a version's loss has risen, categories have become more or less common.

Each takes two chunks running, and is closed when the newest chunk is within the margin again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.evaluation_store import LOOKED_AT, EvaluationChunkStore
from cds_service.storage.model_store import ModelStore
from model.evaluation.loss_rise import RUNNING, has_risen, loss_rise
from model.evaluation.prevalence_shift import MARGIN

PREVALENCE_SHIFT = "prevalence_shift"
LOSS_RISE = "loss_rise"


def watch_chunks(connection: Connection, *, at: datetime) -> None:
    """Raise and close alerts by the newest chunks of the live version, in the caller's
    transaction. Nothing new leaves everything as it is."""
    champion = ModelStore(connection).champion()
    if champion is None:
        return
    version = str(champion["version"])
    for alert in AlertStore(connection).unresolved():
        if alert["kind"] == LOSS_RISE and alert["model_version"] != version:
            cause_passed(
                connection, alert["key"], at=at, resolution="The version is not live any more."
            )
    # A simulated cohort says neither how common categories are nor what loss to expect.
    if champion["simulated"]:
        return
    newest = EvaluationChunkStore(connection).newest(LOOKED_AT)
    figures = [
        chunk["result"]["versions"][version]
        for chunk in newest
        if version in chunk["result"]["versions"]
    ]
    _prevalence(connection, [one for one in figures if one["prevalence_shift"]], version, at)
    _loss(connection, figures, champion, at)


def _prevalence(
    connection: Connection, figures: Sequence[Mapping[str, Any]], version: str, at: datetime
) -> None:
    if not figures:
        return
    told = [
        {one["category"]: one for one in chunk["prevalence_shift"]} for chunk in figures[:RUNNING]
    ]
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


def _loss(
    connection: Connection,
    figures: Sequence[Mapping[str, Any]],
    champion: Mapping[str, Any],
    at: datetime,
) -> None:
    version = str(champion["version"])
    held_out = champion["metrics"].get("held_out", [])
    compared = [loss_rise(held_out, one["weighted"]) for one in figures]
    rises = [one for one in compared if one is not None]
    key = f"{LOSS_RISE}:{version}"
    if has_risen(rises):
        now = rises[0]
        finding = Finding(
            kind=LOSS_RISE,
            key=key,
            severity="warning",
            model_version=version,
            message=f"The log loss of model version {version}, weighted for who was verified, is "
            f"{now.loss:.3f}; when it was made it was {now.reference:.3f}. Two chunks running show "
            "that it has risen.",
            detail={
                "log_loss": now.loss,
                "reference": now.reference,
                "standard_error": now.standard_error,
            },
        )
        raise_alert(connection, finding, at=at)
    elif rises and rises[0].passed:
        cause_passed(
            connection, key, at=at, resolution="In the newest chunk it is about as before."
        )
