"""A circuit breaker for the whole cluster: who may send, and what a success changes. Pure functions of one row.

=========  ===========================================  ==========================================================
state      who may send                                 how it is left
=========  ===========================================  ==========================================================
closed     everybody; more slowly after an outage, and  failures in a row: open or operator
           after ``open_until`` only                    (:mod:`growbin_jobs.limits.breaker_failures`)
open       nobody; one probe at the end of each pause   its probe succeeds: closed; fails: twice the pause
operator   nobody; one probe at the end of each pause,  its probe succeeds, or ``reset``: closed
           where that tells anything one that is free
=========  ===========================================  ==========================================================

The probe is leased and fenced: there is one in the cluster, its holder may die, and a result of an older probe, or of a
request that was sent before the breaker opened, changes nothing. A pause only ever grows while it lasts. The message
that failed last gives way to others for a while when the next probe is due: it may be the cause itself.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from growbin_jobs.engine.central.sql_words import CLOCK_VARIES

State = Literal["closed", "open", "operator"]

#: Seconds after which a probe that said nothing counts as lost with its process.
PROBE_LEASE: Final = 60.0

#: Seconds for which the message that failed last leaves the probe to others.
GIVES_WAY: Final = 20.0

#: Seconds in which the share of requests grows to all after an outage, and where it begins.
RAMP, RAMP_FROM = 90.0, 0.1

#: Seconds between two requests after the server limited the rate, until one succeeds.
CAREFUL: Final = 2.0

#: Seconds in which a lower limit that the server told of loses its effect.
TOLD_LASTS: Final = 600.0

#: Seconds for which the same limit need not be noted again.
TOLD_FRESH: Final = 60.0

#: Reasons of the state ``operator`` whose end a free look-up of the model shows.
LOOKED_UP: Final = frozenset({"model_access_denied", "model_not_offered"})


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker. Moments are seconds since 1970 on the store's clock.

    Attributes:
      name: Such as ``model:gpt-6-luna@api.openai.com``, ``objects``.
      state: See the table.
      reason: Of the latest failure: a key of :data:`growbin_jobs.limits.breaker_failures.KINDS`.
      failures: In a row, while closed.
      pauses: Pauses since it opened.
      open_until: Nobody sends before; the end of the pause, or of a hold while it is closed.
      changed_at: When the state changed last.
      fence: Number of the latest probe.
      probe_until: When the lease of that probe ends.
      failed_at: When a request failed last, while closed.
      held_at: When the server limited the rate last, while closed.
      proven_at: When a request was sent that succeeded after a failure.
      suspect: The message that failed last; empty where none is known.
      told: Requests in a minute that the server told of, less than ours; 0: none.
      told_at: When it told so.
    """

    name: str
    state: State = "closed"
    reason: str = ""
    failures: int = 0
    pauses: int = 0
    open_until: float = 0.0
    changed_at: float = 0.0
    fence: int = 0
    probe_until: float = 0.0
    failed_at: float = 0.0
    held_at: float = 0.0
    proven_at: float = 0.0
    suspect: str = ""
    told: float = 0.0
    told_at: float = 0.0


class Admission(NamedTuple):
    """What a breaker says to who wants to send.

    Attributes:
      wait: Seconds until it makes sense to ask again; 0: send now.
      probe: The fencing number for this request alone, if it is the probe.
      look_up: The probe must first look the model up, which is free, and is sent only where that succeeds.
      reason: Why nobody sends, while it is not closed.
      gives_way: Only this message has to wait, not all of them.
      probing: The pause is over, and a probe is under way.
      settled: A success would have changed nothing. If that is so when a request is admitted, its success is not told:
        it proves nothing about a failure that came after that.
    """

    wait: float = 0.0
    probe: int | None = None
    look_up: bool = False
    reason: str = ""
    gives_way: bool = False
    probing: bool = False
    settled: bool = False


def admit(breaker: Breaker, now: float, *, per_minute: float = 0.0, message_id: str = "") -> tuple[Admission, Breaker]:
    """Ask to send one request.

    Parameters:
      breaker: As it is.
      now: The clock.
      per_minute: Requests that may be sent in a minute when all is well, for the part of it after an outage; 0: all
        may be sent at once.
      message_id: For whom; empty where that is not known.

    Returns:
      The answer, and the breaker with a leased probe or the next place where the request takes it.
    """
    if breaker.state == "closed":
        if now < breaker.open_until:
            return Admission(wait=breaker.open_until - now), breaker
        pace = _pace(breaker, now, per_minute)
        return Admission(), replace(breaker, open_until=now + pace) if pace else breaker
    free_at = max(breaker.open_until, breaker.probe_until)
    if now < free_at:
        probing = now >= breaker.open_until
        return Admission(wait=free_at - now, reason=breaker.reason, probing=probing), breaker
    if message_id and message_id == breaker.suspect and now < breaker.open_until + GIVES_WAY:
        wait = breaker.open_until + GIVES_WAY - now
        return Admission(wait=wait, reason=breaker.reason, gives_way=True), breaker
    leased = replace(breaker, fence=breaker.fence + 1, probe_until=now + PROBE_LEASE)
    look_up = breaker.state == "operator" and breaker.reason in LOOKED_UP
    return Admission(probe=leased.fence, look_up=look_up, reason=breaker.reason), leased


def closed_in(breaker: Breaker, now: float) -> float:
    """Return the seconds until a request that was admitted before may be sent: 0 unless it opened or was held since."""
    ahead = max(0.0, breaker.open_until - now)
    if breaker.state != "closed":
        return max(ahead, breaker.probe_until - now)
    held = breaker.failures > 0 and breaker.reason == "rate_limited"
    return ahead if held and ahead > CAREFUL else 0.0  # else it is the place of a request, perhaps of this one


def healed(breaker: Breaker, now: float) -> Breaker:
    """Return a breaker without what a clock that was set back has left: nothing of the past lies ahead of now.

    Such moments would keep everybody away, or make all failures old, until the clock comes to them, perhaps for years.
    """
    past = (breaker.changed_at, breaker.failed_at, breaker.held_at, breaker.proven_at, breaker.told_at)
    ahead = max(past) - now
    if ahead <= CLOCK_VARIES and breaker.probe_until - now <= PROBE_LEASE + CLOCK_VARIES:
        return breaker
    changed_at, failed_at, held_at, proven_at, told_at = (min(moment, now) for moment in past)
    return replace(
        breaker, changed_at=changed_at, failed_at=failed_at, held_at=held_at, proven_at=proven_at, told_at=told_at,
        open_until=breaker.open_until - max(0.0, ahead), probe_until=min(breaker.probe_until, now),
    )  # fmt: skip


def succeeded(breaker: Breaker, now: float, *, sent_at: float, probe: int | None = None) -> Breaker:
    """Note a request that succeeded; only the latest probe closes a breaker.

    Parameters:
      breaker: As it is.
      now: The clock.
      sent_at: When the request was sent.
      probe: Its fencing number, if it was one.
    """
    if breaker.state != "closed":
        return reset(breaker, now) if probe is not None and probe == breaker.fence else breaker
    proves = breaker.proven_at <= breaker.failed_at < sent_at  # the first one that was sent after the latest failure
    if breaker.failures == 0 and not proves:
        return breaker
    return replace(breaker, failures=0, reason="", proven_at=max(breaker.proven_at, sent_at))


def is_settled(breaker: Breaker) -> bool:
    """Return whether a success, whenever it was sent, changes nothing."""
    return breaker.state == "closed" and breaker.failures == 0 and breaker.proven_at > breaker.failed_at


def unused(breaker: Breaker, now: float, *, probe: int) -> Breaker:
    """Give back the lease of a probe that was not sent, or that said nothing: somebody else may probe at once."""
    if breaker.state == "closed" or probe != breaker.fence:
        return breaker
    return replace(breaker, probe_until=min(breaker.probe_until, now))


def reset(breaker: Breaker, now: float) -> Breaker:
    """Close it: by its probe, or by a person. Requests come back slowly."""
    if breaker.state == "closed":
        return replace(breaker, failures=0, reason="", open_until=0.0, told=0.0)
    # A new fence: what the probe of a moment ago says later is old.
    return Breaker(
        breaker.name, changed_at=now, fence=breaker.fence + 1, proven_at=breaker.proven_at,
        told=breaker.told, told_at=breaker.told_at,
    )  # fmt: skip


def told(breaker: Breaker, now: float, *, by_server: float, per_minute: float) -> Breaker:
    """Note the limit that the server told of; it may lower ours, and never raises it.

    Parameters:
      breaker: As it is.
      now: The clock.
      by_server: Requests in a minute that the server told of.
      per_minute: Our limit.
    """
    known_since = now - breaker.told_at
    if by_server >= told_now(breaker, now, per_minute) or (by_server == breaker.told and known_since < TOLD_FRESH):
        return breaker
    return replace(breaker, told=by_server, told_at=now)


def told_now(breaker: Breaker, now: float, per_minute: float) -> float:
    """Return what is left of a limit that the server told of: it rises to ours in ten minutes.

    Parameters:
      breaker: As it is.
      now: The clock.
      per_minute: Our limit, which is never exceeded.
    """
    if not 0 < breaker.told < per_minute:
        return per_minute
    part = min(1.0, max(0.0, now - breaker.told_at) / TOLD_LASTS)
    return breaker.told + (per_minute - breaker.told) * part


def _pace(breaker: Breaker, now: float, per_minute: float) -> float:
    """Return the seconds until the next request after this one; 0: none are asked for here."""
    careful = CAREFUL if breaker.failures and breaker.reason == "rate_limited" else 0.0
    if not per_minute:
        return careful
    most = min(per_minute * _share(breaker, now), told_now(breaker, now, per_minute))
    return max(careful, 60.0 / most if most < per_minute else 0.0)


def _share(breaker: Breaker, now: float) -> float:
    since = now - breaker.changed_at
    if breaker.changed_at == 0.0 or since >= RAMP:
        return 1.0
    return RAMP_FROM + (1 - RAMP_FROM) * max(0.0, since) / RAMP
