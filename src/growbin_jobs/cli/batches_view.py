"""Batches of paid calls on a terminal, in two languages."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.models.batch_life import State
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batch_waiting import Waiting
from growbin_jobs.reasons import Language


def print_batches(batches: Sequence[Batch], waiting: Sequence[Waiting], language: Language) -> None:
    """Print batches, the newest first, and what waits for the next one."""
    if batches:
        table = Table(box=None, pad_edge=False)
        for name in ("batch", "state"):
            table.add_column(word(name, language), overflow="fold")
        for name in ("requests", "answered", "in standard"):
            table.add_column(word(name, language), justify="right", no_wrap=True)
        table.add_column(word("made", language), overflow="fold")
        for batch in batches:
            numbers = (batch.requests, batch.answered, batch.standard)
            table.add_row(
                Text(one_line(batch.server_id or batch.id)), _state(batch), *map(str, numbers), local(batch.made_at)
            )
        out.print(table)
        for batch in batches:
            if batch.problem and batch.state is not State.DONE:
                out.print(Text(one_line(f"{batch.server_id or batch.id}: {batch.problem}"), "yellow"), soft_wrap=True)
        say(word("times", language, zone=zone_name()), "dim")
    elif not waiting:
        say(word("no batches", language))
    for one in waiting:
        say(word("batch waits", language, number=one.number, model=one.model, seconds=round(one.seconds)))


def _state(batch: Batch) -> Text:
    if batch.state is State.DONE:
        return Text(one_line(batch.outcome or ""), "green" if batch.outcome == "completed" else "yellow")
    word_of = batch.server_status if batch.state is State.SENT and batch.server_status else batch.state.value
    return Text(one_line(word_of), "cyan")
