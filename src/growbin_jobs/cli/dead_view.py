"""Dead letters as a person sees them."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from growbin_jobs import settings as _settings
from growbin_jobs.cli import target
from growbin_jobs.cli.console import out, print_json, say
from growbin_jobs.cli.journal_view import iso
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.delivery.records import DeadLetter, TaskState
from growbin_jobs.reasons import REASONS, reason


def sentence(letter: DeadLetter) -> str:
    """Return why a message was given up, in the language of the settings."""
    if letter.code not in REASONS:  # of a newer version
        return letter.error
    return reason(letter.code, _settings.load().language, json.loads(letter.params))


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter ready for JSON, its message decoded."""
    values = asdict(letter)
    times = {name: iso(value) for name, value in values.items() if name.endswith("_at") and value is not None}
    message = json.loads(letter.body)
    del values["body"]
    return values | times | {"params": json.loads(letter.params), "reason": sentence(letter), "message": message}


def print_table(letters: list[DeadLetter]) -> None:
    """Print dead letters, one a row."""
    if not letters:
        say("There are no dead letters.")
        return
    table = Table()
    for column in ("number", "died", "actor", "task", "why"):
        table.add_column(column, no_wrap=column in ("number", "died"), overflow="fold")
    for letter in letters:
        dealt_with = letter.retried_at or letter.discarded_at
        died = iso(letter.died_at)[:19].replace("T", " ")
        why = Text.assemble((letter.code, "bold"), f" {sentence(letter)}")
        cells = (str(letter.id), died, letter.actor, letter.task_id, why)
        table.add_row(*cells, style="dim" if dealt_with else "")
    out.print(table)


def print_letter(letter: DeadLetter) -> None:
    """Print all of one."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    rows = [("task", letter.task_id), ("actor", letter.actor), ("queue", letter.queue), ("died", iso(letter.died_at))]
    rows += [(name, iso(at)) for name in ("retried", "discarded") if (at := getattr(letter, f"{name}_at")) is not None]
    for name, words in rows:
        facts.add_row(name, Text(words))
    facts.add_row("why", Text(f"{sentence(letter)} ({letter.code})", "red"))
    facts.add_row("error", Text(letter.error))
    message = json.loads(letter.body)
    asked = Text(json.dumps({name: message.get(name) for name in ("args", "kwargs", "options")}, ensure_ascii=False))
    parts: list[RenderableType] = [facts, Text(), asked, Text(), Text(letter.traceback.rstrip(), "dim")]
    out.print(Panel(Group(*parts), title=f"dead letter {letter.id}", title_align="left"))


def list_cluster(limit: int, *, in_json: bool) -> None:
    """Print the dead tasks of all nodes that the central database knows."""
    found = Tasks(target.central()).recent(limit, status=TaskState.DEAD)
    if in_json:
        for task in found:
            print_json(task.as_dict())
        return
    if not found:
        say("There are no dead tasks in the central database.")
        return
    table = Table()
    for column in ("node", "died", "actor", "task", "error"):
        table.add_column(column, overflow="fold")
    for task in found:
        died = (task.completed_at or task.created_at).isoformat(" ", "seconds")[:19]
        table.add_row(task.node, died, task.task_name, task.task_id, task.error or "")
    out.print(table)
    say("Each is retried on its node: growbin-jobs dead list, dead retry.")
