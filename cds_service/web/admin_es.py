"""Fixed words that the pages of the dashboard share, in Spanish; `admin_en` has the same keys."""

SPANISH: dict[str, str] = {
    "admin.pages": "Partes del panel",
    "admin.overview": "Resumen",
    "admin.quality": "Calidad",
    "admin.inputs": "Entradas",
    "admin.models": "Modelos",
    "admin.runs": "Ejecuciones",
    "admin.alerts": "Alertas",
    "admin.clients": "Clientes",
    "admin.audit": "Auditoría",
    "admin.exports": "Exportaciones",
    "pager": "Páginas de la lista",
    "pager.of": "Página {number} de {pages} ({total} en total)",
    "pager.before": "← Anterior",
    "pager.after": "Siguiente →",
}
