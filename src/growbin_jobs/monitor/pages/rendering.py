"""Renders the templates: with the words of the reader's language, links below the prefix, and the navigation."""

from functools import cache, partial
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from growbin_jobs import __version__
from growbin_jobs.monitor.pages import navigation, said
from growbin_jobs.monitor.pages.links import asset, link, with_query
from growbin_jobs.monitor.pages.shown import FILTERS
from growbin_jobs.monitor.security.identify import known_identity
from growbin_jobs.monitor.security.permissions import Action, allows
from growbin_jobs.monitor.words import LANGUAGES, language_of, words_in


@cache
def templates() -> Environment:
    """Return the environment of all templates: every value is escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("growbin_jobs.monitor"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def render(
    request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Return a page.

    Besides ``values`` a template has: ``w`` (words), ``link``, ``with_query`` and ``asset`` (addresses),
    ``may(action)`` (whether the reader may do something; also by the action's name), ``person``, ``config``,
    ``growbin`` (whether it is Growbin's monitor), ``pages`` and ``here``.

    Parameters:
      template: Name of the file in ``templates/``.
      status, headers: Of the answer.
      values: For the template.
    """
    text = templates().get_template(template).render(_context(request) | values)
    vary = {"vary": "Accept-Language, Cookie"} | (headers or {})
    # A lone surrogate that came by without the filter ``visible`` must not cost the page.
    answer = HTMLResponse(text.encode("utf-8", "replace"), status, vary)
    if "hx-request" not in request.headers:
        said.forget(request, answer)
    return answer


def words_for(request: Request) -> Any:
    """Return the :class:`growbin_jobs.monitor.words.Words` for a request."""
    return words_in(language_of(request, request.app.state.config.language))


def _context(request: Request) -> dict[str, Any]:
    config, services = request.app.state.config, request.app.state.services
    # Only what is known already: an error page may come because nobody can say who asks, and must not fail for it.
    person = known_identity(request)
    path = request.scope["path"][len(request.scope.get("root_path", "")) :]
    return {
        "request": request,
        "said": said.said_to(request, words_for(request)),
        "w": words_for(request),
        "languages": LANGUAGES,
        "link": partial(link, request),
        "with_query": partial(with_query, request),
        "asset": partial(asset, request),
        "may": lambda action: allows(Action(action), person, read_only=config.read_only, parts=services.parts),
        "person": person,
        "config": config,
        "growbin": services.growbin,
        "version": __version__,
        "pages": navigation.pages_for(person, parts=services.parts),
        "here": navigation.current_page(path),
    }
