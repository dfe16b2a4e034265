"""The node's journal, as a process uses it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from growbin_jobs.engine.delivery.records import Finish, Health, OutboxMessage, Started, TaskHistory
from growbin_jobs.engine.journal.session import Committed, End, JournalSession
from growbin_jobs.engine.journal.tables import charged_ledgers, outbox, tasks
from growbin_jobs.engine.processes import fork_lock, once_a_process, watch_forks
from growbin_jobs.engine.sqlite.opening import check_sqlite

T = TypeVar("T")

#: Hints that are kept at most.
HINTS = 10_000


class Journal:
    """What this node did and still has to send: a SQLite file that its processes share.

    Constructing one opens nothing. Each process opens the file at its first call, with a thread of its own that alone
    touches SQLite; all threads and greenlets share its commits. Nothing here blocks gevent's hub.

    A file that is deleted is made anew, a damaged one is put aside, a full disk is waited for: see :meth:`health`.

    Parameters:
      path: The file, on a local disk. Beside it lie ``starts/`` and the ballast.
      node: Name of this node.
      worker: Name of this process's kind, as rows and monitors show it.
      free_floor: Bytes that must be free on the disk to take new messages.
      linger: Seconds that ends of runs wait for others to share their commit.

    Raises:
      ConfigurationError: If SQLite is too old for several writers.
    """

    def __init__(self, path: Path, *, node: str, worker: str, free_floor: int, linger: float = 0.003) -> None:
        check_sqlite()
        self.path = path
        self.node = node
        self._free_floor = free_floor
        self._linger = linger
        self._session = once_a_process(self._open)
        self._name = once_a_process(lambda: f"{node}/{worker}/{os.getpid()}")

    @property
    def worker(self) -> str:
        """This process's name in rows."""
        return self._name()

    # --- the life of a message

    def lookup(self, task_ids: Sequence[str]) -> dict[str, TaskHistory]:
        """Return what the journal knows about messages that are about to run.

        Only those that matter: completed or dead here, with an outbox, or with crashes. One call for many ids is
        much cheaper than many calls.

        Raises:
          JournalUnavailable: If it cannot be read for now.
        """
        return self._session().writer.read(lambda connection: tasks.lookup(connection, task_ids))

    def begin(self, task_id: str, task_name: str, queue_name: str, hint: Callable[[], Started] | None = None) -> int:
        """Note, in about a microsecond, that a thread or greenlet starts a task; returns what :meth:`end` wants.

        If the process dies before that, the task is charged a crash.

        Parameters:
          hint: Makes what :meth:`started` is told; called if the task still runs when hints are written.

        Raises:
          OSError: If the ledger cannot be made, for instance on a full disk.
        """
        session = self._session()
        slot = session.starts().begin(task_id, task_name, queue_name)
        if hint is not None and len(session.hints) < HINTS:
            session.hints[task_id] = hint
        return slot

    def end(self, slot: int) -> None:
        """Note that the actor has returned or raised, in the thread or greenlet that began."""
        self._session().starts().end(slot)

    def disarm(self) -> None:
        """Charge no crashes if this process is killed from now on: it was told to stop and did not end in time."""
        self._session().disarm()

    def crashed_isolated(self, starts: Sequence[tuple[str, str, str]], *, pid: int) -> None:
        """Count a crash of messages that ran in an isolation process, which keeps no ledger.

        Parameters:
          starts: Id, actor and queue of each.
          pid: Of that process.

        Raises:
          JournalUnavailable: It was not counted.
        """
        now = time.time()
        self.write(lambda connection: tasks.crashed(connection, starts, now=now, pid=pid))

    def deaths_since(self, moment: float) -> int:
        """Return how many worker processes of this node were found dead since; isolation processes do not count.

        Parameters:
          moment: Seconds since 1970, UTC.

        Raises:
          JournalUnavailable: If it cannot be read for now.
        """
        return self.read(lambda connection: charged_ledgers.deaths_since(connection, moment))

    def started(self, record: Started) -> None:
        """Show a task as running, within about a second unless it ends before. Never blocks; may be dropped."""
        hints = self._session().hints
        if len(hints) < HINTS:
            hints[record.task_id] = lambda: record

    def finish(self, record: Finish, then: Committed) -> None:
        """Write the end of a run together with its outbox, in one transaction. Returns at once.

        Parameters:
          then: Called after the commit with None and the task's outbox as stored (see :class:`OutboxMessage`,
            ``seq``): publish that, then acknowledge. While the journal cannot be written the record is kept and
            ``then`` is not called.
            It is called with an error, and ``()``, if this record can never be written or the journal is closed: do
            not acknowledge. It runs in a native thread and must not block; to reach a greenlet, use an
            ``async_`` watcher of its hub.
        """
        session = self._session()
        session.hints.pop(record.task_id, None)
        session.ends.add(End(record, then))

    def confirmed(self, seqs: Iterable[int]) -> None:
        """Delete messages that the broker has confirmed. Returns at once; if the process dies first, they go out twice.

        Parameters:
          seqs: ``OutboxMessage.seq`` of each.
        """
        self._session().confirmations.add_all(seqs)

    # --- store and forward

    def accept(self, message: OutboxMessage, payload: str) -> OutboxMessage:
        """Take over a producer's message; when this returns it is on the disk and will reach the broker.

        Parameters:
          payload: JSON, for people.

        Returns:
          The message as stored.

        Raises:
          JournalUnavailable: It was not accepted.
        """
        now = time.time()
        return self.write(lambda connection: tasks.accept(connection, message, payload, now=now), durable=True)

    def claim_outbox(
        self, *, claimant: str, limit: int = 500, after: int = 0, older_than: float = 30.0, lease: float = 30.0
    ) -> list[OutboxMessage]:
        """Return what a relay may publish now, oldest first; nothing while another relay holds the lease.

        Parameters:
          claimant: The relay's name. Each call renews its lease.
          after: ``seq`` of the last one that is on its way already.
          older_than: Seconds that a task's messages are left to the process that made them.
          lease: Seconds until another relay may go on.

        Raises:
          JournalUnavailable: For now.
        """
        return self.write(
            lambda connection: outbox.claim(
                connection, limit=limit, after=after, older_than=older_than, claimant=claimant, lease=lease,
                now=time.time(),
            )
        )  # fmt: skip

    def forwarded(self, seqs: Sequence[int]) -> None:
        """Forget messages that the broker has confirmed; returns once :meth:`backlog` counts them no more.

        Raises:
          JournalUnavailable: For now; they will be sent again, under the same ids.
        """
        self.write(lambda connection: outbox.forwarded(connection, seqs))

    def refused(self, message: OutboxMessage, why: str) -> None:
        """Show people why the broker does not take a message; it stays in the outbox.

        Raises:
          JournalUnavailable: For now.
        """
        self.write(lambda connection: tasks.refused(connection, message.message_id, why))

    def released(self, claimant: str) -> None:
        """Let another relay go on, because this one is done or cannot reach the broker.

        Raises:
          JournalUnavailable: For now; the lease ends by itself.
        """
        self.write(lambda connection: outbox.release(connection, claimant))

    def backlog(self) -> int:
        """Return how many producers' messages wait here. While there are any, a new one must wait behind them."""
        return self.read(outbox.backlog)

    # --- everything else: see reader, dead_letters, changes, prune, files

    def read(self, call: Callable[[apsw.Connection], T]) -> T:
        """Return the result of a call outside of transactions, in the journal's thread; it should be short.

        Raises:
          JournalUnavailable: For now.
        """
        return self._session().writer.read(call)

    def write(self, call: Callable[[apsw.Connection], T], *, durable: bool = False) -> T:
        """Return the result of a call once what it wrote is committed, together with what others wrote.

        Parameters:
          call: If it raises, what it wrote is undone.
          durable: Wait until it is on the disk.

        Raises:
          JournalUnavailable: For now; nothing was written.
        """
        return self._session().writer.write(call, durable=durable)

    def health(self) -> Health:
        """Return whether new messages may be taken; costs a few microseconds."""
        return self._session().health()

    def on_health(self, callback: Callable[[Health], None]) -> None:
        """Call back, in a native thread, whenever ``writable`` changes."""
        self._session().callbacks.append(callback)

    def on_ends(self, callback: Callable[[Sequence[End]], object]) -> None:
        """Call back with the ends of runs that were committed together; one callback for each process.

        It is called behind each commit, in a native thread that writes the next ones: it must not block.
        """
        self._session().ends.wrote = callback

    def wait_writable(self, timeout: float) -> bool:
        """Wait until new messages may be taken. Returns False if they may not be after so many seconds."""
        end = time.monotonic() + timeout
        while not self.health().writable:
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)
        return True

    def close(self) -> None:
        """Write what waits, and close this process's hold on it. May be called again; it cannot be used after."""
        self._session().close()

    def _open(self) -> JournalSession:
        with fork_lock:
            session = JournalSession(self.path, free_floor=self._free_floor, linger=self._linger)
            watch_forks(session)
        return session
