"""``/favicon.ico``: browsers ask for it by themselves beside what is no page, such as JSON."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False)


@router.get("/favicon.ico", dependencies=[require(Action.PROBE)])
def icon() -> Response:
    """Return the icon of all pages."""
    picture = files("growbin_jobs.monitor").joinpath("static", "icon.svg").read_bytes()
    return Response(picture, media_type="image/svg+xml", headers={"cache-control": "public, max-age=86400"})
