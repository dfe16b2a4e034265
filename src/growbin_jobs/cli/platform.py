"""``growbin-jobs platform seed``: a platform to try things on."""

from typing import Annotated

import typer

from growbin_jobs.cli.console import print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.spoken import spoken


def seed(
    days: Annotated[int, typer.Option(help="How many days, up to yesterday.", min=1, max=3660)] = 30,
    users: Annotated[int, typer.Option(help="How many users.", min=1)] = 200,
    calls: Annotated[int, typer.Option(help="API calls of a day, on average.", min=1)] = 1000,
    number: Annotated[int, typer.Option("--seed", help="The same number makes the same facts.")] = 1,
    json: Json = False,
) -> None:
    """Write made up users, logins, agents, models, sessions, logs and API calls. For trying things only.

    \b
    Examples:
      growbin-jobs platform seed
      growbin-jobs platform seed --days 90 --calls 5000 --json
    """
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    from growbin_jobs import settings
    from growbin_jobs.platform import bootstrap
    from growbin_jobs.platform.sample_data import SampleData
    from growbin_jobs.platform.tables.facts import Facts

    today = datetime.now(UTC).astimezone(ZoneInfo(settings.current().timezone)).replace(hour=0, minute=0, second=0)
    begin = (today - timedelta(days=days)).replace(microsecond=0)
    data = SampleData(number, begin=begin, days=days, users=users, calls_a_day=calls)
    written = data.write(Facts(bootstrap.database()))
    agents = list(data.agents())
    for agent, stage in agents:
        bootstrap.registry().add(agent, stage)
    models = list(data.models())
    for model in models:
        bootstrap.registry().add_model(model)
    written |= {"agents": len(agents), "llm_models": len(models)}
    if json:
        print_json(written)
        return
    say(", ".join(f"{rows} {table}" for table, rows in written.items()) + ".")
    say(spoken("Count them: {command}", command=f"growbin-jobs stats backfill --from {begin.date()}"))
