"""Acts on webhooks: each is written down before it happens."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from growbin_jobs.alerts.deliveries import Deliveries
from growbin_jobs.alerts.rules import checked
from growbin_jobs.alerts.views import send_test
from growbin_jobs.alerts.webhooks import Webhook, Webhooks
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.monitor.acting.actor import name_of
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.monitor.services import Services


def add(
    request: Request,
    name: str,
    url: str,
    *,
    secret_ref: str,
    rules: Mapping[str, float | str | None],
    quiet_minutes: float,
) -> Webhook:
    """Add a webhook.

    Raises:
      BadInput: Something of it cannot be.
      Conflict: There is one of this name.
    """
    services: Services = request.app.state.services
    try:
        wanted = checked(rules)
        record(request, "webhook.added", target=name, details={"rules": wanted, "secret": secret_ref})
        return Webhooks(services.database).add(
            name, url, secret_ref=secret_ref, rules=wanted, quiet_minutes=quiet_minutes, by=name_of(request)
        )
    except ConfigurationError as error:
        raise BadInput(str(error)) from None


def try_out(request: Request, name: str) -> str:
    """Send a webhook a message to try it; return the message's id."""
    hook = _named(request, name)
    record(request, "webhook.tested", target=hook.name)
    services, config = request.app.state.services, request.app.state.config
    return send_test(services.database, hook, environment=config.environment, address=config.public_url or "")


def pause(request: Request, name: str) -> Webhook:
    """Tell a webhook nothing until it is resumed."""
    return _change(request, name, "paused")


def resume(request: Request, name: str) -> Webhook:
    """Tell a webhook again."""
    return _change(request, name, "resumed")


def remove(request: Request, name: str) -> Webhook:
    """Remove a webhook with its history."""
    return _change(request, name, "removed")


def send_again(request: Request, message_id: str) -> str:
    """Try a message once more; return its id.

    Raises:
      NotFound, Conflict: There is none; or the receiver has it.
    """
    deliveries = Deliveries(request.app.state.services.database)
    found = deliveries.get(message_id)
    record(request, "webhook.sent_again", target=message_id)
    deliveries.again(found)
    return found.id


def _change(request: Request, name: str, what: str) -> Webhook:
    hook, hooks = _named(request, name), Webhooks(request.app.state.services.database)
    record(request, f"webhook.{what}", target=hook.name)
    if what == "removed":
        hooks.remove(hook)
    else:
        hooks.pause(hook, by=name_of(request) if what == "paused" else None)
    return hook


def _named(request: Request, name: str) -> Webhook:
    return Webhooks(request.app.state.services.database).named(name)
