"""Results of actors, readable by message from any process: out of the journal of this node, or the central database.

::

    message = add.send(1, 2)                       # an actor with store_results=True
    message.get_result(block=True, timeout=5_000)  # 3

A result is part of the record of the run's end: it is there when the message is settled, and nothing that did not run
has one. On the node where it ran it is there at once; elsewhere when the keeper has copied it, some two seconds later.
Values travel as JSON, as everywhere in Dramatiq; numbers that JSON does not know (``nan``, ``inf``) come back as they
were. A message that was given up raises ``ResultFailure`` with the class of its error and a sentence.

State, attempts and progress: :mod:`growbin_jobs.engine.task_results`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dramatiq.results import ResultBackend, ResultMissing, ResultTimeout
from dramatiq.results.backend import DEFAULT_TIMEOUT

from growbin_jobs.engine import task_rows
from growbin_jobs.engine.delivery.admission import MAX_BODY
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.task_rows import Known
from growbin_jobs.engine.text import well_formed

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.config import EngineConfig

#: Seconds between two looks at the journal: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.01, 0.1

#: Seconds between two looks at the central database, by one that waits.
CENTRAL_PAUSE = 0.5

_CANARY = "dramatiq.results.Result"
_NUMBER = "__float__"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a message has ended, as a row says.

    Attributes:
      state: ``completed`` or ``dead``.
      result: JSON, or None.
      error: In words that may be stored.
      at: Seconds since 1970.
    """

    state: TaskState
    result: str | None
    error: str | None
    at: float


class EngineResults(ResultBackend):
    """Reads what the worker has written down with the end of each run. Nothing is written through it.

    Parameters:
      config: Where this node's journal and the central database are.
      central: Returns the central database, one for each process; None: as the configuration says.

    Attributes:
      config: The same.
      central: Returns the central database, one for each process.
    """

    def __init__(self, config: EngineConfig, central: Callable[[], Database] | None = None) -> None:
        super().__init__(namespace="growbin-jobs")
        self.config = config
        self.central = central or once_a_process(lambda: _open_central(config))
        #: Of a message: are its results for reading? And for how many milliseconds? Set by the middleware.
        self.terms: Callable[[Any], tuple[bool, int | None]] = lambda _message: (True, None)
        #: Where to look instead of journal and database: a sandbox sets it.
        self.instead: Callable[[str], Ended | None] | None = None

    def get_result(self, message: Any, *, block: bool = False, timeout: int | None = None) -> Any:
        """Return the result of a message.

        Parameters:
          message: As ``send`` returned it.
          block: Wait for it.
          timeout: Milliseconds to wait at most; 10 s by default.

        Raises:
          ResultMissing: There is none (yet, or any more), and ``block`` is false; or its actor stores none.
          ResultTimeout: There is none in time.
          ResultFailure: The message was given up.
        """
        readable, ttl = self.terms(message)
        end = time.monotonic() + (DEFAULT_TIMEOUT if timeout is None else timeout) / 1000
        pause, next_central = FIRST_PAUSE, 0.0
        while True:
            ended = None
            if readable and self.instead is not None:
                ended = self.instead(message.message_id)
            elif readable:
                ended = _ended(task_rows.in_journal(self.config.journal_path, self.config.node, message.message_id))
                if ended is None and time.monotonic() >= next_central:
                    ended = _ended(task_rows.in_central(self.central(), message.message_id))
                    next_central = time.monotonic() + CENTRAL_PAUSE
            if ended is not None and (ttl is None or time.time() < ended.at + ttl / 1000):
                return self.unwrap_result(_value(ended))  # type: ignore[no-untyped-call]
            if not block:
                raise ResultMissing(message)  # type: ignore[no-untyped-call]
            if time.monotonic() + pause > end:
                raise ResultTimeout(message)  # type: ignore[no-untyped-call]
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def store_result(self, message: Any, result: Any, ttl: int) -> None:
        """Refuse it: a result is written with the end of its run."""
        raise NotImplementedError("Results are written with the end of the run. Let the actor return it.")

    def store_exception(self, message: Any, exception: Exception, ttl: int) -> None:
        """Refuse it: a failure is written with the end of its run."""
        raise NotImplementedError("Failures are written with the end of the run. Let the actor raise it.")


def _ended(known: Known | None) -> Ended | None:
    """Return the end that a row tells of; None where it tells of none."""
    if known is None or known.state not in (TaskState.COMPLETED, TaskState.DEAD):
        return None
    if known.state is TaskState.COMPLETED and known.error == "skipped":
        return None  # what a person has dropped has a failure as its result
    return Ended(known.state, known.result, known.error, known.completed_at or 0.0)


def _open_central(config: EngineConfig) -> Database:
    from growbin_jobs.engine.opening import open_central

    return open_central(config)


# --- values as text


def encode(result: Any) -> str:
    """Return a result as the JSON that rows hold.

    Returns:
      What is read back as the result; or, for what is no JSON or too large, as a failure that says so.
    """
    try:
        text = _to_json(result)
    except (TypeError, ValueError, RecursionError):
        kind = type(result).__name__
        return failure("ResultUnstorable", f"A result of type {kind} is no JSON. Return plain values.")
    if well_formed(text) != text:
        text = json.dumps(_without_odd_numbers(result), allow_nan=False)  # escapes come back as they were
    if len(text) > MAX_BODY:
        return failure("ResultUnstorable", f"The result has {len(text)} characters. Put it into the object store.")
    return text


def _to_json(result: Any) -> str:
    try:
        return json.dumps(result, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_without_odd_numbers(result), ensure_ascii=False, allow_nan=False)


def failure(kind: str, words: str) -> str:
    """Return what makes ``get_result`` raise ``ResultFailure``."""
    return json.dumps({"__t": _CANARY, "exn": {"type": kind, "msg": well_formed(words)}}, ensure_ascii=False)


def value_of(text: str | None) -> Any:
    """Return the value that a stored result is, or the failure as Dramatiq wraps it; None for none."""
    return None if text is None else json.loads(text, object_hook=_odd_number)


def _value(ended: Ended) -> Any:
    if ended.result is not None:
        return value_of(ended.result)
    if ended.state is TaskState.DEAD:
        return json.loads(failure("Exception", ended.error or "it was given up"))
    return None


def _without_odd_numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: str(value)}
    if isinstance(value, dict):
        return {key: _without_odd_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_odd_numbers(each) for each in value]
    return value


def _odd_number(value: dict[str, Any]) -> Any:
    if value.keys() == {_NUMBER} and value[_NUMBER] in ("nan", "inf", "-inf"):
        return float(value[_NUMBER])
    return value
