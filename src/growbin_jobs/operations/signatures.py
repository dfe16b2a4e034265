"""Checks the arguments that a person has edited against what the actor takes, before anything is sent."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from growbin_jobs.errors import Conflict, NotFound

#: Returns the function of an actor, or None where this process does not know it.
FunctionOf = Callable[[str], Callable[..., Any] | None]


def check_arguments(
    actor: str, args: Sequence[Any], kwargs: Mapping[str, Any], function_of: FunctionOf
) -> Mapping[str, Any]:
    """Return the arguments by the name of their parameter.

    Parameters:
      actor: The actor's name.
      args, kwargs: JSON values.

    Raises:
      NotFound: This process does not know the actor.
      Conflict: They do not fit; the sentence names the parameter and what it takes, and repeats no value.
    """
    function = function_of(actor)
    if function is None:
        raise NotFound(f"What {actor} takes is not known here, so edited arguments cannot be checked.")
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise Conflict(f"{actor}{signature}: {error}.") from None
    hints = _hints(function)
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if name in hints and kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            _check(actor, name, value, hints[name])
    return bound.arguments


def signature_of(actor: str, function_of: FunctionOf) -> str | None:
    """Return what an actor takes, as Python writes it; None: it is not known here."""
    function = function_of(actor)
    return None if function is None else f"{actor}{inspect.signature(function)}"


def parse_json(text: str, kind: type, what: str) -> Any:
    """Return what a person has written as JSON.

    Raises:
      Conflict: It is no JSON, or not of that kind; the sentence says where.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise Conflict(f"{what} are nested too deeply.") from None
    except ValueError as error:
        place = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Conflict(f"{what} are no JSON{place}.") from None
    if not isinstance(value, kind):
        shape = "a list: [...]" if kind is list else "an object: {...}"
        raise Conflict(f"{what} must be {shape}.")
    return value


def _check(actor: str, name: str, value: Any, hint: Any) -> None:
    try:
        TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, (name, *wrong["loc"])))
        raise Conflict(f"{actor}: {place}: {wrong['msg']}.") from None
    except (PydanticUserError, TypeError, NameError):  # a type of which nothing can be said
        return


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # names that exist for type checkers only
        return {}


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
