"""Reads which models a server offers, and the announced day of the end of each."""

from datetime import date, datetime
from typing import Any

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    model_validator,
)

from growbin_jobs.adapters.llm.documents import decoded, parsed
from growbin_jobs.errors import Transient


def read_models(body: bytes) -> dict[str, date | None]:
    """Read the body of ``GET /v1/models``: the offered models, each with the announced day of its end.

    Raises:
      Transient: The body is no list of models.
    """
    wire = parsed(_Models, decoded(body, {}))
    if wire is None:
        raise Transient(
            "What answers is no model server: it gave no list of models. "
            "Check OPENAI_BASE_URL, which usually ends in /v1."
        )
    return {model.id.removeprefix("models/"): _day(model.shutdown_date) for model in wire.data or ()}


class _Model(BaseModel):
    id: str = Field(validation_alias=AliasChoices("id", "name"))
    shutdown_date: Any = None


class _Models(BaseModel):
    data: list[_Model] | None = Field(validation_alias=AliasChoices("data", "models"))

    @model_validator(mode="before")
    @classmethod
    def _as_object(cls, value: object) -> object:
        return {"data": value} if isinstance(value, list) else value  # Together AI


def _day(value: object) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) and value else None
    except ValueError:
        return None
