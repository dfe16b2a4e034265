"""An analysis on a terminal and as JSON."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import one_line, out
from growbin_jobs.cli.report_words import word
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.models.analysis import Analysis
from growbin_jobs.models.batch_waiting import InBatch
from growbin_jobs.operations.json_ready import as_json as ready
from growbin_jobs.operations.turn import Turn
from growbin_jobs.states import AnalysisStatus

#: What an advice's list items begin with.
_MARK = re.compile(r"(\d+\.|[-*•]) ")


def as_json(
    analysis: Analysis, photo: str | None = None, *, turn: Turn | None = None, batches: Sequence[InBatch] = ()
) -> dict[str, Any]:
    """Return what ``--json`` prints for one analysis."""
    waits: dict[str, Any] = {"turn": ready(turn)} if turn is not None else {}
    waits |= {"batches": [ready(one) for one in batches]} if batches else {}
    return ({"photo": photo} if photo is not None else {}) | analysis.as_dict() | waits


def show(
    analysis: Analysis, photo: str | None = None, *, turn: Turn | None = None, batches: Sequence[InBatch] = ()
) -> None:
    """Print one analysis for a person."""
    parts: list[RenderableType] = [_facts(analysis, turn, batches)]
    if analysis.response is not None:
        parts += [Text(), *_paragraphs(analysis.response), Text()]
        parts.append(
            Text(word("advice by", source=analysis.response_source, model=analysis.response_model), style="dim")
        )
    title = Text(one_line(photo or analysis.id))
    out.print(Panel(Group(*parts), title=title, subtitle=Text(analysis.id) if photo else None, title_align="left"))


def _facts(analysis: Analysis, turn: Turn | None, batches: Sequence[InBatch]) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row(word("status"), Text(analysis.status.value, style=_colour(analysis.status)))
    if turn is not None:
        facts.add_row(word("waits for"), Text(_turn(turn)))
    for one in batches:
        facts.add_row(word("batch"), Text(one_line(_batch(one))))
    if analysis.tier == "standard":
        facts.add_row(word("tier"), Text(word("standard", why=analysis.tier_reason)))
    if analysis.category is not None:
        for name in ("category", "item"):
            facts.add_row(word(name), Text(str(getattr(analysis, name))))
        facts.add_row(word("state"), Text(_state(analysis)))
        seen = word("by", number=f"{analysis.confidence:.2f}", model=analysis.vision_model)
        facts.add_row(word("confidence"), Text(seen))
    if analysis.error is not None:
        facts.add_row(word("failed in"), Text(str(analysis.failed_stage)))
        facts.add_row(word("reason"), Text(f"{analysis.error} ({analysis.error_code})", style="red"))
    return facts


def _state(analysis: Analysis) -> str:
    state = str(analysis.state)
    is_guess = state == "mixed" and str(analysis.vision_model).startswith("offline/")
    return word("not told", state=state) if is_guess else state


def _turn(turn: Turn) -> str:
    words = word("turn", limit=turn.limit, place=turn.place)
    if turn.starts_at is None:
        return word("stopped", turn=words, by=turn.stopped_by)
    return word("starts", turn=words, at=local(turn.starts_at), zone=zone_name())


def _batch(one: InBatch) -> str:
    if one.batch is None:
        words = word("no batch" if one.back_at else "next batch")
        return word("since", words=words, at=local(one.put_at), zone=zone_name())
    if one.back_at is not None:
        return f"{one.batch} ({one.state}): {one.why or word('answered')}"
    latest = word("done by", at=local(one.done_by), zone=zone_name()) if one.done_by else ""
    return word("in batch", batch=one.batch, state=one.state) + latest


def _paragraphs(text: str) -> Iterator[RenderableType]:
    """Yield each line by itself; the broken lines of a list item stay under its words."""
    for line in text.splitlines():
        mark = _MARK.match(line)
        if mark is None:
            yield Text(line)
            continue
        item = Table.grid()
        item.add_column(no_wrap=True)
        item.add_column(overflow="fold")
        item.add_row(Text(mark[0]), Text(line[mark.end() :]))
        yield Padding(item, (0, 0, 0, 1))


def _colour(status: AnalysisStatus) -> str:
    return {AnalysisStatus.FAILED: "bold red", AnalysisStatus.COMPLETED: "bold green"}.get(status, "cyan")
