"""Every sentence of cards and of discovery in Spanish; see `hooks.wording_en`."""

SPANISH: dict[str, str] = {
    # Datos y motivos.
    "feature.age": "edad",
    "feature.heart_rate": "frecuencia cardiaca",
    "feature.body_temperature": "temperatura",
    "feature.systolic_bp": "presión sistólica",
    "feature.diastolic_bp": "presión diastólica",
    "feature.blood_pressure": "presión arterial",
    "feature.respiratory_rate": "frecuencia respiratoria",
    "feature.oxygen_saturation": "SpO2",
    "feature.sex": "sexo",
    "feature.abo_group": "grupo sanguíneo",
    "feature.exercise_days": "ejercicio",
    "value.heart_rate": "{value}/min",
    "value.body_temperature": "{value} °C",
    "value.systolic_bp": "{value} mmHg",
    "value.diastolic_bp": "{value} mmHg",
    "value.blood_pressure": "{systolic}/{diastolic} mmHg",
    "value.respiratory_rate": "{value}/min",
    "value.oxygen_saturation": "{value} %",
    "value.abo_group": "{value}",
    "value.exercise_days": "{value} días al mes",
    "value.exercise_days.one": "{value} día al mes",
    "value.exercise_days.none": "ningún día del mes",
    "age.years": "{value} años",
    "age.months": "{value} meses",
    "age.days": "{value} d",
    "age.about": "unos {age}",
    "sex.female": "mujer",
    "sex.male": "hombre",
    "sex.other": "otro",
    "sex.unknown": "desconocido",
    # Categorías en medio de una frase.
    "category.not-ill": "ninguna enfermedad",
    "category.mild": "enfermedad leve",
    "category.acute": "enfermedad aguda",
    "category.chronic": "enfermedad crónica",
    "category.terminal": "enfermedad avanzada o limitante de la vida",
    # Números y tiempos.
    "frequency": "{n} de cada 100",
    "frequency.below": "menos de 1 de cada 100",
    "frequency.above": "más de 99 de cada 100",
    "short.frequency": "{n}",
    "short.frequency.below": "menos de 1",
    "short.frequency.above": "más de 99",
    "ago.minutes": "hace {n} min",
    "ago.hours": "hace {n} h",
    "ago.days": "hace {n} d",
    "ago.months": "hace {n} meses",
    "list.and": "{first} y {last}",
    "list.or": "{first} o {last}",
    "list.more": "{names} y {n} más",
    # Lo que dice el modelo.
    "estimate": "{category}: {frequency} con lecturas como estas; habitual aquí {usual}",
    "estimate.alone": "{category}: {frequency} con lecturas como estas",
    "usual.simulated": "{usual} (simulado)",
    "terminal": "Patrón compatible con enfermedad avanzada: valore los objetivos de cuidado",
    "exclusion": (
        "Enfermedad aguda improbable: esta regla pasa por alto como máximo 1 de cada {n} casos "
        "agudos."
    ),
    "set.named": "Lecturas como estas encajan con {names}.",
    "set.open": "Estas lecturas no distinguen entre las categorías.",
    "reasons": "Qué movió la predicción de {category}:",
    "reason.for": "{reading}: a favor",
    "reason.against": "{reading}: en contra",
    "unusual": (
        "Lecturas poco habituales en los pacientes de aquí: compruebe las mediciones y al paciente."
    ),
    "not_covered": "Sin estimación de {names}: el historial de este modelo no la incluye.",
    # Lo que dicen las reglas.
    "red": "Puntuación roja de NEWS2: {readings}",
    "red.acute": (
        "Puntuación roja de NEWS2: {readings}; enfermedad aguda {frequency}, habitual aquí {usual}"
    ),
    "red.acute.alone": "Puntuación roja de NEWS2: {readings}; enfermedad aguda {frequency}",
    "red.heading": "Puntuación roja de NEWS2:",
    "red.below": "roja con {limit} o menos",
    "red.above": "roja con {limit} o más",
    "news2": "NEWS2 parcial ({n} de 7): {score}.",
    # Lecturas.
    "reading": "{name} {value}",
    "reading.noted": "{text} ({notes})",
    "reading.missing": "{name} sin valor ({reason})",
    "reference": "referencia {range}",
    "reference.age": "referencia para esta edad {range}",
    # Una lectura como motivo: su nivel frente a la referencia, nunca una enfermedad.
    "level.heart_rate.high": "frecuencia cardiaca rápida {value}",
    "level.heart_rate.low": "frecuencia cardiaca lenta {value}",
    "level.heart_rate.within": "frecuencia cardiaca {value}, en la referencia",
    "level.body_temperature.high": "temperatura elevada {value}",
    "level.body_temperature.low": "temperatura baja {value}",
    "level.body_temperature.within": "temperatura {value}, en la referencia",
    "level.systolic_bp.high": "presión sistólica elevada {value}",
    "level.systolic_bp.low": "presión sistólica baja {value}",
    "level.systolic_bp.within": "presión sistólica {value}, en la referencia",
    "level.diastolic_bp.high": "presión diastólica elevada {value}",
    "level.diastolic_bp.low": "presión diastólica baja {value}",
    "level.diastolic_bp.within": "presión diastólica {value}, en la referencia",
    "level.blood_pressure.high": "presión arterial {value}, sobre la referencia",
    "level.blood_pressure.low": "presión arterial {value}, bajo la referencia",
    "level.blood_pressure.within": "presión arterial {value}, en la referencia",
    "level.blood_pressure.high_low": "presión arterial {value}, sistólica alta, diastólica baja",
    "level.blood_pressure.low_high": "presión arterial {value}, sistólica baja, diastólica alta",
    "level.respiratory_rate.high": "frecuencia respiratoria rápida {value}",
    "level.respiratory_rate.low": "frecuencia respiratoria lenta {value}",
    "level.respiratory_rate.within": "frecuencia respiratoria {value}, en la referencia",
    "level.oxygen_saturation.low": "SpO2 baja {value}",
    "level.oxygen_saturation.within": "SpO2 {value}, en la referencia",
    "level.sex.female": "sexo femenino",
    "level.sex.male": "sexo masculino",
    "level.sex.other": "sexo registrado como otro",
    "level.sex.unknown": "sexo registrado como desconocido",
    "preliminary": "preliminar",
    "readings": "Lecturas:",
    "readings.other": "Otras lecturas: {readings}.",
    "readings.other.heading": "Otras lecturas:",
    "readings.none": "Ninguna lectura utilizable.",
    "extreme": "Valor extremo, vuelva a medir: {readings}.",
    "maybe_not_latest": (
        "Puede haber lecturas más recientes: la historia no se pudo leer hasta el final."
    ),
    "missing": "Falta: {names}.",
    "missing.heading": "Falta:",
    "missing.group": "{names} ({reason})",
    "missing.not_in_prefetch": "no enviada",
    "missing.null_prefetch": "nada registrado",
    "missing.no_observation": "sin lectura",
    "missing.stale": "demasiado antigua",
    "missing.unknown_unit": "unidad ausente o desconocida",
    "missing.implausible": "valor imposible",
    "missing.data_absent": "registrada como no disponible",
    "missing.wrong_status": "anulada o aún no válida",
    "missing.wrong_patient": "de otro paciente",
    "missing.maybe_not_latest": "puede haber lecturas más recientes",
    "missing.malformed": "no se pudo leer",
    "missing.no_time": "sin hora",
    "missing.future": "con fecha futura",
    "missing.contradictory": "resultados distintos registrados",
    "on_record": "Consta de antes: {names}.",
    "rare": (
        "Enfermedad rara que consta: {names}. El modelo ha visto pocos pacientes así o ninguno: "
        "su estimación puede no ser válida."
    ),
    "rare.alone": "Enfermedad rara que consta: {names}.",
    "rare.match": (
        "Lecturas como las de {n} casos confirmados de {name} aquí; 1 de cada {charts} historias "
        "tiene lecturas así."
    ),
    "rare.match.simulated": (
        "Lecturas como las de {n} casos simulados de {name}; 1 de cada {charts} historias "
        "simuladas tiene lecturas así."
    ),
    "rare.name": "{name} ({code})",
    # Sin categoría.
    "none.age": "Sin categoría: este modelo es para edades de {low} a {high}; ver lecturas",
    "none.pregnant": "Sin categoría: este modelo no es para el embarazo; ver lecturas",
    "none.insufficient_data": "Sin categoría, falta: {names}",
    "none.model_failed": "Sin categoría: el modelo no dio respuesta; ver lecturas",
    "none.rare": "Sin categoría: consta una enfermedad rara; ver lecturas",
    "none.maybe_not_latest": ("Sin categoría: puede haber lecturas más recientes; ver lecturas"),
    "why.age": (
        "Este modelo se hizo para personas de {low} a {high} años, por eso no da categoría."
    ),
    "why.pregnant": (
        "Este modelo y NEWS2 no se hicieron para el embarazo, por eso no hay categoría ni "
        "puntuación."
    ),
    "why.insufficient_data": (
        "Una categoría necesita la edad y dos de: frecuencia cardiaca, temperatura y presión "
        "arterial."
    ),
    "why.model_failed": (
        "El modelo no dio respuesta para este paciente; las lecturas y NEWS2 no dependen de él."
    ),
    "why.withheld": "Por eso no se muestra la categoría encontrada.",
    "no_adult_limits.child": "NEWS2 y los límites de adultos no se usan en menores de 16 años.",
    "no_adult_limits.no_age": ("No se conoce la edad: no se usan NEWS2 ni los límites de adultos."),
    # Últimas líneas.
    "simulated": "Entrenado con pacientes simulados, no apto para la atención.",
    "sandbox": "Entorno de prueba: la respuesta es simulada, no apta para la atención.",
    "model": "Modelo {version}: apoyo a la decisión, no un diagnóstico",
    "model.none": "Esto es apoyo a la decisión, no un diagnóstico",
    "source": "Gravedad según constantes vitales",
    "source.simulated": "Gravedad según constantes vitales (simulado)",
    "link.model_card": "Acerca de este modelo",
    "link.explanation": "Cómo se estimó",
    # De qué trata una tarjeta.
    "topic.severityredreading": "Lectura con puntuación roja de NEWS2",
    "topic.severitynotill": "No enfermo",
    "topic.severitymild": "Enfermedad leve",
    "topic.severityacute": "Enfermedad aguda",
    "topic.severitychronic": "Enfermedad crónica",
    "topic.severityadvanced": "Enfermedad avanzada o limitante de la vida",
    "topic.severitywithheld": "Sin categoría: puede haber lecturas más recientes",
    "topic.severityraredisease": "Sin categoría: consta una enfermedad rara",
    "topic.severityoutofpopulation": "Sin categoría: fuera de la población del modelo",
    "topic.severitynodata": "Sin categoría: faltan lecturas",
    "topic.severitymodelfailed": "Sin categoría: el modelo no dio respuesta",
    # Sugerencia y motivos de rechazo.
    "suggestion": "Abrir un borrador de diagnóstico: {category}",
    "suggestion.action": (
        "Crear una condición provisional sin código, categoría {category}, para que usted la "
        "complete"
    ),
    "suggestion.action.alone": (
        "Abrir un borrador de diagnóstico: {category} (provisional, sin código, para que usted lo "
        "complete)"
    ),
    "override.cds-not-applicable": "No es aplicable a este paciente",
    "override.action-completed": "La acción recomendada ya se había realizado",
    "override.wrong-time-workflow": "Mostrado en un momento inadecuado del trabajo",
    "override.recipient-does-not-trust": "No estoy de acuerdo o no confío en la recomendación",
    # Un RiskAssessment.
    "risk.percent": "{n} %",
    "risk.percent.below": "menos del 1 %",
    "risk.percent.above": "más del 99 %",
    "risk.estimate": "{percent} con lecturas como estas; habitual aquí {usual}.",
    "risk.estimate.alone": "{percent} con lecturas como estas.",
    "risk.chosen": "Elegida por los umbrales de decisión",
    "risk.not_stated.red": "No se indica junto a una puntuación roja de NEWS2.",
    "risk.not_stated.rare": "No se indica: consta una enfermedad rara.",
    "risk.not_stated.maybe_not_latest": "No se indica: puede haber lecturas más recientes.",
    "risk.method": "Modelo {version} de gravedad según constantes vitales.",
    "risk.method.none": "Modelo de gravedad según constantes vitales.",
    "risk.not_used": "No se usó: {names}.",
    "risk.resource": "un recurso",
    "risk.not_assessed": "No se evalúa a este paciente.",
    "risk.held_back": "La evaluación se guardó; no se comunica nada: {reason}.",
    "risk.held_back.paused": "el servicio está en pausa",
    "risk.held_back.no_permission": "estos datos no pueden usarse para dar consejo",
    "risk.held_back.silent_mode": "modo silencioso",
    "risk.held_back.simulated_model": "el modelo en uso se entrenó con pacientes simulados",
    # Descubrimiento.
    "discovery.disease-severity.title": "Gravedad de la enfermedad según constantes vitales",
    "discovery.disease-severity.description": (
        "Estima, a partir de la edad y de las últimas constantes vitales, la probabilidad de que "
        "un paciente no esté enfermo o tenga enfermedad leve, aguda, crónica o avanzada, dice por "
        "qué e informa de las lecturas con puntuación roja de NEWS2. Apoyo a la decisión, no un "
        "diagnóstico."
    ),
    "discovery.disease-severity.usage": (
        "Necesita patient y vitals, como prefetch o por acceso al servidor FHIR. Las demás son "
        "opcionales: encounter fija la antigüedad admitida de las lecturas; conditions da a "
        "conocer un embarazo y la enfermedad ya registrada. No se da categoría fuera de {low} a "
        "{high} años ni en el embarazo conocido."
    ),
    "discovery.disease-severity.extra": "También se usan, si se envían: {names}.",
    "discovery.simulated": (
        "El modelo en uso se entrenó con pacientes simulados: no apto para la atención."
    ),
    "discovery.record-problem.title": "Registro de problemas confirmados",
    "discovery.record-problem.description": (
        "Recibe las condiciones añadidas a la lista de problemas, para comparar las estimaciones "
        "con lo que se encontró. Nunca devuelve una tarjeta."
    ),
    "discovery.record-problem.usage": "No necesita prefetch.",
    "discovery.record-discharge.title": "Registro de diagnósticos al alta",
    "discovery.record-discharge.description": (
        "Recibe los diagnósticos de un episodio cuando termina, para comparar las estimaciones con "
        "lo que se encontró. Nunca devuelve una tarjeta."
    ),
    "discovery.record-discharge.usage": (
        "Usa el episodio y sus diagnósticos como prefetch, o los lee; ninguno es obligatorio."
    ),
}
