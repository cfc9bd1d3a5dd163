"""Fixed words that all pages share, in Spanish; `layout_en` has the same keys."""

SPANISH: dict[str, str] = {
    # Around every page.
    "skip": "Ir al contenido",
    "language": "Idioma",
    "layout.pages": "Páginas",
    "layout.home": "Inicio",
    "layout.development": (
        "Modo de desarrollo: todo el mundo entra como «development», con todos los roles. Nunca "
        "para la atención."
    ),
    "layout.signed_in": "Sesión de {name}",
    "layout.sign_out": "Cerrar sesión",
    "layout.sign_in": "Iniciar sesión",
    "layout.ends": "¿Sigue ahí?",
    "layout.ends.more": (
        "No ha hecho nada durante un rato. En menos de un minuto se cerrará su sesión y se perderá "
        "lo que haya escrito aquí."
    ),
    "layout.ends.stay": "Seguir con la sesión",
    "layout.footer": (
        "Apoyo a la decisión, no un diagnóstico. No es un producto sanitario ni está autorizado "
        "en ningún sitio."
    ),
    "nav.sandbox": "Pruebas",
    "nav.triage": "Triaje",
    "nav.review": "Revisión",
    "nav.admin": "Panel",
    "role.clinician": "clínico",
    "role.reviewer": "revisor",
    "role.administrator": "administrador",
    # Where no page is.
    "home.title": "Inicio",
    "home.none": (
        "Ninguna página está abierta para usted. Los roles los asigna quien administra el servicio."
    ),
    "home.lead": "Lo que está abierto para usted:",
    # When something is wrong.
    "problem.400": "No se ha podido leer",
    "problem.400.more": (
        "Lo que ha enviado la página no es lo que debería. Vuelva atrás e inténtelo de nuevo."
    ),
    "problem.401": "Inicie sesión",
    "problem.401.more": "Esta página es para quien ha iniciado sesión.",
    "problem.403": "Esto no está abierto para usted",
    "problem.403.more": (
        "Su rol no lo incluye. Los roles los asigna quien administra el servicio."
    ),
    "problem.form": "Este formulario ya no es válido",
    "problem.form.more": (
        "Es demasiado antiguo o viene de una página que no es nuestra. No se ha hecho nada. Abra "
        "la página otra vez y repítalo."
    ),
    "problem.404": "No se encuentra",
    "problem.404.more": "No existe esa página.",
    "problem.405": "Así no",
    "problem.405.more": "Esta dirección no se pide de esta manera.",
    "problem.413": "Demasiado",
    "problem.413.more": "Se ha enviado más de lo que envía cualquier página de este servicio.",
    "problem.429": "Demasiados intentos",
    "problem.429.more": "Espere un rato y vuelva a intentarlo.",
    "problem.500": "Algo ha fallado",
    "problem.500.more": (
        "El fallo ha quedado registrado. Inténtelo de nuevo; si se repite, avise a quien "
        "administra el servicio."
    ),
    "problem.503": "Ahora no está disponible",
    "problem.503.more": (
        "Algo que esta página necesita no responde o está ocupado. Inténtelo en un minuto."
    ),
    "problem.start": "Al inicio",
    # Values.
    "hidden": "menos de {smallest}",
    "none": "–",
    "not_recorded": "no consta",
    "about": "unas {n}",
    "bounds": "[{lower}; {upper}]",
}
