"""``/api/v2/webhooks``: who is told of what goes wrong, and the messages on their way."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from growbin_jobs.alerts.views import DeliveryView, WebhookView, delivery_views, webhook_views
from growbin_jobs.monitor.acting import webhooks as acts
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.why import PLAIN
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(tags=["webhooks"])

_CHANGE = [require(Action.CHANGE_WEBHOOKS)]
_CHANGE_BY_NAME = [*_CHANGE, PLAIN]


class NewWebhook(BaseModel):
    """A webhook: thresholds by rule, null is the rule's own; the secret is named, never given."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=63)]
    url: Annotated[str, Field(max_length=2000)]
    secret_ref: Annotated[str, Field(max_length=200)] = "env:WEBHOOK_SECRET"  # noqa: S105 a name, no secret
    rules: Annotated[dict[str, float | None], Field(max_length=20)]
    quiet_minutes: float = 10.0


class WebhookNamed(BaseModel):
    """The webhook."""

    id: str
    name: str


class MessageNamed(BaseModel):
    """The message."""

    id: str


@router.get("/webhooks", response_model=list[WebhookView], dependencies=[require(Action.SEE_WEBHOOKS)])
def webhooks(request: Request) -> Response:
    """Return the webhooks; of an address its host only."""
    return StrictAnswer(webhook_views(request.app.state.services.database))


@router.get("/webhook-messages", response_model=list[DeliveryView], dependencies=[require(Action.SEE_WEBHOOKS)])
def messages(
    request: Request,
    webhook: Annotated[str | None, Query(max_length=100, description="Only to this one, by name or id.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Return messages of the last 30 days, the newest first."""
    return StrictAnswer(delivery_views(request.app.state.services.database, webhook, limit=limit))


@router.post("/webhooks", response_model=WebhookNamed, dependencies=_CHANGE)
def add(request: Request, new: NewWebhook) -> Response:
    """Add a webhook."""
    rules = dict(new.rules)
    hook = acts.add(
        request, new.name, new.url, secret_ref=new.secret_ref, rules=rules, quiet_minutes=new.quiet_minutes
    )  # fmt: skip
    return StrictAnswer({"id": hook.id, "name": hook.name})


@router.post("/webhooks/{name}/test", response_model=MessageNamed, dependencies=_CHANGE_BY_NAME)
def try_(request: Request, name: str) -> Response:
    """Send a message to try it; ``webhook-messages`` says what came of it."""
    return StrictAnswer({"id": acts.try_out(request, name)})


@router.post("/webhooks/{name}/pause", response_model=WebhookNamed, dependencies=_CHANGE_BY_NAME)
def pause(request: Request, name: str) -> Response:
    """Tell it nothing until it is resumed."""
    hook = acts.pause(request, name)
    return StrictAnswer({"id": hook.id, "name": hook.name})


@router.post("/webhooks/{name}/resume", response_model=WebhookNamed, dependencies=_CHANGE_BY_NAME)
def resume(request: Request, name: str) -> Response:
    """Tell it again; what happened in the pause is not made up for."""
    hook = acts.resume(request, name)
    return StrictAnswer({"id": hook.id, "name": hook.name})


@router.post("/webhooks/{name}/remove", response_model=WebhookNamed, dependencies=_CHANGE_BY_NAME)
def remove(request: Request, name: str) -> Response:
    """Remove it with its history."""
    hook = acts.remove(request, name)
    return StrictAnswer({"id": hook.id, "name": hook.name})


@router.post("/webhook-messages/{message_id}/again", response_model=MessageNamed, dependencies=_CHANGE_BY_NAME)
def again(request: Request, message_id: str) -> Response:
    """Try a message once more, for another day, under its id."""
    return StrictAnswer({"id": acts.send_again(request, message_id)})
