"""``/api/v2``: JSON for scripts, described by OpenAPI."""

from fastapi import APIRouter

from growbin_jobs.monitor.api.v2 import description, me

#: What the app includes below ``/api/v2``.
routers: list[APIRouter] = [description.router, me.router]
