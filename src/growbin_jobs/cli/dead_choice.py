"""Chooses dead letters: the options of the commands that name some, and what they mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.person import language

if TYPE_CHECKING:
    from growbin_jobs.operations.dead_letters import DeadMessage, Selection

Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
Actor = Annotated[str | None, typer.Option(help="Only of this actor.")]
Code = Annotated[str | None, typer.Option(help="Only with this reason, such as retries_exhausted.")]
Hours = Annotated[
    float | None, typer.Option(help="Only those that died in the last so many hours.", min=0, max=876_000)
]

#: Queue, actor, reason and hours, as the options have them.
Filters = tuple[str | None, str | None, str | None, float | None]


def selection(queue: str | None, actor: str | None, code: str | None, hours: float | None) -> "Selection":
    """Return what the options choose."""
    import time

    from growbin_jobs.operations.dead_letters import Selection

    since = None if hours is None else time.time() - hours * 3600
    return Selection(queue=queue, actor=actor, code=code, since=since)


def numbered(texts: list[str]) -> list[int]:
    """Return the numbers of letters of this node that are named.

    Raises:
      ConfigurationError: One is no number.
    """
    from growbin_jobs.errors import ConfigurationError

    wrong = next((text for text in texts if not (text.isascii() and text.isdigit())), None)
    if wrong is not None:
        raise ConfigurationError(f"{wrong!r} is no number of this node's dead letters. For other nodes' add --cluster.")
    return [int(text) for text in texts]


def letters_chosen(file: Path, numbers: list[int], filters: Filters, *, all_: bool) -> "list[DeadMessage]":
    """Return the letters of this node that are named or chosen.

    Parameters:
      file: The journal.
      numbers: Named ones.
      filters: Options that choose.
      all_: All that they leave.

    Raises:
      ConfigurationError: Neither is said, or both.
      NotFound: A number is none.
    """
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.operations import dead_letters

    chosen = language(of_terminal=False)
    selected = selection(*filters)
    if bool(numbers) == (bool(selected) or all_):
        raise ConfigurationError("Say which: their numbers, or --queue, --actor, --code, --hours, or --all.")
    if numbers:
        return dead_letters.get_all(file, numbers, language=chosen)
    return dead_letters.find(file, selected, language=chosen)
