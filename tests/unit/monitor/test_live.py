"""The sequence of changes: who was away hears what was missed, and streams end when they must."""

import asyncio
import itertools
import json
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.monitor import live as module
from growbin_jobs.monitor.live import Live, Watcher
from growbin_jobs.monitor.pace import LONGEST, SHARE, SHORTEST, Pace


def events(text: str) -> list[tuple[str, list[str]]]:
    found = []
    for part in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1), max_size=20), st.integers(0, 20))
def test_who_was_away_hears_exactly_what_was_missed(changes, seen):
    live = Live()
    for topics in changes[:seen]:
        live.publish(topics)
    position = live.position()
    for topics in changes[seen:]:
        live.publish(topics)

    here, topics = live.since(position)

    assert topics == sorted({topic for each in changes[seen:] for topic in each})
    assert live.since(here) == (here, [])


def test_what_is_forgotten_or_of_another_run_means_everything():
    live, other = Live(), Live()
    first = live.position()
    for _ in range(module._REMEMBERED + 1):
        live.publish(["a"])

    assert live.since(first)[1] is None
    for position in (other.position(), "x", "x-1", f"{live.position()}9", "", "\u0661-\u0661"):
        assert live.since(position)[1] is None
    assert live.since(None)[1] == []


async def always() -> bool:
    return True


def test_a_stream_tells_changes_at_once_and_ends_with_the_monitor():
    async def main() -> list[str]:
        live, got = Live(), []
        stream = live.stream(None, session=None, may_go_on=always)
        got.append(await anext(stream))
        assert live.readers == 1
        threading.Thread(target=live.publish, args=(["tasks"],)).start()
        got.append(await anext(stream))
        live.close()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert live.readers == 0
        return got

    first, second = asyncio.run(asyncio.wait_for(main(), 60))

    assert first.startswith("retry: 3000")
    assert events(second) == [("changed", ["tasks"])]


def test_a_stream_ends_with_its_session_and_not_with_another_one():
    async def main() -> str:
        live = Live()
        stream = live.stream(None, session="mine", may_go_on=always)
        await anext(stream)
        live.end_session("other")
        live.publish(["a"])
        assert events(await anext(stream)) == [("changed", ["a"])]
        live.end_session("mine")
        return await anext(stream)

    assert events(asyncio.run(asyncio.wait_for(main(), 60))) == [("end", {})]


def test_a_stream_ends_when_its_reader_may_not_go_on_and_keeps_a_silent_line_open(monkeypatch):
    monkeypatch.setattr(module, "CHECK", 0.01)
    monkeypatch.setattr(module, "HEARTBEAT", 0.02)
    may = True

    async def may_go_on() -> bool:
        return may

    async def main() -> list[str]:
        nonlocal may
        stream = Live().stream(None, session=None, may_go_on=may_go_on)
        got = [await anext(stream), await anext(stream)]
        may = False
        return [*got, await anext(stream)]

    _, silent, end = asyncio.run(asyncio.wait_for(main(), 60))

    assert silent.startswith(":")
    assert events(end) == [("end", {})]


def test_a_stream_without_a_quiet_moment_ends_too_when_its_reader_may_not_go_on(monkeypatch):
    monkeypatch.setattr(module, "CHECK", 0.05)

    async def never() -> bool:
        return False

    async def main() -> str:
        live = Live()
        stream = live.stream(None, session=None, may_go_on=never)
        got = []
        async for event in stream:
            got.append(event)
            live.publish(["a"])  # the next change is there before anybody waits for it
            await asyncio.sleep(0.001)
        return got[-1]

    assert events(asyncio.run(asyncio.wait_for(main(), 60))) == [("end", {})]


QUICK = cast(Pace, SimpleNamespace(pause=0.001, spread=0.0, correct=int))


class Told(Live):
    """Keeps what was published."""

    readers = 0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.told: list[list[str]] = []
        self.again = threading.Event()

    def publish(self, topics):
        if topics:
            self.told.append(topics)
        if len(self.told) > 1:
            self.again.set()


def test_the_watcher_looks_only_while_somebody_reads_and_outlives_errors():
    looked = threading.Event()
    value = iter(range(1000))

    def mark() -> int:
        looked.set()
        if (now := next(value)) == 1:
            raise OSError
        return now

    live = Told()
    watcher = Watcher(live, {"tasks": mark}, pace=QUICK)
    watcher.start()
    assert not looked.wait(0.05)
    live.readers = 1

    assert live.again.wait(30)
    watcher.stop()


def test_what_changed_between_the_first_page_and_the_first_look_is_told():
    looks, enough = itertools.count(), threading.Event()

    def mark() -> str:
        if next(looks) > 2:
            enough.set()
        return "as before"

    live = Told()
    live.readers = 1
    watcher = Watcher(live, {"tasks": mark}, pace=QUICK)
    watcher.start()

    assert enough.wait(30)
    watcher.stop()
    assert live.told == [["tasks"]]


def test_the_mark_of_a_topic_changes_with_what_is_written(services):
    from growbin_jobs.models.audit import AuditEntry
    from growbin_jobs.monitor.marks import marks_of

    mark = marks_of(services)["audit"]
    before = mark()
    assert mark() == before
    services.audit.append(AuditEntry(who="kim", action="x"))

    assert mark() != before


def test_pages_are_told_when_a_node_falls_silent_though_nobody_writes(services, monkeypatch):
    from growbin_jobs.engine.central.workers import WorkerGroup, Workers
    from growbin_jobs.monitor import marks

    now = datetime.now(UTC)
    group = WorkerGroup(
        node="n1", group_name="storage", version="1", pids=[7], processes=1, threads=4, queues=["q"], running=1,
        unsynced=0, owed=0, lag=0.0, started_at=now, seen_at=now,
    )  # fmt: skip
    Workers(services.database).report("n1", [group], unsynced=0, owed=0, at=now)
    known = marks.marks_of(services)
    before = {topic: mark() for topic, mark in known.items()}
    monkeypatch.setattr(marks, "SILENCE", timedelta(0))

    assert {topic for topic, mark in known.items() if mark() != before[topic]} == {"tasks", "workers"}


def test_polling_tells_what_has_changed_since_a_position(signed_in):
    client = signed_in("vera")
    position = client.get("/live/changes").json()["position"]
    client.app.state.live.publish(["tasks"])

    assert client.get("/live/changes", params={"after": position}).json()["topics"] == ["tasks"]
    assert client.get("/live/changes", params={"after": "elsewhere-1"}).json()["topics"] is None


@given(st.integers(1, 400), st.floats(0.001, 0.05))
def test_however_many_pages_are_open_they_take_a_share_of_a_core(pages, cost):
    cpu = at = 0.0
    pace = Pace(lambda: cpu, lambda: at)

    def pass_by(rounds: int, pages: int) -> float:
        nonlocal cpu, at
        for _ in range(rounds):
            took = pages * cost  # all that were told ask; while they do, nobody is told
            cpu, at = cpu + took, at + max(pace.pause, took)
            pace.correct()
        return took / max(pace.pause, took)

    busy = pass_by(40, pages)
    assert busy <= SHARE * 1.05 or pace.pause == LONGEST
    assert SHORTEST <= pace.pause <= LONGEST
    pass_by(20, 0)
    assert (pace.pause, pace.spread) == (SHORTEST, 0.0)


def test_a_spread_tell_reaches_all_and_holds_up_no_end():
    async def main() -> None:
        live = Live()
        live.spread = 0.05
        streams = [live.stream(None, session=None, may_go_on=always) for _ in range(5)]
        for stream in streams:
            await anext(stream)
        live.publish(["a"])
        for stream in streams:
            assert events(await anext(stream)) == [("changed", ["a"])]
        live.spread = 3600.0
        live.publish(["b"])
        waiting = [asyncio.ensure_future(anext(stream, "ended")) for stream in streams]
        await asyncio.sleep(0)
        live.close()
        assert await asyncio.gather(*waiting) == ["ended"] * 5

    asyncio.run(asyncio.wait_for(main(), 60))
