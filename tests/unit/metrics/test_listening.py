"""What a process counts of its runs and events."""

from dataclasses import replace

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.journal.session import End
from growbin_jobs.metrics import counted
from growbin_jobs.metrics.counts import Counts
from growbin_jobs.metrics.listening import EndCounts, listen_to_events

RUN = Finish(
    task_id="1", task_name="a", queue_name="q", payload="{}", state=TaskState.COMPLETED, worker="w",
    started_at=100.0, completed_at=100.2, created_at=99.0,
)  # fmt: skip
DEAD = Dead(body=b"", code="too_old", params="{}", error="", traceback="", died_at=1.0)


def counted_of(*records: Finish, traces: bool = False) -> Counts:
    counts = Counts()
    EndCounts(counts, traces=traces).wrote([End(record, lambda *_: None) for record in records])
    return counts


def test_each_outcome_has_its_status() -> None:
    counts = counted_of(
        RUN, RUN,
        replace(RUN, error="skipped"),
        replace(RUN, state=TaskState.FAILED, error="x"),
        replace(RUN, state=TaskState.FAILED, error="x", deferred=True),
        replace(RUN, state=TaskState.DEAD, dead=DEAD),
    )  # fmt: skip

    found = {labels[2]: numbers[0] for labels, numbers in counts.values[counted.TASKS.name].items()}
    assert found == {"completed": 2, "skipped": 1, "failed": 1, "deferred": 1, "dead": 1}
    assert counts.values[counted.DEAD_LETTERS.name] == {("q", "a", "too_old"): [1.0]}
    assert counts.values[counted.RETRIES.name] == {("q", "a"): [1.0]}
    assert counts.values[counted.DEFERRALS.name] == {("q", "a"): [1.0]}
    seconds = counts.values[counted.TASK_SECONDS.name]["q", "a"]
    assert sum(seconds[:-1]) == 6
    assert seconds[counted.RUN_SECONDS.index(0.25)] == 6
    assert round(seconds[-1], 6) == 1.2


def test_only_first_runs_have_waited_in_the_queue() -> None:
    counts = counted_of(RUN, replace(RUN, retry_count=1), replace(RUN, deferrals=1), replace(RUN, created_at=None))

    assert sum(counts.values[counted.TASK_WAIT.name]["q", "a"][:-1]) == 1


def test_a_clock_that_was_set_back_makes_nothing_negative() -> None:
    counts = counted_of(replace(RUN, completed_at=50.0, created_at=200.0))

    assert counts.values[counted.TASK_SECONDS.name]["q", "a"][-1] == 0
    assert counts.values[counted.TASK_WAIT.name]["q", "a"][-1] == 0


def test_actors_that_nobody_knows_are_one() -> None:
    unknown = replace(DEAD, code="actor_unknown")
    counts = counted_of(*(replace(RUN, task_name=f"x{n}", state=TaskState.DEAD, dead=unknown) for n in range(50)))

    assert counts.values[counted.DEAD_LETTERS.name] == {("q", "other", "actor_unknown"): [50.0]}


def test_a_run_with_a_trace_is_an_exemplar() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    payload = f'{{"options":{{"traceparent":"00-{trace}-b7ad6b7169203331-01"}}}}'

    counts = counted_of(RUN, replace(RUN, payload=payload), traces=True)

    [exemplar] = counts.exemplars[counted.TASK_SECONDS.name]["q", "a"].values()
    assert exemplar.trace_id == trace
    assert counted_of(replace(RUN, payload=payload)).exemplars == {}


def test_events_are_counted_until_it_ends() -> None:
    counts = Counts()
    stop = listen_to_events(counts)
    try:
        events.JOB_FAILED.emit(owner="keeper", job="copy", error="x", where="", next_try_in=1.0)
        events.CRASH_COUNTED.emit(tasks=3, ids=["1", "2", "3"])
        events.DEAD_LETTERS_FOUND.emit(messages=2, reason="unrecorded")
        events.SYNCED.emit(rows=0, refused=0, behind=False)
    finally:
        stop()
    events.CRASH_COUNTED.emit(tasks=3, ids=["1", "2", "3"])

    assert counts.values[counted.JOB_FAILURES.name] == {("keeper", "copy"): [1.0]}
    assert counts.values[counted.CRASHES.name] == {(): [3.0]}
    assert counts.values[counted.DEAD_LETTERS.name] == {("other", "other", "unrecorded"): [2.0]}
    assert counted.SYNCED.name not in counts.values
