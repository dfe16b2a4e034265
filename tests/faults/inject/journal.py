"""What happens to a node's journal."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from faults.installation import NODE, PATIENCE, WORKER, Installation
from faults.jobs import mixed
from faults.processes import Worker, await_that


def full(installation: Installation) -> None:
    """The journal cannot be written for some seconds."""
    installation.await_begun(4)
    with full_disk(installation.workers[WORKER]):
        installation.hand_in(mixed(8), wait=False)
        time.sleep(3.0)


@contextlib.contextmanager
def full_disk(worker: Worker) -> Iterator[None]:
    """Let no file of a worker's processes grow. SQLite answers the same as on a full disk."""
    processes = worker.tree()
    for process in processes:
        _limit(process.pid, 1)
    try:
        yield
    finally:
        for process in {*processes, *worker.tree()}:  # what was started meanwhile has inherited it
            with contextlib.suppress(ProcessLookupError):
                _limit(process.pid, None)


def _limit(pid: int, size: int | None) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def _await_nothing_only_here(installation: Installation) -> None:
    """Wait until no producer's message is in a journal alone, as after an outage: one copy dies with its disk."""
    sent = await_that(lambda: not installation.journals.accepted(), PATIENCE)
    assert sent, installation.last_words()


def removed(installation: Installation) -> None:
    """The journal's files are deleted under a worker, which is killed some time later."""
    installation.await_begun(6)
    _await_nothing_only_here(installation)
    for path in files(installation):
        path.unlink(missing_ok=True)
    installation.await_begun(12)
    installation.workers[WORKER].kill()


def corrupted(installation: Installation) -> None:
    """A worker is killed, and its journal overwritten with noise."""
    installation.await_begun(6)
    _await_nothing_only_here(installation)
    installation.workers[WORKER].kill()
    for path in files(installation)[:2]:
        if path.exists():
            path.write_bytes(installation.dice.randbytes(path.stat().st_size))


def of_yesterday(installation: Installation) -> None:
    """A worker is killed, and its journal replaced by a copy that is older than most of its work."""
    installation.await_begun(2)
    installation.workers[WORKER].kill()
    copies = {path: path.read_bytes() for path in files(installation)[:2] if path.exists()}
    installation.ensure()
    installation.hand_in(mixed(8))
    installation.await_begun(12)
    installation.workers[WORKER].kill()
    for path in files(installation):
        path.unlink(missing_ok=True)
    for path, content in copies.items():
        path.write_bytes(content)


def log_cut_short(installation: Installation) -> None:
    """A worker is killed, and the second half of its journal's log is gone, as after a reset of the machine."""
    installation.await_begun(8)
    _await_nothing_only_here(installation)
    installation.workers[WORKER].kill()
    log = files(installation)[1]
    if log.exists():
        os.truncate(log, _written(log) // 2)


def _written(log: Path) -> int:
    """Return how many bytes of a log count: behind them lies what an earlier round of it has left."""
    content = log.read_bytes()
    size, salts = int.from_bytes(content[8:12], "big"), content[16:24]
    at = 32
    while content[at + 8 : at + 16] == salts:
        at += 24 + size
    return at


def files(installation: Installation) -> list[Path]:
    """The journal, its log, and the log's index."""
    path = installation.journals.path(NODE)
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]
