"""What has become of a message, asked from any process: its state, result, error, attempts and progress.

The journal of this node knows at once; what other nodes did is known when their keepers have copied it to the central
database, within two seconds.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import dramatiq
from dramatiq.broker import Broker
from dramatiq.results import ResultFailure, ResultTimeout
from dramatiq.results import Results as DramatiqResults
from dramatiq.results.result import unwrap_result

from growbin_jobs.engine.delivery.records import DROPPED, TaskState
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.results import CENTRAL_PAUSE, FIRST_PAUSE, LAST_PAUSE, EngineResults, value_of
from growbin_jobs.engine.task_lookup import TaskAttempt, TaskLookup
from growbin_jobs.engine.task_progress.files import Progress
from growbin_jobs.engine.task_rows import Known

if TYPE_CHECKING:
    from dramatiq import Message


class State(StrEnum):
    """What has become of a message."""

    #: Nobody has seen this id: it was never sent, it still waits in a queue, or it was forgotten long ago.
    UNKNOWN = "UNKNOWN"
    #: It was sent, and no run of it has begun.
    PENDING = "PENDING"
    #: It runs.
    STARTED = "STARTED"
    #: A run did not complete, and another one follows.
    RETRY = "RETRY"
    #: It has completed.
    SUCCESS = "SUCCESS"
    #: It was given up: a dead letter.
    FAILURE = "FAILURE"
    #: A person has revoked or aborted it, or a middleware has skipped it. It does not run any more.
    REVOKED = "REVOKED"


ENDED: Final = frozenset({State.SUCCESS, State.FAILURE, State.REVOKED})

_STATES: Final = {
    TaskState.PENDING: State.PENDING,
    TaskState.RUNNING: State.STARTED,
    TaskState.FAILED: State.RETRY,
    TaskState.COMPLETED: State.SUCCESS,
    TaskState.DEAD: State.FAILURE,
}


class TaskRevoked(ResultFailure):
    """There is no result and never will be: a person has dropped the message."""


class TaskResult:
    """What has become of one message. Each property asks anew, until it has ended.

    Parameters:
      message_id: Its id.
      lookup: Where it is asked for.
      sent: That it was sent is known: it is never UNKNOWN.

    Attributes:
      message_id: Its id.
    """

    def __init__(self, message_id: str, lookup: TaskLookup, *, sent: bool) -> None:
        self.message_id = message_id
        self._lookup = lookup
        self._sent = sent
        self._ended: Known | None = None

    def __repr__(self) -> str:
        return f"<TaskResult {self.message_id} {self.state}>"

    @property
    def state(self) -> State:
        """What has become of it."""
        known = self._known()
        if known is None:
            return State.PENDING if self._sent else State.UNKNOWN
        return state_of(known.state, known.error)

    @property
    def result(self) -> Any:
        """What its actor returned; None while there is nothing, and of one that did not succeed.

        Of actors without ``store_results`` too, where it is JSON of at most 65,536 characters.
        """
        known = self._known()
        if known is None or known.failure or state_of(known.state, known.error) is not State.SUCCESS:
            return None
        return value_of(known.result)

    @property
    def error(self) -> str | None:
        """Why its latest run did not complete, in words that may be stored; None where it did, or none has ended."""
        known = self._known()
        return None if known is None else known.error

    @property
    def history(self) -> tuple[TaskAttempt, ...]:
        """Its runs, oldest first: on this node all that are kept, of other nodes what the central database has."""
        return self._lookup.attempts(self.message_id)

    @property
    def progress(self) -> Progress | None:
        """What it has said last by ``progress(…)``; None: nothing."""
        return self._lookup.progress(self.message_id)

    def ready(self) -> bool:
        """Return whether it has ended, in whatever way."""
        return self.state in ENDED

    def get(self, timeout: float | None = 10.0) -> Any:
        """Wait until it has ended, and return what its actor returned.

        Parameters:
          timeout: Seconds to wait at most; None: without end. 0 does not wait.

        Raises:
          ResultTimeout: It has not ended in time. The text says in which state it is.
          ResultFailure: It was given up; the text says why.
          TaskRevoked: A person has dropped it; that is a ``ResultFailure`` too.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pause, next_central = FIRST_PAUSE, 0.0
        while True:
            central = time.monotonic() >= next_central
            known = self._known(central=central)
            if known is not None and state_of(known.state, known.error) in ENDED:
                return _value(self.message_id, known)
            if central:
                next_central = time.monotonic() + CENTRAL_PAUSE
            if end is not None and time.monotonic() + pause > end:
                raise ResultTimeout(f"{self.message_id} has not ended in time: it is {self.state}.")  # type: ignore[no-untyped-call]
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _known(self, *, central: bool = True) -> Known | None:
        if self._ended is not None:
            return self._ended
        known = self._lookup.find(self.message_id, central=central)
        if known is not None and state_of(known.state, known.error) in (State.SUCCESS, State.REVOKED):
            self._ended = known  # these are final; a person may retry a dead one
        return known


def state_of(state: TaskState, error: str | None) -> State:
    """Return the state that a task's row says.

    Parameters:
      state, error: Of the row.
    """
    if state is TaskState.COMPLETED and error is not None and (error in DROPPED or error == "skipped"):
        return State.REVOKED
    return _STATES[state]


def result(message: Message[Any] | str, *, broker: Broker | None = None) -> TaskResult:
    """Return what has become of a message, for asking: nothing is read before a property is.

    ::

        asked = result(add.send(1, 2))
        asked.get(timeout=5)      # 3
        result("6f1c2f0e-…").state

    Parameters:
      message: As ``send`` returned it, or its id.
      broker: Of the engine; default: the installed one.

    Raises:
      ConfigurationError: If the broker is none of an engine.
    """
    message_id = message if isinstance(message, str) else message.message_id
    return TaskResult(message_id, lookup_of(broker or dramatiq.get_broker()), sent=not isinstance(message, str))


def lookup_of(broker: Broker) -> TaskLookup:
    """Return where the messages of a broker are asked for.

    Raises:
      ConfigurationError: If it is none of an engine.
    """
    for each in broker.middleware:
        if isinstance(each, DramatiqResults) and isinstance(each.backend, EngineResults):
            return TaskLookup(each.backend)
    raise ConfigurationError(
        f"{type(broker).__name__} is no broker of an engine, so nobody knows its results. Import the module that makes "
        "the engine first, or name its broker: result(message, broker=engine.broker)."
    )


def _value(message_id: str, known: Known) -> Any:
    state = state_of(known.state, known.error)
    if state is State.SUCCESS:
        return unwrap_result(value_of(known.result))  # type: ignore[no-untyped-call]
    words = known.failure or known.error or "it was given up"
    kind = TaskRevoked if state is State.REVOKED else ResultFailure
    raise kind(f"{message_id}: {words}", orig_exc_type=state.value, orig_exc_msg=words)  # type: ignore[no-untyped-call]
