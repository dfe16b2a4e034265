"""Structured output: the form that is asked for, and the strict validation of what comes back."""

import json
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from growbin_jobs.adapters.llm.errors import unusable
from growbin_jobs.adapters.llm.fitting import Form
from growbin_jobs.adapters.llm.literals import Ambiguous
from growbin_jobs.adapters.llm.normalised import Also, the_object
from growbin_jobs.adapters.llm.reply import Completion, Reply

Schema = TypeVar("Schema", bound=BaseModel)


def form_of(schema: type[BaseModel], in_words: str) -> Form:
    """Return the form that lets a model answer in the form of a schema and in no other.

    Parameters:
      schema: Forbids extra fields and has no defaults, as strict structured output demands.
      in_words: The same as a prompt.
    """
    return Form(schema.__name__, _json_schema(schema), in_words)


def validated(reply: Reply, model: str, schema: type[Schema], also: Also | None = None) -> Completion[Schema]:
    """Return the answer in the form of the schema.

    Parameters:
      reply: What came.
      model: The one asked for.
      schema: What it must fit.
      also: Words of the schema to their other names.

    Raises:
      Transient: With the fields that do not fit, and not what they say.
    """
    try:
        found = the_object(reply.content or reply.reasoning, _json_schema(schema), also)
        answer = schema.model_validate_json(json.dumps(found))
    except Ambiguous as error:
        problems = [str(error)]
    except ValidationError as error:
        problems = sorted({f"{_field(part['loc'], schema)}{part['type']}" for part in error.errors()})
    else:
        return Completion(answer, reply.model or model, reply.usage, reply.request_id)
    raise unusable(", ".join(problems))


@lru_cache(maxsize=32)
def _json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the schema as JSON Schema, which takes a millisecond to make. Nobody changes it."""
    return schema.model_json_schema()


def _field(location: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    # Only our own names: those of extra fields come from the answer.
    return f"{location[0]} " if location and location[0] in schema.model_fields else ""
