"""Fixed words of charts, in English; `charts_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "chart.table": "The numbers",
    "chart.empty": "There are no figures yet.",
    "chart.band": "95 % interval",
    "chart.observed": "observed, with 95 % interval",
    "chart.agree": "as often as predicted",
    "chart.group": "Group",
    "chart.predicted": "Predicted",
    "chart.count": "How many",
    "chart.said": (
        "{name}: {n} figures, from {first} ({first_at}) to {last} ({last_at}); lowest {low} "
        "({low_at}), highest {high} ({high_at})."
    ),
    "chart.said.one": "{name}: {value} ({at}).",
    "chart.said.none": "{name}: no figures.",
    "chart.said.pair": "predicted {predicted}, observed {observed}",
}
