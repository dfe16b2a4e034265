"""Webhooks on a terminal."""

from collections.abc import Sequence

from rich.text import Text

from growbin_jobs.alerts.rules import RULES
from growbin_jobs.alerts.views import DeliveryView, WebhookView
from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.times import local, zone_name

_STYLES = {"delivered": "green", "failed": "red", "waiting": "yellow"}


def print_webhooks(hooks: Sequence[WebhookView]) -> None:
    """Print webhooks, two lines each."""
    if not hooks:
        say("There are no webhooks. Add one: growbin-jobs webhooks add NAME URL")
    for hook in hooks:
        line = Text.assemble((one_line(hook.name), "bold"), f"  {one_line(hook.place)}  ", (hook.secret_ref, "dim"))
        if hook.paused_by:
            line.append(f"  paused by {one_line(hook.paused_by)}", "yellow")
        if hook.failed:
            line.append(f"  {hook.failed} given up", "red")
        if hook.waiting:
            line.append(f"  {hook.waiting} on their way", "yellow")
        out.print(line, soft_wrap=True)
        rules = ", ".join(rule_text(name, value) for name, value in hook.rules.items())
        out.print(Text(f"  {rules}; once in {hook.quiet_minutes:g} min", style="dim"), soft_wrap=True)


def rule_text(name: str, threshold: float | None) -> str:
    """Return a rule with its threshold in words."""
    return name if threshold is None else f"{name} from {threshold:g} {RULES[name].unit}"


def print_deliveries(found: Sequence[DeliveryView]) -> None:
    """Print messages, a line each, with what was wrong below."""
    if not found:
        say("No message was sent.")
        return
    for each in found:
        line = Text.assemble(
            local(each.created_at), "  ", (f"{each.state:<9}", _STYLES[each.state]), f"  {one_line(each.webhook)}  ",
            one_line(each.text), (f"  {each.id}", "dim"),
        )  # fmt: skip
        out.print(line, soft_wrap=True)
        if each.problem:
            out.print(Text(f"    {one_line(each.problem)}, {each.tries} tries", style="red"), soft_wrap=True)
    say(f"Times in {zone_name()}.", "dim")
