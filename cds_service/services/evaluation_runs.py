"""Judgements of chunks as MLflow runs, each below the training run of the version it judges."""

from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.services.models import open_registry
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.session import reading
from model.training.registry import Registry, RegistryError


def record_runs(context: ProcessContext) -> int:
    """Tell MLflow of every judgement that it does not know; how many that were.

    Nothing depends on it: where the tracking server is away, a warning is logged and the rest is
    told next time.
    """
    with reading(context.engine) as connection:
        waiting = EvaluationChunkStore(connection).without_run()
    told, registry = 0, None
    try:
        for identifier in waiting:
            with reading(context.engine) as connection:
                chunk = EvaluationChunkStore(connection).get(identifier)
            if not chunk["result"]["versions"]:
                continue  # There is nothing to stand beside.
            registry = registry or open_registry(context.settings)
            run_id = _record(registry, chunk)
            with context.engine.begin() as connection:
                EvaluationChunkStore(connection).set_run(identifier, run_id)
            told += 1
    except RegistryError as error:
        LOGGER.warning("%s The evaluation is kept, and told next time.", error)
    return told


def _record(registry: Registry, chunk: Mapping[str, Any]) -> str:
    """A run for each version, of which there is one; the id of that which answered most."""
    runs: dict[str, str] = {}
    versions = chunk["result"]["versions"]
    for version, figures in versions.items():
        name = f"chunk {chunk['number']}.{chunk['revision']} version {version}"
        runs[version] = registry.log_chunk(
            version,
            f"{chunk['id']}/{version}",
            dict(_flat(figures)),
            figures,
            {
                "chunk": str(chunk["number"]),
                "revision": str(chunk["revision"]),
                "started_at": chunk["started_at"].isoformat(),
                "ended_at": chunk["ended_at"].isoformat(),
                "label_version": chunk["label_version"],
                "rows": str(chunk["rows"]),
                "verified": str(chunk["verified"]),
            },
            name=name,
            at=chunk["at"],
        )
    return runs[max(runs, key=lambda version: int(versions[version]["answered"]))]


def _flat(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """`recall/acute`, `recall/acute.lower`, `weighted/recall/acute` and alike; no empty ones."""
    weighted = figures["weighted"] or {"figures": []}
    for prefix, records in (("", figures["metrics"]), ("weighted/", weighted["figures"])):
        for record in records:
            keys = (record["metric"], record["category"], record.get("decided"))
            name = prefix + "/".join(key for key in keys if key is not None)
            for suffix, part in (("", "value"), (".lower", "lower"), (".upper", "upper")):
                if record[part] is not None:
                    yield name + suffix, float(record[part])
    for name in ("scored", "with_outcome"):
        yield name, float(figures[name])
