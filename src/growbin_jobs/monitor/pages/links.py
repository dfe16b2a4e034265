"""Addresses inside the monitor: below the prefix, with any name in them, and the versioned ones of static files."""

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from urllib.parse import quote

from starlette.requests import Request


def link(request: Request, path: str, *names: object, **query: object) -> str:
    """Return an address of the monitor.

    Parameters:
      path: Below the prefix, such as ``/tasks``.
      names: Put behind it, each as one part whatever signs it has; a route takes the last one as ``{name:path}``,
        because a slash in it arrives as a slash.
      query: The values that are not None, lists as several.
    """
    prefix: str = request.scope.get("root_path", "")
    address = prefix + path + "".join(f"/{_quoted(str(name))}" for name in names)
    return address + _query(query)


def with_query(request: Request, **changes: object) -> str:
    """Return the address of this page with other values of its query; None leaves one out."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    values: dict[str, object] = {}
    for name, value in kept:
        had = values.get(name)
        values[name] = [*had, value] if isinstance(had, list) else [value]
    prefix: str = request.scope.get("root_path", "")
    return prefix + _inner_path(request) + _query(values | changes)


def asset(request: Request, name: str) -> str:
    """Return the address of a static file, with a mark that changes with the file."""
    return f"{request.scope.get('root_path', '')}/static/{name}?v={_mark(name)}"


def is_inner(target: str) -> bool:
    """Return whether a path leads to a page of ours, and nowhere else (no open redirects)."""
    return (
        target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() and "\\" not in target
    )


def _query(values: Mapping[str, object]) -> str:
    pairs = []
    for name, value in values.items():
        parts = value if isinstance(value, list | tuple) else [value]
        pairs += [f"{_quoted(name)}={_quoted(str(part))}" for part in parts if part is not None]
    return f"?{'&'.join(pairs)}" if pairs else ""


@lru_cache(maxsize=1000)  # a page has hundreds of links to the same few names
def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _inner_path(request: Request) -> str:
    path: str = request.scope["path"][len(request.scope.get("root_path", "")) :]
    return quote(path) or "/"


@cache
def _mark(name: str) -> str:
    found = files("growbin_jobs.monitor").joinpath("static", *name.split("/"))
    return hashlib.sha256(found.read_bytes()).hexdigest()[:10]
