"""Every fixed word of the model card in Spanish; see `model_card_en`."""

SPANISH: dict[str, str] = {
    # La página.
    "title": "Ficha del modelo, versión {version}",
    "heading": "Ficha del modelo",
    "version": "Versión {version}",
    "contents": "En esta página",
    "as_json": "Lo mismo como JSON",
    "device": (
        "No es un producto sanitario; no está autorizado en ningún lugar. Apoyo a la decisión, no "
        "un diagnóstico."
    ),
    "simulated": "Entrenado con pacientes simulados, no apto para la atención.",
    "simulated.more": "Las cifras de abajo no dicen nada de pacientes reales.",
    "live": "En uso desde {date}",
    "not_live": "Sin uso",
    "footer": (
        "No se muestran recuentos de menos de {smallest} y los totales se redondean a {rounded}, "
        "para que no se pueda identificar a nadie."
    ),
    "not_found": "No existe esa versión del modelo.",
    "not_found.heading": "No encontrada",
    "unreadable": "Los archivos de esta versión del modelo faltan o se modificaron.",
    "unreadable.heading": "No se puede mostrar esta ficha",
    # Valores.
    "yes": "sí",
    "no": "no",
    "years": "{low} a {high} años",
    "range": "{low} a {high} {unit}",
    # Secciones.
    "summary": "En resumen",
    "data": "Datos",
    "people": "Personas",
    "inputs": "Entradas",
    "choice": "Cómo se eligió",
    "limits": "Límites",
    "performance": "Cifras en la parte reservada",
    "thresholds": "Umbrales de decisión",
    "guarantee": "Qué promete un conjunto de predicción",
    "local": "Cifras de este centro",
    "attributes": "Los 31 atributos de origen",
    "origin": "Procedencia",
    # En resumen.
    "trained_on": "Entrenado con",
    "trained_on.simulated": "pacientes simulados",
    "trained_on.history": "datos históricos",
    "population": "Para",
    "population.pregnancy": "No validado en el embarazo",
    "pregnancy.more": (
        "En el embarazo conocido no se da categoría; un embarazo que nadie ha registrado no se ve."
    ),
    "categories": "Categorías",
    "not_covered": "Sin cubrir: no se da probabilidad",
    "kind": "Tipo",
    "kind.xgboost": "árboles con potenciación del gradiente (XGBoost)",
    "kind.lightgbm": "árboles con potenciación del gradiente (LightGBM)",
    "kind.logistic": "regresión logística multinomial",
    "created": "Entrenado",
    "checksum": "Suma de comprobación (SHA-256)",
    "label_version": "Reglas de las categorías",
    "code_version": "Versión del programa",
    "packages": "Paquetes",
    "seed": "Semilla de los números aleatorios",
    "sources": "Fuentes (SHA-256)",
    # Datos.
    "data.lead": (
        "Cada paciente pertenece a una sola parte, para que nadie esté en dos lados: una entrena, "
        "otra ajusta la temperatura y los umbrales, otra calibra los conjuntos de predicción y "
        "otra se reserva para las cifras."
    ),
    "data.caption": "Filas por categoría y parte",
    "category": "Categoría",
    "part.train": "Entrenamiento",
    "part.tuning": "Ajuste",
    "part.calibration": "Calibración",
    "part.held_out": "Reservada",
    "rows.given": "Filas recibidas",
    "rows.without_category": "sin categoría",
    "rows.out_of_population": "fuera de la población",
    "rows.used": "Filas usadas",
    "patients": "Pacientes",
    "trained_through": "Fila más reciente de la que aprendió",
    "held_out_from": "Reservado desde",
    "no_dates": "sin fechas: reservado solo por paciente",
    "rows_without_patient": "Filas sin identificador, contadas cada una como un paciente",
    # Personas.
    "people.lead": "Filas de los datos por edad, sexo y enfermedad rara.",
    "people.not_recorded": "No consta en esta versión.",
    "people.age": "Edad (años)",
    "people.sex": "Sexo",
    "people.rows": "Filas",
    "people.rare": "Enfermedad rara (código ORPHA)",
    "people.rare.none": "Los datos no tienen enfermedades raras codificadas.",
    "people.rare.others": "Enfermedades raras con muy pocas filas para nombrarlas: {n}",
    # Entradas.
    "inputs.lead": "Lo que lee, con su unidad y los límites entre los que se usa.",
    "inputs.caption": "Entradas",
    "input": "Entrada",
    "unit": "Unidad (UCUM)",
    "possible": "Posible; si no, no se usa",
    "columns": "Calculado con ellas: {names}.",
    # Elección.
    "choice.lead": (
        "Los candidatos se compararon en filas con las que no se ajustaron, dentro de la parte de "
        "entrenamiento. La pérdida logarítmica es mejor cuanto menor. No se sirve un tipo cuyos "
        "motivos no puedan ser exactos en el tiempo de una respuesta; de los demás se elige el más "
        "sencillo a no más de un error estándar del mejor."
    ),
    "choice.caption": "Candidatos comparados",
    "candidate": "Candidato",
    "log_loss": "Pérdida logarítmica",
    "behind": "Distancia al mejor (error estándar)",
    "chosen": "elegido",
    "calibration": (
        "Calibrado por temperatura: las puntuaciones se dividen por {temperature}, hallado en la "
        "parte de ajuste."
    ),
    # Cifras.
    "performance.lead": (
        "En pacientes que el modelo nunca vio, con intervalos del 95 % por paciente. Se omite la "
        "cifra que se apoya en muy pocas filas."
    ),
    "performance.overall": "Todas las categorías juntas",
    "performance.by_category": "Por categoría",
    "figure": "Cifra",
    "value": "Valor [intervalo del 95 %]",
    "rests_on": "Filas",
    "metric.log_loss": "Pérdida logarítmica (nat; menor es mejor)",
    "metric.log_loss_of_frequencies": "Pérdida logarítmica de las frecuencias solas",
    "metric.brier": "Puntuación de Brier (0 a 2; menor es mejor)",
    "metric.calibration_error": "Error de calibración esperado",
    "metric.macro_f1": "Macro-F1 de las decisiones",
    "metric.balanced_accuracy": "Exactitud equilibrada de las decisiones",
    "metric.set_size": "Categorías en un conjunto de predicción",
    "metric.prevalence": "Proporción de filas",
    "metric.flag_rate": "Proporción decidida",
    "metric.recall": "Encontrados (sensibilidad)",
    "metric.precision": "Aciertos al decidir (VPP)",
    "metric.auroc": "AUROC",
    "metric.average_precision": "Precisión media",
    "metric.set_coverage": "Dentro de su conjunto",
    "metric.observed_to_expected": "Observado entre esperado",
    # Grupos.
    "groups": "Por sexo y edad",
    "groups.lead": (
        "En la parte reservada. Una diferencia entre grupos puede deberse a quiénes los forman; de "
        "un grupo demasiado pequeño no se muestra nada."
    ),
    "groups.caption": "{category} por sexo y edad (años)",
    "group": "Grupo",
    # Umbrales.
    "thresholds.lead": (
        "Una categoría se señala a partir de esta probabilidad. Se fijó en la parte de ajuste para "
        "una proporción declarada de historias que señalar."
    ),
    "thresholds.caption": "Umbrales de decisión y su efecto en la parte de ajuste",
    "threshold": "Umbral",
    "flagged": "Señalado (deseado)",
    "sensitivity": "Sensibilidad",
    "ppv": "VPP",
    "nne": "Historias que abrir para hallar uno",
    # Promesa.
    "guarantee.lead": (
        "Un conjunto de predicción contiene la categoría verdadera en {coverage} de cada 100 casos "
        "de cada categoría, si los pacientes son como los de la calibración. Con menos de "
        "{minimum} casos de calibración eso no es demostrable y la categoría nunca se excluye."
    ),
    "guarantee.caption": "La promesa para cada categoría",
    "cases": "Casos de calibración",
    "promise": "Promesa",
    "demonstrable": "{coverage} de cada 100",
    "not_demonstrable": "no demostrable",
    # Centro.
    "local.lead": (
        "Del {date}: unas {n} evaluaciones con un desenlace posterior; {share} sin él. La verdad "
        "está seleccionada: solo algunos pacientes reciben diagnósticos y las tarjetas pueden "
        "cambiar quiénes."
    ),
    "local.groups": (
        "Por sexo y edad: el último bloque de unas {n} evaluaciones con los desenlaces completos, "
        "del {begin} al {end}."
    ),
    "local.none": "Aún no hay ninguna evaluación con desenlaces de este centro.",
    # Atributos.
    "attributes.lead": (
        "En el orden de 45 CFR 170.315(b)(11)(iv)(B). Lo que sabe el entrenamiento lo rellena él; "
        "lo que solo saben las personas se les pregunta."
    ),
    "open": "Por rellenar: {role}.",
    "open.count": "{n} de {of} esperan a que alguien los rellene.",
    "written": "Escrito el {date}:",
    "other_language": "Escrito solo en inglés, el {date}:",
    "asked_of.developer": "quien lo entrenó y responde de él",
    "asked_of.clinical": "el clínico que responde de su uso aquí",
    "asked_of.evaluator": "quien lo pruebe con otros datos",
    "asked_of.administrator": "la administración del servicio",
    "group.details": "Detalles y resultado",
    "group.purpose": "Finalidad",
    "group.out-of-scope": "Usos desaconsejados",
    "group.development": "Desarrollo y entradas",
    "group.fairness": "Equidad en el desarrollo",
    "group.external": "Validación externa",
    "group.performance": "Medidas cuantitativas de rendimiento",
    "group.maintenance": "Mantenimiento continuo",
    "group.updates": "Actualizaciones",
    "asks.developer": "Desarrollador, con contacto",
    "asks.funding": "Financiación del desarrollo",
    "asks.output-value": "Qué devuelve",
    "asks.output-type": "Tipo de resultado",
    "asks.intended-use": "Uso previsto",
    "asks.intended-population": "Pacientes previstos",
    "asks.intended-users": "Usuarios previstos",
    "asks.decision-role": "Papel en las decisiones",
    "asks.cautioned-uses": "Dónde tener cautela",
    "asks.known-risks": "Riesgos y límites conocidos",
    "asks.inclusion-criteria": "Filas incluidas y excluidas",
    "asks.demographic-inputs": "Variables demográficas usadas como entrada",
    "asks.demographic-representativeness": "A quién representan los datos",
    "asks.training-relevance": "Pertinencia de los datos para el lugar de uso",
    "asks.fairness-approach": "Cómo se mantiene equitativo el resultado",
    "asks.bias-management": "Cómo se tratan los sesgos",
    "asks.external-data": "Datos de la validación externa",
    "asks.external-party": "Quién lo validó",
    "asks.external-representativeness": "A quién representan los datos externos",
    "asks.external-process": "Cómo se validó",
    "asks.internal-validity": "Validez en datos de la misma fuente",
    "asks.internal-fairness": "Equidad en datos de la misma fuente",
    "asks.external-validity": "Validez en otros datos",
    "asks.external-fairness": "Equidad en otros datos",
    "asks.outcome-references": "Evaluaciones de su efecto en los resultados de salud",
    "asks.validity-monitoring": "Cómo y cada cuánto se vigila la validez",
    "asks.local-validity": "Validez en datos locales",
    "asks.fairness-monitoring": "Cómo y cada cuánto se vigila la equidad",
    "asks.local-fairness": "Equidad en datos locales",
    "asks.update-process": "Cómo y cada cuánto se actualiza",
    "asks.correction-frequency": "Cada cuánto se corrige cuando se halla un riesgo",
    "says.output-value": (
        "Para cada categoría cubierta, una probabilidad calibrada junto a lo habitual aquí: "
        "{categories}. Una categoría elegida por umbrales, el conjunto de categorías que no se "
        "pueden excluir, lo que movió la predicción y lo inusuales que son las lecturas."
    ),
    "says.output-type": (
        "Predicción y clasificación. No recomienda pruebas ni tratamientos; la sugerencia de una "
        "tarjeta abre un diagnóstico en borrador, sin código, para que el clínico lo complete."
    ),
    "says.intended-population": (
        "Personas de {low} a {high} años sin embarazo conocido, con edad y dos de: frecuencia "
        "cardiaca, temperatura y presión arterial."
    ),
    "says.intended-users": (
        "Clínicos que abren una historia y pueden ver al paciente. Los pacientes y familiares no "
        "reciben tarjetas."
    ),
    "says.decision-role": (
        "Informa; decide el clínico. Nada se hace por sí solo, y una lectura con puntuación roja "
        "de NEWS2 se comunica diga lo que diga el modelo."
    ),
    "says.cautioned.simulated": (
        "Entrenado con pacientes simulados: no apto para atender a nadie."
    ),
    "says.cautioned.population": (
        "No para personas de menos de {low} o más de {high} años. No validado en el embarazo: en "
        "el embarazo conocido no se da categoría y el que nadie ha registrado no se ve."
    ),
    "says.cautioned.tasks": (
        "No sirve para descartar una enfermedad, dar un alta, ordenar pacientes por sí solo ni "
        "decidir los objetivos de cuidado."
    ),
    "says.cautioned.not_covered": "Sin probabilidad de {names}: los datos no la cubren.",
    "says.known-risks": (
        "Las constantes vitales no muestran muchas enfermedades: un infarto, un ictus o una "
        "apendicitis pueden cursar con lecturas normales. La mayoría de las enfermedades crónicas "
        "y raras no se distinguen por ellas. Las lecturas antiguas, ajenas o mal tomadas lo "
        "engañan."
    ),
    "says.known-risks.selected": (
        "La verdad está seleccionada: solo algunos pacientes reciben diagnósticos y las tarjetas "
        "pueden cambiar quiénes."
    ),
    "says.known-risks.guarantee": (
        "Para {names} la promesa del conjunto de predicción no es demostrable."
    ),
    "says.inclusion-criteria": (
        "Incluidas: filas con una de las cinco categorías y una edad de {low} a {high} años, unas "
        "{used} de {given}. Excluidas: unas {without} sin categoría y {outside} fuera de esas "
        "edades. Una categoría con muy pocos pacientes no se cubre. Categorías según las reglas "
        "de la versión {labels}."
    ),
    "says.demographic-inputs": (
        "Fecha de nacimiento: sí, como edad. Sexo: {sex}. Raza, etnia, idioma, orientación "
        "sexual, identidad de género, determinantes sociales de la salud y valoraciones del estado "
        "de salud: no."
    ),
    "says.demographic-representativeness": (
        "Por edad y sexo, véase Personas. Raza, etnia, idioma, orientación sexual, identidad de "
        "género y determinantes sociales de la salud no están en los datos."
    ),
    "says.demographic-representativeness.none": "No consta en esta versión.",
    "says.training-relevance.simulated": "Los pacientes simulados no representan ningún lugar.",
    "says.training-relevance": (
        "Entrenado con datos históricos entregados a este servicio; si aquellos pacientes son como "
        "los de aquí lo deben decir las personas."
    ),
    "says.bias-management": (
        "Las filas de un paciente nunca están en dos lados. Una lectura que falta sigue faltando. "
        "Si en el entrenamiento se ponderaron o remuestrearon filas, las frecuencias verdaderas se "
        "restituyen antes de calibrar, y la calibración y las cifras usan las filas tal como "
        "llegaron."
    ),
    "says.internal-validity": (
        "En unas {n} filas reservadas: pérdida logarítmica {log_loss}, de las frecuencias solas "
        "{constant}; AUROC de enfermedad aguda {auroc}. Todas las cifras están en Cifras en la "
        "parte reservada."
    ),
    "says.internal-fairness": (
        "La ordenación, la sensibilidad y la calibración por sexo y edad están en Por sexo y edad, "
        "en la parte reservada."
    ),
    "says.not_measured": "No medida en esta versión.",
    "says.validity-monitoring": (
        "Cada evaluación se compara con los diagnósticos que llegan después (cds-service "
        "evaluate). Cada cuánto, y quién lo mira, lo debe decir el centro."
    ),
    "says.local-validity": (
        "En unos {n} desenlaces de este centro, {date}: pérdida logarítmica {log_loss}, de las "
        "frecuencias solas {constant}; AUROC de enfermedad aguda {auroc}."
    ),
    "says.local-validity.few": (
        "El {date} había muy pocos desenlaces de este centro para dar cifras."
    ),
    "says.local-validity.none": "Aún no hay ninguna evaluación con desenlaces de este centro.",
    "says.local-fairness": (
        "La ordenación, la sensibilidad y la calibración por sexo y edad, en evaluaciones de este "
        "centro del {begin} al {end}, {share} de ellas con desenlace, están en Cifras de este "
        "centro."
    ),
    "says.local-fairness.none": "Aún no se ha juzgado ningún bloque de evaluaciones del centro.",
    "says.update-process": (
        "Una versión nueva se entrena con datos históricos y desenlaces confirmados (cds-service "
        "retrain). Sustituye a esta por sí sola únicamente si se demuestra que no es peor en "
        "pacientes de los que ninguna aprendió; si no, decide una persona identificada."
    ),
}
