"""Odd values, options and bytes, drawn by hypothesis; and the messages that are made of them, by a seed."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dramatiq import Message
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from fuzz.behaviours import BEHAVIOURS

#: All characters, halves of surrogate pairs too.
TEXT = st.text(st.characters(exclude_categories=()), max_size=40)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)

#: What somebody may have put where a number, a name or a list belongs.
ODD = st.one_of(
    JSON,
    st.sampled_from([
        None, True, -1, 0, 2**31, 2**63, 2**70, -(10**19), 10**19, 10**400, 0.5, -0.0, float("nan"), float("inf"),
        float("-inf"), "", "3", "text", "\0", "\ud800", "가" * 100, [], {}, [[]], [1, "2"], {"a": {}}, "ValueError",
    ]),
)  # fmt: skip

OPTIONS = (
    "retries", "max_retries", "min_backoff", "max_backoff", "throws", "deferrals", "deferred_since", "eta", "delay",
    "broker_priority", "time_limit", "max_age", "pipe_target", "pipe_ignore", "on_success", "on_failure",
    "group_callback_uuid", "group_callback_barrier_ttl", "group_callbacks", "store_results", "result_ttl",
    "notify_shutdown", "requeue_timestamp", "traceback", "redis_message_id", "on_give_up", "retry_when", "",
    "on_retry_exhausted", "jitter", "priority", "queue_name", "task", "\ud800", "x" * 300,
)  # fmt: skip

#: Numbers of messages begin here, where none of the odd values is.
FIRST = 1_000_000

#: The timestamp of messages that are put in as bytes.
LONG_AGO = 1_700_000_000_000

#: With one of these a message may wait for long, and nobody waits for it here.
WAITING = frozenset({"eta", "delay", "min_backoff", "max_backoff", "deferrals", "deferred_since", "max_retries"})

#: Those that take a while, in a thousand; all others share the rest.
RARE = {
    "run_for_too_long": 1, "fork_and_send_in_the_child": 2, "fork_and_fail_in_the_child": 1, "send_too_much": 1,
    "recurse_for_ever": 3,
}  # fmt: skip

#: They may ask to come back much later.
PATIENT = frozenset(
    {
        "raise_something_odd",
        "raise_deferred_with_an_odd_wait",
        "raise_retry_with_an_odd_delay",
        "send_with_an_odd_option",
    }
)


@dataclass(frozen=True, slots=True)
class Odd:
    """One odd message.

    Attributes:
      number: Its place.
      message: To be sent; None where it is bytes.
      delay: Given to ``enqueue``.
      body: Put into the queue behind the engine's back.
      properties: Of AMQP, with a body.
      may_wait: It may ask for a pause that is longer than the test.
    """

    number: int
    message: Message[Any] | None = None
    delay: Any = None
    body: bytes = b""
    properties: dict[str, Any] = field(default_factory=dict)
    may_wait: bool = False

    def __repr__(self) -> str:
        what = repr(self.message) if self.message is not None else f"{self.body[:300]!r} {self.properties}"
        return f"#{self.number} {what:.600} delay={self.delay!r:.80}"


def draw(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """Return values of a strategy, the same for the same seed number."""
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=max(1, count // 10), database=None, phases=[Phase.generate], deadline=None,
        suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet,
    )  # fmt: skip
    @given(st.lists(strategy, min_size=10, max_size=10))
    def collect(values: list[Any]) -> None:
        found.extend(values)

    collect()
    return found


def messages(count: int, number: int) -> Iterator[Odd]:
    """Make so many odd messages; the same ones for the same seed number, but for their ids.

    Parameters:
      count: How many.
      number: The seed.
    """
    values = draw(ODD, 600, number)
    chance = random.Random(number)
    usual = sorted(BEHAVIOURS.keys() - RARE.keys())
    for n in range(FIRST, FIRST + count):
        odd = chance.choice(values)
        dice = chance.randrange(1000)
        rare = next((name for name, share in RARE.items() if (dice := dice - share) < 0), None)
        what = rare or chance.choice(usual)
        if chance.random() < 0.1:
            yield _bytes(n, odd, chance)
        else:
            yield _message(n, what, odd, values, chance)


def _message(n: int, what: str, odd: Any, values: list[Any], chance: random.Random) -> Odd:
    if what.startswith(("raise_", "return_")) and chance.random() < 0.7:
        odd = chance.randrange(10_000)  # any entry of a table as often as any other
    elif what == "send_with_an_odd_option":
        odd = [chance.choice(OPTIONS), odd]
    options: dict[str, Any] = {}
    while chance.random() < 0.3:
        options[chance.choice(OPTIONS)] = chance.choice(values)
    if what == "run_for_too_long":
        options["time_limit"] = 1_000
    fields: dict[str, Any] = {
        "queue_name": "odd", "actor_name": "behave", "args": (n, what, odd), "kwargs": {}, "options": options,
        "message_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    }  # fmt: skip
    match chance.randrange(40):
        case 0:
            fields["args"] = tuple(chance.choices(values, k=chance.randrange(4)))
        case 1:
            fields["kwargs"] = {"oddest": odd, "number": n}
        case 2:
            fields["actor_name"] = chance.choice(("nobody", "", "\ud800", "behave ", odd))
        case 3:
            fields["message_id"] = chance.choice((f"own-{n}", "", "\0", "\ud800", "x" * 5_000, f"가-{n}", odd))
        case 4:
            fields["message_timestamp"] = chance.choice((0, -1, 10**30, 10**13, 1.5, True, "now", None, odd))
        case 5:
            fields["options"]["eta"] = int(time.time() * 1000) + chance.choice((-(10**9), -1, 1, 500))
        case 6:
            fields["kwargs"] = {str(n): odd for n in range(300)}
        case 7:
            fields["args"] = (n, "give_back_the_value", "x" * chance.choice((10, 10_000, 500_000)))
        case 8:
            fields["args"] = (n, "give_back_the_value", _deep(chance.choice((10, 500, 900, 5_000))))
        case 9:
            fields["queue_name"] = chance.choice(("follow", "", "a b", "\ud800", "x" * 300, odd))
    delay = chance.choice((None,) * 12 + (0, 1, 50, -1, 1.5, "5", float("nan"), 10**19, odd))
    may_wait = bool(WAITING & fields["options"].keys()) or what in PATIENT or delay not in (None, 0, 1, 50, -1, 1.5)
    return Odd(n, _built(fields), delay, may_wait=may_wait)


def _built(fields: dict[str, Any]) -> Message[Any]:
    """Return a message with fields of any type: its constructor would look at some."""
    message: Message[Any] = Message.__new__(Message)
    vars(message).update({"message_timestamp": int(time.time() * 1000)} | fields)
    return message


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _bytes(n: int, odd: Any, chance: random.Random) -> Odd:
    fields: dict[str, Any] = {
        "queue_name": "odd", "actor_name": "behave", "args": [n, "give_back_the_value", 1], "kwargs": {}, "options": {},
        "message_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "message_timestamp": LONG_AGO,
    }  # fmt: skip
    waits = False
    match chance.randrange(6):
        case 0:  # a field is missing, or more are there than should be
            fields.pop(chance.choice(list(fields)))
            fields |= {"extra": odd} if chance.random() < 0.5 else {}
        case 1 | 2:  # a field of another type
            fields[chance.choice(list(fields))] = odd
        case 3 | 4:  # options that nobody has looked at; it fails, so that they are read
            name = chance.choice(OPTIONS)
            fields["options"] = {name: odd}
            fields["args"] = [n, "raise_with_an_odd_text", odd]
            waits = name in WAITING
        case _:
            body = chance.choice(_RAW)(chance, fields)
            return Odd(n, body=body, properties=_properties(chance, odd))
    body = json.dumps(fields, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return Odd(n, body=body, properties=_properties(chance, odd), may_wait=waits)


_RAW: tuple[Callable[[random.Random, dict[str, Any]], bytes], ...] = (
    lambda chance, _: chance.randbytes(chance.randrange(200)),
    lambda _, __: b"",
    lambda _, __: b"null",
    lambda _, __: b"[]",
    lambda _, __: b'"text"',
    lambda _, fields: json.dumps(fields).encode("utf-16"),
    lambda _, fields: b"\xef\xbb\xbf" + json.dumps(fields).encode(),
    lambda _, fields: json.dumps(fields).encode()[:-3],
    lambda _, fields: json.dumps(fields).encode() + b"\0garbage",
    lambda _, __: b"[" * 100_000,
    lambda _, __: b'{"args":' * 5_000,
    lambda _, fields: json.dumps(fields).replace(str(LONG_AGO), "9" * 5_000).encode(),
    lambda _, fields: json.dumps(fields).replace('"args"', '"args": [], "args"').encode(),
    lambda _, __: b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}.",  # a pickle
    lambda _, __: json.dumps([[1], {"a": 2}, {"callbacks": None, "errbacks": None}]).encode(),  # Celery's
    lambda _, __: b"x" * 2_000_000,
    lambda _, fields: json.dumps(fields | {"kwargs": {"x": "y" * 3_000_000}}).encode(),
)


def _properties(chance: random.Random, odd: Any) -> dict[str, Any]:
    """Properties and headers that other producers, or a person with a tool, may have set."""
    if chance.random() < 0.7:
        return {}
    headers = {
        "x-death": [{"count": 1, "queue": "odd", "reason": "expired"}], "x-delivery-count": 7, "x-odd": None,
        "growbin": "x" * 300,
    }  # fmt: skip
    return {
        "headers": {name: value for name, value in headers.items() if chance.random() < 0.5},
        "priority": chance.choice((None, 0, 255)),
        "content_type": chance.choice((None, "application/x-python-serialize", "\0")),
        "content_encoding": chance.choice((None, "gzip")),
        "correlation_id": chance.choice((None, "가")),
    }
