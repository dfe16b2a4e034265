"""Static files of the package: kept by browsers for ever when the address has the file's mark, else for a minute."""

from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class PackageFiles(StaticFiles):
    """The files of a package's folder ``static``."""

    def __init__(self) -> None:
        super().__init__(packages=[("growbin_jobs.monitor", "static")])

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        marked = bool(parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v"))
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if marked else "public, max-age=60"
        return response
