"""Fixed words of charts, in Spanish; `charts_en` has the same keys."""

SPANISH: dict[str, str] = {
    "chart.table": "Los números",
    "chart.empty": "Todavía no hay cifras.",
    "chart.band": "intervalo del 95 %",
    "chart.observed": "observado, con intervalo del 95 %",
    "chart.agree": "tan a menudo como se predijo",
    "chart.group": "Grupo",
    "chart.predicted": "Predicho",
    "chart.count": "Cuántos",
    "chart.said": (
        "{name}: {n} cifras, de {first} ({first_at}) a {last} ({last_at}); la menor {low} "
        "({low_at}), la mayor {high} ({high_at})."
    ),
    "chart.said.one": "{name}: {value} ({at}).",
    "chart.said.none": "{name}: sin cifras.",
    "chart.said.pair": "predicho {predicted}, observado {observed}",
}
