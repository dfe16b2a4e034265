"""Puts the pages of a weekly report into the object store: Markdown and HTML, in each language."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from growbin_jobs.models.weekly_report import WeeklyReport
from growbin_jobs.operations.reports.content import content_of
from growbin_jobs.operations.reports.forms import html, markdown
from growbin_jobs.operations.reports.words import LANGUAGES
from growbin_jobs.reasons import Language

if TYPE_CHECKING:
    from growbin_jobs.adapters.objects import ObjectStore

Form = Literal["md", "html"]

_TYPES: Final[dict[Form, str]] = {"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8"}


class ReportPages:
    """The pages of reports.

    Parameters:
      objects: Where they are.
    """

    def __init__(self, objects: "ObjectStore") -> None:
        self._objects = objects

    def put(self, report: WeeklyReport, before: WeeklyReport | None) -> list[str]:
        """Write all pages of a report, and return their addresses; a second time writes the same ones.

        Raises:
          Deferred, Transient: The object store does not serve now.
        """
        return [
            self._objects.put(key_of(report.week, language, form), text.encode(), content_type=_TYPES[form])
            for language, form, text in _pages(report, before)
        ]

    def get(self, week: str, language: Language, form: Form) -> str:
        """Return a page.

        Raises:
          NotFound: There is none.
        """
        return self._objects.get(key_of(week, language, form)).decode()

    def address(self, week: str, language: Language, form: Form) -> str:
        """Return the address of a page, which is not looked at."""
        return self._objects.address(key_of(week, language, form))


def key_of(week: str, language: Language, form: Form) -> str:
    """Return the key of a page."""
    return f"reports/weekly/{week}/report.{language}.{form}"


def _pages(report: WeeklyReport, before: WeeklyReport | None) -> Iterator[tuple[Language, Form, str]]:
    for language in LANGUAGES:
        content = content_of(report, before, language)
        yield language, "md", markdown(content)
        yield language, "html", html(content)
