"""`cds-service terminology`: the labels a hospital owns."""

from pathlib import Path
from typing import Annotated

import typer

from cds_service.services.site_terminology import explain as explain_code
from cds_service.services.site_terminology import inspect_site, site_terminology
from cds_service.settings import load_settings
from fhir_mapping.compositions import Members
from fhir_mapping.terminology import Terminology

app = typer.Typer(help="Value sets and maps of the label rules.", no_args_is_help=True)


@app.callback()
def terminology() -> None:
    """Value sets and maps of the label rules."""


@app.command("check")
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder to look at instead of CDS_TERMINOLOGY_DIR.")
    ] = None,
) -> None:
    """Say which value sets and maps are in use; exit 1 if anything is wrong with them."""
    inspection = inspect_site(load_settings(), folder)
    for fault in inspection.faults:
        typer.echo(f"Error: {fault}")
    if inspection.terminology is not None:
        _print(inspection.terminology)
    for note in inspection.notes:
        typer.echo(f"Look at: {note}")
    if inspection.faults:
        raise typer.Exit(1)


@app.command("explain")
def explain(
    code: Annotated[str, typer.Argument(help="A code, like I21.4.")],
    system: Annotated[
        str | None,
        typer.Option(help="URI or OID of its system. Default: ICD-10-CM, ICD-10 and SNOMED CT."),
    ] = None,
) -> None:
    """Say what a code is classified as, by which set or map, and why."""
    for found in explain_code(site_terminology(load_settings()), code, system):
        typer.echo(f"{found.coding.system} {found.coding.code}")
        typer.echo(f"  {found.category or 'undetermined'}: {found.because}")
        for line in found.passed_over:
            typer.echo(f"  {line}")
        if found.rare is not None:
            typer.echo(f"  rare disease {found.rare}")


def _print(terms: Terminology) -> None:
    typer.echo(f"Label version {terms.label_version}")
    for name, one in terms.value_sets.items():
        used = "in use" if terms.in_use(name) else "not in use"
        typer.echo(f"Value set {name} {one.version}: {one.status}, {used}, {_size(one.includes)}")
        _origin(one.reviewed_by, one.review_status, one.file)
    for number, each in enumerate(terms.concept_maps, start=1):
        typer.echo(
            f"Concept map {each.url} {each.version}: {each.status}, asked as number {number}, "
            f"{len(each.targets)} codes"
        )
        _origin(each.reviewed_by, each.review_status, each.file)
    for system, rules in terms.variants.items():
        typer.echo(f"ICD-10 variant {system}: read by the rules of {rules}")
    if terms.rare_diseases is not None:
        rare = terms.rare_diseases
        typer.echo(
            f"Orphadata {rare.version}: {len(rare.codes)} codes of ICD-10 and OMIM mark a rare "
            f"disease (relations {', '.join(rare.relations)})\n  {rare.file}"
        )
        for reason, count in sorted(rare.left_out.items()):
            typer.echo(f"  {count} cross-references left out: {reason}")


def _size(members: Members) -> str:
    families = sum(map(len, members.families.values()))
    return (
        f"{len(members.listed)} codes, {families} codes with their subdivisions, "
        f"{len(members.rules)} other filters"
    )


def _origin(reviewed_by: str | None, review_status: str, file: str) -> None:
    typer.echo(f"  reviewed by: {reviewed_by or 'nobody'} ({review_status})\n  {file}")
