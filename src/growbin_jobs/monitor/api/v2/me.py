"""``GET /api/v2/me``: who asks, and what they may do."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel

from growbin_jobs.monitor.people import Identity
from growbin_jobs.monitor.security.permissions import Action, allows, require

router = APIRouter(tags=["access"])


class Me(BaseModel):
    """Who asks.

    Attributes:
      kind: How they were recognised.
      actions: What they may do, as words of the table of permissions.
    """

    name: str
    kind: str
    role: str
    personal: bool
    read_only: bool
    actions: list[str]


@router.get("/me")
def me(request: Request, person: Annotated[Identity, require(Action.SEE_STATE)]) -> Me:
    """Who asks, and what they may do."""
    read_only, parts = request.app.state.config.read_only, request.app.state.services.parts
    return Me(
        name=person.name,
        kind=person.kind,
        role=person.role.word,
        personal=person.grant.personal,
        read_only=read_only,
        actions=[action for action in Action if allows(action, person, read_only=read_only, parts=parts)],
    )
