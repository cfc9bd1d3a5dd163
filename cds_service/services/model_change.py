"""What a person changes about the versions on a page: by the rules of the commands."""

from dataclasses import dataclass

from cds_service.context import ProcessContext
from cds_service.services.promoting import Promotions
from cds_service.services.releasing import ModelRuleError
from model.errors import ArtefactError


@dataclass(frozen=True, slots=True)
class Change:
    """What was asked for."""

    action: str
    """`promote`, `rollback`, `approve` or `withdraw`."""
    version: str
    live: str
    """The version that was live when the page was opened; empty without one."""
    reason: str
    fewer: bool = False
    """The champion may lose a category."""


class ModelChanges:
    """Does what was asked for, if things are still as they were shown."""

    def __init__(self, context: ProcessContext) -> None:
        self._promotions = Promotions(context.engine, context.clock)

    def do(self, change: Change, *, actor: str) -> None:
        """Do it. Raises `ModelRuleError`, also where another version is live by now or files are
        damaged."""
        champion = self._promotions.champion()
        if (champion["version"] if champion is not None else "") != change.live:
            raise ModelRuleError(
                "Another version is live than when the page was opened; nothing was changed.",
                problem="changed",
            )
        try:
            self._do(change, actor)
        except ArtefactError:
            raise ModelRuleError(
                f"The files of version {change.version} are damaged.", problem="damaged"
            ) from None

    def _do(self, change: Change, actor: str) -> None:
        version, reason = change.version, change.reason
        if change.action == "promote":
            self._promotions.promote(
                version, actor=actor, reason=reason, allow_fewer_categories=change.fewer
            )
        elif change.action == "approve":
            self._promotions.approve(version, actor=actor, reason=reason)
        elif change.action == "withdraw":
            self._promotions.withdraw(version, actor=actor, reason=reason)
        elif change.action == "rollback":
            if self._promotions.earlier() != version:
                raise ModelRuleError(
                    f"A rollback would not lead to version {version} any more.", problem="changed"
                )
            self._promotions.rollback(actor=actor, reason=reason)
        else:
            raise ValueError(change.action)
