"""``growbin-jobs webhooks …``: who is told of what goes wrong, for those without Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import complain, print_json, print_line
from growbin_jobs.cli.person import name_of_person
from growbin_jobs.cli.spoken import spoken

if TYPE_CHECKING:
    from growbin_jobs.alerts.views import DeliveryView

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The webhook, as `webhooks list` shows it.")]


def list_(json: Json = False) -> None:
    """List the webhooks with their rules; of an address only the host is shown.

    \b
    Examples:
      growbin-jobs webhooks list
      growbin-jobs webhooks list --json | jq -r 'select(.failed > 0) | .name'
    """
    from growbin_jobs.alerts.views import webhook_views
    from growbin_jobs.cli import target, webhooks_view
    from growbin_jobs.operations.json_ready import as_json

    found = webhook_views(target.central())
    for hook in found if json else ():
        print_json(as_json(hook))
    if not json:
        webhooks_view.print_webhooks(found)


def add(
    name: Annotated[str, typer.Argument(help="For people.")],
    url: Annotated[str, typer.Argument(help="Where to, https:// or http://.")],
    secret_ref: Annotated[
        str,
        typer.Option(
            "--secret", help="Where the keepers find the secret: env:WEBHOOK_SECRET, …_SECRET_X or file:NAME."
        ),
    ] = "env:WEBHOOK_SECRET",  # noqa: S107 a name, no secret
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="new_error_group, dead_letters=10 (open ones), queue_wait=300 (seconds), budget=80 (percent) or "
            "late_job=300 (seconds); several times. Default: all."
        ),
    ] = None,
    quiet: Annotated[float, typer.Option(help="Minutes in which a rule tells once; the rest comes together.")] = 10.0,
    json: Json = False,
) -> None:
    """Tell an address of what goes wrong, by signed HTTP requests. The keepers need the secret, and send them.

    \b
    Examples:
      growbin-jobs webhooks add ops https://hooks.example.com/growbin
      growbin-jobs webhooks add money https://hooks.example.com/m --rule budget=90 --secret file:money
    """
    from growbin_jobs.alerts.rules import thresholds
    from growbin_jobs.alerts.webhooks import Webhooks
    from growbin_jobs.cli import target

    database = target.central()
    rules = thresholds(rule or [])
    record(database, "webhook.added", target=name, details={"rules": rules})
    hook = Webhooks(database).add(
        name, url, secret_ref=secret_ref, rules=rules, quiet_minutes=quiet, by=name_of_person()
    )  # fmt: skip
    if json:
        print_json({"id": hook.id, "name": hook.name})
    else:
        print_line(
            spoken(
                "{name} is told. Try it: {command}", name=hook.name, command=f"growbin-jobs webhooks test {hook.name!r}"
            )
        )


def try_(
    name: Name,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the outcome.", min=0, max=600)] = 15.0,
    json: Json = False,
) -> None:
    """Send a message to try a webhook, and say what came of it. Exit code 1 unless it was delivered.

    \b
    Examples:
      growbin-jobs webhooks test ops
    """
    from growbin_jobs.alerts.deliveries import Deliveries
    from growbin_jobs.alerts.views import delivery_view, send_test
    from growbin_jobs.alerts.webhooks import Webhooks
    from growbin_jobs.cli import target

    database = target.central()
    hook = Webhooks(database).named(name)
    record(database, "webhook.tested", target=hook.name)
    message_id = send_test(database, hook)
    end = time.monotonic() + wait
    while not (found := Deliveries(database).get(message_id)).tries and time.monotonic() < end:
        time.sleep(0.2)
    _print([delivery_view(found, hook.name)], json=json)
    if found.state != "delivered":
        if not found.tries:
            complain("webhooks", "No keeper has sent it yet. Does one run?")
        raise typer.Exit(1)


def deliveries(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only to this webhook.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """List messages to webhooks of the last 30 days, the newest first.

    \b
    Examples:
      growbin-jobs webhooks deliveries
      growbin-jobs webhooks deliveries ops --json | jq 'select(.state == "failed")'
    """
    from growbin_jobs.alerts.views import delivery_views
    from growbin_jobs.cli import target

    _print(delivery_views(target.central(), name, limit=limit), json=json)


def again(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message, as `webhooks deliveries` shows it.")],
) -> None:
    """Try a message once more that was given up or waits, for another day.

    \b
    Examples:
      growbin-jobs webhooks again msg_5d0c0f7d4a9e41f5a1b2c3d4
    """
    from growbin_jobs.alerts.deliveries import Deliveries
    from growbin_jobs.cli import target

    database = target.central()
    found = Deliveries(database).get(message_id)
    record(database, "webhook.sent_again", target=message_id)
    Deliveries(database).again(found)
    print_line(spoken("{id} is tried again.", id=message_id))


def pause(name: Name) -> None:
    """Tell a webhook nothing until it is resumed.

    \b
    Examples:
      growbin-jobs webhooks pause ops
    """
    _change(name, "paused")


def resume(name: Name) -> None:
    """Tell a webhook again; what happened in the pause is not made up for.

    \b
    Examples:
      growbin-jobs webhooks resume ops
    """
    _change(name, "resumed")


def remove(name: Name) -> None:
    """Remove a webhook with its history.

    \b
    Examples:
      growbin-jobs webhooks remove ops
    """
    _change(name, "removed")


#: What is said of a webhook, by what was done to it.
_DONE: Final = {
    "removed": "{name} is removed.",
    "paused": "{name} is paused.",
    "resumed": "{name} is resumed.",
}


def _change(name: str, what: str) -> None:
    from growbin_jobs.alerts.webhooks import Webhooks
    from growbin_jobs.cli import target

    database = target.central()
    hooks = Webhooks(database)
    hook = hooks.named(name)
    record(database, f"webhook.{what}", target=hook.name)
    if what == "removed":
        hooks.remove(hook)
    else:
        hooks.pause(hook, by=name_of_person() if what == "paused" else None)
    print_line(spoken(_DONE[what], name=hook.name))


def _print(found: list[DeliveryView], *, json: bool) -> None:
    from growbin_jobs.cli import webhooks_view
    from growbin_jobs.operations.json_ready import as_json

    for each in found if json else ():
        print_json(as_json(each))
    if not json:
        webhooks_view.print_deliveries(found)
