"""The worker's part: follows the node's file, and lets this process obey."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from growbin_jobs.engine import events
from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.instructions import Action, Instruction, Target
from growbin_jobs.engine.foreign_errors import describe
from growbin_jobs.engine.node.wakeups import WakeupFifo
from growbin_jobs.engine.pauses import Pauses

logger = logging.getLogger(__name__)

#: Seconds between two looks while there is something to obey, which may come to its end, and while there is not: then a
#: write of the file wakes this process, unless the keeper was killed in between.
INTERVAL, QUIET = 0.5, 2.0

#: Of the pauses of a queue (:meth:`Pauses.pause`).
CAUSE = "control"

_Key = tuple[Target, str]


class Obeying:
    """What one worker process is told, and what it does about that.

    Parameters:
      file: Of the node.
      abort: Interrupts those of these messages that run in this process; called again while they are to be aborted.
      clock: Seconds since 1970, UTC.

    Attributes:
      actors: Actors that are paused, by name.
      messages: Messages that are not to run, by id.
    """

    def __init__(
        self, file: ControlFile, abort: Callable[[Collection[str]], object], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.actors: Mapping[str, Instruction] = {}
        self.messages: Mapping[str, Instruction] = {}
        self._file = file
        self._abort = abort
        self._clock = clock
        self._all: tuple[Instruction, ...] = ()
        self._obeyed: dict[_Key, Instruction] = {}
        self._pauses: Pauses | None = None
        self._changed: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    @property
    def any(self) -> bool:
        """Is there anything that a message has to be asked about?"""
        return bool(self.actors or self.messages)

    def begin(self, pauses: Pauses | None, changed: Callable[[], object]) -> Callable[[], None]:
        """Obey from now on: what the file says already before this returns.

        Parameters:
          pauses: Of the broker; None: this process takes nothing from queues by itself, and obeys no pauses.
          changed: Called when :attr:`any` has changed.

        Returns:
          What ends it.
        """
        self._pauses, self._changed = pauses, changed
        wakeup = self._open_wakeup()  # before the look, so that nothing can come in between
        self.look()
        stopping = threading.Event()
        threading.Thread(target=self._run, args=(stopping, wakeup), daemon=True, name="control").start()

        def end() -> None:
            stopping.set()
            if wakeup is not None:
                wakeup.wake()

        return end

    def look(self) -> None:
        """Look whether something has changed or come to its end, and obey."""
        with self._lock:
            if self._file.changed():
                self._read()
            now = self._clock()
            self._obey({each.key: each for each in self._all if each.lasts(now)})
            aborted = [each.name for each in self.messages.values() if each.action is Action.ABORT]
            if aborted:  # at each look: it may just have begun
                self._abort(aborted)

    def _open_wakeup(self) -> WakeupFifo | None:
        try:
            return self._file.open_wakeup()
        except OSError as error:
            logger.warning("control.no_wakeup this process looks at the file by itself error=%s", describe(error))
            return None

    def _run(self, stopping: threading.Event, wakeup: WakeupFifo | None) -> None:
        while not stopping.is_set():
            if wakeup is None:
                stopping.wait(INTERVAL)
            else:
                wakeup.wait(INTERVAL if self._obeyed else QUIET)
            try:
                self.look()
            except Exception:  # a bug; without this thread nothing would be obeyed any more
                logger.exception("control.failed")
        if wakeup is not None:
            wakeup.close()

    def _read(self) -> None:
        try:
            found = self._file.read()
        except (OSError, ValueError) as error:
            logger.warning("control.unreadable this process goes on with what it knows error=%s", describe(error))
            return
        if found is not None:
            self._all = found.all

    def _obey(self, wanted: dict[_Key, Instruction]) -> None:
        if wanted == self._obeyed:
            return
        had_any = self.any
        begun = [each for key, each in wanted.items() if self._obeyed.get(key) != each]
        over = [each for key, each in self._obeyed.items() if key not in wanted]
        self.actors = _by_name(wanted.values(), Target.ACTOR)
        self.messages = _by_name(wanted.values(), Target.MESSAGE)
        self._obeyed = wanted
        if self.any != had_any:
            self._changed()  # before anything is let go: what begins from now on is asked
        for each in over:
            self._end(each)
        for each in begun:
            self._begin(each)

    def _begin(self, each: Instruction) -> None:
        if each.target is Target.MESSAGE:
            return
        if self._pauses is None:
            return
        if each.target is Target.QUEUE:
            # Another end than before may be an earlier one, and a pause only grows.
            self._pauses.resume(each.name, CAUSE)
            left = float("inf") if each.until is None else each.until - self._clock()
            self._pauses.pause(each.name, CAUSE, left)
        else:
            self._pauses.pause_actor(each.name)
        events.CONTROL_PAUSED.emit(target=each.target.value, name=each.name, by=each.by, reason=each.reason)

    def _end(self, each: Instruction) -> None:
        if each.target is Target.MESSAGE or self._pauses is None:
            return
        if each.target is Target.QUEUE:
            self._pauses.resume(each.name, CAUSE)
        else:
            self._pauses.resume_actor(each.name)
        events.CONTROL_RESUMED.emit(target=each.target.value, name=each.name)


def _by_name(instructions: Iterable[Instruction], target: Target) -> dict[str, Instruction]:
    return {each.name: each for each in instructions if each.target is target}
