"""Checks of models and of their money, for ``growbin-jobs doctor``."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.llm.address import OPENAI_URL, parted_url
from growbin_jobs.errors import Deferred, GrowbinError, Transient
from growbin_jobs.model_catalog import AUTO, Server, effort_for, find_model, temperature_for
from growbin_jobs.operations.finding import Finding, Status
from growbin_jobs.operations.model_ends import ERROR_DAYS, WARN_DAYS, end_of, is_offered, models_in_use
from growbin_jobs.settings import Settings

if TYPE_CHECKING:
    from growbin_jobs.operations.model_servers import KnownServer

#: Budgets that are named, those that spent most first.
_MOST_BUDGETS = 5


def check_models(settings: Settings) -> Iterator[Finding]:
    """Try the models: does the server offer them, until when, what do they cost."""
    if not settings.models_online:
        from growbin_jobs.ai.offline.classifier import OfflineClassifier

        name = OfflineClassifier.load(settings.offline_runtime).name
        yield Finding("models", "ok", f"no key: {name} and the rules' own sentences answer")
        return
    try:
        server, offered = _offered(settings)
    except GrowbinError as error:
        yield _not_asked(error)
        ends = (_end(settings, model, {}) for model in models_in_use(settings))
        yield from (found for found in ends if found.status != "ok")  # what the catalogue knows holds all the same
        return
    if not offered:
        detail = f"{server.title} lists no models: whether it has them is not known. Check OPENAI_BASE_URL, "
        yield Finding("models", "warning", f"{detail}which usually ends in /v1, if requests fail.")
    for model in models_in_use(settings):
        if not is_offered(model, offered, server):
            detail = f"{model} is not offered by the server. Check GROWBIN_VISION_MODEL and GROWBIN_TEXT_MODEL."
            yield Finding("models", "failed", detail)
        else:
            yield _end(settings, model, offered)
    yield from _not_sent(settings)
    yield from _not_taken(settings, server)
    yield from _not_priced(settings)


def _offered(settings: Settings) -> tuple[Server, Mapping[str, date | None]]:
    """Ask the server for its models.

    Raises:
      ConfigurationError, Permanent, Transient, Deferred: It cannot be asked.
    """
    from growbin_jobs.adapters.llm.client import ModelClient

    key = settings.openai_api_key
    client = ModelClient(
        api_key=key.get_secret_value() if key else None,
        base_url=settings.openai_base_url,
        server=settings.model_server,
    )
    return client.server, client.models(timeout=10.0)


def _not_asked(error: GrowbinError) -> Finding:
    if isinstance(error, Deferred):
        return Finding("models", "warning", f"{error} Try again in {error.wait or 0:.0f} s.")
    if isinstance(error, Transient) and "OPENAI_BASE_URL" not in str(error):
        return Finding("models", "failed", f"{error} If it lasts, look at that server, or correct OPENAI_BASE_URL.")
    return Finding("models", "failed", str(error))


def _end(settings: Settings, model: str, offered: Mapping[str, date | None]) -> Finding:
    """Say until when a model is offered, and how its successors did where that is soon."""
    found = _judged(model, end_of(model, offered), datetime.now(UTC).date())
    return found if found.status == "ok" else _with_rehearsals(settings, model, found)


#: What an answer loses where the server does not take it.
_LOSSES: Final = {
    "response_format.json_schema": "the form of an answer is asked for in words, and checked here only",
    "max_tokens": "answers have no cap",
    "batches": "what has time is asked by itself, in the standard tier",
}


def _not_taken(settings: Settings, server: Server) -> Iterator[Finding]:
    """Name what the server does not take, by the catalogue and as it was learnt, and what it said last."""
    from growbin_jobs.operations.model_servers import KnownServer, known_servers
    from growbin_jobs.wiring import central_database

    learnt: list[KnownServer] = []
    with suppress(GrowbinError):  # said before, of the database
        learnt = known_servers(central_database(settings))
    address = parted_url(settings.openai_base_url or OPENAI_URL)[0]
    if server.refuses:
        yield Finding("models", "ok", f"{server.title}: not sent: {', '.join(sorted(server.refuses))}")
    for model in dict.fromkeys((settings.vision_model, settings.text_model)):
        for one in learnt:
            if (one.url, one.model) == (address, model):
                yield from _learnt(one)


def _learnt(one: "KnownServer") -> Iterator[Finding]:
    refused = [name for name in one.refused if not name.startswith("cap.")]
    efforts = [f"efforts other than {', '.join(one.efforts)}"] if one.efforts is not None else []
    if refused or efforts:
        losses = [_LOSSES[name] for name in refused if name in _LOSSES]
        named = ", ".join([*refused, *efforts])
        detail = f"{one.model}: its server refuses {named}" + (f": {'; '.join(losses)}" if losses else "")
        yield Finding("models", "warning" if losses else "ok", f"{detail}. Learnt; growbin-jobs models servers.")
    if one.said:
        yield Finding("models", "warning", f"{one.model}: its server said: {one.said}")


def _not_sent(settings: Settings) -> Iterator[Finding]:
    """Name what the settings ask for and the chosen model is known to refuse."""
    for purpose in ("vision", "text"):
        model, effort, temperature = (
            getattr(settings, f"{purpose}_{part}") for part in ("model", "reasoning_effort", "temperature")
        )
        if effort not in (None, AUTO) and (sent := effort_for(model, effort)) != effort:
            name = _settings.Settings.variable(f"{purpose}_reasoning_effort")
            yield Finding("models", "warning", f"{model} does not know {name}={effort}: sends {sent or 'none at all'}")
        if temperature_for(model, temperature) != temperature:
            name = _settings.Settings.variable(f"{purpose}_temperature")
            yield Finding("models", "warning", f"{model} refuses a temperature: {name} is not sent")


def _not_priced(settings: Settings) -> Iterator[Finding]:
    """Name the models whose requests are in no budget and in no sum of money."""
    from growbin_jobs.limits.prices import load_prices

    prices, today = load_prices(settings.prices_file), datetime.now(ZoneInfo(settings.timezone)).date()
    for model in dict.fromkeys((settings.vision_model, settings.text_model)):
        if prices.most(model, 1, 1, today) is None:
            refused = settings.unknown_price == "refuse"
            what = "is not asked (GROWBIN_UNKNOWN_PRICE=refuse)" if refused else "is in no budget and no sum of money"
            detail = f"{model} has no price: it {what}. Write one into GROWBIN_PRICES_FILE."
            yield Finding("models", "failed" if refused else "warning", detail)


def check_budgets(settings: Settings) -> Iterator[Finding]:
    """Look at the limits and prices that are set, at what is left of today's budgets, and whether the books agree."""
    from growbin_jobs.limits.bookkeeping import NEARLY
    from growbin_jobs.limits.budget_report import budgets_today, imbalances
    from growbin_jobs.limits.named import named_limits
    from growbin_jobs.limits.prices import load_prices
    from growbin_jobs.wiring import central_database

    # Where the models could not be looked at, nothing has read these yet.
    load_prices(settings.prices_file)
    for limit in named_limits(settings).configured():
        limit.parameters  # noqa: B018 - refuses what cannot be kept
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    try:
        database = central_database(settings)
        wrongs, days = imbalances(database, today - timedelta(days=7)), budgets_today(database, today)
    except GrowbinError:  # said before, of the database
        return
    for wrong in wrongs:
        what = f"{wrong.day}, {wrong.name}: the totals are not what the reservations add up to"
        yield Finding("budgets", "failed", f"{what}. Please report it as a fault.")
    high = [one for one in days if one.cap is not None and one.spent * 100 >= one.cap * NEARLY]
    for one in high[:_MOST_BUDGETS]:
        left = max(0, (one.cap or 0) - one.spent) / 1e6
        detail = f"{one.name} has {left:.4f} USD left today. Raise it: growbin-jobs budgets set"
        yield Finding("budgets", "warning", detail)
    if not high:
        yield Finding("budgets", "ok", f"{len(days)} in use today" if days else "none in use today")


def _with_rehearsals(settings: Settings, model: str, found: Finding) -> Finding:
    """Add how the successors did in a rehearsal, or that they should be rehearsed."""
    from growbin_jobs.models.rehearsals import Rehearsals
    from growbin_jobs.wiring import central_database

    known = find_model(model)
    if known is None or not known.successors or model != settings.vision_model:
        return found
    rehearsals = Rehearsals(central_database(settings))
    try:
        last = [rehearsed for name in known.successors if (rehearsed := rehearsals.last(name))]
    except GrowbinError:  # said before; the day of the end is known all the same
        return found
    words = [f"{one.model} on {one.at:%Y-%m-%d}: {one.verdict}, {one.agreement:.0%} of {one.pictures}" for one in last]
    told = (
        f"Rehearsed: {'; '.join(words)}."
        if words
        else (f"Try it first: growbin-jobs models rehearse {known.successors[0]}")
    )
    return replace(found, detail=f"{found.detail} {told}")


def _judged(model: str, end: date | None, today: date) -> Finding:
    """Judge the day on which a model leaves the API; None: nobody says."""
    known = find_model(model)
    if end is None:
        return Finding("models", "ok", model)
    named = " or ".join(known.successors) if known and known.successors else "on the provider's deprecations page"
    remedy = f"Its successor: {named}. Set GROWBIN_VISION_MODEL and GROWBIN_TEXT_MODEL."
    days = (end - today).days
    if days < 0:
        return Finding("models", "failed", f"{model} left the API on {end}. {remedy}")
    if days <= WARN_DAYS:
        status: Status = "failed" if days <= ERROR_DAYS else "warning"
        return Finding("models", status, f"{model} leaves the API on {end}, in {days} days. {remedy}")
    return Finding("models", "ok", f"{model}, until {end}")
