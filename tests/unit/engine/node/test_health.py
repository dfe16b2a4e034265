"""What processes say of themselves, and what is made of it."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from growbin_jobs.cli import probe
from growbin_jobs.engine.node.beats import SIZE, Beat, BeatFile, beats, forget_beats, read_beat
from growbin_jobs.engine.node.health import BOOTING, OVERDUE, SILENT, node_checks
from growbin_jobs.engine.node.presence import Presence, WorkerProcess

NOW = 1000.0
WELL = Beat(
    pid=os.getpid(), at=NOW, hub_at=NOW, threads=4, alive=4, busy=1, fetching=2, queues=2, overdue=0.0, writable=True
)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[BeatFile]:
    """This process, as a worker of a node."""
    facts = WorkerProcess(
        pid=os.getpid(), master=1, group="g", threads=4, queues=("q",), version="1", started_at=time.time()
    )
    presence, file = Presence(tmp_path, facts), BeatFile(tmp_path)
    yield file
    file.remove()
    presence.leave()


def ill(folder: Path, question: str, *, later: float = 0.0) -> list[str]:
    checks = node_checks(folder, question, now=lambda: NOW + later, clock=lambda: time.time() + later)  # type: ignore[arg-type]
    assert all(bool(check.detail) != check.ok for check in checks)
    return [check.name for check in checks if not check.ok]


@pytest.mark.parametrize(
    ("beat", "live", "ready"),
    [
        (WELL, [], []),
        (replace(WELL, at=NOW - SILENT - 1, hub_at=NOW - SILENT - 1), ["hub"], []),
        (replace(WELL, hub_at=NOW - SILENT - 1), ["hub"], []),
        (replace(WELL, alive=3), ["threads"], []),
        (replace(WELL, alive=0, stopping=True), [], ["consumers"]),
        (replace(WELL, overdue=OVERDUE + 1), ["time_limit"], []),
        (replace(WELL, fetching=1), [], ["consumers"]),
        (replace(WELL, writable=False, reason="full"), [], ["journal"]),
    ],
)
def test_what_is_ill(tmp_path: Path, worker: BeatFile, beat: Beat, live: list[str], ready: list[str]) -> None:
    worker.write(beat)

    assert read_beat(tmp_path, os.getpid()) == beat
    assert (ill(tmp_path, "started"), ill(tmp_path, "live"), ill(tmp_path, "ready")) == ([], live, ready)


def test_who_has_said_nothing_yet_is_booting_for_a_while(tmp_path: Path, worker: BeatFile) -> None:
    assert ill(tmp_path, "started") == ["workers"]
    assert ill(tmp_path, "live") == []
    assert ill(tmp_path, "live", later=BOOTING + 1) == ["hub"]


def test_a_node_without_workers_lives_and_is_not_ready(tmp_path: Path) -> None:
    assert ill(tmp_path, "live") == []
    assert ill(tmp_path, "ready") == ["workers"]


def test_a_file_never_grows_and_the_dead_are_forgotten(tmp_path: Path, worker: BeatFile) -> None:
    worker.write(replace(WELL, writable=False, reason="x" * 10 * SIZE))
    (beats(tmp_path) / "1").write_text("{}")

    forget_beats(tmp_path, {os.getpid()})

    assert [path.name for path in beats(tmp_path).iterdir()] == [str(os.getpid())]
    assert (beats(tmp_path) / str(os.getpid())).stat().st_size == SIZE
    found = read_beat(tmp_path, os.getpid())
    assert found is not None
    assert not found.writable


def test_the_probe_says_what_is_wrong(tmp_path: Path, worker: BeatFile, capsys) -> None:
    worker.write(replace(WELL, at=time.monotonic(), hub_at=time.monotonic()))
    assert probe.main(["live", "--folder", str(tmp_path)]) == 0
    worker.write(replace(WELL, at=time.monotonic(), hub_at=time.monotonic(), fetching=0))
    assert probe.main(["ready", "--folder", str(tmp_path)]) == 1
    assert "consumers: processes" in capsys.readouterr().out
    assert probe.main(["ready", "--folder", str(tmp_path / "none"), "--json"]) == 1
    assert '"ok": false' in capsys.readouterr().out
    assert [probe.main([]), probe.main(["what"]), probe.main(["--help"])] == [2, 2, 0]
