"""What the routes of an application ask: of each its path, its methods and its actions."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from growbin_jobs.monitor.security.permissions import Action, Requirement


def routes_of(app: FastAPI) -> Iterator[tuple[str, set[str], list[Action]]]:
    """Yield the path, the methods and the actions of every route but the static files."""
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, Mount):
            dependant = getattr(context.original_route, "dependant", None)
            # What a router or an app asks of all its routes is known to the context only.
            asked = [context.dependant] if dependant is not None else []
            yield (
                context.path or "",
                set(context.methods or ()),
                [call.action for each in asked for call in _calls(each)],
            )


def _calls(dependant: Dependant) -> Iterator[Requirement]:
    for each in dependant.dependencies:
        if isinstance(each.call, Requirement):
            yield each.call
        yield from _calls(each)
