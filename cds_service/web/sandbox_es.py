"""Fixed words of the sandbox in Spanish; `sandbox_en` has the same keys."""

SPANISH: dict[str, str] = {
    # The list.
    "title": "Pruebas",
    "lead": (
        "Hace las veces de una historia clínica electrónica. Elija un paciente y abra su historia: "
        "esta página envía una petición real de CDS Hooks a este servicio y muestra la tarjeta "
        "como la vería un clínico."
    ),
    "invented": "Todos los pacientes son inventados. Nada de esto sirve para la atención.",
    "offer": "Lo que se ofrece",
    "offer.lead": "Una historia clínica pregunta primero qué hay y qué debe enviar:",
    "offer.prefetch": "con {names}",
    "offer.alone": "sin nada más",
    "offer.none": "El servicio no responde a su descubrimiento.",
    "patients": "Pacientes",
    "patient.age": "{age}, {sex}",
    "sex.female": "mujer",
    "sex.male": "varón",
    "sex.female.child": "niña",
    "sex.male.child": "niño",
    "story.septic": "Tiritona y somnolencia desde esta mañana; le escuece al orinar.",
    "story.healthy": "Viene a una revisión y se encuentra bien.",
    "story.mild": "Un resfriado con fiebre desde hace dos días.",
    "story.chronic": "Diabetes e hipertensión desde hace años; visita de control.",
    "story.advanced": "Cáncer avanzado, con más fragilidad en cada visita.",
    "story.child": "Seis años y fiebre: fuera de las edades para las que se hizo el modelo.",
    "story.missing": "Solo la frecuencia cardiaca es nueva; la temperatura es de ayer.",
    "story.fahrenheit": "Fiebre, medida en grados Fahrenheit.",
    "story.no-unit": "La misma fiebre, pero sin la unidad.",
    "story.pregnant": "Embarazo de 30 semanas: el modelo no se hizo para eso.",
    "story.rare": "Enfermedad de Fabry en la historia, una enfermedad rara.",
    # The chart.
    "chart": "Historia",
    "chart.lead": (
        "Cambie lo que quiera y abra la historia. Un campo vacío es una lectura que no se tomó."
    ),
    "chart.back": "Todos los pacientes",
    "chart.problems": "Consta en la historia: {names}.",
    "chart.no_problems": "No consta nada.",
    "chart.pregnant": "Embarazo (anotado hace un mes)",
    "chart.place.AMB": "En la consulta",
    "chart.place.EMER": "En urgencias",
    "chart.open": "Abrir la historia",
    "chart.again": "Abrir la historia otra vez",
    "chart.reset": "Volver a las primeras lecturas",
    "chart.wrong": "La historia no se ha abierto: un campo no tiene un número que se pueda enviar.",
    "chart.number": "Escriba un número.",
    "chart.time": "Escriba los minutos, de 0 a 525600.",
    "reading.heart_rate": "Frecuencia cardiaca",
    "reading.body_temperature": "Temperatura",
    "reading.systolic_bp": "Presión arterial sistólica",
    "reading.diastolic_bp": "Presión arterial diastólica",
    "reading.respiratory_rate": "Frecuencia respiratoria",
    "reading.oxygen_saturation": "Saturación de oxígeno",
    "reading.no_unit": "ninguna",
    "reading.unit_of": "Unidad de la temperatura",
    "reading.minutes": "min antes",
    "reading.minutes_of": "{name}: hace cuántos minutos",
    "reading.same_time": "a la vez",
    "problem.I10": "Hipertensión (I10)",
    "problem.E11.9": "Diabetes tipo 2 (E11.9)",
    "problem.C25.9": "Cáncer de páncreas (C25.9)",
    "problem.324": "Enfermedad de Fabry (ORPHA:324)",
    # The card.
    "card": "Tarjeta",
    "card.none": "La historia aún no está abierta, así que no hay tarjeta.",
    "card.empty": "El servicio ha respondido sin tarjeta.",
    "card.failed": "El servicio no ha dado ninguna tarjeta.",
    "card.source": "Fuente:",
    "card.accept": "Aceptar",
    "card.override": "Descartar",
    "card.override.lead": "Descarte la tarjeta y diga por qué, si quiere.",
    "card.reason": "Motivo",
    "card.reason.none": "Sin motivo",
    "card.comment": "Comentario",
    "card.taken.accepted": "Aceptada. El servicio lo sabe; el borrador de abajo está abierto.",
    "card.taken.overridden": "Descartada. El servicio lo sabe.",
    "card.refused": "El servicio no lo ha aceptado: véase abajo.",
    "draft": "Borrador de diagnóstico abierto",
    # The diagnosis.
    "diagnosis": "Devolver un diagnóstico",
    "diagnosis.lead": (
        "Lo que resultó tener el paciente. Entra en la lista de problemas y el servicio decide "
        "qué dice de la evaluación."
    ),
    "diagnosis.choose": "Diagnóstico",
    "diagnosis.send": "Enviar el diagnóstico",
    "diagnosis.other": "Por sí solo no indica ninguna categoría",
    "diagnosis.A41.9": "Sepsis (A41.9)",
    "diagnosis.J18.9": "Neumonía (J18.9)",
    "diagnosis.I63.9": "Ictus (I63.9)",
    "diagnosis.J00": "Resfriado común (J00)",
    "diagnosis.A08.4": "Gastroenteritis vírica (A08.4)",
    "diagnosis.I10": "Hipertensión (I10)",
    "diagnosis.J44.9": "EPOC (J44.9)",
    "diagnosis.Z51.5": "Cuidados paliativos (Z51.5)",
    "diagnosis.Z00.00": "Revisión sin hallazgos (Z00.00)",
    "diagnosis.R07.9": "Dolor torácico (R07.9)",
    "became": "En qué ha quedado",
    "became.unknown": "El servicio no ha guardado ninguna evaluación de esta historia.",
    "became.not_scored": (
        "Esta evaluación no nombró ninguna categoría, así que no se compara con diagnósticos."
    ),
    "became.outcome": "El desenlace de esta evaluación: {category}.",
    "became.same": "El modelo había dicho lo mismo.",
    "became.other": "El modelo había dicho: {category}.",
    "became.prompted": (
        "El diagnóstico completa un borrador que sugirió la tarjeta, por lo que se cuenta aparte."
    ),
    "became.none": "Esta evaluación aún no tiene desenlace.",
    "became.none.undetermined": (
        "Esta evaluación no tiene desenlace: el código solo no indica ninguna categoría."
    ),
    "became.none.home_not_known": (
        "Esta evaluación aún no tiene desenlace: es enfermedad leve solo si el paciente se va a "
        "casa, y nadie lo ha dicho."
    ),
    "became.none.not_only_diagnosis": (
        "Esta evaluación no tiene desenlace: «ninguna enfermedad» solo cuenta como único "
        "diagnóstico."
    ),
    "became.hint": "Para medir el modelo con desenlaces como este, ejecute:",
    # The wire.
    "wire": "Por la red",
    "wire.lead": (
        "Lo que esta página ha enviado al servicio y lo que ha vuelto, lo más nuevo primero."
    ),
    "wire.discovery": "Lo que se ofrece",
    "wire.open": "Historia abierta",
    "wire.accepted": "Sugerencia aceptada",
    "wire.overridden": "Tarjeta descartada",
    "wire.diagnosis": "Diagnóstico devuelto",
    "wire.result": "respuesta {status} en {ms} ms",
    "wire.none": "sin respuesta",
    "wire.request": "Petición",
    "wire.response": "Respuesta",
    "wire.copy": "Copiar",
    "wire.copied": "Copiado",
    "wire.empty": "(vacía)",
}
