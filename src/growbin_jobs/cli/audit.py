"""``growbin-jobs audit …``: who did and saw what in the monitor, and whether the record is whole."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import complain, print_json, print_line, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.models.audit import Audit, AuditRecord


Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Moment = Annotated[datetime | None, typer.Option(help="A time in this terminal's zone, such as 2026-12-01T09:00:00.")]


def list_(
    who: Annotated[str | None, typer.Option(help="Only of this person, token or account.")] = None,
    whose: Annotated[str | None, typer.Option(help="Only about the personal data of this user.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as photo.seen.")] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 50,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Show who did and saw what, the newest first.

    \b
    Examples:
      growbin-jobs audit list
      growbin-jobs audit list --whose u-42 --since 2026-11-01
      growbin-jobs audit list --json --limit 100000 | jq -r 'select(.reason != "") | .reason'
    """
    from growbin_jobs.cli.audit_view import print_records

    found = _audit().find(
        who=who, whose=whose, action=action, since=since and since.astimezone(), until=until and until.astimezone(),
        limit=limit,
    )  # fmt: skip
    for record in found if json else ():
        print_json(_ready(record))
    if not json:
        print_records(found)


def verify(
    head: Annotated[
        str | None, typer.Option(help="NUMBER:HASH that an earlier check printed: finds a chain that was written anew.")
    ] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Check that no row of the audit was changed or is missing, and print its head. Exit code 1 when one is.

    Keep the head outside of the database: with it the next check also finds a chain that somebody wrote anew.

    \b
    Examples:
      growbin-jobs audit verify
      growbin-jobs audit verify --head "$(cat last-head)" > next-head
    """
    from growbin_jobs.models.audit_check import verify_chain
    from growbin_jobs.operations.json_ready import as_json

    verdict = verify_chain(_audit(), head)
    if json:
        print_json(as_json(verdict))
    elif verdict.wrong is None:
        say(spoken("{rows} rows are as they were written. The head:", rows=verdict.rows))
        print_line(verdict.head or "0:")
    if verdict.wrong is not None:
        complain("audit", verdict.wrong)
        raise typer.Exit(1)


def review(
    month: Annotated[str, typer.Argument(metavar="[MONTH]", help="2026-11; default: the last one.")] = "",
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Show what to look over of a month: who came, as what, from where, whose data they saw, what they took.

    The chain is verified; exit code 1 when it is not whole. That somebody reviewed the month is a row of the audit.

    \b
    Examples:
      growbin-jobs audit review
      growbin-jobs audit review 2026-11 --json > review-2026-11.json
    """
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from growbin_jobs.cli import target
    from growbin_jobs.cli.audit_view import print_review
    from growbin_jobs.cli.audited import record
    from growbin_jobs.models.audit_review import review as reviewed
    from growbin_jobs.operations.json_ready import as_json

    zone, database = ZoneInfo(target.config().timezone), target.central()
    last = (datetime.now(zone).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    found = reviewed(database, month or last, zone)
    record(database, "audit.reviewed", target=found.month)
    if json:
        rows = {name: [_ready(row) for row in getattr(found, name)] for name in ("taken", "access")}
        print_json(as_json(found) | rows)
    else:
        print_review(found)
    if found.chain is not None:
        complain("audit", found.chain)
        raise typer.Exit(1)


def _ready(record: "AuditRecord") -> dict[str, Any]:
    """Return a row for JSON, with its details as such: what is hashed are their keys in order, without line ends."""
    from json import loads

    from growbin_jobs.operations.json_ready import as_json

    ready: dict[str, Any] = as_json(record)
    return ready | {"details": loads(record.details)}


def _audit() -> "Audit":
    from growbin_jobs.cli import target
    from growbin_jobs.models.audit import Audit

    return Audit(target.central())
