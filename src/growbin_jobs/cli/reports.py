"""``growbin-jobs reports …``: the weekly reports of analyses."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import print_json, print_line, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import language
from growbin_jobs.cli.spoken import spoken

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from growbin_jobs.models.weekly_report import WeeklyReports
    from growbin_jobs.operations.reports.pages import ReportPages


class FormName(StrEnum):
    """Forms of a report."""

    MD = "md"
    HTML = "html"


def list_(json: Json = False) -> None:
    """Show the weekly reports, the newest first, and where their pages are.

    \b
    Examples:
      growbin-jobs reports list
      growbin-jobs reports list --json | jq '.[0].by_category'
    """
    from growbin_jobs.cli.rows import print_rows

    reports, pages = _both()
    found = reports.all()
    if json:
        print_json([each.as_dict() | {"page": pages.address(each.week, language(), "html")} for each in found])
        return
    if not found:
        say(spoken("There is no weekly report yet."))
        return
    columns: dict[str, JustifyMethod] = {"week": "left", "analyses": "right", "failed": "right", "page": "left"}
    cells = [
        [
            each.week,
            str(each.analyses),
            str(each.by_status.get("failed", 0)),
            pages.address(each.week, language(), "html"),
        ]
        for each in found
    ]
    print_rows(spoken("weekly reports"), columns, cells)


def show(
    week: Annotated[str | None, typer.Argument(metavar="WEEK", help="Such as 2026-W48. Default: the newest.")] = None,
    form: Annotated[FormName, typer.Option("--form", help="Which page.")] = FormName.MD,
) -> None:
    """Print the page of a weekly report, in the language of GROWBIN_LANGUAGE.

    \b
    Examples:
      growbin-jobs reports show
      growbin-jobs reports show 2026-W48 --form html > report.html
    """
    from growbin_jobs.errors import NotFound

    reports, pages = _both()
    weeks = [each.week for each in reports.all()]
    if not weeks:
        raise NotFound("There is no weekly report yet.")
    chosen = week or weeks[0]
    if chosen not in weeks:
        raise NotFound(f"There is no weekly report of {chosen}. See: growbin-jobs reports list")
    print_line(pages.get(chosen, language(), form.value).rstrip("\n"))


def _both() -> "tuple[WeeklyReports, ReportPages]":
    from zoneinfo import ZoneInfo

    from growbin_jobs import settings
    from growbin_jobs.models.weekly_report import WeeklyReports
    from growbin_jobs.operations.reports.pages import ReportPages
    from growbin_jobs.wiring import central_database, object_store

    now: Any = settings.current()
    return WeeklyReports(central_database(now), ZoneInfo(now.timezone)), ReportPages(object_store(now))
