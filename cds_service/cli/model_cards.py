"""`cds-service models card` and `card-set`."""

import json
from typing import Annotated, Literal

import typer

from cds_service.cli.console import actor
from cds_service.context import now
from cds_service.services.model_cards import ModelCard, ModelCardService
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine
from cds_service.web.model_card_json import card_json
from cds_service.web.model_card_page import sections, status
from cds_service.web.model_card_parts import Section
from cds_service.web.words import Words
from model.source_attributes import SOURCE_ATTRIBUTES

Version = Annotated[str, typer.Argument(help="Version, or `champion`.")]
CardLanguage = Annotated[Literal["en", "es"], typer.Option(help="Language.")]


def _service() -> ModelCardService:
    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    return ModelCardService(engine, now, settings.data_dir)


def card(
    version: Version,
    as_json: Annotated[bool, typer.Option("--json", help="As /models/…/card.json.")] = False,
    language: CardLanguage = "en",
) -> None:
    """The model card: the 31 source attributes and the facts of the run."""
    found = _service().card(version)
    if as_json:
        typer.echo(json.dumps(card_json(found), indent=2, ensure_ascii=False))
    else:
        typer.echo(_as_text(found, Words(language)))


def card_set(
    version: Version,
    attribute: Annotated[str, typer.Argument(help="Id of the attribute, as `card` names it.")],
    text: Annotated[str, typer.Option("--text", help="Everybody who opens the card reads it.")],
    language: CardLanguage = "en",
) -> None:
    """Write what only people know on a model card; an empty text takes it back."""
    name = _service().write(version, attribute, text, language=language, actor=actor())
    done = "is written" if text.strip() else "is open again"
    typer.echo(f"{attribute} ({language}) of model version {name} {done}.")


def _as_text(found: ModelCard, words: Words) -> str:
    """The card for a terminal, attributes under the ids that `card-set` takes."""
    facts = found.facts
    lines = [
        f"{words.say('heading')}: {words.say('version', version=facts['model']['version'])} "
        f"({status(facts, words)})",
        words.say("device"),
    ]
    if facts["data"]["simulated"]:
        lines.append(words.say("simulated"))
    for section in sections(found, words):
        lines += ["", section.title.upper(), *_section(section)]
    return "\n".join(lines)


def _section(section: Section) -> list[str]:
    from model.evaluation.report import table

    lines = list(section.paragraphs)
    lines += [f"{term}: {'; '.join(values)}" for term, values in section.facts]
    for one in section.tables:
        rows = [list(row) for row in one.rows]
        lines += ["", one.caption, table(list(one.head), rows).rstrip("\n")]
    ids = iter(SOURCE_ATTRIBUTES)
    for group in section.groups:
        lines += ["", group.title]
        for attribute in group.attributes:
            lines.append(f"  {next(ids).id}: {attribute.title}")
            said = [*attribute.says]
            for written in attribute.written:
                said += [written.note, *written.text.splitlines()]
            if attribute.open is not None:
                said.append(attribute.open)
            lines += [f"    {text}" for text in said]
    return lines
