"""Compares what has become of odd messages with what must have become of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from fuzz.oddities import Odd
from fuzz.options import read
from fuzz.predictions import WAITING, end_of
from fuzz.sites import ENDED, NAMELESS, QUEUES, Site, State, nameless
from growbin_jobs.engine.broker.port import DeadLetter

#: Faults of one kind that are told.
TOLD = 20


def judged(site: Site, accepted: list[Odd], runs: Counter[int]) -> list[str]:
    """Return what is wrong, in words.

    Parameters:
      accepted: The messages that were taken.
      runs: How often the message of each number has run.
    """
    states = site.states()
    delivered = {odd.number: as_delivered(odd) for odd in accepted}
    ids = Counter(fields["message_id"] for fields in delivered.values() if fields is not None)
    faults = []
    for odd in accepted:
        fields = delivered[odd.number]
        if fields is not None and fields["queue_name"] in QUEUES and ids[fields["message_id"]] == 1:
            state = states.get(fields["message_id"], State())
            if wrong := _wrong(odd, fields, state, runs[odd.number]):
                faults.append(f"{wrong}: {odd}")
    garbage = Counter(odd.body for odd in accepted if delivered[odd.number] is None)
    several = {each for each, times in ids.items() if times > 1}  # odd ids that more than one message has
    return faults[:TOLD] + _of_letters(site.dead_letters(), states, garbage, several)[:TOLD]


def _of_letters(
    letters: list[DeadLetter], states: dict[str, State], garbage: Counter[bytes], several: set[str]
) -> list[str]:
    """Return what is wrong with the broker's dead letters: each message that died is one of them, and nothing else."""
    by_body = Counter(each.body for each in letters)
    faults = [
        f"{by_body[body]} of {times} are dead letters: {body[:100]!r}"
        for body, times in garbage.items()
        if by_body[body] != times
    ]
    named = {body: fields["message_id"] for body in by_body if (fields := read(body)) is not None}
    by_id = Counter(named[each.body] for each in letters if named.get(each.body) is not None)
    for task_id, state in states.items():
        if (
            not task_id.startswith(NAMELESS)
            and state.code != "not_a_message"
            and task_id not in several
            and by_id[task_id] != (state.state == "dead")
        ):
            faults.append(f"{task_id} is {state.state} ({state.code}) and {by_id[task_id]} times a dead letter")
    nobody = [body for body, message_id in named.items() if message_id is not None and message_id not in states]
    return faults + [f"a dead letter of nobody: {body[:300]!r}" for body in nobody]


def as_delivered(odd: Odd) -> dict[str, Any] | None:
    """Return a message's fields as a worker gets them, with its name for its id; None: bytes that are no message."""
    if odd.message is None:
        fields = read(odd.body)
        if fields is None:
            return None
        return fields | {"queue_name": "odd", "message_id": _id_of(fields, odd)}
    fields = dict(vars(odd.message))
    try:
        # Two halves of a character become one on the way.
        return fields | json.loads(json.dumps({name: fields[name] for name in ("args", "kwargs", "options")}))
    except RecursionError:
        return fields


def _id_of(fields: dict[str, Any], odd: Odd) -> Any:
    return nameless(odd.number) if fields["message_id"] is None else fields["message_id"]


def _wrong(odd: Odd, fields: dict[str, Any], state: State, runs: int) -> str | None:
    """Return what is wrong with how a message ended."""
    end = end_of(fields)
    if state.state not in ENDED:
        waits = odd.may_wait or end.states >= WAITING.states
        return None if waits else f"is {state.state}, must be {'/'.join(end.states)}"
    if state.state not in end.states:
        return f"is {state.state} ({state.code}), must be {'/'.join(end.states)} ({'/'.join(end.codes)})"
    if state.state == "dead" and state.code not in end.codes:
        return f"died of {state.code}, must be {'/'.join(end.codes)}"
    if end.runs is not None and runs != end.runs and fields["args"][:1] == [odd.number]:
        return f"ran {runs} times, must be {end.runs} ({state.state}, {state.code})"
    return None
