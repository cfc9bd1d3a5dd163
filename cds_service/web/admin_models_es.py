"""Fixed words of the models page in Spanish; `admin_models_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Modelos",
    "lead": (
        "Qué versión responde, cuáles van en camino y quién lo decidió. Activar, revertir y "
        "rechazar piden un motivo; quedan en la auditoría igual que con los comandos."
    ),
    "english": "Los motivos y las frases se muestran como se escribieron o guardaron.",
    "live": "Activa",
    "live.none": "Ninguna versión está activa. Entrene una primero: cds-service train.",
    "version": "Versión",
    "kind": "Tipo",
    "data": "Datos",
    "since": "Activa desde",
    "since.is": "{at}, por {actor}",
    "reason": "Motivo",
    "watch": "Vigilancia de la activación",
    "watch.watching": "en curso, {n} de 2 miradas hechas",
    "watch.kept": "conservada tras {n} miradas",
    "watch.rolled_back": "revertida tras {n} miradas",
    "watch.replaced": "reemplazada por otra activación",
    "card": "Ficha del modelo",
    "card.of": "Ficha de la versión {version}",
    "report": "Informe",
    "report.of": "Informe de la versión {version}",
    "report.none": "sin informe aquí",
    "data.simulated": "pacientes simulados",
    "data.history": "historial",
    "kind.xgboost": "árboles potenciados (XGBoost)",
    "kind.lightgbm": "árboles potenciados (LightGBM)",
    "kind.logistic": "regresión logística",
    "kind.random_forest": "bosque aleatorio",
    # Etapas.
    "stage.live": "activa",
    "stage.was_live": "estuvo activa",
    "stage.registered": "registrada",
    "stage.gate": "ante las pruebas",
    "stage.refused": "rechazada por las pruebas",
    "stage.undecided": "sin bastante para decidir",
    "stage.shadow": "en la sombra",
    "stage.waiting": "a la espera de aprobación",
    "stage.promoted": "se activó",
    "stage.withdrawn": "retirada",
    # Aspirantes.
    "way": "En camino",
    "way.none": "Ninguna aspirante va en camino.",
    "way.ended": "Aspirantes al final de su camino",
    "way.stage": "Etapa",
    "way.origin": "La pidió",
    "way.against": "Frente a",
    "way.at": "Hecha",
    "way.until": "En la sombra hasta",
    "way.why": "Por qué está ahí",
    "origin.refresh": "el calendario",
    "origin.search": "una búsqueda",
    "origin.recalibration": "una recalibración",
    "origin.alert": "una alerta",
    "origin.outcomes": "nuevos desenlaces",
    "origin.manual": "una persona",
    "approve": "Aprobar",
    "approve.of": "Aprobar la versión {version}",
    "withdraw": "Rechazar",
    "withdraw.of": "Rechazar la versión {version}",
    "compare": "Comparar",
    "compare.live": "Comparar la versión {version} con la activa",
    # Versiones.
    "versions": "Versiones",
    "versions.none": "Todavía no hay ninguna versión registrada.",
    "state": "Estado",
    "at": "Hecha",
    "by": "Por",
    "note": "Nota",
    "do": "Qué puede hacer",
    "promote": "Activar",
    "promote.of": "Activar la versión {version}",
    "rollback": "Revertir",
    "rollback.to": "Volver a la versión {version}",
    # Activaciones.
    "releases": "Activaciones",
    "releases.none": "Todavía no se ha activado nada.",
    "release.at": "Cuándo",
    "release.action": "Qué",
    "release.by": "Por",
    "action.promote": "activada",
    "action.rollback": "se volvió a ella",
    "action.rare-update": "cabezas de enfermedades raras al día",
    # Comparar.
    "pair": "Comparar dos versiones",
    "pair.first": "Versión de referencia",
    "pair.second": "Versión que se juzga",
    "pair.show": "Comparar",
    "pair.title": "La versión {second} frente a la {first}",
    "pair.same": "Elija dos versiones distintas.",
    "pair.gates": "Lo que dijeron las pruebas",
    "pair.turned": (
        "Fue la versión {first} la que se juzgó, frente a la {second}; las cifras se leen en ese "
        "sentido."
    ),
    "pair.paired": (
        "Ambas respondieron a los mismos pacientes reservados, de los que ninguna aprendió. Las "
        "diferencias se emparejan por paciente, unilaterales, con una confianza del 95 %."
    ),
    "pair.none": "Estas dos aún no se han comparado con los mismos pacientes reservados.",
    "ask": "Comparar ahora",
    "ask.again": "Comparar ahora otra vez",
    "ask.lead": (
        "Ambas responden a los pacientes reservados de los que ninguna aprendió. Tarda un minuto o "
        "más, junto a las respuestas, y cuenta como una mirada a esos pacientes."
    ),
    "ask.waiting": "La pidió {by} (el {at}); aún no está hecha.",
    "ask.where": "Verla en Ejecuciones",
    "ask.reload": "Volver a mirar",
    "ask.failed": "La comparación que pidió {by} (el {at}) falló:",
    "ask.off": (
        "Las comparaciones están desactivadas en el calendario (CDS_SCHEDULE). Lo que se pida "
        "espera a que alguien ejecute la tarea:"
    ),
    "ask.command": "Lo mismo con un comando:",
    "pair.chunk": (
        "En las mismas evaluaciones: bloque {number}, {span}; {share} verificado, ponderado"
    ),
    "pair.held_out": "Cada una en su parte reservada, al hacerla: no son los mismos pacientes",
    "pair.of": "Versión {version}",
    "figure": "Cifra",
    "gate": "Prueba",
    "gate.answer": "Respuesta",
    "gate.says": "Lo que dice",
    "gate.categories": "ninguna categoría perdida",
    "gate.outcomes": "bastantes desenlaces",
    "gate.log_loss": "pérdida logarítmica",
    "gate.category_log_loss": "pérdida de cada categoría",
    "gate.sensitivity": "sensibilidad para lo agudo",
    "gate.best_of_past_year": "la mejor del último año",
    "gate.fairness": "brecha entre grupos",
    "gate.rare_floor": "enfermedades raras",
    "gate.latency": "latencia",
    "gate.explanation": "explicación",
    "passed.True": "pasa",
    "passed.False": "rechazada",
    "passed.None": "sin juzgar",
    "compared.at": "Comparada",
    "compared.against": "Frente a la versión",
    "compared.outcome": "Resultado",
    "compared.rows": "Filas reservadas",
    "compared.looks": "Miradas anteriores a estas filas",
    "outcome.promoted-ok": "no es peor: puede activarse",
    "outcome.refused": "rechazada",
    "outcome.not-enough": "no hay bastante para decidir",
    # Un cambio.
    "change.promote": "Activar la versión {version}",
    "change.rollback": "Volver a la versión {version}",
    "change.approve": "Aprobar la versión {version}",
    "change.withdraw": "Rechazar la versión {version}",
    "change.promote.more": (
        "La versión {version} responde en segundos en lugar de la {live}, para todos los clientes."
    ),
    "change.rollback.more": (
        "La versión {version} vuelve a responder en segundos en lugar de la {live}, para todos los "
        "clientes."
    ),
    "change.approve.more": (
        "La versión {version} responde en segundos en lugar de la {live}, para todos los clientes."
    ),
    "change.withdraw.more": "La versión {version} no sigue. La {live} continúa activa.",
    "change.no_live": "ninguna",
    "change.last": "La última comparación",
    "change.reason": "Motivo",
    "change.reason.more": (
        "Queda en la auditoría con su nombre. Aquí no va ningún dato de pacientes."
    ),
    "change.sure": "He leído lo anterior y es lo que quiero.",
    "change.fewer": "La campeona puede perder una categoría.",
    "change.cancel": "Cancelar",
    "warn.never": "Esta versión nunca se comparó con otra.",
    "warn.against": "La última comparación no habla a su favor.",
    "warn.other": "Se comparó con la versión {then}; ahora está activa la {now}, que es otra.",
    "told.promote": "La versión está activa.",
    "told.rollback": "La versión anterior vuelve a estar activa.",
    "told.approve": "La versión está aprobada y activa.",
    "told.withdraw": "La versión no sigue.",
    "wrong.reason": "Dé un motivo.",
    "wrong.sure": "Marque que es lo que quiere.",
    "problem.changed": (
        "Está activa otra versión que cuando abrió esta página. No se ha hecho nada; vuelva a "
        "mirarlo."
    ),
    "problem.no_reason": "Dé un motivo.",
    "problem.live_already": "Esta versión ya está activa.",
    "problem.lost": (
        "Esta versión no conoce todas las categorías de la activa. Márquelo abajo si es lo que "
        "quiere."
    ),
    "problem.unreadable": (
        "No se pueden leer los ficheros de la versión activa, así que nadie sabe qué categorías se "
        "perderían. Márquelo abajo para reemplazarla de todos modos."
    ),
    "problem.none_earlier": "No hay ninguna versión anterior a la que volver.",
    "problem.not_live": "Alguien se adelantó: está activa otra versión. No se ha hecho nada.",
    "problem.stage": "Alguien se adelantó: ya no está a la espera. No se ha hecho nada.",
    "problem.not_waiting": "Esta versión no espera aprobación.",
    "problem.ended": "Esta versión ya está al final de su camino.",
    "problem.no_challenger": "Esta versión no es aspirante.",
    "problem.no_version": "No existe esa versión.",
    "problem.damaged": "Los ficheros de esta versión están dañados o faltan. No se ha hecho nada.",
    "problem.rule": "Las reglas no lo permiten. No se ha hecho nada.",
}
