"""The dashboard: one file a page."""

from fastapi import APIRouter

from cds_service.routes.admin import alerts, overview, quality

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    quality.router,
    alerts.router,
)
"""Of every page, in the order of the navigation."""
