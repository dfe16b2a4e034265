"""What a person sees of the breakers and does to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from growbin_jobs.errors import NotFound
from growbin_jobs.limits.breaker import Breaker, State
from growbin_jobs.limits.breaker_remedies import remedy
from growbin_jobs.limits.breaker_store import BreakerStore
from growbin_jobs.reasons import Language


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """One breaker.

    Attributes:
      name: Such as ``model:gpt-6-luna@api.openai.com``.
      state: ``closed``, ``open``, or ``operator``: a person has to mend something.
      reason: What the latest failure was; empty where all is well.
      remedy: What is wrong and what to do; empty while it is closed.
      failures: In a row, while it is closed.
      since_at: When the state began; None: it never was another one.
      next_probe_at: When one request is let through to see whether the outage is over; None while it is closed.
      held_until_at: While it is closed: until when nobody sends, since the server limits the rate.
      said: What a model's server said when it last refused a request, without secrets; empty where nothing is known.
    """

    name: str
    state: State
    reason: str
    remedy: str
    failures: int
    since_at: float | None
    next_probe_at: float | None
    held_until_at: float | None
    said: str = ""


def list_breakers(
    store: BreakerStore, *, language: Language, said: Mapping[str, str] | None = None
) -> list[BreakerStatus]:
    """Return all breakers that have been told of something, those first that let nobody send.

    Parameters:
      store: The cluster's.
      language: Of the remedies.
      said: What the servers said, by the breaker's name.

    Raises:
      Deferred: The database is away.
    """
    words = said or {}
    found = [_status(breaker, now, language, words.get(breaker.name, "")) for breaker, now in store.all()]
    return sorted(found, key=lambda status: (status.state == "closed", status.name))


def reset_breaker(store: BreakerStore, name: str) -> None:
    """Close a breaker: requests come back slowly.

    Parameters:
      store: The cluster's.
      name: Its whole name, or the part before ``@`` where that is the name of one alone.

    Raises:
      NotFound: There is none, or the part of a name fits several.
      Deferred: The database is away.
    """
    names = [breaker.name for breaker, _ in store.all()]
    chosen = [known for known in names if known == name] or [known for known in names if known.split("@")[0] == name]
    if len(chosen) > 1:
        raise NotFound(f"{name} is part of several names: {', '.join(chosen)}. Name one of them.")
    if not chosen or not store.reset(chosen[0]):
        known = f"There are: {', '.join(names)}." if names else "None has seen a failure yet."
        raise NotFound(f"There is no breaker {name}. {known}")


def _status(breaker: Breaker, now: float, language: Language, said: str) -> BreakerStatus:
    closed = breaker.state == "closed"
    probe_at = max(breaker.open_until, breaker.probe_until, now)
    return BreakerStatus(
        name=breaker.name,
        state=breaker.state,
        reason=breaker.reason,
        remedy="" if closed else remedy(breaker.reason, language),
        failures=breaker.failures,
        since_at=breaker.changed_at or None,
        next_probe_at=None if closed else probe_at,
        held_until_at=breaker.open_until if closed and breaker.failures and breaker.open_until > now else None,
        said="" if closed else said,
    )
