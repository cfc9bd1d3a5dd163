"""Fixed words of the inputs page in Spanish; `admin_inputs_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Entradas",
    "lead": (
        "Lo que llega, frente a lo que llegó antes o a lo que el modelo aprendió. Las evaluaciones "
        "se comparan por bloques con una referencia."
    ),
    "contents": "En esta página",
    "empty": "Todavía no se ha vigilado nada",
    "empty.more": (
        "Un bloque se completa con {rows} evaluaciones. La tarea «inputs» lo mira cada hora."
    ),
    "empty.runs": "A las tareas",
    "earlier": "Bloques anteriores",
    "later": "A los bloques más recientes",
    "chunk": "Bloque",
    "newest": "Último bloque",
    "newest.is": "{number}: {span}",
    "rows": "Evaluaciones",
    "version": "Versión activa",
    "watched": "Magnitudes vigiladas",
    "budget": "Presupuesto de alarmas",
    "budget.is": "una falsa alarma en 1 de {n} bloques, entre todas juntas",
    "quantity": "Magnitud",
    "quantity.distance": "{name}: distribución (D)",
    "quantity.missing": "{name}: falta",
    "quantity.stale": "{name}: demasiado antigua",
    "quantity.implausible": "{name}: imposible",
    "quantity.unknown_unit": "{name}: unidad desconocida",
    "quantity.category": "Respuestas: {name}",
    "quantity.correlation": "{name}: con enfermedad aguda",
    "not_used": "De ninguna entrada",
    "input": "Entrada",
    "state": "Estado",
    "alarm": "alarma",
    "beyond": "fuera una vez",
    "within": "dentro",
    "not_judged": "aún sin juzgar",
    "value": "Ahora",
    "was": "Referencia",
    "limits": "Límites",
    "limits.to": "hasta {high}",
    "limits.between": "de {low} a {high}",
    "held_against": "Frente a",
    "against.local": "{n} bloques locales, {span}",
    "against.learnt": "lo que el modelo aprendió",
    # Fuera.
    "beyond.title": "Fuera de un límite",
    "beyond.lead": (
        "Una alarma necesita dos bloques seguidos, o uno si de pronto las lecturas no sirven. Si "
        "el cambio va a quedarse, tómelo como nueva referencia: cds-service monitor --accept."
    ),
    "beyond.none": "En el último bloque todo está dentro de sus límites o aún no se puede juzgar.",
    "beyond.table": "Magnitudes fuera de un límite en el último bloque",
    "beyond.all": "Todas las magnitudes del último bloque",
    # Deriva.
    "drift.title": "Deriva de cada entrada",
    "drift.lead": (
        "D es la mayor diferencia entre dos distribuciones acumuladas: 0 si son iguales, 1 si no "
        "tienen nada en común. La línea discontinua es el límite de la alarma."
    ),
    "distance": "D",
    "limit": "límite de la alarma",
    # Histogramas.
    "histograms.title": "Distribuciones",
    "histograms.lead": (
        "Las barras son el último bloque; la línea, la referencia. Los intervalos de pocas "
        "personas se omiten. El índice de estabilidad (PSI) se muestra porque se suele pedir; no "
        "da ninguna alarma."
    ),
    "histogram.told": "ahora {now}, referencia {was}; PSI {psi}",
    "bin": "Valor",
    "bin.under": "menos de {high}",
    "bin.from": "{low} o más",
    "now": "último bloque",
    "reference": "referencia",
    # Proporciones.
    "rates.title": "Lo que falta y lo que no sirve",
    "rates.lead": (
        "Lo que falta o es demasiado antiguo son proporciones de las evaluaciones; lo imposible y "
        "las unidades desconocidas, de las lecturas que llegaron. Un hueco nunca se rellena con un "
        "valor normal."
    ),
    "rate.missing": "falta",
    "rate.stale": "demasiado antigua",
    "rate.implausible": "imposible",
    "rate.unknown_unit": "unidad desconocida",
    # Respuestas.
    "answers.title": "Lo que se respondió",
    "answers.lead": (
        "Cuántas historias tenían bastante para responder, y qué dijo la versión activa."
    ),
    "answers.chart": "Categorías respondidas",
    "situations": "Historias miradas",
    "situation.scored": "respondidas",
    "situation.insufficient_data": "lecturas insuficientes",
    "situation.model_failed": "falló el modelo",
    # Códigos.
    "codes.title": "Códigos y unidades nunca vistos",
    "codes.lead": "Un origen ha cambiado lo que envía. Primero los más recientes.",
    "codes.none": "En estos bloques ningún código ni unidad llegó por primera vez.",
    "codes.more": "Otros {n} no se listan; las alertas hablan de cada uno.",
    "codes.table": "Vistos por primera vez en estos bloques",
    "code.kind": "Qué",
    "code.text": "Como se envió",
    "code.codes": "código",
    "code.units": "unidad",
    "code.empty": "(vacío)",
    # Desvío.
    "skew.title": "Entrenamiento y servicio coinciden",
    "skew.lead": (
        "Lo guardado de cada evaluación se calcula de nuevo como lo haría el entrenamiento. Una "
        "diferencia es un fallo del servicio, no un cambio entre los pacientes."
    ),
    "skew.none": "En estos bloques nada difirió.",
    "skew.fault": "El último bloque difiere: falla el servicio o los ficheros de una versión.",
    "skew.unreadable": "No se pueden leer los ficheros de estas versiones: {versions}.",
    "skew.chart": "Evaluaciones que difieren",
    "skew.inputs": "entradas",
    "skew.answers": "respuestas",
    "skew.which": "Qué entradas",
    "skew.derived": "columnas derivadas",
    "skew.table": "Bloques en que algo difirió",
    # Clientes.
    "clients.title": "Por cliente",
    "clients.lead": "Clientes que enviaron bastante del último bloque.",
    "client": "Cliente",
    # Desenlaces.
    "outcomes.title": "Entradas y desenlaces",
    "outcomes.lead": (
        "Correlación de rangos de cada entrada con la enfermedad aguda, pasados los plazos de "
        "desenlace."
    ),
    "outcomes.table": "Bloque {number}; {verified} evaluaciones verificadas",
}
