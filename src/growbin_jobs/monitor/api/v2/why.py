"""Why somebody acts, as the body of a POST says it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Depends, Request
from pydantic import BaseModel, ConfigDict, Field


class Why(BaseModel):
    """Why somebody does something, for the audit."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(max_length=500)] = ""


NO_REASON = Why()


def _keep(request: Request, why: Annotated[Why, Body()] = NO_REASON) -> None:
    request.state.reason = why.reason


#: The dependency of a plain act: it takes nothing but a reason, which comes into the audit. A body with more is
#: refused, since who sends it believes that it means something.
PLAIN: Any = Depends(_keep)
