"""Debts that the broker has confirmed, forgotten many at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import apsw

from growbin_jobs.engine.journal.tables import outbox
from growbin_jobs.engine.journal.writer import Writer


class Confirmations:
    """Collects what is paid until the writer's next transaction, so that a payment costs no call of its own.

    Parameters:
      writer: Of this process.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: deque[int] = deque()
        self._submitted = False

    def add(self, seqs: Iterable[int]) -> None:
        """Forget these debts soon."""
        self._waiting.extend(seqs)
        if not self._submitted:
            self._submitted = True  # two threads may both come here: then one of two calls finds nothing to do
            self._writer.submit(_ConfirmedBatch(self).run, _ignore)

    def take(self) -> list[int]:
        """Return what waits; what is added from now on is somebody else's."""
        self._submitted = False
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken


class _ConfirmedBatch:
    """One call, which may have to be run again when its transaction has failed."""

    def __init__(self, confirmations: Confirmations) -> None:
        self._payments = confirmations
        self._seqs: list[int] = []

    def run(self, connection: apsw.Connection) -> None:
        self._seqs += self._payments.take()
        outbox.delete_confirmed(connection, self._seqs)


def _ignore(_: BaseException | None, __: None) -> None:
    return None
