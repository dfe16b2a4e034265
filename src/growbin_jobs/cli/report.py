"""Show what became of a photo."""

from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import out
from growbin_jobs.models.analysis import Analysis
from growbin_jobs.states import AnalysisStatus


def as_json(analysis: Analysis, photo: str | None = None) -> dict[str, Any]:
    """Return what ``--json`` prints for one analysis."""
    return ({"photo": photo} if photo is not None else {}) | analysis.as_dict()


def show(analysis: Analysis, photo: str | None = None) -> None:
    """Print one analysis for a person."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("status", Text(analysis.status.value, style=_colour(analysis.status)))
    if analysis.category is not None:
        facts.add_row("category", analysis.category)
        facts.add_row("item", analysis.item)
        facts.add_row("state", analysis.state)
        facts.add_row("confidence", f"{analysis.confidence:.2f}   ({analysis.vision_model})")
    if analysis.response is not None:
        facts.add_row("advice", Text(analysis.response))
        facts.add_row("", Text(f"{analysis.response_source}: {analysis.response_model}", style="dim"))
    if analysis.error is not None:
        facts.add_row("failed in", analysis.failed_stage)
        facts.add_row("reason", Text(analysis.error, style="red"))
    out.print(Panel(facts, title=photo or analysis.id, subtitle=analysis.id if photo else None, title_align="left"))


def _colour(status: AnalysisStatus) -> str:
    return {AnalysisStatus.FAILED: "bold red", AnalysisStatus.COMPLETED: "bold green"}.get(status, "cyan")
