"""Dead letters on a terminal."""

import json
from collections.abc import Sequence

from rich.padding import Padding
from rich.text import Text

from growbin_jobs.cli import target
from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.operations.dead_letters import DeadMessage, DeadOfNode

#: Columns that the number of a letter takes.
_NUMBER = 4


def print_list(letters: Sequence[DeadMessage], *, cluster: bool = False) -> None:
    """Print dead letters: for each a line, its id, and why it was given up.

    Parameters:
      cluster: They are of all nodes; each is named by its node in place of its number there.
    """
    if not letters:
        say(spoken("There are no dead letters."))
        return
    for letter in letters:
        style = "" if letter.is_open else "dim"
        name = one_line(letter.node) if isinstance(letter, DeadOfNode) else f"{letter.id:>{_NUMBER}}"
        head = Text.assemble((name, "bold"), f"  {one_line(letter.actor)}  ", (local(letter.died_at), "dim"))
        out.print(head, style=style, soft_wrap=True)
        out.print(Text(f"{'':{_NUMBER}}{one_line(letter.task_id)}"), style=style, soft_wrap=True)
        why = Text.assemble((one_line(letter.code), "bold"), f" {letter.reason}")
        out.print(Padding(why, (0, 0, 0, _NUMBER + 2)), style=style)
    say(spoken("Times in {zone}.", zone=zone_name()), "dim")
    if cluster:
        command = f"growbin-jobs dead retry{target.option()} --cluster ID"
        say(spoken("To retry one: {command}", command=command), "dim")


def print_letter(letter: DeadMessage) -> None:
    """Print all of one."""
    if isinstance(letter, DeadOfNode):
        print_title(spoken("dead letter {id} of {node}", id=letter.id, node=one_line(letter.node)))
    else:
        print_title(spoken("dead letter {id}", id=letter.id))
    names = {
        spoken("task"): letter.task_id, spoken("actor"): letter.actor, spoken("queue"): letter.queue,
    }  # fmt: skip
    rows = [(name, one_line(words)) for name, words in names.items()]
    rows.append((spoken("died"), local(letter.died_at)))
    dealt_with = {spoken("retried"): letter.retried_at, spoken("discarded"): letter.discarded_at}
    rows += [(name, local(at)) for name, at in dealt_with.items() if at is not None]
    why = Text(f"{letter.reason} ({letter.code})", "red")
    zone = (spoken("times"), spoken("in {zone}", zone=zone_name()))
    print_facts([*rows, zone, (spoken("why"), why), (spoken("error"), letter.error)])
    message = letter.message
    if isinstance(message, dict):
        message = {name: message.get(name) for name in ("args", "kwargs", "options")}
    asked = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    for part in (Text(asked), Text(letter.traceback.rstrip(), "dim")):
        out.print()
        out.print(part, soft_wrap=True)
