"""The dashboard: one file a page."""

from fastapi import APIRouter

from cds_service.routes.admin import overview

ROUTERS: tuple[APIRouter, ...] = (overview.router,)
"""Of every page, in the order of the navigation."""
