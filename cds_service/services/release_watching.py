"""A promotion is watched: worse than the version before it, it is rolled back.

Two looks at the outcomes that have matured since, with the error spent over them
(`model.evaluation.sequential`); between them nothing but a fault of the service ends a release.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.services.matured import PairedLoss, matured_outcomes, paired_loss
from cds_service.services.models import ModelService
from cds_service.services.releasing import ModelRuleError
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.release_watch_store import KEPT, ReleaseWatchStore
from cds_service.storage.session import reading
from model.errors import ArtefactError
from model.evaluation.sequential import (
    MINIMUM_CLUSTERS,
    Boundary,
    beyond,
    first_boundary,
    last_boundary,
)
from model.scorer import Scorer

LOOK_DAYS: Final = (timedelta(days=45), timedelta(days=90))
"""When a look is taken with what there is. An outcome is known after 30 days at the latest, so
that these see the visits of 15 and of 60 days."""
MINIMUM_OUTCOMES: Final = 50
"""Below which a look by time says nothing."""
FAILURES: Final = 5
FAILURE_SHARE: Final = 0.01
"""Assessments on which the model failed that end a release at once: at least so many, and more
than this share. A model that is served has none: even one is a fault."""
ROLLED_BACK: Final = "rolled_back"
UNREADABLE: Final = "champion_unreadable"


@dataclass(frozen=True, slots=True)
class _Look:
    """One look and what it came to."""

    record: dict[str, Any]
    """As `release_watches.looks` keeps it."""
    worse: bool
    sentence: str


class ReleaseWatching:
    """Looks at the release that is watched."""

    def __init__(self, context: ProcessContext, models: ModelService) -> None:
        self._context = context
        self._models = models

    def look(self, *, actor: str) -> str | None:
        """Look if it is time to; what came of it in a sentence, `None` if it is not."""
        with reading(self._context.engine) as connection:
            watch = ReleaseWatchStore(connection).open()
        if watch is None:
            return self._unwatched()
        try:
            new = ModelService.load(self._models.version(watch["version"]))
        except ArtefactError as error:
            return self._roll_back(watch, f"Its files cannot be read: {error}", None, actor)
        failed = self._failures(watch)
        if failed is not None:
            return self._roll_back(watch, failed, None, actor)
        try:
            old = ModelService.load(self._models.version(watch["previous"]))
        except ArtefactError:
            sentence = f"the files of version {watch['previous']} cannot be read"
            return self._keep(watch, _Look({}, False, f"it cannot be judged: {sentence}"), actor)
        return self._judge(watch, old, new, actor)

    def _unwatched(self) -> str | None:
        """A champion that was kept long ago: it is not taken back, but a fault is said."""
        row = self._models.champion()
        if row is None:
            return None
        key, at = f"{UNREADABLE}:{row['version']}", self._context.clock()
        try:
            self._models.load(row)
        except ArtefactError as error:
            message = (
                f"{error} Version {row['version']} is live: processes that run go on with it, new "
                "ones cannot start. Restore its files, or: cds-service models rollback --reason …"
            )
            finding = Finding(UNREADABLE, key, "critical", message, row["version"])
            with self._context.engine.begin() as connection:
                raise_alert(connection, finding, at=at)
            return message
        with self._context.engine.begin() as connection:
            cause_passed(connection, key, at=at, resolution="Its files can be read.")
        return None

    def _judge(self, watch: dict[str, Any], old: Scorer, new: Scorer, actor: str) -> str | None:
        count = len(matured_outcomes(self._context, since=watch["at"], decide=False))
        if not self._is_time(watch, count):
            return None
        frame = matured_outcomes(self._context, since=watch["at"])
        found = paired_loss(old, new, frame)
        number = len(watch["looks"]) + 1
        if not self._is_time(watch, 0 if found is None else found.difference.rows):
            return None
        look = _decide(
            found,
            number,
            watch["looks"],
            margin=self._context.settings.gate_log_loss,
            planned=2 * self._context.settings.watch_outcomes,
            at=self._context.clock(),
        )
        if look.worse:
            return self._roll_back(watch, look.sentence, look, actor)
        return self._keep(watch, look, actor)

    def _is_time(self, watch: dict[str, Any], outcomes: int) -> bool:
        """Whether the next look is due: enough outcomes, or long enough."""
        number = len(watch["looks"])
        needed = (number + 1) * self._context.settings.watch_outcomes
        return outcomes >= needed or self._context.clock() - watch["at"] >= LOOK_DAYS[number]

    def _failures(self, watch: dict[str, Any]) -> str | None:
        """What is wrong with the service since the release, if anything is."""
        with reading(self._context.engine) as connection:
            # Its heads of rare diseases may have changed since, and its name with them.
            counts = AssessmentStore(connection).situations(
                ModelStore(connection).alike(watch["version"]), watch["at"]
            )
        failed = counts.get("model_failed", 0)
        scored = failed + counts.get("scored", 0)
        if failed < FAILURES or failed <= FAILURE_SHARE * scored:
            return None
        return f"It failed on {failed} of {scored} assessments."

    def _keep(self, watch: dict[str, Any], look: _Look, actor: str) -> str | None:
        """Record a look that ends nothing, or the end of the watch."""
        at = self._context.clock()
        number = len(watch["looks"]) + 1
        last = number == len(LOOK_DAYS) or not look.record
        looks = [*watch["looks"], look.record] if look.record else watch["looks"]
        values: dict[str, Any] = {"looks": looks} | ({"state": KEPT} if last else {})
        with self._context.engine.begin() as connection:
            store = ReleaseWatchStore(connection)
            if not store.change(watch["release_id"], len(watch["looks"]), values):
                return None
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="keep-release" if last else "look-at-release",
                object_type="model",
                object_id=watch["version"],
                detail={"look": number, "sentence": look.sentence},
            )
        kept = " It is kept." if last else ""
        return f"Look {number} at version {watch['version']}: {look.sentence}.{kept}"

    def _roll_back(self, watch: dict[str, Any], why: str, look: _Look | None, actor: str) -> str:
        """The version before is live again, with the figures; one transaction."""
        version, previous = watch["version"], watch["previous"]
        at = self._context.clock()
        reason = f"Version {version} is taken back: {why.rstrip('.')}."
        try:
            self._models.load(self._models.version(previous))
        except ArtefactError as error:
            return self._cannot(version, previous, f"{reason} {error}")
        looks = [*watch["looks"], *([] if look is None else [look.record])]
        try:
            self._models.roll_back_to(
                previous,
                version,
                actor=actor,
                reason=reason,
                detail={"look": None if look is None else look.record},
                within=lambda connection: _told(connection, watch, looks, reason, at),
            )
        except ModelRuleError as error:
            return str(error)
        return f"{reason} Version {previous} is live again."

    def _cannot(self, version: str, previous: str, why: str) -> str:
        with self._context.engine.begin() as connection:
            raise_alert(
                connection,
                Finding(
                    kind="rollback_failed",
                    key=f"rollback_failed:{version}",
                    severity="critical",
                    model_version=version,
                    message=f"{why} Version {previous} cannot take its place; promote another.",
                ),
                at=self._context.clock(),
            )
        return f"{why} Version {previous} cannot take its place."


def _told(
    connection: Connection,
    watch: dict[str, Any],
    looks: list[dict[str, Any]],
    reason: str,
    at: datetime,
) -> None:
    """What goes with a rollback, in its transaction: the looks, and an alert."""
    store = ReleaseWatchStore(connection)
    if not store.change(watch["release_id"], len(watch["looks"]), {"looks": looks}):
        raise ModelRuleError(
            f"The release of version {watch['version']} is not watched any more; nothing was "
            "changed."
        )
    raise_alert(
        connection,
        Finding(
            kind=ROLLED_BACK,
            key=f"{ROLLED_BACK}:{watch['release_id']}",
            severity="critical",
            model_version=watch["version"],
            message=f"{reason} Version {watch['previous']} is live again.",
            detail={"looks": looks},
        ),
        at=at,
    )


def _decide(
    found: PairedLoss | None,
    number: int,
    earlier: list[dict[str, Any]],
    *,
    margin: float,
    planned: int,
    at: datetime,
) -> _Look:
    """What look `number` (1 or 2) says of the paired losses so far.

    The first spends by the share of the `planned` outcomes that it has, the second what is left.
    """
    if found is None or (
        found.difference.rows < MINIMUM_OUTCOMES or found.difference.clusters < MINIMUM_CLUSTERS
    ):
        rows = 0 if found is None else found.difference.rows
        record: dict[str, Any] = {"at": at.isoformat(), "outcomes": rows, "judged": False}
        return _Look(record, False, f"too few outcomes to judge by ({rows})")
    mean = found.difference
    if number == 1:
        boundary = first_boundary(min(mean.rows / planned, 1.0))
    else:
        judged = next((look for look in earlier if look["judged"]), None)
        if judged is None:
            boundary = first_boundary(1.0)
        else:
            share = min(judged["information"] / mean.information, 1.0) if mean.information else 1.0
            first = Boundary(judged["error_spent"], judged["limit"])
            boundary = last_boundary(first, share**0.5)
    statistic = beyond(mean, margin)
    # JSON knows no infinity; where nothing varies, nothing beyond is as good.
    shown = max(min(statistic, 1e6), -1e6)
    record = found.as_json() | {
        "at": at.isoformat(),
        "judged": True,
        "margin": margin,
        "information": min(mean.information, 1e12),
        "statistic": shown,
        "limit": boundary.limit,
        "error_spent": boundary.spent,
    }
    worse = statistic >= boundary.limit
    sentence = (
        f"log loss {found.new:.4f} against {found.old:.4f} of the version before on {mean.rows} "
        f"outcomes of {mean.clusters} patients ({shown:.2f} standard errors above the margin of "
        f"{margin:g}, {boundary.limit:.2f} are too many)"
    )
    return _Look(record, worse, sentence)
