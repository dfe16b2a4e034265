"""``growbin-jobs limits …``: the limits of paid calls."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.person import language

if TYPE_CHECKING:
    from growbin_jobs.limits.named import NamedLimits
    from growbin_jobs.limits.provision import Provision

Name = Annotated[str, typer.Argument(help="Such as vision, text, project, model:gpt-6-luna, user:u-42, tokens:vision.")]

#: Seconds of the units of ``--last``.
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}

#: Seconds that it may reach back.
_LONGEST = 3650 * 86_400


def list_(json: Json = False) -> None:
    """List the limits: what was granted in the last minute on all nodes, and what waits.

    \b
    Examples:
      growbin-jobs limits list
      growbin-jobs limits list --json | jq '.[] | select(.last_minute > 0.9 * .most) | .name'
    """
    from growbin_jobs.cli import limits_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.limit_states import limit_states

    states = limit_states(target.central())
    print_json(as_json(states)) if json else view.print_states(states, language())


def set_(
    name: Name,
    rate: Annotated[
        str | None, typer.Argument(help="Such as 60/min, 5/s, 10000/day; a number alone is for a minute.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Let the setting hold again.")] = False,
    offline_share: Annotated[
        str | None, typer.Option(help="Keep back so much for nodes that cannot reach the database, such as 10%.")
    ] = None,
) -> None:
    """Change a limit now, for all nodes. It holds until --default gives it back to the setting, also after restarts.

    An offline share is taken away from the limit at once and divided among the nodes. A node uses its part only while
    it cannot reach the database, for at most 5 minutes; 0% gives it back. Without one paid calls wait for the database.

    \b
    Examples:
      growbin-jobs limits set vision 60
      growbin-jobs limits set 'user:*' 10/min
      growbin-jobs limits set vision --default
      growbin-jobs limits set vision --offline-share 10%
    """
    from growbin_jobs.cli import target
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.rates import parse_rate

    if (default and rate is not None) or not (default or rate or offline_share):
        raise typer.BadParameter("Give a rate, --default, or --offline-share.")
    provision = _provision()
    if offline_share is not None and rate is None and not default:
        _keep_back(name, offline_share)
        return
    if offline_share is not None:
        _part(offline_share)  # refuses what is none before anything is changed
    try:
        wanted = None if rate is None else parse_rate(rate)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    record(target.central(), "limit.set", target=name, details={"rate": rate or "setting"})
    limit = provision.reset(name) if wanted is None else provision.set(name, wanted)
    if limit is None:
        raise ConfigurationError(f"The settings say nothing of {name}. Name a rate.")
    say(word("limit set", language(), name=name, rate=limit.rate, use=f"{limit.use:.1%}"))
    if offline_share is not None:
        _keep_back(name, offline_share)


def plan(
    pictures: Annotated[int, typer.Option(help="How many pictures.", min=1, max=100_000_000)] = 1000,
    vision: Annotated[str | None, typer.Option(help="What if the limit of vision were this, such as 60/min.")] = None,
    text: Annotated[str | None, typer.Option(help="What if the limit of text were this.")] = None,
    json: Json = False,
) -> None:
    """Tell what so many pictures take: until when, for how much, with how many threads, and which limit decides.

    Seconds and money of a request are those of the last 7 days, or assumed where nothing was sent. Nothing is changed.

    \b
    Examples:
      growbin-jobs limits plan --pictures 20000
      growbin-jobs limits plan --pictures 20000 --vision 60
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import limits_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.limits.past_requests import needs_of_the_past
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.limit_plan import plan as planned

    database, settings = target.central(), _settings.load()
    found = planned(
        pictures,
        _what_if(vision, text),
        needs_of_the_past(database),
        models={"vision": settings.vision_model, "text": settings.text_model},
    )
    print_json(as_json(found)) if json else view.print_plan(found, language())


def verify(
    last: Annotated[str, typer.Option(help="How far back, such as 30m, 24h, 7d.")] = "24h", json: Json = False
) -> None:
    """Recompute from what was sent whether the limits were kept. Exit code 1: a promise was broken.

    For each limit: the most in any window, how much of the promise was used in the busiest ten windows in a row, and
    the windows that held more than was promised. For money: whether all that was reserved was settled, released or is
    unknown.

    \b
    Examples:
      growbin-jobs limits verify
      growbin-jobs limits verify --last 7d --json | jq '.limits[] | select(.broken > 0)'
    """
    from zoneinfo import ZoneInfo

    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import limits_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.cli.days import first_day
    from growbin_jobs.limits.usage_days import ENTRIES_KEPT
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.limit_proof import prove

    since, timezone = datetime.now(UTC) - _span(last), _settings.load().timezone
    books_since = max(since.astimezone(ZoneInfo(timezone)).date(), first_day(f"{ENTRIES_KEPT - 1}d", timezone))
    proof = prove(target.central(), since, books_since=books_since)
    print_json(as_json(proof) | {"kept": proof.kept}) if json else view.print_proof(proof, language())
    if not proof.kept:
        raise typer.Exit(1)


def _keep_back(name: str, share: str) -> None:
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import target
    from growbin_jobs.limits.named import named_limits
    from growbin_jobs.limits.offline_reserve import Reserves

    part, database = _part(share), target.central()
    record(database, "limit.set", target=name, details={"offline_share": share})
    units = Reserves(database, named_limits(_settings.load())).set(name, part)
    say(word("kept back" if units else "nothing kept back", language(), name=name, units=units))


def _part(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]{1,3})?)\s*%", text.strip(), re.ASCII)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no share. Write one such as 10%.")
    return float(found[1]) / 100


def _provision() -> "Provision":
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import target
    from growbin_jobs.limits.named import named_limits
    from growbin_jobs.limits.provision import provision_of

    return provision_of(target.central(), named_limits(_settings.load()))


def _what_if(vision: str | None, text: str | None) -> "NamedLimits":
    """What holds now, but for what is asked about."""
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import target
    from growbin_jobs.limits.named import NamedLimits, named_limits
    from growbin_jobs.limits.promises import Promises
    from growbin_jobs.rates import parse_rate

    rates = named_limits(_settings.load()).rates
    rates |= {
        name: promise.rate
        for name, promise in Promises(target.central()).current().items()
        if promise.origin == "person"
    }
    try:
        rates |= {name: parse_rate(rate) for name, rate in (("vision", vision), ("text", text)) if rate}
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return NamedLimits(rates)


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})\s*(s|m|min|h|d)", text.strip(), re.ASCII)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no length of time. Write one such as 30m, 24h or 7d.")
    seconds = int(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= _LONGEST:
        raise typer.BadParameter(f"{text!r} is not between 1s and 3650d.")
    return timedelta(seconds=seconds)
