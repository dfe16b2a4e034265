"""Any order and repetition of starts, ends, confirmations, crashes, relays and copies, against a model in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.whole import examples

from growbin_jobs.engine.delivery.records import Dead, Finish, JournalTask, OutboxMessage, Started, TaskState
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import attempts, changes, dead_letters, outbox, prune, reader, tasks
from growbin_jobs.engine.journal.tables.changes import mark

TASKS = st.sampled_from(["t1", "t2", "t3"])
ENDS = st.sampled_from([TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD])


def message(message_id: str) -> OutboxMessage:
    return OutboxMessage(message_id=message_id, task_name="b", queue_name="q", body=b"")


class JournalMachine(RuleBasedStateMachine):
    """The model: what each task owes (by number), which ends were final, what came to nothing, what the central
    database has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.connection = open_journal_file(Path(self.folder.name) / "t.db")
        self.connection.pragma("synchronous", "OFF")
        self.now = 1000.0
        self.outbox: dict[int, str | None] = {}  # number -> task, None for what was accepted
        self.completed: set[str] = set()
        self.crashes: dict[str, int] = {}
        self.attempts: dict[str, list[str]] = {"t1": [], "t2": [], "t3": []}
        self.central: dict[str, JournalTask] = {}
        self.page: list[JournalTask] = []

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    @initialize()
    def start(self) -> None:
        assert reader.counts(self.connection) == dict.fromkeys(TaskState, 0)

    @rule(task=TASKS, late=st.floats(0.0, 5.0))
    def hint(self, task: str, late: float) -> None:
        record = Started(
            task_id=task, task_name="a", queue_name="q", payload="[]", worker="w", started_at=self.tick() - late
        )
        tasks.started(self.connection, [record])

    @rule(task=TASKS, state=ENDS, follow_ups=st.integers(0, 3))
    def finish(self, task: str, state: TaskState, follow_ups: int) -> None:
        before = reader.task(self.connection, task)
        now = self.tick()
        dead = Dead(body=b"", code="c", params="{}", error="", traceback="", died_at=now)
        record = Finish(
            task_id=task, task_name="a", queue_name="q", payload="[]", state=state, worker="w", started_at=now - 0.5,
            completed_at=now, dead=dead if state is TaskState.DEAD else None,
            outbox=tuple(message(f"{task}.{n}") for n in range(follow_ups)),
        )  # fmt: skip

        stored = tasks.finish(self.connection, record)

        too_late = task in self.completed or (before and before.status is TaskState.DEAD and state is TaskState.FAILED)
        if too_late:
            assert {each.seq for each in stored} == {seq for seq, parent in self.outbox.items() if parent == task}
            return
        assert len(stored) == follow_ups
        self.outbox = {seq: parent for seq, parent in self.outbox.items() if parent != task}
        for each in stored:
            assert each.seq not in self.outbox
            self.outbox[each.seq] = task
        self.crashes.pop(task, None)
        if state is TaskState.COMPLETED:
            self.completed.add(task)
        else:
            self.attempts[task].append(state)

    @rule(task=TASKS)
    def crash(self, task: str) -> None:
        row = reader.task(self.connection, task)
        final = row is not None and row.status in (TaskState.COMPLETED, TaskState.DEAD)
        tasks.crashed(self.connection, [(task, "a", "q")], now=self.tick())
        if not final:
            self.crashes[task] = self.crashes.get(task, 0) + 1
            self.attempts[task].append("crashed")

    @rule(task=TASKS)
    def accept(self, task: str) -> None:
        self.outbox[tasks.accept(self.connection, message(task), "[]", now=self.tick()).seq] = None

    @rule(data=st.data())
    def pay(self, data: st.DataObject) -> None:
        seqs = data.draw(st.lists(st.sampled_from(sorted(self.outbox) or [0]), max_size=3))
        outbox.forwarded(self.connection, seqs)
        for seq in seqs:
            self.outbox.pop(seq, None)

    @rule(claimant=st.sampled_from(["keeper", "producer"]))
    def relay(self, claimant: str) -> None:
        now = self.tick()
        found = outbox.claim(self.connection, limit=100, after=0, older_than=0.0, claimant=claimant, lease=2.0, now=now)
        assert [each.seq for each in found] in ([], sorted(self.outbox))

    @rule(task=TASKS, discard=st.booleans())
    def deal_with_the_dead(self, task: str, discard: bool) -> None:
        letters = [letter for letter in dead_letters.find(self.connection) if letter.task_id == task]
        assert len(letters) <= 1
        for letter in letters:
            if discard:
                dead_letters.discard(self.connection, letter.id, now=self.tick())
            else:
                owed = dead_letters.retry(self.connection, letter.id, now=self.tick())
                self.outbox[owed.seq] = None
                self.crashes.pop(task, None)

    @rule(limit=st.integers(1, 4))
    def copy(self, limit: int) -> None:
        self.page = list(changes.unsynced(self.connection, limit=limit))

    @precondition(lambda self: self.page)
    @rule()
    def mark(self) -> None:
        """Perhaps long after the copy: what has changed since must not count as copied."""
        for task in self.page:
            if task.task_id not in self.central or task.seq >= self.central[task.task_id].seq:
                self.central[task.task_id] = task
        mark(self.connection, 0, self.page[-1].seq, [], at=self.tick())

    @rule()
    def prune(self) -> None:
        rows = {task: reader.task(self.connection, task) for task in ("t1", "t2", "t3")}
        prune.prune(lambda call: call(self.connection), prune.Retention(tasks=5.0, dead_letters=1e9), now=self.now)
        for task, row in rows.items():
            if row is not None and reader.task(self.connection, task) is None:
                assert row.synced_at is not None
                assert task not in self.outbox.values()
                self.completed.discard(task)
                self.crashes.pop(task, None)
                self.attempts[task] = []

    @invariant()
    def debts_exist_from_the_end_until_they_are_paid(self) -> None:
        assert dict(self.connection.execute("SELECT seq, parent_id FROM outbox").fetchall()) == self.outbox

    @invariant()
    def completed_is_never_left(self) -> None:
        for task in self.completed:
            row = reader.task(self.connection, task)
            assert row is not None
            assert row.status is TaskState.COMPLETED

    @invariant()
    def counters_count(self) -> None:
        counted = dict(self.connection.execute("SELECT status, count(*) FROM task_wal GROUP BY status").fetchall())
        assert {state: n for state, n in reader.counts(self.connection).items() if n} == counted

    @invariant()
    def crashes_are_those_since_the_last_end(self) -> None:
        rows = self.connection.execute("SELECT task_id, crashes FROM task_wal WHERE crashes > 0").fetchall()
        assert dict(rows) == self.crashes

    @invariant()
    def attempts_are_kept_as_long_as_their_task(self) -> None:
        for task, outcomes in self.attempts.items():
            assert [each.outcome for each in attempts.of_task(self.connection, task)] == outcomes

    @invariant()
    def a_dead_letter_is_open_only_for_the_dead(self) -> None:
        dead = {id for (id,) in self.connection.execute("SELECT task_id FROM task_wal WHERE status = 'dead'")}
        assert {letter.task_id for letter in dead_letters.find(self.connection)} <= dead

    @invariant()
    def what_counts_as_copied_is_copied(self) -> None:
        for row in self.connection.execute("SELECT task_id, seq FROM task_wal WHERE synced_at IS NOT NULL").fetchall():
            assert self.central[row[0]].seq == row[1]

    def teardown(self) -> None:
        self.connection.close()
        self.folder.cleanup()


JournalMachine.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestJournal = JournalMachine.TestCase
