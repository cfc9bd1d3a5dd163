"""The dashboard: one file a page."""

from fastapi import APIRouter

from cds_service.routes.admin import (
    alerts,
    audit,
    clients,
    exports,
    inputs,
    models,
    overview,
    quality,
    runs,
)

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    quality.router,
    inputs.router,
    models.router,
    runs.router,
    alerts.router,
    clients.router,
    audit.router,
    exports.router,
)
"""Of every page, in the order of the navigation."""
