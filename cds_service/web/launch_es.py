"""Fixed words of SMART launch in Spanish; `launch_en` has the same keys."""

SPANISH: dict[str, str] = {
    "none.title": "Aún no hay ninguna evaluación",
    "none.yet": (
        "No se guarda ninguna evaluación de este paciente para su historia clínica. Se hace una "
        "cuando se abre allí la historia y hay constantes registradas. Que aquí no haya nada no "
        "significa que el paciente esté bien."
    ),
    "none.again": "Mirar otra vez",
    "incomplete.title": "Ábralo desde la historia clínica",
    "incomplete.more": (
        "Esta página se abre desde la historia de un paciente, y esta dice de quién es. El enlace "
        "no lo decía."
    ),
    "unknown.title": "Historia clínica desconocida",
    "unknown.more": (
        "El sistema de historia clínica que abrió esta página no está registrado aquí. Diga cuál "
        "es a quien administra el servicio."
    ),
    "state.title": "Esta apertura ya no es válida",
    "state.more": (
        "Se empezó en otra ventana o hace demasiado tiempo, o ya se había usado. Vuelva a la "
        "historia y ábrala de nuevo."
    ),
    "late.title": "Ha tardado demasiado",
    "late.more": (
        "Una apertura vale durante diez minutos. Vuelva a la historia y ábrala de nuevo."
    ),
    "refused.title": "La historia clínica ha dicho que no",
    "refused.more": (
        "La historia clínica no ha confirmado quién es usted ni de quién es la historia. Vuelva a "
        "ella y ábralo de nuevo; si se repite, avise a quien administra el servicio."
    ),
    "nobody.title": "Solo para el personal",
    "nobody.more": (
        "La historia clínica no le nombra como profesional suyo. Las explicaciones son para "
        "quienes atienden al paciente."
    ),
    "no_patient.title": "No hay ninguna historia abierta",
    "no_patient.more": (
        "La historia clínica no ha dicho qué paciente está abierto. Abra primero la historia de "
        "un paciente y, desde ella, esta página."
    ),
    "blocked.title": "Demasiados intentos",
    "blocked.more": "Han fallado demasiadas aperturas desde aquí. Espere un cuarto de hora.",
    "away.title": "La historia clínica no responde",
    "away.more": (
        "No se le ha podido preguntar quién es usted. Inténtelo en un minuto; si sigue así, avise "
        "a quien administra el servicio."
    ),
    "busy.title": "Demasiadas personas a la vez",
    "busy.more": (
        "Ahora mismo llegan demasiadas personas desde la historia clínica. Inténtelo en un minuto."
    ),
    "setup.title": "Sin configurar",
    "setup.more": (
        "Este servicio no puede identificarse ante su historia clínica. Avise a quien lo "
        "administra; el fallo está registrado."
    ),
    "idle.title": "La sesión ha terminado",
    "idle.more": (
        "Se ha cerrado su sesión porque no ha hecho nada durante un rato o se acabó el tiempo. "
        "Vuelva a la historia y ábralo de nuevo."
    ),
    "out.title": "Ha cerrado la sesión",
    "out.more": "Vuelva a la historia clínica. Desde ella se abre de nuevo esta página.",
    "chart.title": "Vuelva a la historia",
    "chart.more": (
        "Esta página pertenece a la historia de un paciente, y puede que entretanto se haya "
        "abierto otra. Ábrala de nuevo desde la historia que quiere ver."
    ),
}
