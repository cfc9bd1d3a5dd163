"""`cds-service monitor`."""

import json
from typing import Annotated, Any

import typer

from cds_service.cli.console import actor
from cds_service.context import ProcessContext, now
from cds_service.settings import load_settings
from cds_service.storage.session import check


def monitor(
    chunks: Annotated[int, typer.Option(min=1, help="How many of the newest chunks to show.")] = 3,
    accept: Annotated[
        str | None,
        typer.Option(
            help="A quantity that alarms, like systolic_bp: take it as it is now, so that its last "
            "chunks begin a new reference. Needs --reason."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The chunks as JSON.")] = False,
) -> None:
    """Hold the inputs of new assessments against their reference, and raise alerts."""
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.watching_inputs import InputWatchService

    context = ProcessContext.create(load_settings(), clock=now)
    check(context.engine)
    service = InputWatchService(context)
    said = service.run(actor=actor())
    if accept is not None:
        service.accept(accept, actor=actor(), reason=reason)
        said += f" {accept} is accepted as it is now."
    newest = service.newest(chunks)
    if as_json:
        typer.echo(json.dumps([_as_json(chunk) for chunk in newest], indent=2))
        return
    typer.echo(said)
    if not newest:
        size = context.settings.input_chunk_rows
        typer.echo(f"No chunk is complete yet: {size} assessments (CDS_INPUT_CHUNK_ROWS) make one.")
        return
    for chunk in reversed(newest):
        typer.echo(_line(chunk))
    _print(newest[0])
    joined = next((chunk for chunk in newest if chunk["outcomes"]), None)
    if joined is not None:
        _print_outcomes(joined)


def _as_json(chunk: dict[str, Any]) -> dict[str, Any]:
    times = {name: chunk[name].isoformat() for name in ("started_at", "ended_at", "at")}
    kept = ("number", "rows", "model_version", "result", "outcomes")
    return {name: chunk[name] for name in kept} | times


def _line(chunk: dict[str, Any]) -> str:
    quantities = chunk["result"]["quantities"]
    alarms = [name for name, one in quantities.items() if one["alarm"]]
    beyond = [name for name, one in quantities.items() if one["beyond"] and not one["alarm"]]
    said = f"alarm: {', '.join(alarms)}" if alarms else "no alarm"
    if beyond:
        said += f"; beyond a limit once: {', '.join(beyond)}"
    return (
        f"Chunk {chunk['number']}, {chunk['started_at']:%Y-%m-%d %H:%M} to "
        f"{chunk['ended_at']:%Y-%m-%d %H:%M}, {chunk['rows']} assessments: {said}"
    )


def _print(chunk: dict[str, Any]) -> None:
    from model.evaluation.report import table

    result = chunk["result"]
    typer.echo(
        f"\nChunk {chunk['number']}, version {chunk['model_version']}: {result['watched']} "
        f"quantities share one alarm budget of 1 in {1 / result['budget']:.0f} chunks.\n"
    )
    inputs = result["inputs"]
    rows = []
    for name, one in sorted(result["quantities"].items(), key=lambda item: ":" in item[0]):
        shown = inputs.get(name, {})
        rows.append(
            [
                name,
                _number(one["value"]),
                _number(one["mean"]),
                _number(one["low"]),
                _number(one["high"]),
                _number(shown.get("median")),
                _number(shown.get("reference_median")),
                _number(shown.get("stability_index")),
                "alarm" if one["alarm"] else "beyond" if one["beyond"] else "",
                one["reference"],
            ]
        )
    columns = ["quantity", "value", "reference", "low", "high", "median", "was", "PSI", ""]
    typer.echo(table([*columns, "held against"], rows))


def _print_outcomes(chunk: dict[str, Any]) -> None:
    from model.evaluation.report import table

    typer.echo(f"\nChunk {chunk['number']}, how inputs went with acute illness:\n")
    quantities = chunk["outcomes"]["quantities"]
    columns = ["quantity", "value", "reference", "low", "high", "held against"]
    names = ("value", "mean", "low", "high")
    rows = [
        [name, *(_number(one[column]) for column in names), one["reference"]]
        for name, one in quantities.items()
    ]
    typer.echo(table(columns, rows))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
