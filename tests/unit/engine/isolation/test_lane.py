"""A lane whose isolation process cannot be started says so, and lets the suspect wait."""

import errno
import threading
from types import SimpleNamespace

import pytest

from growbin_jobs.engine import events
from growbin_jobs.engine.isolation.lane import Lane, Suspect, Waiting


class Judge:
    """Ends the lane when a suspect did not run."""

    def __init__(self):
        self.over = threading.Event()
        self.pauses = []

    def untried(self, suspect, pause):
        self.pauses.append(pause)
        self.over.set()


def cannot_start(width):
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def ends_at_once(width):
    return SimpleNamespace(pid=None, status=3, stop=lambda: None)


@pytest.mark.parametrize(
    ("start", "reason"),
    [(cannot_start, "Cannot allocate memory"), (ends_at_once, "it ended at once with status 3")],
)
def test_a_process_that_cannot_be_started_is_told_with_its_reason_and_the_suspect_waits(start, reason):
    told, judge, waiting = [], Judge(), Waiting()
    waiting.put(Suspect(SimpleNamespace(life=None)), 0.0)
    stop = events.listen(lambda event, fields: told.append(dict(fields)), events.ISOLATION_START_FAILED)
    lane = Lane(start, waiting, 1, judge, judge.over, lambda lane: None)

    lane.thread.start()
    lane.thread.join(30)
    stop()

    assert [(each["reason"], each["next_try_in"]) for each in told] == [(reason, judge.pauses[0])]
    assert judge.pauses[0] > 0


def test_a_bug_in_the_lane_is_told_and_the_lane_ends(monkeypatch):
    told, judge, waiting = [], Judge(), Waiting()
    waiting.put(Suspect(SimpleNamespace(life=None)), 0.0)
    stop = events.listen(lambda event, fields: told.append(dict(fields)), events.ISOLATION_FAILED)
    ended = []
    monkeypatch.setattr(Lane, "_begin", lambda self, suspect: 1 / 0)
    lane = Lane(cannot_start, waiting, 1, judge, judge.over, ended.append)

    lane.thread.start()
    lane.thread.join(30)
    stop()

    assert [each["error"] for each in told] == ["ZeroDivisionError"]
    assert ended == [lane]
