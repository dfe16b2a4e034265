"""``growbin-jobs budgets …``: what may be spent in a day, and what was."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import complain, print_json, print_line
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.person import language

if TYPE_CHECKING:
    from growbin_jobs.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, money in micro-dollars.")]


def list_(
    day: Annotated[str, typer.Option(metavar="DAY", help="2026-11-28, or 1d for yesterday.")] = "today",
    json: Json = False,
) -> None:
    """Show what a day's budgets hold: settled, unknown, open, and what is left of the cap.

    Money is reserved before each request, in the worst case, and settled with what the request has cost. Unknown is
    what nobody can say, such as a request without an answer: it stays spent. Exit code 1 when the totals are not what
    the reservations add up to.

    \b
    Examples:
      growbin-jobs budgets list
      growbin-jobs budgets list --day 1d --json | jq '.days[] | select(.name == "total") | .spent / 1e6'
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import budgets_view as view
    from growbin_jobs.cli.days import first_day
    from growbin_jobs.limits.budget_caps import Caps
    from growbin_jobs.limits.budget_report import budget_days, budgets_today, imbalances
    from growbin_jobs.limits.usage_days import ENTRIES_KEPT
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.wiring import central_database

    settings = _settings.load()
    database, chosen = central_database(settings), first_day(day, settings.timezone)
    caps = _defaults(settings) | {cap.name: cap.micro_dollars for cap in Caps(database).all()}
    kept = first_day(f"{ENTRIES_KEPT - 1}d", settings.timezone)
    read = budgets_today if chosen == first_day("today", settings.timezone) else budget_days
    days, wrong = read(database, chosen), imbalances(database, max(chosen, kept))
    if json:
        print_json({"caps": caps, "days": as_json(days), "imbalances": as_json(wrong)})
    else:
        view.print_budgets(days, caps, language(), day=chosen, zone=settings.timezone)
    for one in wrong:
        complain(one.name, word("books wrong", language(), day=one.day))
    raise typer.Exit(int(bool(wrong)))


def set_(
    name: Annotated[str, typer.Argument(help="total, each-user, or user:<id>.")],
    dollars: Annotated[
        str | None, typer.Argument(metavar="[DOLLARS]", help="In a day: 5, 0.25, 0 for nothing, none for no limit.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Let the setting hold again.")] = False,
) -> None:
    """Set what may be spent in a day, from the next request on. It wins over the setting, also after a restart.

    \b
    Examples:
      growbin-jobs budgets set total 25
      growbin-jobs budgets set each-user 0.10
      growbin-jobs budgets set user:u-42 none
      growbin-jobs budgets set total --default
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.budgets_view import worded
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.limits.budget_caps import Cap, Caps, checked_name, parsed_cap
    from growbin_jobs.wiring import central_database

    if default == (dollars is not None):
        raise ConfigurationError("Say how many dollars, or --default.")
    checked_name(name)
    cap = None if dollars is None else parsed_cap(dollars)
    settings = _settings.load()
    database = central_database(settings)
    caps = Caps(database)
    record(database, "budget.set", target=name, details={"micro_dollars": "setting" if default else cap})
    if default:
        as_before = "" if caps.forget(name) else word("as before", language())
        print_line(f"{name}: {worded(_defaults(settings).get(name), language())}" + as_before)
    else:
        caps.set(Cap(name, cap))
        print_line(f"{name}: {worded(cap, language())}")


def _defaults(settings: "Settings") -> dict[str, int | None]:
    from growbin_jobs.limits.budget_caps import caps_of

    return caps_of(total=settings.budget_per_day, each_user=settings.budget_per_user_day)
