"""What a failed request changes in a breaker, and whether it is the message's own fault. Pure functions.

A failure is a sign of an outage until something else is known: its message waits and spends no retry. It is the
message's own where the server has answered others meanwhile: a request that was sent after the message's first failure
succeeded, and the message failed again.

A refusal for what a request holds is soon taken for the message's own where nobody else asks. One for who asks, or
where, is not: a key without a right and a wrong address refuse every message, however few there are.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from growbin_jobs.limits.breaker import PROBE_LEASE, Breaker, State

#: What a failure says of the server.
#: ``outage``: it fails; ``limited``: it limits the rate; ``operator``: only a person can mend it; ``doubt``: it refuses
#: what this request holds, and if it refuses all of them a person has to mend it; ``denial``: it refuses who asks, or
#: knows no such address, most probably for all.
Kind = Literal["outage", "limited", "operator", "doubt", "denial"]

KINDS: Final[dict[str, Kind]] = {
    "failed": "outage",
    "timeout": "outage",
    "unreachable": "outage",
    "rate_limited": "limited",
    "model_quota_exhausted": "operator",
    "model_access_denied": "operator",
    "model_not_offered": "operator",
    "model_lacks_images": "operator",
    "model_forbidden": "denial",
    "model_address_wrong": "denial",
    "model_rejected_request": "doubt",
    "objects_misconfigured": "operator",
    "objects_refused": "doubt",
    "hook_gone": "operator",
}

#: Kinds that need an operator once the breaker opens.
_FOR_A_PERSON: Final = frozenset({"operator", "doubt", "denial"})

#: Failures of a kind in a row, without a success between, that open it.
THRESHOLDS: Final[dict[Kind, int]] = {"outage": 8, "limited": 3, "operator": 1, "doubt": 3, "denial": 3}

#: Times that one message alone may be refused while nobody else asks; then it is its own fault.
ALONE: Final = 3

#: Times that one message may be denied while others are not, over all outages; then it is its own fault. A firewall
#: that dislikes its words denies it for ever.
DENIED: Final = 2 * THRESHOLDS["denial"]

#: Seconds of the first pause and of the longest; each failed probe doubles it.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0

#: Seconds of the first hold for a server that limits the rate and does not say for how long; each further one doubles.
FIRST_HOLD: Final = 2.0

#: Seconds between two probes while an operator is needed.
OPERATOR_PAUSE: Final = 60.0


class Past(NamedTuple):
    """Earlier failures of one message at a breaker.

    Attributes:
      failed_at: When it failed first since the latest outage.
      times: How often. Denials count over all outages, those during one do not.
    """

    failed_at: float
    times: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed.

    Attributes:
      reason: A key of :data:`KINDS`; any other counts as an outage.
      age: Seconds since it was sent.
      asked_wait: Seconds that the server asked to wait; 0: it did not.
      probe: Its fencing number, if it was one.
      message_id: For whom it was sent; empty where that is not known.
      sure: A trial of our own has failed too, so that it is no message's fault: it opens the breaker at once.
    """

    reason: str
    age: float = 0.0
    asked_wait: float = 0.0
    probe: int | None = None
    message_id: str = ""
    sure: bool = False


class Noted(NamedTuple):
    """What a failure has changed.

    Attributes:
      breaker: After it.
      own_fault: It tells of its message alone; the breaker is as it was.
      opened: It has opened the breaker, or found that an operator is needed.
      wait: Seconds until the breaker lets somebody send.
    """

    breaker: Breaker
    own_fault: bool
    opened: bool
    wait: float


def noted(breaker: Breaker, past: Past | None, now: float, failure: Failure) -> tuple[Noted, Past | None]:
    """Note a failure.

    Parameters:
      breaker: As it is.
      past: Earlier failures of the same message here.
      now: The clock.
      failure: What happened.

    Returns:
      What it has changed, and the failures of the message to remember; None: nothing new to remember.
    """
    denied = KINDS.get(failure.reason) == "denial"
    if past is not None and past.failed_at < breaker.changed_at:  # of an outage that is over
        past = Past(now, past.times) if denied else None
    if not failure.sure and is_own_fault(breaker, past, reason=failure.reason, message_id=failure.message_id):
        return Noted(breaker, own_fault=True, opened=False, wait=0.0), None
    after = failed(
        breaker,
        now,
        sent_at=now - failure.age,
        reason=failure.reason,
        asked_wait=failure.asked_wait,
        probe=failure.probe,
        message_id=failure.message_id,
        sure=failure.sure,
    )
    opened = after.state not in ("closed", breaker.state)
    before = past or Past(now, 0)
    counts = not denied or breaker.state == "closed"
    remembered = Past(before.failed_at, before.times + 1) if counts else before
    wait = max(0.0, after.open_until - now)
    return Noted(after, own_fault=False, opened=opened, wait=wait), remembered if failure.message_id else None


def is_own_fault(breaker: Breaker, past: Past | None, *, reason: str, message_id: str) -> bool:
    """Return True where a failure tells of its message and not of the server.

    Parameters:
      breaker: As it is before the failure is noted.
      past: Earlier failures of the message; None: there are none.
      reason: Of the failure.
      message_id: The message.
    """
    if breaker.state != "closed" or past is None:
        return False
    if breaker.proven_at > past.failed_at:
        return True
    kind = KINDS.get(reason)
    alone = kind == "doubt" and past.times + 1 >= ALONE and breaker.suspect == message_id
    return alone or (kind == "denial" and past.times >= DENIED)


def failed(
    breaker: Breaker,
    now: float,
    *,
    sent_at: float,
    reason: str,
    asked_wait: float = 0.0,
    probe: int | None = None,
    message_id: str = "",
    sure: bool = False,
) -> Breaker:
    """Note a request that failed, and not by its own fault.

    Parameters:
      breaker: As it is.
      now: The clock.
      sent_at: When the request was sent.
      reason: A key of :data:`KINDS`; any other counts as an outage.
      asked_wait: Seconds that the server asked to wait; 0: it did not.
      probe: Its fencing number, if it was one.
      message_id: For whom it was sent; empty where that is not known.
      sure: See :class:`Failure`.
    """
    kind = KINDS.get(reason, "outage")
    if breaker.state == "closed" and sure:
        state: State = "operator" if kind in _FOR_A_PERSON else "open"
        return _opened(replace(breaker, pauses=0), now, state, reason, asked_wait, message_id)
    if breaker.state == "closed":
        if sent_at < breaker.changed_at:
            return breaker  # from before the outage that is over
        return _failed_closed(breaker, now, sent_at, reason, asked_wait, message_id)
    if probe is None:
        # One of many that were under way: it may lengthen the pause, and name the cause that matters more.
        if kind == "operator" and breaker.state == "open" and sent_at >= breaker.changed_at - PROBE_LEASE:
            return _opened(breaker, now, "operator", reason, asked_wait, message_id)
        return replace(breaker, open_until=max(breaker.open_until, now + asked_wait))
    if probe != breaker.fence:
        return breaker
    if kind in ("doubt", "denial") and breaker.state == "open":
        # The server answers, and refuses this request: neither up nor down, so that another message asks soon.
        soon = max(breaker.open_until, now + FIRST_PAUSE)
        return replace(breaker, open_until=soon, probe_until=0.0, suspect=message_id)
    state = "operator" if kind == "operator" else breaker.state
    known = reason if kind == "operator" or breaker.state == "open" else breaker.reason
    return _opened(breaker, now, state, known, asked_wait, message_id)


def _failed_closed(
    breaker: Breaker, now: float, sent_at: float, reason: str, asked_wait: float, message_id: str
) -> Breaker:
    kind = KINDS.get(reason, "outage")
    if kind == "limited" and asked_wait > LONGEST_PAUSE:
        # A hold that is longer than any pause is an outage to everybody: it is told as one, and a probe ends it.
        return _opened(replace(breaker, pauses=0), now, "open", reason, asked_wait, message_id)
    if kind == "limited" and sent_at < breaker.held_at:
        # Sent before the hold that is on: no news, but for a longer wish.
        return replace(breaker, open_until=max(breaker.open_until, now + asked_wait))
    goes_on = KINDS.get(breaker.reason, "outage") == kind
    if kind == "doubt":
        goes_on = breaker.reason == reason
        if goes_on and message_id and message_id == breaker.suspect:
            return replace(breaker, failed_at=now)  # the same message again says nothing new
    failures = (breaker.failures if goes_on else 0) + 1
    if failures >= THRESHOLDS[kind]:
        state: State = "operator" if kind in _FOR_A_PERSON else "open"
        return _opened(replace(breaker, pauses=0), now, state, reason, asked_wait, message_id)
    noted = replace(breaker, failures=failures, reason=reason, suspect=message_id, failed_at=now)
    if kind != "limited":
        return noted
    hold = asked_wait or FIRST_HOLD * 2 ** (failures - 1)
    return replace(noted, held_at=now, open_until=max(breaker.open_until, now + hold))


def _opened(breaker: Breaker, now: float, state: State, reason: str, asked_wait: float, message_id: str) -> Breaker:
    pause = OPERATOR_PAUSE if state == "operator" else min(FIRST_PAUSE * 2 ** min(breaker.pauses, 20), LONGEST_PAUSE)
    return replace(
        breaker,
        state=state,
        reason=reason,
        failures=0,
        pauses=breaker.pauses + 1,
        open_until=max(breaker.open_until, now + max(pause, asked_wait)),
        changed_at=breaker.changed_at if breaker.state == state else now,
        probe_until=0.0,
        suspect=message_id,
    )
