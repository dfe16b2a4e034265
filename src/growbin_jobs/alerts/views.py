"""Webhooks and their messages as people and scripts see them: without an address's path, which may hold a secret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from growbin_jobs.alerts.deliveries import Deliveries, Delivery, new_id
from growbin_jobs.alerts.rules import TEST
from growbin_jobs.alerts.telling import Sender, message
from growbin_jobs.alerts.webhooks import Webhook, Webhooks
from growbin_jobs.engine.central.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """A webhook.

    Attributes:
      place: Scheme and host of its address.
      rules: Thresholds by rule; None: the rule has none.
      waiting, failed: Its messages that are on their way, and that were given up in the last 30 days.
      delivered_at: When the last one was delivered; None: none was.
    """

    id: str
    name: str
    place: str
    secret_ref: str
    rules: dict[str, float | None]
    quiet_minutes: float
    created_by: str
    created_at: datetime
    paused_by: str | None
    waiting: int
    failed: int
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """A message to a webhook; see :class:`growbin_jobs.alerts.deliveries.Delivery`.

    Attributes:
      text: Its sentence for people.
      next_at: Of the next try; None where it has ended.
    """

    id: str
    webhook: str
    rule: str
    text: str
    state: str
    tries: int
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    status: int | None
    problem: str | None
    body: dict[str, Any]


def webhook_views(database: Database) -> list[WebhookView]:
    """Return all webhooks by name.

    Raises:
      Deferred: The database is away.
    """
    sums = Deliveries(database).sums()
    return [
        WebhookView(
            id=hook.id, name=hook.name, place=hook.place, secret_ref=hook.secret_ref, rules=dict(hook.rules),
            quiet_minutes=hook.quiet / 60, created_by=hook.created_by, created_at=_moment(hook.created_at),
            paused_by=hook.paused_by, waiting=sums.get((hook.id, "waiting"), (0, 0.0))[0],
            failed=sums.get((hook.id, "failed"), (0, 0.0))[0],
            delivered_at=_moment(sums[hook.id, "delivered"][1]) if (hook.id, "delivered") in sums else None,
        )
        for hook in Webhooks(database).all()
    ]  # fmt: skip


def delivery_views(database: Database, webhook: str | None = None, *, limit: int = 100) -> list[DeliveryView]:
    """Return messages to webhooks, the newest first.

    Parameters:
      webhook: Only to this one, by name or id.

    Raises:
      NotFound: There is no such webhook.
      Deferred: The database is away.
    """
    hooks = Webhooks(database)
    names = {hook.id: hook.name for hook in hooks.all()}
    only = hooks.named(webhook).id if webhook is not None else None
    found = Deliveries(database).latest(only, limit=limit)
    return [delivery_view(each, names.get(each.webhook_id, each.webhook_id)) for each in found]


def delivery_view(delivery: Delivery, webhook: str) -> DeliveryView:
    """Return one message; ``webhook`` is the name of its webhook."""
    body = json.loads(delivery.body)
    waits = delivery.state == "waiting"
    return DeliveryView(
        id=delivery.id, webhook=webhook, rule=delivery.rule, text=body["text"], state=delivery.state,
        tries=delivery.tries, created_at=_moment(delivery.created_at),
        next_at=_moment(delivery.next_at) if waits else None,
        ended_at=None if delivery.ended_at is None else _moment(delivery.ended_at), status=delivery.status,
        problem=delivery.problem, body=body,
    )  # fmt: skip


def send_test(database: Database, webhook: Webhook, *, environment: str = "", address: str = "") -> str:
    """Send a webhook a message to try it, and return the message's id; a keeper delivers it like any other.

    Raises:
      Deferred: The database is away.
    """
    message_id = new_id()
    body, deliveries = message(Sender(environment, address), message_id, TEST), Deliveries(database)
    database.transaction(lambda connection: deliveries.add(connection, webhook.id, TEST, body, message_id))
    return message_id


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
