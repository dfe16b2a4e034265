"""A circuit breaker for the whole cluster: pure transitions of one row.

=========  ==========================================  ===========================================================
state      who may send                                how it is left
=========  ==========================================  ===========================================================
closed     everybody; a part of them after an outage   ``THRESHOLD`` failures without a success between: open;
                                                       an error that only an operator can mend: operator
open       nobody; one probe at the end of each pause  its probe succeeds: closed; fails: open, twice as long
operator   nobody; one probe that costs nothing at     its probe succeeds, or ``reset``: closed
           the end of each pause
=========  ==========================================  ===========================================================

The probe is leased and fenced: there is one in the cluster, its holder may die, and a result of an older probe, or of a
request that was sent before the breaker opened, changes nothing. A pause only ever grows while it lasts.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

State = Literal["closed", "open", "operator"]

#: Failures in a row, of requests that were sent since the last success, that open it.
THRESHOLD: Final = 8

#: Seconds of the first pause and of the longest; each failed probe doubles it.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0

#: Seconds between two probes that cost nothing while an operator is needed.
OPERATOR_PAUSE: Final = 60.0

#: Seconds after which a probe that said nothing counts as lost with its process.
PROBE_LEASE: Final = 60.0

#: Seconds in which the share of requests grows to all after an outage, and where it begins.
RAMP, RAMP_FROM = 90.0, 0.1


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker.

    Attributes:
      name: Such as ``model:gpt-6-luna``, ``objects``.
      state: See the table.
      reason: What opened it: a code of :mod:`growbin_jobs.reasons`, or an outcome.
      failures: In a row, while closed.
      pauses: Pauses since it opened.
      open_until: When the pause ends.
      changed_at: When the state changed last.
      fence: Number of the latest probe.
      probe_until: When the lease of that probe ends.
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


class Admission(NamedTuple):
    """What a breaker says to who wants to send.

    Attributes:
      wait: Seconds until it makes sense to ask again; 0: send now.
      probe: The fencing number for this request alone, if it is the probe.
      unbilled: The probe must cost nothing: an operator is needed.
      share: Part of the limit that may be used now, 0.0–1.0: less than all for a while after an outage.
    """

    wait: float = 0.0
    probe: int | None = None
    unbilled: bool = False
    share: float = 1.0


def admit(breaker: Breaker, now: float) -> tuple[Admission, Breaker]:
    """Ask to send one request.

    Returns:
      The answer, and the breaker with a leased probe where the request is one.
    """
    if breaker.state == "closed":
        return Admission(share=_share(breaker, now)), breaker
    busy_until = max(breaker.open_until, breaker.probe_until)
    if now < busy_until:
        return Admission(wait=busy_until - now), breaker
    leased = replace(breaker, fence=breaker.fence + 1, probe_until=now + PROBE_LEASE)
    return Admission(probe=leased.fence, unbilled=breaker.state == "operator"), leased


def failed(
    breaker: Breaker,
    now: float,
    *,
    sent_at: float,
    reason: str,
    needs_operator: bool = False,
    asked_wait: float = 0.0,
    probe: int | None = None,
) -> Breaker:
    """Note a request that failed for a cause that is not its own.

    Parameters:
      breaker: As it is.
      now: The clock.
      sent_at: When the request was sent.
      reason: See :class:`Breaker`.
      needs_operator: Nothing that we do helps: a spent quota, a revoked key, a retired model.
      asked_wait: Seconds that the server asked to wait.
      probe: Its fencing number, if it was one.
    """
    if breaker.state == "closed":
        if sent_at < breaker.changed_at:
            return breaker  # from before the outage that is over
        failures = breaker.failures + 1
        if not needs_operator and failures < THRESHOLD:
            return replace(breaker, failures=failures)
        return _opened(replace(breaker, pauses=0), now, reason, needs_operator, asked_wait)
    if probe is None:
        # One of many that were under way: it may lengthen the pause, and name the cause that matters more.
        if needs_operator and breaker.state == "open" and sent_at >= breaker.changed_at - PROBE_LEASE:
            return _opened(breaker, now, reason, True, asked_wait)
        return replace(breaker, open_until=max(breaker.open_until, now + asked_wait))
    if probe != breaker.fence:
        return breaker
    operator = needs_operator or (breaker.state == "operator" and reason == breaker.reason)
    return _opened(breaker, now, reason, operator, asked_wait)


def succeeded(breaker: Breaker, now: float, *, probe: int | None = None) -> Breaker:
    """Note a request that succeeded; only the latest probe closes a breaker.

    Parameters:
      breaker: As it is.
      now: The clock.
      probe: Its fencing number, if it was one.
    """
    if breaker.state == "closed":
        return breaker if breaker.failures == 0 else replace(breaker, failures=0)
    return reset(breaker, now) if probe is not None and probe == breaker.fence else breaker


def reset(breaker: Breaker, now: float) -> Breaker:
    """Close it: by its probe, or by a person. Requests come back slowly."""
    if breaker.state == "closed":
        return replace(breaker, failures=0)
    # A new fence: what the probe of a moment ago says later is old.
    return Breaker(breaker.name, changed_at=now, fence=breaker.fence + 1)


def _opened(breaker: Breaker, now: float, reason: str, operator: bool, asked_wait: float) -> Breaker:
    pause = OPERATOR_PAUSE if operator else min(FIRST_PAUSE * 2 ** min(breaker.pauses, 20), LONGEST_PAUSE)
    state: State = "operator" if operator else "open"
    return replace(
        breaker,
        state=state,
        reason=reason,
        failures=0,
        pauses=breaker.pauses + 1,
        open_until=max(breaker.open_until, now + max(pause, asked_wait)),
        changed_at=breaker.changed_at if breaker.state == state else now,
        probe_until=0.0,
    )


def _share(breaker: Breaker, now: float) -> float:
    since = now - breaker.changed_at
    if breaker.changed_at == 0.0 or since >= RAMP:
        return 1.0
    return RAMP_FROM + (1 - RAMP_FROM) * max(0.0, since) / RAMP
