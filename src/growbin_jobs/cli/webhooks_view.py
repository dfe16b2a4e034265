"""Webhooks on a terminal."""

from collections.abc import Sequence

from rich.text import Text

from growbin_jobs.alerts.rules import RULES
from growbin_jobs.alerts.views import DeliveryView, WebhookView
from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.times import local, zone_name

_STYLES = {"delivered": "green", "failed": "red", "waiting": "yellow"}


def print_webhooks(hooks: Sequence[WebhookView]) -> None:
    """Print webhooks, two lines each."""
    if not hooks:
        say(spoken("There are no webhooks. Add one: growbin-jobs webhooks add NAME URL"))
    for hook in hooks:
        line = Text.assemble((one_line(hook.name), "bold"), f"  {one_line(hook.place)}  ", (hook.secret_ref, "dim"))
        if hook.paused_by:
            line.append("  " + spoken("paused by {person}", person=one_line(hook.paused_by)), "yellow")
        if hook.failed:
            line.append("  " + spoken("{number} given up", number=hook.failed), "red")
        if hook.waiting:
            line.append("  " + spoken("{number} on their way", number=hook.waiting), "yellow")
        out.print(line, soft_wrap=True)
        rules = ", ".join(rule_text(name, value) for name, value in hook.rules.items())
        often = spoken("once in {minutes} min", minutes=f"{hook.quiet_minutes:g}")
        out.print(Text(f"  {rules}; {often}", style="dim"), soft_wrap=True)


def rule_text(name: str, threshold: float | None) -> str:
    """Return a rule with its threshold in words."""
    return name if threshold is None else f"{name} from {threshold:g} {RULES[name].unit}"


def print_deliveries(found: Sequence[DeliveryView]) -> None:
    """Print messages, a line each, with what was wrong below."""
    if not found:
        say(spoken("No message was sent."))
        return
    for each in found:
        line = Text.assemble(
            local(each.created_at), "  ", (f"{each.state:<9}", _STYLES[each.state]), f"  {one_line(each.webhook)}  ",
            one_line(each.text), (f"  {each.id}", "dim"),
        )  # fmt: skip
        out.print(line, soft_wrap=True)
        if each.problem:
            tries = spoken("{number} tries", number=each.tries)
            out.print(Text(f"    {one_line(each.problem)}, {tries}", style="red"), soft_wrap=True)
    say(spoken("Times in {zone}.", zone=zone_name()), "dim")
