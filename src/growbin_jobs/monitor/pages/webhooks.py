"""Alerts: the webhooks, what they were told, and a form to add one."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from growbin_jobs.alerts.rules import RULES
from growbin_jobs.alerts.views import delivery_views, webhook_views
from growbin_jobs.monitor.acting import webhooks as acts
from growbin_jobs.monitor.acting.sentences import said_in
from growbin_jobs.monitor.pages.acting import Back, Id, acted, number_of
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import BadInput

router = APIRouter(include_in_schema=False)

_CHANGE = [require(Action.CHANGE_WEBHOOKS)]
_Text = Annotated[str, Form(max_length=2000)]

_PATH = "/webhooks"

#: Thresholds that the form offers; others by command and ``/api/v2``.
CHOICES: Final = {
    "dead_letters": (1, 10, 100, 1000), "queue_wait": (30, 60, 300, 900, 3600), "budget": (50, 80, 90, 100),
    "late_job": (60, 300, 1800, 3600),
}  # fmt: skip


@router.get(_PATH, dependencies=[require(Action.SEE_WEBHOOKS)])
def page(request: Request, webhook: Annotated[str | None, Query(max_length=100)] = None) -> Response:
    """Show the webhooks and their messages."""
    database: Any = request.app.state.services.database
    return render(
        request,
        "webhooks.html",
        hooks=webhook_views(database),
        messages=delivery_views(database, webhook or None),
        only=webhook or "",
        rules=RULES,
        choices=CHOICES,
        in_words=lambda text: said_in(words_for(request).language, text),
    )


@router.post("/act/webhooks/add", dependencies=_CHANGE)
def add(
    request: Request,
    name: _Text,
    url: _Text,
    secret: Annotated[str, Form(max_length=200)],
    rule: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 FastAPI copies it
    threshold: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006
    quiet: Annotated[str, Form(max_length=20)] = "10",
    back: Back = _PATH,
) -> Response:
    """Add a webhook; ``threshold`` has ``NAME=NUMBER`` of every rule, ``rule`` the names of those that are wanted."""
    given = dict(each.partition("=")[::2] for each in threshold)

    def work() -> Any:
        minutes = number_of(quiet)
        if not rule:
            raise BadInput("A webhook needs a rule.")
        wanted = {each: given.get(each) for each in rule}
        return acts.add(
            request, name.strip(), url.strip(), secret_ref=secret.strip(), rules=wanted,
            quiet_minutes=10.0 if minutes is None else minutes,
        )  # fmt: skip

    return acted(request, back, "act.said.webhook_added", work, name=name)


@router.post("/act/webhooks/test", dependencies=_CHANGE)
def try_(request: Request, webhook: Id, back: Back = _PATH) -> Response:
    """Send a message to try one."""
    return acted(request, back, "act.said.webhook_tested", lambda: acts.try_out(request, webhook))


@router.post("/act/webhooks/pause", dependencies=_CHANGE)
def pause(request: Request, webhook: Id, back: Back = _PATH) -> Response:
    """Tell one nothing."""
    return acted(request, back, "act.said.paused", lambda: acts.pause(request, webhook), name=webhook)


@router.post("/act/webhooks/resume", dependencies=_CHANGE)
def resume(request: Request, webhook: Id, back: Back = _PATH) -> Response:
    """Tell one again."""
    return acted(request, back, "act.said.resumed", lambda: acts.resume(request, webhook), name=webhook)


@router.post("/act/webhooks/remove", dependencies=_CHANGE)
def remove(request: Request, webhook: Id, back: Back = _PATH) -> Response:
    """Remove one."""
    return acted(request, back, "act.said.webhook_removed", lambda: acts.remove(request, webhook), name=webhook)


@router.post("/act/webhooks/again", dependencies=_CHANGE)
def again(request: Request, message: Id, back: Back = _PATH) -> Response:
    """Try a message once more."""
    return acted(request, back, "act.said.webhook_again", lambda: acts.send_again(request, message))
