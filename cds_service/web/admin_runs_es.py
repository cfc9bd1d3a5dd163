"""Fixed words of the runs page in Spanish; `admin_runs_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Ejecuciones",
    "lead": "Lo que trabaja junto a las respuestas: tareas, entrenamientos y búsquedas.",
    "now": "En curso",
    "now.none": "No hay nada en curso.",
    "now.one": "Hay 1 ejecución en curso.",
    "now.more": "Hay {n} ejecuciones en curso.",
    "now.at": "A las {at}.",
    "reload": "Volver a mirar",
    "run.by": "La empezó {by} el {at}, hace {lasting}.",
    "run.starting": "empezando",
    "run.silent": (
        "No se sabe nada de ella desde las {at}: es probable que su proceso ya no esté. Una "
        "tarea la retoma el siguiente proceso; un comando hay que repetirlo."
    ),
    "run.name": "{words} ({name})",
    "run.alerts": "Envío de alertas",
    "run.outcomes-pull": "Consulta de desenlaces",
    "run.rare": "Puesta al día de enfermedades raras",
    "run.shadow": "Puntuación en la sombra",
    "run.inputs": "Vigilancia de las entradas",
    "run.release": "Avance de las aspirantes",
    "run.evaluate": "Juicio de evaluaciones maduras",
    "run.review": "Relleno de la cola de revisión",
    "run.export": "Exportación",
    "run.history": "Búsqueda de ficheros de historial",
    "run.compare": "Comparación de versiones",
    "run.recalibrate": "Recalibración",
    "run.refresh": "Reentrenamiento",
    "run.search": "Búsqueda de un modelo mejor",
    "run.train": "Entrenamiento",
    "run.retrain": "Reentrenamiento y comparación",
    "jobs": "Tareas",
    "job": "Tarea",
    "job.every": "Cada",
    "job.due": "Prevista",
    "job.last": "Último final",
    "job.lasted": "Tardó",
    "job.state": "Estado",
    "job.said": "Lo que dijo",
    "job.off": "desactivada",
    "job.needs": "necesita {name}",
    "job.never": "nunca se ejecutó",
    "job.failed.one": "falló una vez",
    "job.failed": "falló {n} veces seguidas",
    "start": "Ejecutar ahora",
    "start.asked": "ahora, la pidió {by}",
    "start.title": "Ejecutar ahora: {name}",
    "start.asks": "Lo hace un proceso que lleva el calendario, aparte de las respuestas.",
    "start.recalibrate": (
        "Se entrena lo que piden las alertas abiertas y los desenlaces nuevos, que puede no ser "
        "nada, o ser horas de trabajo para esta máquina."
    ),
    "start.refresh": (
        "Se vuelve a entrenar el tipo de modelo activo: pueden ser horas de trabajo para esta "
        "máquina. Solo se activa tras las pruebas y la sombra, con aprobación o por el plan de "
        "cambios acordado. En los siete días siguientes a la última vez no se entrena nada."
    ),
    "start.search": (
        "Se entrenan todos los tipos de modelo y se ajusta el mejor: horas de trabajo para esta "
        "máquina, hasta lo que permite CDS_SEARCH_MINUTES. Lo que se encuentre solo se activa tras "
        "las pruebas y la sombra, con aprobación o por el plan de cambios acordado."
    ),
    "start.sure": "Sé que esto tarda mucho.",
    "start.cancel": "Cancelar",
    "told.start": "Pedida. El calendario la empieza en segundos.",
    "wrong.sure": "Marque que lo sabe.",
    "wrong.start": (
        "Esta tarea está desactivada, sin configurar, ya pedida o en curso. No se ha cambiado nada."
    ),
    "last": "Últimas ejecuciones",
    "last.none": "Todavía no se ha ejecutado nada.",
    "last.kept": "De cada tipo se guardan las 30 últimas.",
    "begun": "Empezada",
    "what": "Qué",
    "by": "Por",
    "state": "Estado",
    "state.done": "terminada",
    "state.failed": "falló",
    "state.left": "sin terminar",
    "all": "todos",
    "show": "Mostrar",
    "english": "Lo que dijo una ejecución se muestra como se escribió, en inglés.",
    "lasting.s": "{s} s",
    "lasting.min": "{m} min {s} s",
    "lasting.h": "{h} h {m} min",
}
