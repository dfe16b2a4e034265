"""The tools: one for each GET of ``/api/v2`` that answers JSON, as OpenAPI describes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import FastAPI

from growbin_jobs.monitor.api.mcp.messages import INVALID_PARAMETERS, CallError
from growbin_jobs.monitor.people import Identity
from growbin_jobs.monitor.security.permissions import allows
from growbin_jobs.monitor.security.routes import routes_of

_ROOT: Final = "/api/v2/"
_SCHEMAS: Final = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes:
      name: Made of the address: ``tasks``, ``tasks_by_task_id``.
      path: Of the route, with the names of its parameters in braces.
      schema: Of the arguments, JSON Schema.
      places: Of each argument: ``path`` or ``query``.
    """

    name: str
    path: str
    description: str
    schema: dict[str, Any]
    places: Mapping[str, str]

    def described(self) -> dict[str, Any]:
        """Return it in the protocol's words."""
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": self.schema,
            "annotations": {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False},
        }

    def address(self, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Return the path and the query that ask for some arguments; the route itself checks their values.

        Raises:
          CallError: An argument is missing, is none of the tool's, or is no single value.
        """
        unknown = [name for name in arguments if name not in self.places]
        missing = [name for name in self.schema["required"] if arguments.get(name) is None]
        if unknown or missing:
            wrong = f"has no {unknown[0]}" if unknown else f"needs {missing[0]}"
            raise CallError(INVALID_PARAMETERS, f"{self.name} {wrong}; it has: {', '.join(self.places) or 'none'}.")
        given = {name: _text(name, value) for name, value in arguments.items() if value is not None}
        path = re.sub(r"\{(\w+)\}", lambda found: quote(given[found[1]], safe="/"), self.path)
        query = {name: value for name, value in given.items() if self.places[name] == "query"}
        return path, urlencode(query)


def tools_for(app: FastAPI, identity: Identity | None) -> dict[str, Tool]:
    """Return the tools that somebody may use, by name.

    Parameters:
      app: The monitor.
      identity: Who asks.
    """
    actions = {path.replace(":path", ""): its for path, methods, its in routes_of(app) if "GET" in methods}

    def may(tool: Tool) -> bool:
        return all(allows(action, identity, parts=app.state.services.parts) for action in actions[tool.path])

    return {tool.name: tool for tool in _tools(app) if may(tool)}


def _tools(app: FastAPI) -> Iterator[Tool]:
    document = app.openapi()
    for path, methods in document["paths"].items():
        operation = methods.get("get")
        if operation is None or list(operation["responses"]["200"].get("content", ())) != ["application/json"]:
            continue
        parameters = [each for each in operation.get("parameters", ()) if each["in"] in ("path", "query")]
        yield Tool(
            name=_name(path),
            path=path,
            description=operation["description"],
            schema=_arguments(parameters, document["components"]["schemas"]),
            places={each["name"]: each["in"] for each in parameters},
        )


def _name(path: str) -> str:
    parts = path.removeprefix(_ROOT).split("/")
    words = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in parts]
    return "_".join(words).replace("-", "_")


def _arguments(parameters: list[dict[str, Any]], schemas: Mapping[str, Any]) -> dict[str, Any]:
    properties = {}
    for each in parameters:
        described = _with_schemas({name: value for name, value in each["schema"].items() if name != "title"}, schemas)
        if "description" in each:
            described["description"] = each["description"]
        properties[each["name"]] = described
    required = [each["name"] for each in parameters if each.get("required")]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _with_schemas(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """Return a schema with what it refers to in it: a tool's schema stands alone."""
    if isinstance(schema, list):
        return [_with_schemas(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("$ref")
    if name is not None:
        return _with_schemas(schemas[name.removeprefix(_SCHEMAS)], schemas)
    return {key: _with_schemas(part, schemas) for key, part in schema.items()}


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise CallError(INVALID_PARAMETERS, f"{name} is a text, a number, true or false.")
    return str(value).encode("utf-8", "replace").decode()
