"""The model card over HTTP and on the command line, and what people write on it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from cds_service.errors import NotFoundError
from cds_service.services.model_cards import LONGEST_TEXT, CardTextError, ModelCardService
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import AUDIT_EVENTS, MODEL_CARD_ENTRIES
from model.source_attributes import SOURCE_ATTRIBUTES
from tests.support.artefacts import KEPT
from tests.support.commands import done, run
from tests.support.service import Service, TestClock, new_context, release, running
from tests.unit.model.test_model_card import CHECKSUM

EXAMPLE_TEXT = "Clinical data group\nmodels@hospital.example"


def written(service: Service, attribute: str, text: str, language: Any = "en") -> None:
    cards = ModelCardService(
        service.context.engine, service.context.clock, service.context.settings.data_dir
    )
    cards.write("1", attribute, text, language=language, actor="cli:test")


def test_the_link_on_a_card_leads_to_its_page(service: Service) -> None:
    answer = service.assess(service.request(service.vitals(heart_rate=131))).json()
    (link,) = answer["cards"][0]["links"]
    path = link["url"].removeprefix(service.context.settings.base_url)
    page = service.http.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Model card, version 1</title>" in page.text
    assert "Trained on simulated patients, not for care." in page.text
    assert "Not a medical device, cleared nowhere." in page.text


def test_nobody_needs_to_sign_in(tmp_path: Path, small_model: tuple[Path, str]) -> None:
    context = new_context(
        tmp_path, development=False, public_url="https://cds.example.org", secret_keys=SECRET
    )
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        assert service.http.get("/cds-services").status_code == 401
        assert service.http.get("/models/1/card").status_code == 200
        assert service.http.get("/models/champion/card.json").status_code == 200


SECRET = json.dumps(["a" * 43 + "="])


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "en"),
        ("", "es-419,en;q=0.3", "es"),
        ("?lang=en", "es", "en"),
        ("?lang=es", "en", "es"),
        ("?lang=fr", "es", "es"),
        ("?lang=%3Cscript%3E", None, "en"),
    ],
)
def test_the_page_speaks_the_language_of_its_reader(
    service: Service, query: str, header: str | None, language: str
) -> None:
    headers = {} if header is None else {"Accept-Language": header}
    page = service.http.get(f"/models/1/card{query}", headers=headers)

    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
    heading = {"en": "The 31 source attributes", "es": "Los 31 atributos de origen"}[language]
    assert heading in page.text


def test_no_script_and_nothing_from_elsewhere(service: Service) -> None:
    page = service.http.get("/models/1/card")
    policy = page.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in page.text
    assert not re.search(r"(?:href|src)=\"(?:https?:)?//", page.text)
    assert page.headers["x-content-type-options"] == "nosniff"


def test_the_page_holds_every_attribute_and_asks_for_what_is_open(service: Service) -> None:
    page = service.http.get("/models/1/card").text

    for attribute in SOURCE_ATTRIBUTES:
        assert f'<span class="cite">{attribute.paragraph}</span>' in page
    asked = sum(one.by_people is not None for one in SOURCE_ATTRIBUTES)
    assert page.count('<p class="open">To be filled in by') == asked
    assert f"{asked} of 31 still wait" in page
    written(service, "developer", EXAMPLE_TEXT)
    page = service.http.get("/models/1/card").text
    assert page.count('<p class="open">') == asked - 1
    assert EXAMPLE_TEXT in page


def test_what_people_write_is_text_and_nothing_more(service: Service) -> None:
    written(service, "intended-use", '<script>alert(1)</script> & "quotes" {{ 7*7 }}')
    page = service.http.get("/models/1/card").text

    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;quotes&#34; {{ 7*7 }}" in page
    assert "<script" not in page


def test_a_language_that_is_missing_shows_the_other_and_says_so(service: Service) -> None:
    written(service, "funding", "Fondos propios", "es")
    english = service.http.get("/models/1/card?lang=en").text
    spanish = service.http.get("/models/1/card?lang=es").text

    assert "Written in Spanish only" in english
    assert '<p lang="es">Fondos propios</p>' in english
    assert "Escrito el 2026-03-01:" in spanish
    written(service, "funding", "Own funds")
    english = service.http.get("/models/1/card?lang=en").text
    assert "Own funds" in english
    assert "Fondos propios" not in english


def test_json_has_facts_and_both_languages(service: Service) -> None:
    written(service, "developer", EXAMPLE_TEXT)
    card = service.http.get("/models/champion/card.json").json()
    attributes = {one["id"]: one for one in card["source_attributes"]}

    assert len(attributes) == 31
    assert attributes["developer"]["written"]["en"]["text"] == EXAMPLE_TEXT
    assert attributes["developer"]["asked_of"] is None
    assert attributes["funding"]["asked_of"] == "developer"
    assert attributes["funding"]["from_the_run"] == {"en": [], "es": []}
    assert attributes["output-type"]["from_the_run"]["es"][0].startswith("Predicción")
    assert attributes["output-type"]["paragraph"] == "45 CFR 170.315(b)(11)(iv)(B)(1)(iv)"
    assert card["facts"]["model"]["version"] == "1"
    assert card["facts"]["data"]["simulated"] is True
    assert card["facts"]["people"]["sex"]["female"] > 1000
    assert "terminal" in card["facts"]["thresholds"]


@pytest.mark.parametrize("path", ["/models/9/card", "/models/%3Cb%3E/card", "/models/..%2f1/card"])
def test_a_version_that_is_none_is_not_found_in_words(service: Service, path: str) -> None:
    page = service.http.get(path, headers={"Accept-Language": "es"})

    assert page.status_code == 404
    assert "<b>" not in page.text
    if page.headers["content-type"].startswith("text/html"):
        assert "No existe esa versión del modelo." in page.text


def test_json_of_no_version_is_an_operation_outcome(service: Service) -> None:
    answer = service.http.get("/models/9/card.json")

    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_without_a_champion_there_is_no_card_of_it(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, context.clock) as service:
        assert service.http.get("/models/champion/card").status_code == 404


def test_a_changed_artefact_shows_no_figures_and_no_path(tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(KEPT, changed)
    (changed / "metrics.json").write_text("{}")
    context = new_context(tmp_path)
    release(context, "1", changed, CHECKSUM)
    with running(context, context.clock) as service:
        for path in ("/models/1/card", "/models/1/card.json"):
            answer = service.http.get(path)
            assert answer.status_code == 500
            assert "missing or were changed" in answer.text
            assert str(tmp_path) not in answer.text


def test_figures_of_the_site_stand_beside_those_of_the_run(service: Service) -> None:
    metrics = [
        {
            "metric": name,
            "category": category,
            "decided": None,
            "value": 0.7,
            "lower": 0.6,
            "upper": 0.8,
            "n": 431,
        }
        for name, category in [
            ("log_loss", None),
            ("log_loss_of_frequencies", None),
            ("auroc", "acute"),
        ]
    ]
    assert "No evaluation on outcomes of this site" in service.http.get("/models/1/card").text
    with service.context.engine.begin() as connection:
        ModelStore(connection).add_evaluation(
            {
                "id": "e1",
                "at": service.clock(),
                "kind": "evaluate",
                "model_version": "1",
                "result": {
                    "with_outcome": 431,
                    "share_without_outcome": 0.42,
                    "label_version": "1",
                    "metrics": metrics,
                },
            }
        )
    page = service.http.get("/models/1/card").text
    assert "about 450 assessments with a later outcome; 42.0 % without one" in page
    assert "On about 450 outcomes of this site, 2026-03-01: log loss 0.700 [0.600," in page


def test_figures_by_sex_and_age_come_from_the_report(service: Service) -> None:
    assert service.http.get("/models/1/card.json").json()["facts"]["groups"] is None
    figure = {"value": 0.81, "lower": 0.7, "upper": 0.9, "n": 60}
    none = {"value": None, "lower": None, "upper": None, "n": None}
    few = {"auroc": None, "recall": none, "observed_to_expected": none}
    much = {"auroc": figure, "recall": figure, "observed_to_expected": figure}
    cohorts = [
        {"cohort": "sex", "level": "female", "rows": 431} | much,
        {"cohort": "sex", "level": "not known", "rows": None} | few,
        {"cohort": "age", "level": "18 to 39", "rows": 200} | much,
        {"cohort": "age", "level": "80 and over", "rows": 90} | much,
        {"cohort": "source", "level": "ana_gil.csv", "rows": 431} | much,
    ]
    folder = service.context.settings.data_dir / "reports" / "1"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(
        json.dumps({"study": {"focus": "acute", "cohorts": cohorts}})
    )
    page = service.http.get("/models/1/card?lang=en").text

    assert "Acute illness by sex and age (years)" in page
    assert '<th scope="row">18–39</th>' in page
    assert '<th scope="row">80+</th>' in page
    assert '<th scope="row">Unknown</th>' in page
    assert "0.810 [0.700,\u00a00.900]" in page
    assert "stand under By sex and age" in page
    assert "ana_gil" not in page


# What people write, on both databases


def cards(engine: Engine) -> ModelCardService:
    with engine.begin() as connection:
        ModelStore(connection).add_version(
            {
                "version": "1",
                "location": str(KEPT),
                "checksum": CHECKSUM,
                "kind": "xgboost + none",
                "simulated": True,
                "created_at": TestClock().time,
                "created_by": "test",
                "note": "",
                "history_id": None,
                "metrics": {},
            }
        )
    return ModelCardService(engine, TestClock(), Path("nowhere"))


def test_the_newest_text_counts_and_history_stays(engine: Engine) -> None:
    service = cards(engine)
    for text in ("First", "Second"):
        assert service.write("1", "funding", text, language="en", actor="cli:ana") == "1"
    service.write("1", "funding", "Primero", language="es", actor="cli:ana")
    found = service.card("1").written["funding"]
    assert (found["en"].text, found["es"].text) == ("Second", "Primero")
    service.write("1", "funding", "  \n ", language="en", actor="cli:ana")
    assert set(service.card("1").written["funding"]) == {"es"}
    with engine.connect() as connection:
        kept = connection.execute(select(MODEL_CARD_ENTRIES.c.content)).scalars().all()
        audited = connection.execute(
            select(AUDIT_EVENTS.c.action, AUDIT_EVENTS.c.actor, AUDIT_EVENTS.c.detail)
        ).all()
    assert kept == ["First", "Second", "Primero", ""]
    assert [row.action for row in audited] == ["write-model-card"] * 3 + ["clear-model-card"]
    assert {row.actor for row in audited} == {"cli:ana"}
    assert audited[2].detail == {"attribute": "funding", "language": "es"}


def test_a_text_that_cannot_be_kept_is_refused(engine: Engine) -> None:
    service = cards(engine)
    with pytest.raises(NotFoundError, match="no attribute price"):
        service.write("1", "price", "x", language="en", actor="a")
    with pytest.raises(NotFoundError, match="no such model version"):
        service.write("2", "funding", "x", language="en", actor="a")
    with pytest.raises(NotFoundError):
        service.write("champion", "funding", "x", language="en", actor="a")
    with pytest.raises(NotFoundError, match="no such model version"):
        service.card("\0")
    with pytest.raises(CardTextError, match="4000 characters"):
        service.write("1", "funding", "x" * (LONGEST_TEXT + 1), language="en", actor="a")
    with pytest.raises(CardTextError, match="control characters"):
        service.write("1", "funding", "a\u0000b", language="en", actor="a")
    assert service.card("1").written == {}


def test_the_card_on_the_command_line(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    release(context, "1", KEPT, CHECKSUM)
    context.engine.dispose()
    out = done(tmp_path, "models", "card", "champion")
    assert "Model card: Version 1 (In use since 2026-01-01)" in out
    for attribute in SOURCE_ATTRIBUTES:
        assert f"  {attribute.id}: " in out
    assert "To be filled in by whoever trained it and answers for it." in out
    out = done(
        tmp_path,
        "models",
        "card-set",
        "champion",
        "developer",
        "--text",
        "Grupo de datos",
        "--language",
        "es",
    )
    assert out == "developer (es) of model version 1 is written.\n"
    assert "Grupo de datos" in done(tmp_path, "models", "card", "1", "--language", "es")
    card = json.loads(done(tmp_path, "models", "card", "1", "--json"))
    assert card["source_attributes"][0]["written"]["es"]["text"] == "Grupo de datos"
    out = done(tmp_path, "models", "card-set", "1", "developer", "--text", "", "--language", "es")
    assert out == "developer (es) of model version 1 is open again.\n"
    told = run(tmp_path, "models", "card-set", "1", "price", "--text", "x").sentence()
    assert told == ("cds-service: There is no attribute price; cds-service models card lists them.")
    assert "no such model version" in run(tmp_path, "models", "card", "8").sentence()
