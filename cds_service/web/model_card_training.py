"""What a model was made of, as sections of its card: inputs, rows, people, choice, files."""

from collections.abc import Sequence

from cds_service.web.model_card_parts import Facts, Section, Table
from cds_service.web.words import Words
from model.model_card import PARTS


def inputs(facts: Facts, words: Words) -> Section:
    """What goes in, and within which limits."""
    say = words.say
    rows = []
    for one in facts["inputs"]:
        limits = say("none")
        if one["possible"] is not None:
            low, high = (f"{limit:g}" for limit in one["possible"])
            limits = say("range", low=low, high=high, unit=one["unit"])
        rows.append([words.feature(one["name"]), one["unit"] or say("none"), limits])
    computed = ", ".join(one["name"] for one in facts["columns"])
    return Section(
        "inputs",
        say("inputs"),
        [say("inputs.lead"), say("columns", names=computed)],
        tables=[
            Table(
                say("inputs.caption"), [say("input"), say("unit"), say("possible")], rows, texts=3
            )
        ],
    )


def data(facts: Facts, words: Words) -> Section:
    """Rows it learnt from and was measured on."""
    say, data = words.say, facts["data"]
    rows = [
        [words.category(code), *(words.count(line[part]) for part in PARTS)]
        for code, line in data["rows_by_category"].items()
    ]
    held_out = (
        say("no_dates") if data["held_out_from"] is None else words.day(data["held_out_from"])
    )
    shown: list[tuple[str, Sequence[str]]] = [
        (say("rows.given"), [words.about(data["rows"]["given"])]),
        (say("rows.without_category"), [words.about(data["rows"]["without_category"])]),
        (say("rows.out_of_population"), [words.about(data["rows"]["out_of_population"])]),
        (say("rows.used"), [words.about(data["rows"]["used"])]),
        (say("patients"), [words.about(data["patients"])]),
        (say("rows_without_patient"), [words.about(data["rows_without_patient"])]),
        (say("trained_through"), [words.day(data["trained_through"])]),
        (say("held_out_from"), [held_out]),
    ]
    head = [say("category"), *(say(f"part.{part}") for part in PARTS)]
    return Section(
        "data",
        say("data"),
        [say("data.lead")],
        facts=shown,
        tables=[Table(say("data.caption"), head, rows)],
    )


def people(facts: Facts, words: Words) -> Section:
    """Of whom they were."""
    say, people = words.say, facts["people"]
    if people is None:
        return Section("people", say("people"), [say("people.not_recorded")])
    bands = [[name, words.count(n)] for name, n in people["age_bands"].items()]
    sexes = [
        [words.wording.say(f"sex.{name}"), words.count(n)] for name, n in people["sex"].items()
    ]
    rare = [[code, words.count(n)] for code, n in people["rare_codes"].items()]
    tables = [
        Table(say("people.age"), [say("people.age"), say("people.rows")], bands),
        Table(say("people.sex"), [say("people.sex"), say("people.rows")], sexes),
    ]
    paragraphs = [say("people.lead")]
    if rare:
        tables.append(Table(say("people.rare"), [say("people.rare"), say("people.rows")], rare))
    if people["rare_codes_not_named"]:
        paragraphs.append(say("people.rare.others", n=people["rare_codes_not_named"]))
    elif not rare:
        paragraphs.append(say("people.rare.none"))
    return Section("people", say("people"), paragraphs, tables=tables)


def choice(facts: Facts, words: Words) -> Section:
    """What else was tried."""
    say = words.say
    rows = []
    for one in facts["candidates"]:
        behind = words.figure(one["behind"], 4)
        if one["standard_error"] is not None:
            behind = f"{behind} ({words.figure(one['standard_error'], 4)})"
        name = f"{one['name']} ({say('chosen')})" if one["chosen"] else one["name"]
        rows.append([name, words.figure(one["log_loss"], 4), behind])
    temperature = words.figure(facts["calibration"]["temperature"])
    head = [say("candidate"), say("log_loss"), say("behind")]
    return Section(
        "choice",
        say("choice"),
        [say("choice.lead"), say("calibration", temperature=temperature)],
        tables=[Table(say("choice.caption"), head, rows)] if rows else [],
    )


def origin(facts: Facts, words: Words) -> Section:
    """By what it can be told to be this model."""
    say, model, data = words.say, facts["model"], facts["data"]
    packages = ", ".join(f"{name} {one}" for name, one in model["package_versions"].items())
    return Section(
        "origin",
        say("origin"),
        facts=[
            (say("checksum"), [model["checksum"]]),
            (say("label_version"), [data["label_version"]]),
            (say("code_version"), [model["code_version"] or say("not_recorded")]),
            (say("packages"), [packages]),
            (say("seed"), [str(model["seed"])]),
            (say("sources"), data["sources_sha256"] or [say("not_recorded")]),
        ],
    )
