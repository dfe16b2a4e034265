"""How far a message travels through the code: the files that a parent and its child pass, and how deep the calls are.

Counted on the embedded broker, in every thread, from the parent's ``send`` until both are settled. Plain Dramatiq
passes 14 files, 8 frames deep, for the same, and keeps no journal. Whoever adds a file to the path merges another one.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import dramatiq
import pytest

import growbin_jobs
from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.stack import stack

SOURCE = str(Path(growbin_jobs.__file__).parent)

#: Files of the project that a chain may pass, and frames of its own that may be on one stack.
MOST_FILES, MOST_FRAMES = 35, 12


class Trace:
    """Counts the project's files and frames in all threads that begin while it is on, and in this one."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.functions: set[str] = set()
        self.deepest: list[str] = []
        self.on = False

    def hook(self, frame, event, _argument):
        if not self.on or event != "call" or not frame.f_code.co_filename.startswith(SOURCE):
            return
        name = frame.f_code.co_filename.removeprefix(SOURCE)
        self.files.add(name)
        self.functions.add(f"{name}:{frame.f_code.co_qualname}")
        own = []
        while frame is not None:
            if frame.f_code.co_filename.startswith(SOURCE):
                own.append(f"{frame.f_code.co_filename.removeprefix(SOURCE)}:{frame.f_code.co_qualname}")
            frame = frame.f_back
        if len(own) > len(self.deepest):
            self.deepest = own


@pytest.fixture
def trace():
    made = Trace()
    threading.setprofile(made.hook)
    before = sys.getprofile()
    sys.setprofile(made.hook)
    yield made
    sys.setprofile(before)
    threading.setprofile(None)


def traced_thread(trace, start):
    """Wrap the interpreter's own way to start threads, which the journal uses: it takes no profile along."""

    def started(function, args=(), kwargs=None):
        def run(*args, **kwargs):
            sys.setprofile(trace.hook)
            function(*args, **kwargs)

        return start(run, args, kwargs or {})

    return started


def test_a_chain_passes_few_files_and_frames(tmp_path, trace, monkeypatch):
    import _thread

    monkeypatch.setattr(_thread, "start_new_thread", traced_thread(trace, _thread.start_new_thread))
    config = EngineConfig(data_dir=tmp_path, node="n")
    journal = Journal(tmp_path / "journal.db", node="n", worker="test", free_floor=0)
    broker = EmbeddedBroker(
        tmp_path / "broker.db", middleware=stack(config, Boot(), lambda: journal, source=lambda: None)
    )
    done = threading.Event()

    @dramatiq.actor(broker=broker, queue_name="q")
    def child(word):
        done.set()

    @dramatiq.actor(broker=broker, queue_name="q")
    def parent(word):
        child.send(word)

    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        parent.send("first")  # opens and prepares what is opened once
        assert done.wait(20)
        broker.join("q", timeout=20_000)
        done.clear()
        trace.on = True
        parent.send("second")
        assert done.wait(20)
        broker.join("q", timeout=20_000)
    finally:
        trace.on = False
        worker.stop()
        broker.close()
        journal.close()

    print("\n".join(sorted(trace.files)), len(trace.functions))
    print("\n".join(trace.deepest))
    assert len(trace.deepest) <= MOST_FRAMES, "\n".join(trace.deepest)
    assert len(trace.files) <= MOST_FILES, "\n".join(sorted(trace.files))
