"""``growbin-jobs usage``: what the requests to model servers cost, by day, model, user, purpose or price tier."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.person import language

if TYPE_CHECKING:
    from growbin_jobs.operations.billed_costs import BilledDay
    from growbin_jobs.settings import Settings


class By(StrEnum):
    """What is summed by."""

    day = "day"
    model = "model"
    user = "user"
    purpose = "purpose"
    tier = "tier"


Day = Annotated[str | None, typer.Option(metavar="DAY", help="First day: 2026-11-01, or 7d for the last 7 days.")]
LastDay = Annotated[str | None, typer.Option(metavar="DAY", help="Last day: 2026-11-30, or 1d for yesterday.")]


def usage(
    by: Annotated[By, typer.Option(help="What is summed by.")] = By.day,
    since: Day = "30d",
    until: LastDay = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, money in micro-dollars.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, money in micro-dollars.")] = False,
    billed: Annotated[
        bool, typer.Option("--billed", help="Compare UTC days with what OpenAI bills; needs OPENAI_ADMIN_KEY.")
    ] = False,
) -> None:
    """Show what requests to model servers cost: requests, tokens, money.

    Each HTTP request was priced once, on the day when it was sent. What was billed, or may have been, and whose price
    is not known is counted as unpriced and is in no sum of money. Days are those of GROWBIN_TIMEZONE.

    With --billed the exit code is 1 when a day that is over differs by more than 2 % (and a cent) from the bill.

    \b
    Examples:
      growbin-jobs usage
      growbin-jobs usage --by user --since 7d
      growbin-jobs usage --by tier
      growbin-jobs usage --by model --since 2026-11-01 --until 2026-11-30 --csv > november.csv
      growbin-jobs usage --billed --since 7d
      growbin-jobs usage --json | jq '(map(.micro_dollars) | add // 0) / 1e6'
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import usage_view as view
    from growbin_jobs.cli.days import first_day
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.limits.spent import spent
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.wiring import central_database

    if csv and json:
        raise ConfigurationError("Choose one of --csv and --json.")
    settings = _settings.load()
    first, last = (first_day(day, settings.timezone) if day else None for day in (since, until))
    if billed:
        days = _billed_days(settings, first, last)
        if json:
            print_json(as_json([{**asdict(each), "drift": each.drift, "differs": each.differs} for each in days]))
        else:
            view.print_billed(days)
        if any(each.differs for each in days if each.day < datetime.now(UTC).date()):
            raise typer.Exit(1)
        return
    sums = spent(central_database(settings), by=by.value, since=first, until=last)
    if json:
        print_json(as_json(sums))
    elif csv:
        view.print_csv(by.value, sums)
    else:
        view.print_sums(by.value, sums, language(), zone=settings.timezone)


def _billed_days(settings: "Settings", first: date | None, last: date | None) -> "Sequence[BilledDay]":
    from growbin_jobs.adapters.llm.address import OPENAI_URL
    from growbin_jobs.adapters.llm.billing import billed_days
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.operations.billed_costs import compare
    from growbin_jobs.wiring import central_database

    if settings.openai_admin_key is None:
        raise ConfigurationError("Set OPENAI_ADMIN_KEY to an admin key of your OpenAI organization.")
    today = datetime.now(UTC).date()
    first, last = first or today - timedelta(days=30), min(last or today, today)
    key = settings.openai_admin_key.get_secret_value()
    billed = billed_days(settings.openai_base_url or OPENAI_URL, key, first, last)
    return compare(central_database(settings), billed, first, last)
