"""Fixed words of the quality page in Spanish; `admin_quality_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Calidad del modelo",
    "start": "Juzgar ahora lo que ha madurado, en Ejecuciones",
    "lead": (
        "Lo que se predijo frente a lo que se supo después. Las evaluaciones se juzgan por bloques "
        "cuando ha pasado su plazo de desenlace; un desenlace tardío hace juzgar el bloque de "
        "nuevo."
    ),
    "contents": "En esta página",
    "empty": "Todavía no se ha juzgado nada",
    "empty.more": (
        "Un bloque se juzga cuando hay bastantes evaluaciones cuyo plazo de desenlace ha pasado. "
        "Lo hace cada día la tarea «evaluate»."
    ),
    "empty.runs": "A las tareas",
    "simulated": (
        "La versión activa aprendió de pacientes simulados. Sus cifras no dicen nada de los reales."
    ),
    "earlier": "Bloques anteriores",
    "later": "A los bloques más recientes",
    "choose": "Categoría",
    "choose.show": "Mostrar",
    "category": "Categoría",
    "cases": "Casos",
    "rows": "Evaluaciones",
    "group": "Grupo",
    "chunk": "Bloque (verificado)",
    "chunk.label": "{day} ({share})",
    "live": "Versión activa",
    "newest": "Último bloque",
    "newest.is": "{number}: {span}",
    "answered_by": "Respondió sobre todo la versión",
    "verified": "Verificadas (con desenlace)",
    "of_verified": "{share} de las evaluaciones verificadas",
    # Quién está verificado.
    "verified.title": "Quién está verificado",
    "verified.lead": (
        "Solo algunos pacientes reciben un diagnóstico que cuenta, y las tarjetas cambian quiénes. "
        "Cada cifra de esta página se lee junto a esta proporción."
    ),
    "verified.over_time": "Proporción verificada",
    "verified.share": "Verificado",
    "verified.by.category": "Verificado por categoría predicha",
    "verified.by.risk": "Verificado por décimo del riesgo de enfermedad aguda, 1 es el más bajo",
    "verified.by.card": "Verificado por tarjeta",
    "never": (
        "Nadie de estos grupos tiene desenlace, así que su parte de una cifra ponderada es una "
        "conjetura: {groups}."
    ),
    "by.category": "predicción",
    "by.risk": "décimo de riesgo",
    "by.card": "tarjeta",
    "by.all": "todas",
    "level.card.shown": "mostrada",
    "level.card.not shown": "no mostrada",
    "level.disease.rare": "rara",
    "level.disease.common": "común",
    # En el tiempo.
    "time.title": "En el tiempo",
    "time.lead": (
        "De la versión que respondió la mayor parte de cada bloque. AUROC, sensibilidad y valor "
        "predictivo son de: {category}."
    ),
    "time.weighted": (
        "«Ponderada» cuenta cada evaluación verificada por las parecidas sin desenlace. «Simple» "
        "es solo de las verificadas. Los límites discontinuos valen tengan lo que tengan las demás."
    ),
    "weighted": "ponderada",
    "naive": "simple",
    "bound.lower": "en el peor caso",
    "bound.upper": "en el mejor caso",
    # Versiones.
    "versions.title": "Versiones lado a lado",
    "versions.lead": (
        "Cifras ponderadas sobre las mismas evaluaciones. Lo que no estaba activo puntuó en la "
        "sombra. Todas menos la pérdida son de: {category}."
    ),
    "role.live": "activa: {version}",
    "role.before": "campeona anterior: {version}",
    "role.challenger": "aspirante: {version}",
    # Calibración.
    "calibration.title": "Calibración de la versión activa",
    "calibration.lead": (
        "La versión {version} en su último bloque, {span}: con qué frecuencia se dio cada "
        "categoría entre las verificadas, en grupos de riesgo predicho parecido."
    ),
    "calibration.table": "Calibración por categoría; {share} de las evaluaciones verificadas",
    "metric.slope": "Pendiente (1 es lo correcto)",
    "metric.intercept": "Nivel, log-odds (0 es lo correcto)",
    "metric.observed_to_expected": "Observado entre esperado (1 es lo correcto)",
    # Grupos.
    "groups.title": "Grupos de pacientes",
    "groups.lead": "En el último bloque, {span}. Los grupos de pocas personas no tienen cifras.",
    "groups.table": "{category} por grupo; {share} de las evaluaciones verificadas",
    "cohort.sex": "Sexo",
    "cohort.age": "Edad",
    "cohort.disease": "Enfermedad",
    "cohort.source": "Origen",
    "apart.lead": (
        "Una tarjeta puede cambiar lo que se llega a saber. Por eso van aparte las evaluaciones "
        "que pudo haber cambiado."
    ),
    "apart.table": "{category} donde las tarjetas pudieron cambiar la verdad; {share} verificado",
    "apart.card_shown.yes": "Se mostró una tarjeta",
    "apart.card_shown.no": "No se mostró ninguna tarjeta",
    "apart.accepted.yes": "Se aceptó la tarjeta",
    "apart.accepted.no": "No se aceptó la tarjeta",
    "apart.prompted.yes": "El desenlace vino de una sugerencia",
    "apart.prompted.no": "El desenlace no vino de una sugerencia",
    "apart.reviewed.yes": "Lo decidió un revisor",
    "apart.reviewed.no": "De la historia clínica",
    # Opiniones.
    "feedback.title": "Opiniones",
    "feedback.lead": (
        "Lo que hicieron los clínicos con las tarjetas de las mismas evaluaciones. No mide la "
        "verdad: una tarjeta descartada puede ser correcta."
    ),
    "feedback.over_time": "Tarjetas aceptadas y descartadas",
    "feedback.unit": "proporción de las tarjetas mostradas",
    "feedback.table": "Tarjetas del último bloque",
    "accepted": "aceptadas",
    "overridden": "descartadas",
    "indicator": "Indicador",
    "indicator.all": "Todas",
    "indicator.info": "Información",
    "indicator.warning": "Advertencia",
    "indicator.critical": "Crítica",
    "cards": "Tarjetas",
    # Prevalencia.
    "shift.title": "Cuán comunes son las categorías",
    "shift.lead": (
        "Estimado a partir de las predicciones de todas las evaluaciones, de modo que no hace "
        "falta ningún desenlace. Cuenta como cambio un intervalo entero por encima de 1,25 veces, "
        "o por debajo de 0,8 veces, la proporción con que se hizo el modelo."
    ),
    "shift.chart": "{category}: proporción actual entre la de cuando se hizo el modelo",
    "shift.unit": "con intervalo del 98 %",
    "shift.same": "como cuando se hizo el modelo",
    "shift.table": "Proporciones estimadas en el último bloque",
    "shift.base": "Al hacerlo",
    "shift.now": "Ahora",
    "shift.ratio": "Razón",
    "shift.interval": "Intervalo del 98 %",
    "shift.changed": "Cambio",
    "shift.up": "más común",
    "shift.down": "menos común",
    "shift.no": "no demostrado",
}
