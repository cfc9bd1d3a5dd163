"""Palabras fijas de la página de explicación en español; `explanation_en` tiene las mismas claves.

Lo que se dice de un paciente es el texto de la tarjeta (`hooks.wording_es`), nunca otro.
"""

SPANISH: dict[str, str] = {
    "title": "Cómo se estimó",
    "at": "Evaluado el {at}",
    "unanswered": "Este caso espera su respuesta en la cola de revisión. Lo que se predijo se "
    "muestra una vez respondido, para que no le influya; lo que sigue procede solo de reglas e "
    "intervalos de referencia.",
    # Lo que dice el modelo.
    "set": "Lo que no se puede excluir",
    "set.lead": "El conjunto de predicción completo: toda categoría que lecturas como estas dejan "
    "abierta.",
    # Datos.
    "inputs": "Lo que se usó",
    "inputs.input": "Dato",
    "inputs.value": "Valor usado",
    "inputs.received": "Como se recibió",
    "inputs.reference": "Referencia",
    "inputs.age": "Medido",
    "inputs.points": "Puntos NEWS2",
    "inputs.notes": "Observación",
    "received.of": "{value} (LOINC {code})",
    "flag.extreme": "extremo, vuelva a medir",
    "flag.preliminary": "preliminar",
    "flag.maybe_not_latest": "puede haber lecturas más recientes",
    "missing.lead": "Lo que falta nunca se rellena con un valor normal.",
    "skipped": "Lo que llegó y no se usó",
    "skipped.line": "{name}: {why}",
    "skipped.lines": "{name}: {why} ({n} veces)",
    "skipped.not_used": "sin uso para el modelo",
    "skipped.superseded": "se usó una lectura más reciente",
    "skipped.unpaired": "no es del par de presiones que se usó",
    "skipped.operation_outcome": "un mensaje de error en su lugar",
    "skipped.wrong_type": "no es lo que se pidió",
    "kind.Patient": "Datos del paciente",
    "kind.Observation": "Observación",
    "kind.Encounter": "Episodio",
    "kind.Condition": "Problema",
    "kind.OperationOutcome": "Respuesta de la historia",
    "kind.other": "Otra cosa",
    # Motivos.
    "reasons": "Qué movió la predicción de {category}",
    "reasons.lead": "No es lo que enfermó al paciente. Cuanto más larga la barra, más movió la "
    "predicción.",
    "reasons.reading": "Lectura",
    "reasons.bar": "◀ en contra · a favor ▶",
    "reasons.direction": "Sentido",
    "reasons.amount": "Log-odds",
    "for": "a favor",
    "against": "en contra",
    "build": "Cómo se forma la estimación de {category}",
    "build.lead": "Desde donde parte el modelo, lectura tras lectura, hasta la estimación. Los "
    "log-odds suman exactamente. Lo que se calcula de dos lecturas, como la frecuencia entre la "
    "presión, cuenta la mitad para cada una.",
    "build.step": "Paso",
    "build.bar": "menos probable ◀ ▶ más probable",
    "build.amount": "Log-odds",
    "build.frequency": "Entonces",
    "build.start": "Inicio, antes de que cuente lectura alguna",
    "build.end": "Estimación",
    "build.stored": "Al modelo que respondió ya no se le puede preguntar, o ahora responde otra "
    "cosa. Los motivos son los que se guardaron; el inicio es lo que dejan de la estimación "
    "guardada.",
    # En el tiempo.
    "time": "Lecturas en el tiempo",
    "time.lead": "Lecturas de este paciente que usaron las evaluaciones ({n} en total). La banda "
    "es la referencia; un anillo marca lo que usó esta evaluación.",
    "time.none": "Hasta ahora ninguna lectura de este paciente se usó más de una vez.",
    "time.label": "{name}: {n} lecturas, de {first} a {last}",
    "time.table": "Como tabla",
    "time.at": "Hora",
    "time.value": "Valor",
    "time.here": "usada aquí",
    # Para otra categoría.
    "change": "Qué tendría que cambiar para otra categoría",
    "change.lead": "Todo lo demás igual, y una lectura cambiada lo mínimo que haga falta dentro de "
    "valores verosímiles. Muestra cómo decide el modelo; no es un consejo para este paciente.",
    "change.now": "La predicción ahora: {category}.",
    "change.reading": "Lectura",
    "change.is": "Como era",
    "change.to": "Si hubiera sido",
    "change.then": "Entonces",
    "change.would": "la predicción sería: {category}",
    "change.none": "Ninguna lectura sola, dentro de valores verosímiles, cambia la predicción.",
    # El modelo.
    "model": "El modelo",
    "model.version": "Versión {version}",
    # The link on a card.
    "link.gone": "Este enlace ya no vale",
    "link.gone.more": "El enlace de una tarjeta se abre una vez, en diez minutos, y para "
    "quien abrió la historia. Abra de nuevo la historia para obtener otro.",
}
