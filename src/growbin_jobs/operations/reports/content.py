"""What the weekly report says, as tables of text: the same for every form of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from growbin_jobs.models.weekly_report import WeeklyReport
from growbin_jobs.operations.reports.words import reason_said, said
from growbin_jobs.reasons import Language

#: Items that are shown.
MOST_ITEMS = 20


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, the names of columns, and rows; ``bars``: the numbers of the rows, for a chart."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """A report in one language."""

    language: Language
    title: str
    span: str
    tables: tuple[Table, ...]
    note: str
    nothing: str


def content_of(report: WeeklyReport, before: WeeklyReport | None, language: Language) -> Content:
    """Return what a report says.

    Parameters:
      before: Of the week before; None where there is none.
    """
    zone = ZoneInfo(report.zone)
    days = {name: f"{at.astimezone(zone):%Y-%m-%d}" for name, at in (("since", report.since), ("until", report.until))}
    return Content(
        language=language,
        title=said("title", language, week=report.week),
        span=said("span", language, **days, zone=report.zone),
        tables=(
            _numbers(report, before, language),
            _counted("by_category", report.by_category, language),
            _counted("by_item", report.by_item, language),
            _failures(report, language),
        ),
        note=said("no_cost", language),
        nothing=said("none", language),
    )


def _numbers(report: WeeklyReport, before: WeeklyReport | None, language: Language) -> Table:
    now, then = _figures(report), _figures(before) if before is not None else {}
    rows = tuple(
        (said(name, language), _text(name, value), _text(name, then.get(name)), _change(value, then.get(name)))
        for name, value in now.items()
    )
    columns = tuple(said(name, language) for name in ("name", "this", "before", "change"))
    return Table("", columns, rows)


def _figures(report: WeeklyReport) -> dict[str, float | None]:
    completed, failed = (report.by_status.get(name, 0) for name in ("completed", "failed"))
    latency = report.latency or {}
    return {
        "analyses": report.analyses, "completed": completed, "failed": failed,
        "open": report.analyses - completed - failed, "p50": latency.get("p50"), "p95": latency.get("p95"),
        "requests": report.requests, "cost": None if report.cost is None else report.cost / 1e6,
    }  # fmt: skip


def _text(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.2f}" if name in ("cost", "p50", "p95") else f"{value:,.0f}"


def _change(now: float | None, then: float | None) -> str:
    return "–" if now is None or not then else f"{(now - then) / then * 100:+.0f} %"


def _counted(name: str, counts: Mapping[str, int], language: Language) -> Table:
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_ITEMS]
    rows = tuple((" / ".join(said(part, language) for part in key.split("/")), f"{count:,}") for key, count in most)
    columns = (said("name", language), said("count", language))
    return Table(said(name, language), columns, rows, tuple(count for _, count in most))


def _failures(report: WeeklyReport, language: Language) -> Table:
    most = sorted(report.failures.items(), key=lambda each: (-each[1], each[0]))
    rows = []
    for key, count in most:
        stage, _, code = key.partition("/")
        rows.append((stage, reason_said(code, language), f"{count:,}"))
    columns = tuple(said(name, language) for name in ("stage", "reason", "count"))
    return Table(said("failures", language), columns, tuple(rows), tuple(count for _, count in most))
