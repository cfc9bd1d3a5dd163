"""A model made from another without fitting its estimator again."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from model.artefact import Artefact, write
from model.scorer import Scorer
from model.training.candidates import Candidate
from model.training.run import TrainingResult

DERIVED_FROM = "derived_from"
"""Name among the attributes of an artefact: checksum of the model it was made from."""


def write_derived(
    parent: Scorer, artefact: Artefact, root: Path, report: dict[str, Any]
) -> TrainingResult:
    """Write `artefact`, made from `parent`, and tell of it as of a training run.

    `report` holds what differs from the parent's; figures on the held-out part are the parent's
    unless it says otherwise. Raises `OSError` if the folder cannot be written.
    """
    attributes = dict(artefact.attributes) | {DERIVED_FROM: parent.checksum}
    path, checksum = write(replace(artefact, attributes=attributes), root)
    told = {"metrics": list(artefact.metrics.get("held_out", ())), "held_out": None, "notes": []}
    return TrainingResult(
        path,
        checksum,
        Scorer.load(path, version="unregistered", expected_checksum=checksum),
        chosen_of(artefact),
        (),
        (),
        told | {"path": str(path), "checksum": checksum} | report,
    )


def chosen_of(artefact: Artefact) -> Candidate:
    """The candidate that a model is, as it was chosen when it was trained."""
    named = {entry.name for entry in fields(Candidate)}
    chosen = artefact.design.get("chosen")
    for record in artefact.metrics.get("candidates", ()):
        way = {name: record.get(name) for name in ("estimator", "balancing", "parameters")}
        if json.dumps(way, sort_keys=True) == json.dumps(chosen, sort_keys=True):
            content = {name: value for name, value in record.items() if name in named}
            content["parameters"] = tuple(sorted(record["parameters"].items()))
            return Candidate(**{"seconds": 0.0} | content)
    # A model of an earlier version does not name its way.
    return Candidate(
        estimator=artefact.estimator.kind,
        balancing="none",
        parameters=(),
        log_loss=float("nan"),
        behind=float("nan"),
        standard_error=float("nan"),
        rounds=None,
        trials=1,
        seconds=0.0,
        verdict="as it was trained",
    )
