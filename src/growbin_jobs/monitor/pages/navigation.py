"""The navigation, as a table: pages in their order, each with its key and what one must be allowed to see it."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from growbin_jobs.monitor.people import Identity
from growbin_jobs.monitor.security.permissions import Action, allows
from growbin_jobs.monitor.services import Part


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the navigation.

    Attributes:
      path: Below the prefix.
      word: Key of its name in the catalogues.
      action: What one must be allowed.
      key: The letter that goes there after ``g``.
      icon: Name of a symbol in ``static/icons.svg``.
    """

    path: str
    word: str
    action: Action
    key: str
    icon: str


PAGES: Final = (
    Page("/", "nav.overview", Action.SEE_STATE, "o", "overview"),
    Page("/tasks", "nav.tasks", Action.SEE_STATE, "t", "tasks"),
    Page("/errors", "nav.errors", Action.SEE_STATE, "e", "errors"),
    Page("/analyses", "nav.analyses", Action.SEE_ANALYSES, "a", "analysis"),
    Page("/workers", "nav.workers", Action.SEE_STATE, "w", "workers"),
    Page("/queues", "nav.queues", Action.SEE_STATE, "q", "queues"),
    Page("/dead-letters", "nav.dead", Action.SEE_STATE, "l", "dead"),
    Page("/bulk", "nav.bulk", Action.SEE_STATE, "b", "dead"),
    Page("/schedule", "nav.schedule", Action.SEE_SCHEDULE, "s", "schedule"),
    Page("/money", "nav.money", Action.SEE_MONEY, "m", "money"),
    Page("/batches", "nav.batches", Action.SEE_MONEY, "k", "limits"),
    Page("/health", "nav.health", Action.SEE_PLATFORM, "h", "health"),
    Page("/statistics", "nav.statistics", Action.SEE_PLATFORM, "r", "statistics"),
    Page("/proof", "nav.proof", Action.PROVE, "p", "proof"),
    Page("/webhooks", "nav.webhooks", Action.SEE_WEBHOOKS, "n", "bell"),
    Page("/audit", "nav.audit", Action.SEE_AUDIT, "d", "audit"),
    Page("/access", "nav.access", Action.SEE_ACCESS, "c", "access"),
)


def pages_for(identity: Identity | None, *, parts: Container[Part] = tuple(Part)) -> list[Page]:
    """Return the pages that somebody may see.

    Parameters:
      identity: Who; None: nobody that we know.
      parts: What the engine has.
    """
    return [page for page in PAGES if identity is not None and allows(page.action, identity, parts=parts)]


def current_page(path: str) -> Page | None:
    """Return the page that a path belongs to: the one with the longest fitting path."""
    fitting = [page for page in PAGES if path == page.path or (page.path != "/" and path.startswith(f"{page.path}/"))]
    return max(fitting, key=lambda page: len(page.path), default=None)
