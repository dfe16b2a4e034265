"""A task and its history on a terminal."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.journal_view import STYLES
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.operations.reruns import Links
from growbin_jobs.operations.task_history import HistoryEvent, TaskRecord
from growbin_jobs.operations.task_list import FoundTasks
from growbin_jobs.operations.task_tree import TaskNode

_FACTS = ("status", "task_name", "queue_name", "node", "worker", "retry_count", "deferrals", "crashes")

#: Width of the longest event, "its worker died".
_EVENT = 15

_NEXT_DUE = re.compile(r"(?<=next due )[0-9T:.+-]+$")


def print_tasks(found: FoundTasks) -> None:
    """Print tasks: for each a line, its id, and its error; and whether there are more."""
    for task in found.tasks:
        head = Text.assemble(
            (f"{task.status:9}", STYLES.get(task.status, "bold red")),
            f"  {one_line(task.task_name)}  ",
            (f"{local(task.created_at)}  {one_line(task.node)}", "dim"),
        )
        out.print(head, soft_wrap=True)
        out.print(Text(f"  {one_line(task.task_id)}"), soft_wrap=True)
        if task.error:
            out.print(Text(f"  {' '.join(task.error.splitlines())}", "red"), soft_wrap=True)
    if not found.tasks:
        if found.searched is None:
            say(spoken("No task fits."))
        else:
            say(spoken("Of the newest {number} tasks none fits.", number=f"{found.searched:,}"))
    elif found.more:
        number = f"{len(found.tasks):,}"
        say(spoken("There are more; these are {number}. --limit shows more of them.", number=number), "dim")
    say(spoken("Times in {zone}.", zone=zone_name()), "dim")


def nowhere(found: TaskRecord) -> str:
    """Return a sentence: there is no such task, as far as that could be seen."""
    if found.problems:
        return f"There is no task {found.task_id!r} as far as could be seen. {' '.join(found.problems)}"
    return (
        f"There is no task {found.task_id!r} in this node's journal nor in the central database; "
        "`growbin-jobs settings` shows which these are."
    )


def print_record(found: TaskRecord) -> None:
    """Print all that is known of a task."""
    print_title(found.task_id)
    facts = [(name.replace("_", " "), _fact(name, value)) for name in _FACTS if (value := _value(found, name))]
    facts += [
        (name, Text(str(value), "red" if name == "error" else ""))
        for name in ("error", "result")
        if (value := _value(found, name)) is not None
    ]
    print_facts([*facts, (spoken("times"), Text(spoken("in {zone}", zone=zone_name())))])
    out.print()
    for event in found.history:
        line = Text.assemble((local(event.at, 3), "dim"), f"  {event.event:{_EVENT}}  {_detail(event)}")
        out.print(line, soft_wrap=True)
    for problem in found.problems:
        out.print()
        out.print(Text(problem, "yellow"), soft_wrap=True)


def print_links(links: Links | None) -> None:
    """Print what a task was made from, and what was made from it."""
    if links is None:
        return
    if links.origin is not None:
        origin = {"task": one_line(links.origin.rerun_of), "person": one_line(links.origin.by)}
        out.print(Text(spoken("made from {task} by {person}", **origin)), soft_wrap=True)
    for each in links.later:
        made = {"task": one_line(each.task_id), "person": one_line(each.by), "at": local(each.at)}
        words = (
            spoken("run again as {task} by {person}, {at}", **made)
            if each.kind.value == "again"
            else spoken("superseded by {task} by {person}, {at}", **made)
        )
        out.print(Text(words), soft_wrap=True)


def print_trees(trees: Sequence[TaskNode], *, depth: int = 0) -> None:
    """Print tasks, each below the one that has sent it."""
    for node in trees:
        task = node.task
        indent = "  " * depth
        out.print(
            Text.assemble(
                indent,
                (f"{task.status.value:9}", STYLES[task.status]),
                f"  {one_line(task.task_name)}  ",
                (local(task.created_at), "dim"),
            ),
            soft_wrap=True,
        )
        out.print(Text(f"{indent}  {one_line(task.task_id)}"), soft_wrap=True)
        if task.error:
            out.print(Text(f"{indent}  {' '.join(task.error.splitlines())}", "red"), soft_wrap=True)
        print_trees(node.follow_ups, depth=depth + 1)
    if not depth:
        say(spoken("Times in {zone}.", zone=zone_name()), "dim")


def _value(found: TaskRecord, name: str) -> Any:
    return getattr(found.latest, name, None)


def _fact(name: str, value: Any) -> Text:
    return Text(one_line(str(value)), STYLES.get(str(value), "") if name == "status" else "")


def _detail(event: HistoryEvent) -> str:
    """Return the detail on one line, its time in the zone of the others."""
    one_line = " ".join(event.detail.splitlines())
    return _NEXT_DUE.sub(lambda found: local(datetime.fromisoformat(found[0]), 3), one_line)
