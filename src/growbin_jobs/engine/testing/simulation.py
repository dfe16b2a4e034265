"""The sandbox: runs messages in a virtual time that jumps from one due message to the next."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from dramatiq import Message, get_broker
from dramatiq.broker import Broker

from growbin_jobs.engine.broker.port import DeadLetter, Depth
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.middleware.group_callbacks import GroupCallbacks
from growbin_jobs.engine.middleware.results import Results
from growbin_jobs.engine.results import Ended, EngineResults
from growbin_jobs.engine.testing.counters import MemoryBackend
from growbin_jobs.engine.testing.history import Run, SandboxDeadLetter, Sent
from growbin_jobs.engine.testing.sandbox_broker import End, Outgoing, SandboxBroker


@contextmanager
def sandbox(broker: Broker | None = None) -> Iterator[Sandbox]:
    """Let all sends of a broker's actors go into a sandbox.

    Parameters:
      broker: Whose actors; None: the one that was set for Dramatiq, which importing ``growbin_jobs.app`` does.
    """
    real = broker or get_broker()
    if "enqueue" in vars(real):
        raise RuntimeError("This broker is in a sandbox already. Leave that one first.")
    box = Sandbox(real)
    vars(real)["enqueue"] = box._twin.enqueue
    backends = [each.backend for each in real.middleware if isinstance(each, Results)]
    results = [each for each in backends if isinstance(each, EngineResults)]
    groups = {each: each.rate_limiter_backend for each in real.middleware if isinstance(each, GroupCallbacks)}
    try:
        for each in results:
            each.instead = box._results.get
        for group in groups:
            group.count_in(MemoryBackend())  # type: ignore[no-untyped-call]
        yield box
    finally:
        del vars(real)["enqueue"]
        for each in results:
            each.instead = None
        for group, backend in groups.items():
            group.rate_limiter_backend = backend
        box._twin.close()


class Sandbox:
    """See the package. Made by :func:`sandbox`.

    Attributes:
      now: Seconds of its own time; it begins at 0 and jumps from one due message to the next.
    """

    def __init__(self, broker: Broker) -> None:
        self.now = 0.0
        self._twin = SandboxBroker(broker, _Held(self), self._clock)
        self._began = time.time()
        self._order = count()
        self._waiting: list[tuple[float, int, Sent]] = []
        self._sent: list[Sent] = []
        self._dead: list[SandboxDeadLetter] = []
        self._results: dict[str, Ended] = {}

    # --- what has happened

    def sent(self, actor: str | None = None) -> list[Sent]:
        """Return everything that was sent, retries too, in order; of one actor only if it is named."""
        return [each for each in self._sent if actor in (None, each.actor)]

    def waiting(self, actor: str | None = None) -> list[Sent]:
        """Return what has not run yet, in the order in which it will. It stays here when nobody here has its actor."""
        return [each for _, _, each in sorted(self._waiting) if actor in (None, each.actor)]

    def dead(self, actor: str | None = None) -> list[SandboxDeadLetter]:
        """Return the dead letters, in order."""
        return [each for each in self._dead if actor in (None, each.sent.actor)]

    # --- what happens

    def run(
        self, *, until: float | None = None, twice: bool = False, fail_fast: bool = True, most: int = 1000
    ) -> list[Run]:
        """Run messages until none is left that has an actor here.

        Parameters:
          until: Seconds of the sandbox's time: leave what is due later, and let it be so late then.
          twice: Run each message twice before anything of it leaves, as after a crash.
          fail_fast: Raise the error of a message that becomes a dead letter. False: see :meth:`dead`.
          most: So many runs at most: actors that call each other for ever are an error.

        Returns:
          What ran, in order.

        Raises:
          AssertionError: If a second run sent something else than the first, or there were too many runs.
          Exception: What an actor raised, with ``fail_fast``.
        """
        runs: list[Run] = []
        while (sent := self._next(until)) is not None:
            if len(runs) >= most:
                raise AssertionError(f"{most} messages ran and there are more: do actors send to each other for ever?")
            self.now = max(self.now, sent.due)
            runs.append(self._run(sent, twice=twice, fail_fast=fail_fast))
        if until is not None:
            self.now = max(self.now, until)
        return runs

    def _next(self, until: float | None) -> Sent | None:
        for entry in sorted(self._waiting):
            due, _, sent = entry
            if until is not None and due > until:
                return None
            if sent.actor in self._twin.actors:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
                return sent
        return None

    def _run(self, sent: Sent, *, twice: bool, fail_fast: bool) -> Run:
        end = self._twin.process(sent.message)
        if twice and end.exception is None:
            _check_repeated(end, self._twin.process(sent.message))
        left = tuple(self._keep(message, delay, parent=sent.id) for message, delay in end.outbox)
        if end.delivery.failed:
            self._dead.append(SandboxDeadLetter(sent, self.now, *_reason(end.delivery, end.exception)))
            self._results[sent.id] = Ended(TaskState.DEAD, end.delivery.kept_result, None, self._clock())
            if fail_fast and end.exception is not None:
                raise end.exception
        elif end.exception is None and not end.skipped and not any(each.id == sent.id for each in left):
            self._results[sent.id] = Ended(TaskState.COMPLETED, end.delivery.kept_result, None, self._clock())
        return Run(sent, self.now, end.result, end.exception, left)

    def _keep(self, message: Message[Any], delay: int | None, parent: str | None = None) -> Sent:
        sent = Sent(message, self.now, self.now + (delay or 0) / 1000, parent)
        self._sent.append(sent)
        heapq.heappush(self._waiting, (sent.due, next(self._order), sent))
        return sent

    def _clock(self) -> float:
        return self._began + self.now


class _Held:
    """The sandbox as its broker sees it."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def keep(self, message: Message[Any], delay: int | None) -> object:
        return self._box._keep(message, delay)

    def depths(self) -> dict[str, Depth]:
        found: dict[str, Depth] = {}
        for sent in self._box.waiting():
            depth = found.get(sent.message.queue_name, Depth())
            due = sent.due > self._box.now
            found[sent.message.queue_name] = depth._replace(
                ready=depth.ready + (not due), delayed=(depth.delayed or 0) + due
            )
        for letter in self._box.dead():
            depth = found.get(letter.sent.message.queue_name, Depth())
            found[letter.sent.message.queue_name] = depth._replace(dead=depth.dead + 1)
        return found

    def dead_letters(self) -> list[DeadLetter]:
        return [
            DeadLetter(
                seq=place,
                message_id=letter.sent.id,
                queue=letter.sent.message.queue_name,
                priority=letter.sent.message.options.get("broker_priority") or 0,
                deliveries=1,
                reason=letter.code or "",
                body=letter.sent.message.encode(),
                died_at=datetime.fromtimestamp(self._box._began + letter.at, UTC),
            )
            for place, letter in reversed(list(enumerate(self._box.dead())))
        ]


def _reason(delivery: Delivery, exception: BaseException | None) -> tuple[str | None, Any, dict[str, Any]]:
    code, params = delivery.given_up or (None, {})
    return code, exception, dict(params)


def _check_repeated(first: End, second: End) -> None:
    actor = first.delivery.actor_name
    if second.exception is not None:
        raise AssertionError(f"The first run of {actor} went well, the second one failed.") from second.exception
    if (sent := _described(first.outbox)) != (sent_again := _described(second.outbox)):
        raise AssertionError(f"The second run of {actor} sent {sent_again}, the first one {sent}.")


def _described(outbox: Outgoing) -> list[tuple[Any, ...]]:
    return [(each.actor_name, each.message_id, tuple(each.args), each.kwargs, delay) for each, delay in outbox]
