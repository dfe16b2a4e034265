"""What the fuzz test's actor can be told to do. Each one is named in a message and must not hurt any other message."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.errors import RateLimitExceeded, Retry
from dramatiq.middleware import Interrupt, Shutdown, SkipMessage, TimeLimitExceeded
from dramatiq.middleware import retries as dramatiq_retries

from growbin_jobs.engine import Deferred, Permanent, Transient

BEHAVIOURS: dict[str, Callable[[Any], Any]] = {}

logger = logging.getLogger(__name__)

#: In a table of odd values: the message's own.
ITSELF = object()

#: What an actor sends that fails behind it: nobody may get it.
LOST = "sent by one that has failed"

#: Retries of an actor that fails, and milliseconds before the first.
MAX_RETRIES, MIN_BACKOFF = 2, 20


def behaviour(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add a function to the table under its own name; it gets the message's odd value."""
    BEHAVIOURS[function.__name__] = function
    return function


# --- results


@behaviour
def give_back_the_value(odd: Any) -> Any:
    return odd


class Hostile:
    """Raises whatever anybody does with it."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __bool__(self) -> bool:
        raise ValueError("no truth")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no equality")

    def __hash__(self) -> int:
        raise ValueError("no hash")

    def __reduce__(self) -> Any:
        raise ValueError("no pickle")

    def __iter__(self) -> Any:
        raise ValueError("no items")


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


async def _coroutine() -> None:
    return None


RESULTS: tuple[Callable[[], Any], ...] = (
    Hostile, object, _circle, lambda: _nested(50_000), lambda: (n for n in range(3)), lambda: b"\xff\x00",
    lambda: {1, 2}, lambda: {("a", 1): 2}, lambda: {"\ud800": "\udfff\0"}, lambda: float("nan"), lambda: 2**70,
    lambda: 10**5000, lambda: "x" * 1_000_000, lambda: decimal.Decimal("1e999999"), datetime.now, lambda: Path("/"),
    lambda: dramatiq.Message("q", "a", (), {}, {}), lambda: print, lambda: type("Odd", (dict,), {})(), Exception,
    lambda: ValueError, threading.Lock, lambda: memoryview(b"abc"), lambda: [Hostile()], lambda: {"key": object()},
)  # fmt: skip


@behaviour
def return_something_odd(odd: Any) -> Any:
    return pick(RESULTS, odd)()


@behaviour
def return_a_coroutine(odd: Any) -> Any:
    coroutine = _coroutine()
    coroutine.close()
    return coroutine


# --- errors


class StrRaises(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class ReprRaises(Exception):
    def __repr__(self) -> str:
        raise ValueError("no words")

    __str__ = __repr__


class StrIsNoText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class StrExits(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class ArgsRaise(Exception):
    @property
    def args(self) -> Any:  # type: ignore[override]
        raise ValueError("no args")


class ClassLies(Exception):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise ValueError("no class")


class Unhashable(Exception):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("no equality")


class Stopped(BaseException):
    pass


class PermanentStrRaises(Permanent):
    def __str__(self) -> str:
        raise ValueError("no words")


class TransientOfItsOwn(Transient):
    max_retries = property(lambda self: 1 / 0, lambda self, value: None)  # type: ignore[assignment]


def _causing_itself() -> BaseException:
    error = ValueError("a")
    error.__cause__ = error
    return error


def _causing_each_other() -> BaseException:
    one, two = ValueError("a"), KeyError("b")
    one.__cause__, two.__context__ = two, one
    return one


def _long_chain() -> BaseException:
    error: BaseException = ValueError("first")
    for n in range(2_000):
        following = ValueError(str(n))
        following.__context__ = error
        error = following
    return error


def _group(depth: int) -> BaseException:
    error: BaseException = ValueError("leaf")
    for _ in range(depth):
        error = BaseExceptionGroup("group", [error, StrRaises()])
    return error


def _named(name: str) -> BaseException:
    error: BaseException = type(name, (Exception,), {})("odd name")
    return error


def _noted() -> BaseException:
    error = ValueError("noted")
    error.__notes__ = "no list"  # type: ignore[assignment]
    return error


def _without_init(kind: type[BaseException]) -> BaseException:
    return kind.__new__(kind)


#: Of an actor's own, and of Python's: retried, and then given up.
RETRIED: tuple[Callable[[], BaseException], ...] = (
    StrRaises, ReprRaises, StrIsNoText, StrExits, ArgsRaise, ClassLies, Unhashable, Stopped, _causing_itself,
    _causing_each_other, _long_chain, lambda: _group(1), lambda: _group(60), lambda: _named("a\nb[/x]\x1b[31m"),
    lambda: _named("가" * 2_000), _noted, SystemExit, lambda: SystemExit("text"), KeyboardInterrupt, GeneratorExit,
    StopIteration, StopAsyncIteration, asyncio.CancelledError, MemoryError, RecursionError, AssertionError,
    lambda: Exception("\ud800\0" * 10), lambda: Exception("x" * 1_000_000), lambda: Exception(Hostile()),
    lambda: OSError(2**40, Hostile()), lambda: UnicodeDecodeError("x", b"\xff", 0, 1, "odd"), Interrupt,
    TimeLimitExceeded, lambda: TypeError("of the actor's own"), Retry,
    lambda: dramatiq_retries.Retry("later", delay=20),
)  # fmt: skip

#: Of the engine's own, without what their class promises: nobody can tell what they ask for.
UNDECIDABLE: tuple[Callable[[], BaseException], ...] = (
    lambda: _without_init(Permanent), lambda: _without_init(Transient), lambda: _without_init(Deferred),
    lambda: _without_init(dramatiq_retries.Retry), lambda: TransientOfItsOwn("busy"),
)  # fmt: skip

#: Put off as often as they are raised.
PUT_OFF: tuple[Callable[[], BaseException], ...] = (Shutdown, lambda: RateLimitExceeded("busy"))

PERMANENT: tuple[Callable[[], BaseException], ...] = (lambda: PermanentStrRaises("request_invalid", detail="x"),)

SKIPPED: tuple[Callable[[], BaseException], ...] = (SkipMessage,)

ERRORS = RETRIED + UNDECIDABLE + PUT_OFF + PERMANENT + SKIPPED


@behaviour
def raise_something_odd(odd: Any) -> None:
    raise pick(ERRORS, odd)()


@behaviour
def raise_with_an_odd_text(odd: Any) -> None:
    raise ValueError(odd)


@behaviour
def raise_from_an_odd_cause(odd: Any) -> None:
    try:
        raise pick(ERRORS, odd)()
    except BaseException as error:
        raise RuntimeError("behind it") from error


@behaviour
def raise_in_a_circle(odd: Any) -> None:
    try:
        raise ValueError("first")
    except ValueError as error:
        try:
            raise KeyError("second") from error
        except KeyError as second:
            raise error from second


@behaviour
def raise_permanent_with_an_odd_detail(odd: Any) -> None:
    detail = pick((lambda: Path("/x"), decimal.Decimal, lambda: b"\xff", Hostile, object, dict, lambda: odd), odd)()
    raise Permanent("request_invalid", detail=detail)


@behaviour
def raise_permanent_with_odd_words(odd: Any) -> None:
    raise Permanent(odd)


WAITS = (timedelta(seconds=1), float("inf"), float("nan"), "5", -1, None, 10**400, Hostile(), 0, 0.001, ITSELF)


@behaviour
def raise_deferred_with_an_odd_wait(odd: Any) -> None:
    raise Deferred("away", wait=value_of(WAITS, odd))


LIMITS = ("1", -5, 2**70, float("inf"), float("nan"), None, timedelta(1), Hostile(), 1.5, True, ITSELF)


@behaviour
def raise_transient_with_odd_retries(odd: Any) -> None:
    raise Transient("busy", max_retries=value_of(LIMITS, odd))


@behaviour
def raise_transient_with_an_odd_code(odd: Any) -> None:
    raise Transient("busy", max_retries=0, final_code=odd)


DELAYS = (-1, "5", float("nan"), float("inf"), 10**19, timedelta(1), Hostile(), 0, ITSELF)


@behaviour
def raise_retry_with_an_odd_delay(odd: Any) -> None:
    raise dramatiq_retries.Retry("later", delay=value_of(DELAYS, odd))


@behaviour
def recurse_for_ever(odd: Any) -> None:
    recurse_for_ever(odd)


# --- what it sends


@behaviour
def send_what_is_no_json(odd: Any) -> None:
    _follow().send(pick(RESULTS, odd)())


@behaviour
def send_the_value(odd: Any) -> None:
    _follow().send(odd)


@behaviour
def send_with_an_odd_option(odd: Any) -> None:
    name, value = odd if isinstance(odd, list) and len(odd) == 2 else ("broker_priority", odd)
    _follow().send_with_options(args=(1,), **{str(name): value})


@behaviour
def send_and_catch_what_is_refused(odd: Any) -> None:
    for delay in (10**19, float("nan"), "5", -1, timedelta(1), None):
        try:
            _follow().send_with_options(args=(1,), delay=delay)  # type: ignore[arg-type]
        except Exception as error:
            logger.debug("refused: %s", type(error).__name__)


@behaviour
def send_too_much(odd: Any) -> None:
    _follow().send("x" * 17_000_000)


@behaviour
def send_to_nobody(odd: Any) -> None:
    broker = dramatiq.get_broker()
    broker.enqueue(dramatiq.Message("follow", f"nobody-{odd!r}"[:200], (odd,), {}, {}))


@behaviour
def send_and_fail(odd: Any) -> None:
    _follow().send(LOST)
    raise ValueError("after sending")


@behaviour
def send_in_a_pipeline(odd: Any) -> None:
    (_follow().message(1) | _follow().message()).run()


# --- what outlives it


@behaviour
def leave_a_thread_behind(odd: Any) -> None:
    def later() -> None:
        time.sleep(0.05)
        logger.warning("a thread that outlived its actor")
        _follow().send("from a thread")

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(later,), daemon=True).start()


@behaviour
def fork_and_send_in_the_child(odd: Any) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            _follow().send("from a child")
        finally:
            os._exit(0)
    _wait_for(pid)


@behaviour
def fork_and_fail_in_the_child(odd: Any) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            logger.warning("a child")
        finally:
            os._exit(1)
    _wait_for(pid)


def _wait_for(pid: int) -> None:
    end = time.monotonic() + 15
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            logger.error("fuzz.child_hung pid=%d", pid)
            return
        time.sleep(0.02)


@behaviour
def run_for_too_long(odd: Any) -> None:
    end = time.monotonic() + 30  # its message has a limit of a second; a busy machine tells it late
    while time.monotonic() < end:
        time.sleep(0.01)


def _follow() -> Any:
    return dramatiq.get_broker().get_actor("follow")


def pick(table: tuple[Any, ...], odd: Any) -> Any:
    """Return the entry of a table that an odd value names."""
    return table[_index(odd, len(table))]


def value_of(table: tuple[Any, ...], odd: Any) -> Any:
    """Return the entry of a table that an odd value names, which may be the value itself."""
    found = pick(table, odd)
    return odd if found is ITSELF else found


def _index(odd: Any, length: int) -> int:
    return odd % length if isinstance(odd, int) else len(repr(odd)[:500]) % length
