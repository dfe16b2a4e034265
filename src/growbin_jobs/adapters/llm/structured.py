"""Structured output: asks for it, notices a server that does not support it, and validates what comes back."""

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from growbin_jobs.adapters.llm.errors import unusable
from growbin_jobs.adapters.llm.reply import Completion, Reply
from growbin_jobs.errors import Permanent

Schema = TypeVar("Schema", bound=BaseModel)


class SchemaNotSupported(Permanent):
    """The server does not know structured output; it is asked for a JSON object instead."""


def strict_format(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the ``response_format`` that lets a model answer in the form of a schema and in no other."""
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.__name__, "strict": True, "schema": schema.model_json_schema()},
    }


def refuses_schemas(status: int, body: object) -> bool:
    """Return True for the answer of a server that knows no JSON schema.

    Servers word it differently ("This model does not support response format `json_schema`", "This response_format
    type is unavailable now"), yet all name what they do not know.
    """
    named = re.search(r"response[_ ]?format|json[_ ]?schema|structured[_ ]?output", str(body), re.IGNORECASE)
    return status in (400, 422) and named is not None


def validated(reply: Reply, model: str, schema: type[Schema]) -> Completion[Schema]:
    """Return the answer in the form of the schema.

    Parameters:
      reply: What came.
      model: The one asked for.
      schema: What it must fit.

    Raises:
      Transient: With the fields that do not fit, and not what they say.
    """
    try:
        answer = schema.model_validate_json(reply.content)
    except ValidationError as error:
        problems = sorted({f"{_field(part['loc'], schema)}{part['type']}" for part in error.errors()})
    else:
        return Completion(answer, reply.model or model, reply.usage, reply.request_id)
    raise unusable(", ".join(problems))


def _field(location: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    # Only our own names: those of extra fields come from the answer.
    return f"{location[0]} " if location and location[0] in schema.model_fields else ""
