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
    "asleep.never": (
        "Ningún proceso ha llevado aún el calendario, así que nada de lo previsto se hará. Inicie "
        "uno:"
    ),
    "asleep.since": (
        "Ningún proceso parece llevar el calendario: nada empezó ni terminó desde las {at}, "
        "aunque hay algo previsto. Inicie uno o, si lo hace cron, espere su turno:"
    ),
    "pager": "Páginas de la lista",
    "pager.of": "Página {number} de {pages} ({total} en total)",
    "pager.before": "← Anterior",
    "pager.after": "Siguiente →",
}
