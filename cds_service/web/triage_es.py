"""Fixed words of the triage pages in Spanish; `triage_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Triaje",
    "lead": "Introduzca lo que se acaba de medir. Ni nombre ni número de historia.",
    "case": "Número de caso",
    "case.hint": "Anótelo en el papel del paciente: el caso se vuelve a encontrar con él y con "
    "nada más.",
    "case.again": "El mismo caso, medido otra vez.",
    "case.next": "Otro paciente: empezar un caso nuevo",
    "held.before": "La respuesta no se mostrará: {reason}. Lo que introduzca se guarda igualmente.",
    "simulated": "El modelo en uso se entrenó con pacientes simulados: para probar, no para la "
    "atención.",
    "not_ready": "Ahora no hay ningún modelo en uso, así que no se puede evaluar nada.",
    # The form.
    "person": "Persona",
    "readings": "Lecturas",
    "readings.hint": "Una categoría necesita la edad y dos de frecuencia cardiaca, temperatura y "
    "presión arterial. Deje vacío lo que no se midió.",
    "more": "Si se conoce",
    "age": "Edad en años",
    "birth_date": "o nacimiento (año-mes-día)",
    "birth_date.form": "1957-04-02",
    "sex": "Sexo",
    "sex.choose": "Elija",
    "sex.female": "Mujer",
    "sex.male": "Hombre",
    "sex.other": "Otro",
    "sex.unknown": "No se sabe",
    "pregnant": "Embarazo conocido",
    "pregnant.hint": "El modelo y NEWS2 no se hicieron para el embarazo.",
    "temperature_unit": "Unidad de la temperatura",
    "optional": "opcional",
    "abo_group.none": "No se sabe",
    "unit./min": "/min",
    "unit.Cel": "°C",
    "unit.[degF]": "°F",
    "unit.mm[Hg]": "mmHg",
    "unit.%": "%",
    "unit.d/wk": "días a la semana",
    "unit.a": "años",
    "submit": "Evaluar",
    "wait": "Evaluando …",
    "away": "El servicio no ha respondido. Lo que introdujo sigue aquí: inténtelo de nuevo.",
    "renewed": "Aún no se ha enviado: entretanto había iniciado sesión de nuevo. Pulse el botón "
    "otra vez.",
    # Where the session was over before it was sent.
    "kept": "Su sesión se cerró",
    "kept.lead": "Lo que había introducido no se evaluó, y no está guardado.",
    "kept.sealed": "Sigue en esta página, cifrado. Durante {minutes} minutos quien lo introdujo "
    "puede abrirlo aquí otra vez: inicie sesión en la pestaña nueva y vuelva a esta.",
    "kept.sign_in": "Iniciar sesión (en otra pestaña)",
    "kept.back": "Ya he iniciado sesión: volver al formulario",
    "kept.nobody": "Todavía no ha iniciado sesión nadie.",
    "kept.is_back": "Esto es lo que había introducido hasta {at}; aún no se ha evaluado. Las "
    "lecturas cuentan como tomadas ahora: vuelva a medir lo que pueda haber cambiado, y evalúe.",
    "kept.gone": "Lo que había no se puede abrir: lo introdujo otra persona, o es demasiado "
    "antiguo. Introdúzcalo de nuevo.",
    "signed_in": "Ha iniciado sesión",
    "signed_in.lead": "Lo que había introducido está en la otra pestaña: vuelva a ella. Esta se "
    "puede cerrar.",
    "signed_in.new": "O empiece aquí un caso nuevo",
    # What is wrong with a field.
    "errors": "Revise lo que ha introducido",
    "wrong.required": "Introduzca la edad en años o la fecha de nacimiento.",
    "wrong.one_of_two": "Introduzca la edad o la fecha de nacimiento, no las dos.",
    "wrong.not_whole": "Introduzca la edad en años cumplidos, como 68.",
    "wrong.not_a_date": "Introduzca la fecha de nacimiento como año-mes-día, como 1957-04-02.",
    "wrong.future": "La fecha de nacimiento está en el futuro.",
    "wrong.choose": "Elija una opción.",
    "wrong.not_a_number": "Introduzca un número, como 37,5.",
    "wrong.impossible": "No es posible: debe estar entre {low} y {high} {unit}. Vuelva a medir.",
    "wrong.extreme": "Un valor extremo. Vuelva a medir; si es correcto, dígalo abajo.",
    "wrong.both": "Introduzca las dos presiones o ninguna.",
    "wrong.not_higher": "La presión sistólica debe ser mayor que la diastólica. Vuelva a medir.",
    "wrong.no_readings": "Introduzca al menos una lectura.",
    "wrong.another_person": "Hasta ahora este caso era de otra edad o de otro sexo. Si es otro "
    "paciente, empiece un caso nuevo; si es la misma persona, dígalo abajo.",
    "again": "He vuelto a medir: es correcto",
    "again.age": "Lo he comprobado: es correcto",
    # The result.
    "result": "Resultado",
    "result.at": "Evaluado el {at}",
    "reasons.more": "Lo que movió la predicción; no lo que hizo enfermar al paciente.",
    "used": "Lecturas usadas",
    "explanation": "Cómo se estimó",
    "print": "Imprimir",
    "next": "Siguiente paciente",
    "measure_again": "Volver a medir este caso",
    "others": "Otras mediciones de este caso",
    # What people say of it.
    "feedback": "Esto no era correcto",
    "feedback.lead": "¿Qué habría dicho usted? Se guarda junto a la respuesta; no cambia el "
    "tratamiento de nadie.",
    "feedback.reason": "Motivo",
    "feedback.comment": "Comentario",
    "feedback.comment.hint": "Sin nombres.",
    "feedback.submit": "Enviar",
    "feedback.needed": "Elija un motivo o escriba un comentario.",
    "told.feedback": "Gracias: lo que ha dicho se ha guardado.",
    "outcome": "Lo que resultó ser",
    "outcome.lead": "Cuando se sepa. La categoría confirmada se guarda con su nombre como "
    "resultado de este caso, y con ella se mide el modelo.",
    "outcome.undetermined": "No se puede saber",
    "outcome.submit": "Confirmar",
    "outcome.needed": "Elija lo que resultó ser.",
    "outcome.is": "Confirmado: {category}, por {by} el {at}. Una respuesta posterior la sustituye.",
    "told.outcome": "La categoría confirmada se ha guardado.",
    # Finding a case.
    "find": "Buscar un caso",
    "find.lead": "Por su número de caso, como K7M4-9QXE.",
    "find.submit": "Buscar",
    "find.wrong": "No es un número de caso. Revise cada signo: no hay I, L, O, U ni 0.",
    "find.none": "No hay ningún caso con este número.",
    # The data-use policy.
    "policy": "Cómo se usan estos datos",
    "policy.version": "Versión {version} del {date}",
    "policy.lead": "Léalo una vez antes de introducir lecturas. Se le preguntará de nuevo cuando "
    "cambie.",
    "policy.agree": "Lo he leído y uso la página conforme a ello",
    "policy.submit": "Continuar",
    "policy.needed": "Marque la casilla para continuar.",
    "policy.agreed": "Usted aceptó esta versión el {at}.",
    "policy.link": "Cómo se usan estos datos",
}

POLICY: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Para qué es esta página",
        (
            "Estima la gravedad que muestran las constantes vitales de un paciente, para quienes "
            "lo atienden. Es apoyo a la decisión, no un diagnóstico; decide usted.",
            "Úsela con pacientes a su cargo, o para probar con lecturas inventadas donde diga que "
            "su modelo es simulado.",
        ),
    ),
    (
        "Qué se guarda",
        (
            "La edad, el sexo, las lecturas, si se conoce un embarazo, lo que se estimó y lo que "
            "usted diga después. La fecha de nacimiento se convierte en edad y no se guarda.",
            "No se piden ni nombre ni número de historia. En su lugar hay un número de caso local: "
            "se guarda cifrado y, a su lado, un resumen con clave por el que se encuentra. No "
            "escriba nombres en los comentarios.",
            "Quién introdujo, leyó o buscó qué, y cuándo, se escribe con su nombre en un registro "
            "de auditoría.",
        ),
    ),
    (
        "Para qué se usa",
        (
            "Para la respuesta que usted recibe; para medir lo bueno que es el modelo cuando se "
            "sabe lo que el caso resultó ser; y para entrenar uno mejor solo si quien administra "
            "este servicio lo ha permitido para esta página.",
            "Nada sale de este servicio salvo lo que sus responsables exportan para estos fines.",
        ),
    ),
    (
        "Cuánto tiempo, y los derechos de quién",
        (
            "Quien administra este servicio decide cuánto tiempo se guarda y responde a los "
            "pacientes que pidan ver o borrar lo que se guarda de ellos. Se encuentra con el "
            "número de caso de su papel.",
        ),
    ),
)
