"""A challenger that waits is promoted by the written change plan, where there is one."""

from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.errors import ConfigurationError
from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.services.change_plan import (
    ACTOR,
    QUARTER,
    SignedPlan,
    read_plan,
    why_not,
)
from cds_service.services.models import ModelService
from cds_service.services.releasing import ModelRuleError
from cds_service.storage.challenger_store import PROMOTED, WAITING, ChallengerStore
from cds_service.storage.release_watch_store import ReleaseWatchStore
from cds_service.storage.session import reading
from model.errors import ArtefactError

NO_PLAN: Final = "change_plan"
"""Kind and key of the alert that the plan cannot be read."""


class PlannedPromotion:
    """Promotes what the plan allows; everything else waits for a person."""

    def __init__(self, context: ProcessContext, models: ModelService) -> None:
        self._context = context
        self._models = models

    def promote(self, *, actor: str) -> str | None:
        """Promote the challenger that waits, if the plan allows it; `None` if nothing changes.

        Not while the last promotion is still watched: one change at a time can be taken back.
        """
        path = self._context.settings.change_plan
        if path is None:
            return None
        try:
            signed = read_plan(path)
        except ConfigurationError as error:
            return self._unreadable(str(error))
        with self._context.engine.begin() as connection:
            at = self._context.clock()
            cause_passed(connection, NO_PLAN, at=at, resolution="The plan can be read.")
        with reading(self._context.engine) as connection:
            known = ChallengerStore(connection).all()
            watched = ReleaseWatchStore(connection).open()
        waiting = [row for row in known if row["stage"] == WAITING]
        if not waiting or watched is not None:
            return None
        (row, *_) = waiting
        lately = [
            one
            for one in known
            if one["stage"] == PROMOTED
            and str(one["decided_by"]).startswith(ACTOR)
            and self._context.clock() - one["decided_at"] < QUARTER
        ]
        return self._decide(row, signed, len(lately), actor)

    def _decide(
        self, row: dict[str, Any], signed: SignedPlan, lately: int, actor: str
    ) -> str | None:
        version = row["version"]
        try:
            old = ModelService.load(self._models.version(row["champion"]))
            new = ModelService.load(self._models.version(version))
        except ArtefactError as error:
            return self._note(row, signed, str(error))
        judged = next(iter(self._models.comparisons(version)), None)
        refusal = why_not(
            signed,
            row,
            old,
            new,
            {} if judged is None else judged["margins"],
            now=self._context.clock(),
            promoted_lately=lately,
        )
        if refusal is not None:
            return self._note(row, signed, refusal)
        self._note(row, signed, None)
        try:
            self._models.promote(
                version,
                actor=signed.actor,
                reason=f"By the change plan that {signed.plan.approved_by} approved. "
                f"{row['reason']}",
                stages=(WAITING,),
                detail={"change_plan": signed.sha256, "run_by": actor},
            )
        except ModelRuleError as error:
            return str(error)
        return f"Version {version} is live, by the change plan {signed.sha256[:12]}…."

    def _note(self, row: dict[str, Any], signed: SignedPlan, refusal: str | None) -> str | None:
        """Keep what the plan says of a challenger; said only when it is news."""
        verdict = {"sha256": signed.sha256, "refusal": refusal}
        if row["detail"].get("plan") == verdict:
            return None
        with self._context.engine.begin() as connection:
            ChallengerStore(connection).move(
                row["version"], (WAITING,), {"detail": row["detail"] | {"plan": verdict}}
            )
        if refusal is None:
            return None
        return f"Version {row['version']} waits for a person: {refusal}"

    def _unreadable(self, why: str) -> str:
        finding = Finding(NO_PLAN, NO_PLAN, "warning", f"{why} Nothing is promoted by it.")
        with self._context.engine.begin() as connection:
            raise_alert(connection, finding, at=self._context.clock())
        return why
