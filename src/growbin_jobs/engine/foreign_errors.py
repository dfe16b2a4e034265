"""Reading errors that others made: whatever they hold, it takes bounded time and fails nowhere.

An error may name itself as its cause, raise in its ``__str__``, lie about its ``__class__`` or carry megabytes of text.
Its text may hold people's data, so only where it came from is shown.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

from growbin_jobs.engine.errors import GrowbinError
from growbin_jobs.engine.text import well_formed

#: Errors of a chain of causes, frames of a traceback and characters in all that are shown at most.
MOST_ERRORS, MOST_FRAMES, MOST_TEXT = 10, 50, 20_000

#: Characters of one name, and of the words that describe an error.
MOST_NAME, MOST_WORDS = 200, 2_000

_LONGEST_WALK = 10_000

# A metaclass may have put anything before them.
_qualified = type.__dict__["__qualname__"].__get__
_plain = type.__dict__["__name__"].__get__


def is_a(error: object, kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Return what ``isinstance`` returns, without asking the error, which may lie or raise."""
    return issubclass(type(error), kind)


def can_be_judged(error: BaseException) -> bool:
    """Return False for an error that raises when its class is asked for: ``isinstance`` and ``match`` ask."""
    try:
        isinstance(error, GrowbinError)
    except BaseException:
        return False
    return True


def describe(error: BaseException) -> str:
    """Return an error in words that may be stored: the text of ours, the class alone of a foreign one."""
    if is_a(error, GrowbinError):
        try:
            return _short(str(error), MOST_WORDS)
        except BaseException:  # an application's own class
            return name(error)
    return name(error)


def name(error: BaseException) -> str:
    """Return the name of an error's class."""
    return _short(_plain(type(error)), MOST_NAME)


def causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes, the last one first: each once, at most :data:`MOST_ERRORS`."""
    chain: list[BaseException] = []
    while error is not None and len(chain) < MOST_ERRORS and all(error is not each for each in chain):
        chain.append(error)
        error = _cause(error)
    return chain


def places(error: BaseException | None) -> str:
    """Return where an error and its causes came from, the first cause first, as a traceback without texts."""
    chain = causes(error)
    parts = [f"{_frames(_slot(each, '__traceback__'))}{_short(_qualified(type(each)), MOST_NAME)}\n" for each in chain]
    if (
        len(chain) == MOST_ERRORS
        and (further := _cause(chain[-1])) is not None
        and all(further is not each for each in chain)
    ):
        parts.append("… more causes\n")
    text = "\n".join(reversed(parts))
    return text if len(text) <= MOST_TEXT else f"…{text[-MOST_TEXT:]}"


def _cause(error: BaseException) -> BaseException | None:
    cause = _slot(error, "__cause__")
    if cause is None and not _slot(error, "__suppress_context__"):
        cause = _slot(error, "__context__")
    return cause if is_a(cause, BaseException) else None


def _slot(error: BaseException, attribute: str) -> Any:
    """Return what Python itself has noted, whatever the error's class makes of the name."""
    return BaseException.__dict__[attribute].__get__(error)


def _frames(trace: TracebackType | None) -> str:
    frames: list[TracebackType] = []
    for each in islice(_walk(trace), _LONGEST_WALK):
        frames.append(each)
        if len(frames) > 2 * MOST_FRAMES:
            del frames[:MOST_FRAMES]
    return "".join(_place(each) for each in frames[-MOST_FRAMES:])


def _walk(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _place(trace: TracebackType) -> str:
    code = trace.tb_frame.f_code
    file, function = _short(code.co_filename, MOST_NAME), _short(code.co_name, MOST_NAME)
    where = f'  File "{file}", line {trace.tb_lineno}, in {function}\n'
    try:
        line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
    except Exception:  # files are what they are
        line = ""
    return f"{where}    {_short(line, MOST_NAME)}\n" if line else where


def _short(text: str, most: int) -> str:
    text = str.__getitem__(text, slice(most + 1))  # cut first, since it may be large
    return well_formed(text if len(text) <= most else f"{text[: most - 1]}…")
