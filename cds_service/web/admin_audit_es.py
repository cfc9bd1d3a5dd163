"""Fixed words of the page of the audit trail in Spanish; `admin_audit_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Registro de auditoría",
    "lead": "Quién hizo qué con qué objeto. No contiene valores de pacientes. Buscar en él también "
    "queda registrado. Sin un primer día se miran los siete días anteriores.",
    "since": "Desde (día)",
    "until": "Hasta (día)",
    "actor": "Quién (cómo empieza el nombre)",
    "actor.head": "Quién",
    "action": "Acción",
    "kind": "Clase de objeto",
    "id": "Id. del objeto",
    "search": "Buscar",
    "clear": "Empezar de nuevo",
    "events": "Sucesos, los más recientes primero",
    "at": "Hora",
    "object": "Objeto",
    "detail": "Detalle",
    "empty": "No hay ningún suceso así. Mire más días o pida menos.",
    "older": "Sucesos anteriores →",
    "newest": "← Los más recientes",
    "english": "Los nombres de acciones y objetos son los de la tabla audit_events, en inglés.",
    "wrong.since": "No se entiende el primer día. Escríbalo como 2026-03-01.",
    "wrong.until": "No se entiende el último día, o es anterior al primero. Escríbalo como "
    "2026-03-01.",
}
