"""Fixed words of the overview in Spanish; `admin_overview_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Resumen",
    "version": "Versión activa",
    "version.none": "No hay ningún modelo activo.",
    "alerts": "Alertas abiertas",
}
