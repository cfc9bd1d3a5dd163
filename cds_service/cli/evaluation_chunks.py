"""The table of chunks that `cds-service evaluate` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

_HEAD = ("chunk", "from", "until", "revision", "assessments", "verified")
_OF_VERSION = (
    *("version", "scored", "with outcome", "log loss", "weighted"),
    *("AUROC acute", "weighted", "bounds"),
)


def print_chunks(done: str, chunks: Sequence[Mapping[str, Any]]) -> None:
    """What was done, and the newest chunks, the newest first; one line a chunk and version."""
    from model.evaluation.report import table

    typer.echo(f"\n{done}")
    if not chunks:
        typer.echo("No chunk of assessments has matured yet.")
        return
    lines: list[list[str]] = []
    for chunk in chunks:
        result = chunk["result"]
        verified = "-" if not chunk["rows"] else f"{chunk['verified'] / chunk['rows']:.0%}"
        told = [
            str(chunk["number"]),
            f"{chunk['started_at']:%Y-%m-%d}",
            f"{chunk['ended_at']:%Y-%m-%d}",
            str(chunk["revision"]),
            str(chunk["rows"]),
            verified,
        ]
        for version, figures in result["versions"].items() or [("-", None)]:
            lines.append([*told, _named(version, figures, result), *_figures(figures)])
            told = [""] * len(_HEAD)
    typer.echo(table([*_HEAD, *_OF_VERSION], lines))
    newest = chunks[0]
    typer.echo(f"\nChunk {newest['number']}:")
    for sentence in (*_verified(newest), *_feedback(newest), *_shifts(newest), *_cautions(newest)):
        typer.echo(sentence)


def _named(version: str, figures: Mapping[str, Any] | None, result: Mapping[str, Any]) -> str:
    """With what the version was to the chunk, if it was not simply the one that answered."""
    if figures is None:
        return version
    roles = ["live"] if version == result["champion"] else []
    roles += ["shadow"] if figures["answered"] == 0 else []
    return f"{version} ({', '.join(roles)})" if roles else version


def _verified(chunk: Mapping[str, Any]) -> list[str]:
    """How much is verified in each group (C18)."""
    by: dict[str, list[str]] = {}
    for one in chunk["result"]["verification"]:
        share = "too few" if one["share"] is None else f"{one['share']:.0%}"
        by.setdefault(one["by"], []).append(
            share if one["by"] == "risk" else f"{one['level']} {share}"
        )
    words = {
        "category": "Verified by category predicted",
        "risk": "Verified by tenth of the risk of acute illness, lowest first",
        "card": "Verified by card",
    }
    return [f"{words[name]}: {', '.join(by[name])}." for name in words if name in by]


def _feedback(chunk: Mapping[str, Any]) -> list[str]:
    told = [
        f"{one['indicator']} {one['accepted']:.0%} and {one['overridden']:.0%} of {one['cards']}"
        for one in chunk["result"]["feedback"]
        if one["cards"]
    ]
    return [f"Cards taken up and overridden: {'; '.join(told)}."] if told else []


def _shifts(chunk: Mapping[str, Any]) -> list[str]:
    """How common categories are now, by what each version that answered predicts."""
    found: list[str] = []
    for version, figures in chunk["result"]["versions"].items():
        if figures["answered"] and figures["prevalence_shift"]:
            told = ", ".join(
                f"{one['category']} {one['ratio']:.2f} [{one['lower']:.2f}, {one['upper']:.2f}]"
                for one in figures["prevalence_shift"]
            )
            found.append(f"Shares by what version {version} predicts, times its own: {told}.")
    return found


def _cautions(chunk: Mapping[str, Any]) -> list[str]:
    """What to read beside the weighted figures of the newest chunk."""
    found: list[str] = []
    for version, figures in chunk["result"]["versions"].items():
        weighted = figures["weighted"]
        if weighted and weighted["never_verified"]:
            groups = ", ".join(f"{one['by']} {one['level']}" for one in weighted["never_verified"])
            found.append(
                f"Version {version}: nobody of these groups has an outcome, so that their part of "
                f"a weighted figure is a guess: {groups}."
            )
    return found


def _figures(figures: Mapping[str, Any] | None) -> list[str]:
    if figures is None:
        return ["-"] * (len(_OF_VERSION) - 1)
    weighted = figures["weighted"] or {"figures": [], "bounds": []}
    return [
        str(figures["scored"]),
        str(figures["with_outcome"]),
        _value(_record(figures["metrics"], "log_loss", None)),
        _value(_record(weighted["figures"], "log_loss", None)),
        _value(_record(figures["metrics"], "auroc", "acute")),
        _value(_record(weighted["figures"], "auroc", "acute")),
        _bounds(_record(weighted["bounds"], "auroc", "acute")),
    ]


def _record(
    records: Sequence[Mapping[str, Any]], metric: str, category: str | None
) -> Mapping[str, Any] | None:
    for record in records:
        if (record["metric"], record["category"]) == (metric, category):
            return record
    return None


def _value(record: Mapping[str, Any] | None) -> str:
    """`0.812 [0.790, 0.834]`, or `-`."""
    if record is None or record["value"] is None:
        return "-"
    if record["lower"] is None:
        return f"{record['value']:.3f}"
    return f"{record['value']:.3f} [{record['lower']:.3f}, {record['upper']:.3f}]"


def _bounds(record: Mapping[str, Any] | None) -> str:
    """`0.114-0.948`, or `-`."""
    if record is None or record["lower"] is None:
        return "-"
    return f"{record['lower']:.3f}-{record['upper']:.3f}"
