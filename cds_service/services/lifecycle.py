"""The way of a challenger: trained, judged by the gates, in shadow, approved, watched.

Every step is one transaction that finds things as they were left, so that a process may be killed
anywhere and started again: an artefact that was written and not registered is harmless, a version
that was registered is on its way, and `advance` goes on with it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.challenger_steps import STAGE_WORDS, ChallengerSteps
from cds_service.services.comparing import Comparing, Comparison
from cds_service.services.digests import DigestService
from cds_service.services.lifecycle_triggers import (
    RECALIBRATION,
    REFRESH,
    SEARCH,
    Due,
    busy_with,
    due,
    newest,
)
from cds_service.services.matured import PairedLoss, matured_outcomes, paired_loss
from cds_service.services.models import ModelService
from cds_service.services.planned_promotion import PlannedPromotion
from cds_service.services.recalibrating import Recalibrating
from cds_service.services.release_watching import ReleaseWatching
from cds_service.services.retraining import RetrainingService, as_champion, full_search
from cds_service.services.training import TrainingService, after_minutes
from cds_service.services.training_rows import (
    NothingToLearnError,
    TrainingRows,
    training_rows,
)
from cds_service.storage.challenger_store import (
    GATE,
    REFUSED,
    SHADOW,
    UNDECIDED,
    WAITING,
    ChallengerStore,
)
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.errors import ArtefactError, ModelError, TrainingError
from model.evaluation.sequential import MINIMUM_CLUSTERS
from model.training.gates import NOT_ENOUGH

Progress = Callable[[str, float], None]
SEED: Final = 20_260
LONGEST_SHADOW: Final = timedelta(days=120)
"""After which a challenger with too few outcomes is given up: four windows of 30 days."""
SOON: Final = timedelta(days=7)
"""How long after a challenger was trained the schedule trains no other of its kind."""
NOTHING: Final = "Nothing to do."


class LifecycleService:
    """Trains challengers and takes them step by step to where a person or a plan decides."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._training = TrainingService(context.engine, context.settings, context.clock)
        self._models = self._training.models
        self._retraining = RetrainingService(context)
        self._watching = ReleaseWatching(context, self._models)
        self._steps = ChallengerSteps(context)
        self._plans = PlannedPromotion(context, self._models)
        self._digests = DigestService(context, self._models)
        self._recalibrating = Recalibrating(
            context, self._training, Comparing(context, self._training)
        )

    # Training

    def refresh(
        self,
        *,
        actor: str,
        progress: Progress | None = None,
        asked: bool = False,
        origin: str = REFRESH,
        with_report: bool = True,
    ) -> str:
        """Fit the champion's kind of model again, from scratch, to the rows of the window.

        Without `asked`, nothing is trained soon after the last time, and too little to learn from
        is no fault but what is said. Raises `ServiceError` without a champion, `TrainingError` if
        there is too little.
        """
        return self._train_if_possible(REFRESH, origin, actor, progress, asked, with_report)

    def search(
        self,
        *,
        actor: str,
        progress: Progress | None = None,
        asked: bool = False,
        with_report: bool = True,
    ) -> str:
        """Compare every kind of model and tune the best, within `CDS_SEARCH_MINUTES`."""
        return self._train_if_possible(SEARCH, SEARCH, actor, progress, asked, with_report)

    def recalibrate(
        self,
        *,
        actor: str,
        progress: Progress | None = None,
        asked: bool = False,
        with_report: bool = True,
    ) -> str:
        """Answer what open alerts and new outcomes ask for: other priors first, else a refresh.

        What is asked for and cannot be had, with too few outcomes, is passed over for the next.
        With `asked` the champion gets other priors in any case. Raises `ServiceError` if nothing
        that was asked for can be had, and `TrainingError` with `asked` as `refresh` does.
        """
        if asked:
            return self._recalibrate("manual", actor, progress or _say_nothing)
        context, faults = self._context, list[str]()
        with reading(context.engine) as connection:
            asked_for = due(
                connection, context.clock(), context.settings, context.terminology.label_version
            )
        for found in asked_for:
            try:
                return f"{found.reason} {self._answer(found, actor, progress, with_report)}"
            except (NothingToLearnError, TrainingError) as error:
                # What cannot be had yet, such as other priors, keeps nothing else from being done.
                faults.append(f"{found.reason} {error}")
        if faults:
            raise NothingToLearnError(" ".join(faults))
        return NOTHING

    # The way

    def advance(self, *, actor: str) -> str:
        """Take the watched release and every challenger as far as they can go now.

        What cannot go on keeps nothing else from it, least of all a release from being taken
        back. Raises `ServiceError` at the end if something could not.
        """
        said: list[str | None] = []
        faults: list[str] = []

        def take(step: Callable[[], str | None]) -> None:
            try:
                said.append(step())
            except (ServiceError, ModelError) as error:
                faults.append(str(error))

        take(lambda: self._watching.look(actor=actor))
        for stage, go_on in ((GATE, self._resume), (SHADOW, self._leave_shadow)):
            for row in self._staged(stage):
                take(partial(go_on, row, actor))
        take(lambda: self._plans.promote(actor=actor))
        self._digests.missing()
        # What a page made live is not known to MLflow yet.
        live = self._models.champion()
        if live is not None:
            self._models.follow_champion(live["version"])
        told = " ".join([*filter(None, said), *faults])
        if faults:
            raise ServiceError(told)
        return told or NOTHING

    def approve(self, version: str, *, actor: str, reason: str) -> None:
        """A named person makes a waiting challenger live. Raises `ModelRuleError`."""
        self._models.approve(version, actor=actor, reason=reason)

    def withdraw(self, version: str, *, actor: str, reason: str) -> None:
        """Take a challenger off its way. Raises `ModelRuleError`."""
        self._models.withdraw(version, actor=actor, reason=reason)

    def digest(self, version: str | None = None) -> dict[str, Any]:
        """What changed with a promotion, by default the newest. Raises `ServiceError`."""
        return self._digests.of(version)

    def challengers(self) -> list[dict[str, Any]]:
        """Every challenger, oldest first."""
        with reading(self._context.engine) as connection:
            return ChallengerStore(connection).all()

    def _answer(self, found: Due, actor: str, progress: Progress | None, with_report: bool) -> str:
        if found.kind == RECALIBRATION:
            return self._recalibrate(found.origin, actor, progress or _say_nothing)
        return self._train(REFRESH, found.origin, actor, progress, True, with_report)

    def _recalibrate(self, origin: str, actor: str, say: Progress) -> str:
        busy = self._busy(RECALIBRATION, asked=True)
        if busy is not None:
            return busy
        row = self._champion()
        now = self._context.clock()
        say("joining outcomes", 0.0)
        rows = training_rows(self._context, self._training, row, now=now)
        say("fitting priors", 0.4)
        version = self._recalibrating.make(
            row,
            rows,
            now,
            actor=actor,
            seed=SEED,
            challenger=_challenger_row(row["version"], RECALIBRATION, origin, now, rows),
        )
        say("comparing with the champion", 0.7)
        return self._judge(version, row, rows, now, RECALIBRATION, actor)

    def _champion(self) -> dict[str, Any]:
        row = self._models.champion()
        if row is None:
            raise ServiceError("There is no champion to compare with: run cds-service train.")
        return row

    def _train_if_possible(
        self,
        kind: str,
        origin: str,
        actor: str,
        progress: Progress | None,
        asked: bool,
        with_report: bool,
    ) -> str:
        try:
            return self._train(kind, origin, actor, progress, asked, with_report)
        except (NothingToLearnError, TrainingError) as error:
            # A young service has nothing to learn from for months: its schedule must not call that
            # a failure.
            if asked:
                raise
            return f"Nothing was trained. {error}"

    def _train(
        self,
        kind: str,
        origin: str,
        actor: str,
        progress: Progress | None,
        asked: bool,
        with_report: bool,
    ) -> str:
        say = progress or _say_nothing
        busy = self._busy(kind, asked)
        if busy is not None:
            return busy
        row = self._champion()
        now = self._context.clock()
        say("joining outcomes", 0.0)
        rows = training_rows(self._context, self._training, row, now=now)
        champion = ModelService.load(row)
        design = as_champion(champion, SEED) if kind == REFRESH else full_search(champion, SEED)
        version, _ = self._retraining.train(
            row,
            rows,
            design,
            actor=actor,
            note=kind,
            progress=lambda step, share: say(step, 0.02 + 0.88 * share),
            with_report=with_report,
            challenger=_challenger_row(row["version"], kind, origin, now, rows),
            out_of_time=None
            if kind == REFRESH
            else after_minutes(self._context.settings.search_minutes),
        )
        say("comparing with the champion", 0.92)
        return self._judge(version, row, rows, now, kind, actor)

    def _busy(self, kind: str, asked: bool) -> str | None:
        """Why nothing is trained now: one of a kind at a time, and not twice for one reason."""
        known = self.challengers()
        on_its_way = busy_with(kind, known)
        if on_its_way is not None:
            return f"Version {on_its_way['version']} is on its way already; nothing was trained."
        last, now = newest(kind, known), self._context.clock()
        if not asked and last is not None and now - last < SOON:
            return f"The last challenger was trained {(now - last).days} days ago; none is due."
        return None

    def _staged(self, stage: str) -> list[dict[str, Any]]:
        return [row for row in self.challengers() if row["stage"] == stage]

    def _resume(self, row: dict[str, Any], actor: str) -> str:
        """Judge a challenger whose training was done and whose comparison was not."""
        champion = self._models.champion()
        with reading(self._context.engine) as connection:
            # Its heads of rare diseases may have changed meanwhile, and nothing else.
            alike = [] if champion is None else ModelStore(connection).alike(champion["version"])
        if champion is None or row["champion"] not in alike:
            return self._steps.give_up(row, "Another version is champion since.", actor)
        until = datetime.fromisoformat(row["detail"]["data_until"])
        rows = training_rows(
            self._context,
            self._training,
            champion,
            now=until,
            histories=row["detail"]["histories"],
        )
        try:
            self._models.load(self._models.version(row["version"]))
        except ArtefactError as error:
            return self._steps.give_up(row, str(error), actor)
        return self._judge(row["version"], champion, rows, until, row["detail"]["kind"], actor)

    def _judge(
        self,
        version: str,
        champion: dict[str, Any],
        rows: TrainingRows,
        until: datetime,
        kind: str,
        actor: str,
    ) -> str:
        """The gates, and where the challenger goes from there."""
        comparison = (
            self._recalibrating.judge(champion, version, rows, until, seed=SEED)
            if kind == RECALIBRATION
            else self._retraining.judge(champion, version, rows, seed=SEED)
        )
        at = self._context.clock()
        stage = _after_gates(comparison, self._context.settings.shadow_days)
        reason = comparison.decision.reason
        with self._context.engine.begin() as connection:
            moved = self._steps.move(
                connection,
                version,
                GATE,
                stage,
                reason,
                at=at,
                actor=actor,
                shadow_until=at + timedelta(days=self._context.settings.shadow_days)
                if stage == SHADOW
                else None,
            )
            if not moved:
                return f"Version {version} was judged by another process."
            looks = self._retraining.keep(
                connection, version, comparison, reason, rows.counts, at=at, actor=actor
            )
        self._retraining.log(version, comparison, looks, reason, rows.counts)
        return f"Version {version} is {STAGE_WORDS[stage]}. {reason}"

    def _leave_shadow(self, row: dict[str, Any], actor: str) -> str | None:
        """The second gate, once the time is over and enough outcomes have matured."""
        at, version = self._context.clock(), str(row["version"])
        if at < row["shadow_until"]:
            return None
        needed, since = self._context.settings.shadow_outcomes, row["created_at"]
        late = at - since >= LONGEST_SHADOW
        if not late and len(matured_outcomes(self._context, since=since, decide=False)) < needed:
            return None
        try:
            old = ModelService.load(self._models.version(row["champion"]))
            new = ModelService.load(self._models.version(version))
        except ArtefactError as error:
            return self._steps.give_up(row, str(error), actor)
        found = paired_loss(old, new, matured_outcomes(self._context, since=since))
        if found is None or found.difference.rows < needed or _few_patients(found):
            if not late:
                return None
            count = 0 if found is None else found.difference.rows
            reason = (
                f"Not enough to decide: {count} outcomes in {LONGEST_SHADOW.days} days, "
                f"{needed} are needed; the champion stays."
            )
            return self._steps.step(version, SHADOW, UNDECIDED, reason, found, actor)
        margin = self._context.settings.gate_log_loss
        worse = found.lower > 0.0 and found.difference.value > margin
        said = (
            f"on {found.difference.rows} outcomes of {found.difference.clusters} patients in "
            f"shadow: log loss {found.new:.4f} against {found.old:.4f} (difference "
            f"{found.difference.value:+.4f}, at least {found.lower:+.4f}, allowed {margin:+.4f})."
        )
        if worse:
            return self._steps.step(version, SHADOW, REFUSED, f"Refused {said}", found, actor)
        return self._steps.step(version, SHADOW, WAITING, f"Not worse {said}", found, actor)


def _challenger_row(
    champion: str, kind: str, origin: str, now: datetime, rows: TrainingRows
) -> dict[str, Any]:
    return {
        "origin": origin,
        "stage": GATE,
        "champion": champion,
        "detail": {
            "kind": kind,
            "data_until": now.isoformat(),
            "histories": list(rows.history_ids),
            "rows": {"history": rows.history_rows, "outcomes": rows.outcome_rows},
        },
    }


def _after_gates(comparison: Comparison, shadow_days: int) -> str:
    if comparison.decision.promote:
        return SHADOW if shadow_days else WAITING
    return UNDECIDED if comparison.decision.outcome == NOT_ENOUGH else REFUSED


def _few_patients(found: PairedLoss) -> bool:
    return found.difference.clusters < MINIMUM_CLUSTERS


def _say_nothing(_step: str, _done: float) -> None:
    """Progress for nobody."""
