"""Fixed words of the sign-in page in Spanish; `sign_in_en` has the same keys."""

SPANISH: dict[str, str] = {
    "title": "Iniciar sesión",
    "name": "Nombre",
    "password": "Contraseña",
    "submit": "Iniciar sesión",
    "provider": "Entrar con la cuenta de su organización",
    "provider.lead": "Se le lleva al inicio de sesión de su organización y de vuelta.",
    "provider.away": (
        "El inicio de sesión de su organización no responde. Inténtelo en un minuto; si sigue así, "
        "avise a quien administra el servicio."
    ),
    "provider.refused": (
        "El inicio de sesión de su organización no le ha dejado entrar aquí, o tardó demasiado. "
        "Inténtelo de nuevo."
    ),
    "provider.no_role": (
        "Se le conoce, pero no tiene ningún rol en este servicio. Pídalo a quien los asigna en su "
        "organización."
    ),
    "wrong": "El nombre o la contraseña no son correctos.",
    "blocked": "Demasiados intentos fallidos. Vuelva a intentarlo en {minutes} min.",
    "blocked.long": (
        "Demasiados intentos fallidos. Quien administra el servicio puede abrir la cuenta otra vez "
        "con una contraseña nueva."
    ),
    "busy": "Ahora mismo inician sesión demasiadas personas. Inténtelo en un minuto.",
    "idle": (
        "Se ha cerrado su sesión porque no ha hecho nada durante un rato o se acabó el tiempo."
    ),
    "out": "Ha cerrado la sesión.",
    "out.provider": (
        "El inicio de sesión de su organización puede seguir abierto en este navegador."
    ),
    "out.provider.end": "Cerrarlo allí también",
    "out.provider.none": "El inicio de sesión de su organización no se puede cerrar desde aquí.",
}
