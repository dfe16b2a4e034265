"""``growbin-jobs subject …``: all that is held about one person."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import out, print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import language, name_of_person
from growbin_jobs.cli.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import JustifyMethod

    from growbin_jobs.operations.subjects.erasing import Erased
    from growbin_jobs.operations.subjects.person import Held, Person

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]


def show(user: User, json: Json = False) -> None:
    """Show how much is held about a user: rows by table, pictures, archives, records of earlier erasures.

    \b
    Examples:
      growbin-jobs subject show u-42
      growbin-jobs subject show --json u-42 | jq .held
    """
    from growbin_jobs.models.erasures import Erasures
    from growbin_jobs.operations.json_ready import as_json

    person = _person(user, "subject.shown")
    held, records = person.show(), Erasures(_database()).of_user(user)
    if json:
        print_json({**_numbers(held), "erasures": as_json(records)})
        return
    _table_of_held(held)
    for each in records:
        say(_words("record", at=f"{each.asked_at:%Y-%m-%d}", by=each.asked_by))


def export(
    user: User,
    to: Annotated[Path, typer.Option("--to", help="A new folder, that only you can read.")],
    json: Json = False,
) -> None:
    """Write everything about a user into a folder: rows as JSON lines by table, and the pictures.

    \b
    Examples:
      growbin-jobs subject export u-42 --to /secure/u-42
    """
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.readable_json import strict

    person = _person(user, "subject.exported")
    try:
        to.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"The folder {to} cannot be made ({error.strerror}). Name a new one.") from None

    def row(table: str, values: "Mapping[str, Any]") -> None:
        with (to / f"{table.replace(' ', '_')}.jsonl").open("a", encoding="utf-8") as file:
            file.write(strict(as_json(values)) + "\n")

    def picture(key: str, data: bytes) -> None:
        path = to / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    done = person.export(row, picture)
    if json:
        print_json(as_json(done))
        return
    _table(done.rows | ({"pictures": done.pictures} if done.pictures else {}))
    say(_words("exported", folder=str(to)))


def erase(
    user: User,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the record, so name no person.")] = "",
    seconds: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for messages that run and for nodes.", min=0)
    ] = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is held.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase everything about a user. Counts and money stay, without the person; so does the audit.

    Messages of the user that wait or run are stopped. The exit code is 75 while something is left, such as the journal
    of a node that is switched off: run it again then. An erasure that was interrupted is gone on with.

    \b
    Examples:
      growbin-jobs subject erase u-42 --dry-run
      growbin-jobs subject erase u-42 --reason "request 2026-117" --yes
    """
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.operations.json_ready import as_json

    if dry_run:
        held = _person(user, "subject.shown").show()
        print_json({"dry_run": True, **_numbers(held)}) if json else _table_of_held(held)
        return
    if not user:
        raise ConfigurationError("Name a user.")
    if not yes:
        typer.confirm(_words("sure"), abort=True, err=True)
    erased = _erasing().erase(user, by=name_of_person(), reason=reason, seconds=seconds)
    if json:
        print_json(as_json(erased))
    else:
        _tell(erased)
    if erased.erasure.done_at is None:
        raise typer.Exit(os.EX_TEMPFAIL)


def erasures(json: Json = False) -> None:
    """Show the records of erasures. They hold no person's id: only its hash, numbers and times.

    \b
    Examples:
      growbin-jobs subject erasures
      growbin-jobs subject erasures --json | jq '.[] | select(.done_at == null)'
    """
    from growbin_jobs.cli.rows import print_rows
    from growbin_jobs.cli.times import local, zone_name
    from growbin_jobs.models.erasures import Erasures
    from growbin_jobs.operations.json_ready import as_json

    found = Erasures(_database()).all()
    if json:
        print_json(as_json(found))
        return
    if not found:
        say(spoken("Nothing was erased yet."))
        return
    columns: dict[str, JustifyMethod] = dict.fromkeys(("hash", "asked", "by", "done", "erased"), "left")
    cells = [
        [
            each.subject_hash[:16],
            local(each.asked_at),
            each.asked_by,
            local(each.done_at) if each.done_at else spoken("no"),
            str(sum(each.erased.values())),
        ]
        for each in found
    ]
    print_rows(spoken("times in {zone}", zone=zone_name()), columns, cells)


def _tell(erased: "Erased") -> None:
    _table(dict(erased.erasure.erased))
    if erased.erasure.done_at is not None:
        say(_words("done"), "bold green")
        return
    if erased.waits.messages:
        say(_words("messages", count=str(erased.waits.messages)), "yellow")
    if erased.waits.nodes:
        say(_words("nodes", names=", ".join(erased.waits.nodes)), "yellow")
    say(_words("again"), "bold yellow")


def _numbers(held: "Mapping[str, Held]") -> dict[str, dict[str, int]]:
    return {
        "held": {name: each.number for name, each in held.items()},
        "bytes": {name: each.size for name, each in held.items()},
    }


def _table_of_held(held: "Mapping[str, Held]") -> None:
    _table({name: each.number for name, each in held.items()}, {name: each.size for name, each in held.items()})


def _table(counts: "Mapping[str, int]", sizes: "Mapping[str, int] | None" = None) -> None:
    from rich.table import Table

    if not counts:
        say(_words("nothing"))
        return
    table = Table()
    table.add_column(_words("table"))
    for header in ("count", *(["size"] if sizes else [])):
        table.add_column(_words(header), justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}", *([f"{sizes[name]:,}"] if sizes else []))
    out.print(table)


def _words(key: str, **values: str) -> str:
    from growbin_jobs.cli.subject_words import WORDS
    from growbin_jobs.sentences import worded

    return worded(WORDS, key, language(), **values)


def _database() -> Any:
    from growbin_jobs import settings
    from growbin_jobs.wiring import central_database

    return central_database(settings.current())


def _person(user: str, action: str) -> "Person":
    """Return the person, once it is in the audit that somebody looks."""
    from growbin_jobs import settings
    from growbin_jobs.models.audit import Audit, AuditEntry
    from growbin_jobs.operations.subjects.person import Person
    from growbin_jobs.wiring import object_store

    database = _database()
    entry = AuditEntry(who=name_of_person(), role="cli", address="cli", action=action, whose=user)
    Audit(database).append(entry)
    return Person(database, object_store(settings.current()), user)


def _erasing() -> Any:
    from growbin_jobs import settings
    from growbin_jobs.operations.subjects.erasing import Erasing
    from growbin_jobs.wiring import engine_config, erase_here, object_store

    now = settings.current()
    config = engine_config(now)
    here = erase_here(now, config).run_once if config.journal_path.exists() else None
    return Erasing(_database(), object_store(now), language=now.language, here=here)
