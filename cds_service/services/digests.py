"""What changed with a promotion, side by side: for administrators, without patient data."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.change_plan import ACTOR
from cds_service.services.labelled import input_frame
from cds_service.services.models import ModelService, histories_of
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.challenger_store import ChallengerStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.release_watch_store import ReleaseWatchStore
from cds_service.storage.session import reading
from model.errors import ArtefactError
from model.population import ages_in_range
from model.scorer import Scorer
from model.severity import Severity

ROWS: Final = 2_000
"""Stored assessments that both versions score, the newest."""
_FIGURES: Final = (
    ("log_loss", None),
    ("auroc", "acute"),
    ("recall", "acute"),
    ("precision", "acute"),
)
"""Of the held-out figures: those that a reader compares first; AUROC of every category too."""


class DigestService:
    """Makes digests once and keeps them."""

    def __init__(self, context: ProcessContext, models: ModelService) -> None:
        self._context = context
        self._models = models

    def missing(self) -> int:
        """Make the digests of promotions that have none; how many there were."""
        with reading(self._context.engine) as connection:
            without = [one for one in ReleaseWatchStore(connection).all() if one["digest"] is None]
        for watch in without:
            self._make(watch)
        return len(without)

    def of(self, version: str | None) -> dict[str, Any]:
        """The digest of a version, or of the newest promotion. Raises `ServiceError`."""
        self.missing()
        with reading(self._context.engine) as connection:
            for watch in ReleaseWatchStore(connection).all():
                if version is None or watch["digest"]["version"] == version:
                    return dict(watch["digest"])
        raise ServiceError(
            "There is no digest: it is made where a version takes the place of one of real history."
        )

    def _make(self, watch: Mapping[str, Any]) -> None:
        with reading(self._context.engine) as connection:
            store = ModelStore(connection)
            release = next(
                one for one in store.releases() if one["release_id"] == watch["release_id"]
            )
            previous = store.version(watch["previous"])
            challenger = ChallengerStore(connection).get(release["version"])
            compared = _compared(store.evaluations(release["version"]))
            features = AssessmentStore(connection).newest_features(ROWS)
        assert previous is not None  # noqa: S101  # the row names it
        digest: dict[str, Any] = {
            "version": release["version"],
            "previous": previous["version"],
            "at": release["at"].isoformat(),
            "by": release["actor"],
            "why": release["reason"],
            "change_plan": _plan(challenger, release["actor"]),
            "kind": None if challenger is None else challenger["detail"].get("kind"),
            "asked_by": None if challenger is None else challenger["origin"],
            "data": {
                "rows": None if challenger is None else challenger["detail"].get("rows"),
                "histories": len(histories_of(release)),
                "histories_before": len(histories_of(previous)),
            },
            "figures": _figures(previous["metrics"], release["metrics"]),
            "comparison": compared,
        }
        try:
            old, new = ModelService.load(previous), ModelService.load(release)
        except ArtefactError as error:
            digest["not_compared"] = str(error)
        else:
            digest |= _side_by_side(old, new, input_frame(features))
        with self._context.engine.begin() as connection:
            ReleaseWatchStore(connection).set_digest(watch["release_id"], digest)


def digest_text(digest: Mapping[str, Any]) -> str:
    """A digest in lines."""
    at = datetime.fromisoformat(digest["at"]).astimezone(UTC)
    lines = [
        f"Version {digest['version']} took the place of {digest['previous']} on "
        f"{at:%Y-%m-%d %H:%M} UTC.",
        f"By: {digest['by']}. Why: {digest['why']}",
    ]
    if digest["change_plan"]:
        lines.append(f"Change plan: SHA-256 {digest['change_plan']}")
    if digest["kind"]:
        rows = digest["data"]["rows"] or {}
        counts = ", ".join(f"{count} of {name}" for name, count in rows.items())
        lines.append(
            f"It is a {digest['kind']}, asked for by {digest['asked_by']}; rows: {counts}."
        )
    lines += _table("held-out figure, each on its own rows", digest["figures"], _interval)
    lines += _table("threshold", digest.get("thresholds", ()), _number)
    if "categories" in digest:
        lines.append(_before_and_now("Categories", digest["categories"]))
        lines.append(_before_and_now("Rare diseases with a head", digest["rare_heads"]))
    stored = digest.get("stored")
    if stored and stored["rows"]:
        lines.append(
            f"On the last {stored['rows']} stored charts: flagged as acute "
            f"{_share(stored['flagged']['old'])} before, {_share(stored['flagged']['new'])} now; "
            f"{_share(stored['changed'])} get another category."
        )
    if "not_compared" in digest:
        lines.append(f"The versions were not compared: {digest['not_compared']}")
    return "\n".join(lines)


def _side_by_side(old: Scorer, new: Scorer, frame: pd.DataFrame) -> dict[str, Any]:
    """What two versions make of the same stored charts, and what they can say."""
    return {
        "thresholds": [
            {
                "name": code.value,
                "old": old.facts.thresholds.get(code),
                "new": new.facts.thresholds.get(code),
            }
            for code in Severity
            if code in old.classes or code in new.classes
        ],
        "categories": {
            name: [code.value for code in scorer.classes]
            for name, scorer in (("old", old), ("new", new))
        },
        "rare_heads": {"old": _heads(old), "new": _heads(new)},
        "stored": _stored(old, new, frame),
    }


def _stored(old: Scorer, new: Scorer, frame: pd.DataFrame) -> dict[str, Any]:
    if len(frame):
        age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
        inside = np.ones(len(frame), dtype=bool)
        for scorer in (old, new):
            inside = inside & ages_in_range(age, scorer.facts.min_age, scorer.facts.max_age)
        frame = frame[inside]
    if not len(frame):
        return {"rows": 0, "changed": None, "flagged": {"old": None, "new": None}}
    decided = [scorer.decide(scorer.probabilities(frame)) for scorer in (old, new)]
    flagged = [float(np.mean(one == Severity.ACUTE.value)) for one in decided]
    return {
        "rows": len(frame),
        "changed": float(np.mean(decided[0] != decided[1])),
        "flagged": {"old": flagged[0], "new": flagged[1]},
    }


def _heads(scorer: Scorer) -> list[str]:
    heads = scorer.artefact.prototypes
    return [] if heads is None else [head.code for head in heads.heads]


def _figures(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Held-out figures of both with their intervals; each was measured on rows of its own."""
    before, after = (_by_name(one.get("held_out") or ()) for one in (old, new))
    names = [
        *_FIGURES,
        *(key for key in {**before, **after} if key[0] == "auroc" and key not in _FIGURES),
    ]
    return [
        {
            "name": name if category is None else f"{name} of {category}",
            "old": before.get((name, category)),
            "new": after.get((name, category)),
        }
        for name, category in names
        if (name, category) in before or (name, category) in after
    ]


def _by_name(
    records: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {
        (one["metric"], one["category"]): {
            part: one[part] for part in ("value", "lower", "upper", "n")
        }
        for one in records
        if one["decided"] is None
    }


def _compared(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the gates said last, on the same rows for both."""
    for row in evaluations:
        if "gates" in row["result"]:
            gates = [
                {name: gate[name] for name in ("name", "passed", "sentence")}
                for gate in row["result"]["gates"]
            ]
            kept = ("champion", "rows", "outcome", "reason")
            return {name: row["result"].get(name) for name in kept} | {"gates": gates}
    return None


def _plan(challenger: Mapping[str, Any] | None, actor: str) -> str | None:
    if challenger is None or not actor.startswith(ACTOR):
        return None
    found = challenger["detail"].get("plan", {}).get("sha256")
    return None if found is None else str(found)


def _table(title: str, rows: Sequence[Mapping[str, Any]], cell: Any) -> list[str]:
    if not rows:
        return []
    width = max(len(title), *(len(row["name"]) for row in rows))
    head = f"{title:<{width}}  {'before':<24}  now"
    return [head, *(f"{r['name']:<{width}}  {cell(r['old']):<24}  {cell(r['new'])}" for r in rows)]


def _interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "not enough"
    if figure["lower"] is None or figure["upper"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [{figure['lower']:.3f}, {figure['upper']:.3f}]"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"


def _before_and_now(title: str, both: Mapping[str, Sequence[str]]) -> str:
    before, now = (", ".join(both[name]) or "none" for name in ("old", "new"))
    return f"{title}: {now}." if before == now else f"{title}: before {before}; now {now}."
