"""Fixed words around a result in Spanish, wherever one is shown; `result_en` has the same keys."""

SPANISH: dict[str, str] = {
    "held": "La evaluación se ha guardado y lo que estima el modelo no se muestra: {reason}.",
    "held.rules": "Lo que sigue procede solo de reglas e intervalos de referencia.",
    "indicator.info": "Información",
    "indicator.warning": "Advertencia",
    "indicator.critical": "Crítico",
    "red": "Lecturas peligrosas (puntuación roja de NEWS2)",
    "check": "Compruebe primero",
    "estimates": "Estimaciones",
    "estimates.category": "Categoría",
    "estimates.here": "Con lecturas como estas",
    "estimates.usual": "Habitual aquí",
    "estimates.chosen": "nombrada por los umbrales",
    "estimates.bar": "La barra es la estimación; la marca, lo habitual aquí.",
    "no_chart": "No se leyó ninguna historia: aquí no se sabe qué tenía ya el paciente.",
    "missing": "Lo que faltaba",
    "missing.none": "Nada.",
    "model_card": "Acerca de este modelo",
}
