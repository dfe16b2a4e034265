"""``growbin-jobs health …``: health of agents and models."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import MOST_ROWS, print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import language as chosen
from growbin_jobs.cli.spoken import spoken

if TYPE_CHECKING:
    from rich.console import JustifyMethod

#: The worst first.
_STATES = ("unreachable", "unhealthy", "misconfigured", "flapping", "degraded", "unknown", "healthy")
_ORDER = {state: number for number, state in enumerate(_STATES)}
_COLOURS = {"healthy": "green", "degraded": "yellow", "flapping": "yellow", "unknown": "dim"}


def list_(json: Json = False) -> None:
    """Show the state of each agent and model. The exit code is 1 if one of them is down or misconfigured.

    \b
    Examples:
      growbin-jobs health list
      growbin-jobs health list --json | jq -r '.[] | select(.state != "healthy") | .target'
    """
    from datetime import UTC, datetime

    from rich.text import Text

    from growbin_jobs.cli.recorded import shown
    from growbin_jobs.cli.rows import print_rows
    from growbin_jobs.cli.times import local, zone_name
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    language = chosen()
    rows = bootstrap.health_table().states()
    if json:
        print_json(as_json(rows))
    elif not rows:
        say(spoken("Nothing was checked yet: the scheduler sends the checks every 10 and 15 minutes."))
    else:
        shown_rows = sorted(rows, key=lambda row: _ORDER.get(row["state"], 0))[:MOST_ROWS]
        columns: dict[str, JustifyMethod] = {
            "target": "left", "state": "left", "since": "left", "checked": "left", "ms": "right", "TLS days": "right",
            "reason": "left",
        }  # fmt: skip
        cells = [
            [
                row["target"],
                Text(row["state"], style=_COLOURS.get(row["state"], "bold red")),
                local(row["since"]),
                local(row["checked_at"]) if row["checked_at"] else "–",
                str(row["latency_ms"] if row["latency_ms"] is not None else "–"),
                "–" if (ends := row["tls_expires_at"]) is None else str((ends - datetime.now(UTC)).days),
                shown(row["reason"], language),
            ]
            for row in shown_rows
        ]
        if all(row["tls_expires_at"] is None for row in shown_rows):
            del columns["TLS days"]
            cells = [[*each[:5], each[6]] for each in cells]
        print_rows(spoken("times in {zone}", zone=zone_name()), columns, cells, folds="reason")
        if len(rows) > MOST_ROWS:
            counts = Counter(row["state"] for row in rows).most_common()
            words = ", ".join(f"{number} {state}" for state, number in counts)
            counted = {"number": len(rows), "words": words}
            say(spoken("{number} targets: {words}. --json shows all; the unhealthy come first here.", **counted))
    if any(row["state"] in ("unhealthy", "unreachable", "misconfigured") for row in rows):
        raise typer.Exit(1)


def events(
    target: Annotated[str | None, typer.Argument(help="Such as agent:7 or model:3. Default: all.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 50,
    json: Json = False,
) -> None:
    """Show changes of state, and of which people were told.

    \b
    Examples:
      growbin-jobs health events
      growbin-jobs health events agent:7 --limit 10
    """
    from growbin_jobs.cli.recorded import shown
    from growbin_jobs.cli.rows import print_rows
    from growbin_jobs.cli.times import local, zone_name
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    language = chosen()
    rows = bootstrap.health_table().events(target, limit=limit)
    if json:
        print_json(as_json(rows))
        return
    if not rows:
        say(spoken("No state has changed."))
        return
    columns: dict[str, JustifyMethod] = dict.fromkeys(("at", "target", "before", "after", "told", "reason"), "left")
    cells = [
        [
            local(row["at"]),
            row["target"],
            row["before"],
            row["after"],
            spoken("yes") if row["alert"] else "",
            shown(row["reason"], language),
        ]
        for row in rows
    ]
    print_rows(spoken("times in {zone}", zone=zone_name()), columns, cells, folds="reason")


def check(
    target: Annotated[str, typer.Argument(help="agent:ID or model:ID.")],
    json: Json = False,
) -> None:
    """Check one agent or model now, from this machine. The exit code is 1 unless it is healthy.

    \b
    Examples:
      growbin-jobs health check agent:7
      growbin-jobs health check model:3 --json
    """
    from growbin_jobs.errors import NotFound
    from growbin_jobs.platform import bootstrap

    kind, _, its_id = target.partition(":")
    if kind == "agent" and its_id:
        checked = bootstrap.agent_health().check(its_id)
    elif kind == "model" and its_id:
        checked = bootstrap.model_health().check(its_id)
    else:
        raise NotFound(f"{target!r} is neither agent:ID nor model:ID.")
    result = checked.as_dict(f"{kind}_id", its_id)
    if json:
        print_json(result)
    else:
        for name, value in result.items():
            say(f"{name.replace('_', ' ')}: {value}")
    if result["status"] != "healthy":
        raise typer.Exit(1)
