"""On a full disk a node still has a keeper and knows who lives: what is written for people only may be missing."""

import subprocess
import sys

import pytest

#: No file may grow: every write fails, as on a full disk. Names and locks can still be made.
FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    (folder / "probe").write_text("x")
except OSError:
    pass
else:
    raise SystemExit("the disk is not full")
"""

ELECTION = (
    FULL
    + """
from growbin_jobs.engine.node.election import Election, has_keeper, keeper_pid
one, other = Election(folder), Election(folder)
assert one.win_now()
assert not other.win_now()
assert has_keeper(folder)
assert keeper_pid(folder) is None
one.step_down()
other.win()
print("done")
"""
)

PROCESS_LOCK = (
    FULL
    + """
from growbin_jobs.engine.node.process_lock import ProcessLock, find_dead, known
lock = ProcessLock(folder / "owners")
assert find_dead(folder / "owners") == []
assert known(folder / "owners") == {lock.name}
lock.let_go()
[dead] = find_dead(folder / "owners")
dead.remove()
assert known(folder / "owners") == set()
print("done")
"""
)

BALLAST = (
    FULL
    + """
from growbin_jobs.engine.journal.file.ballast import Ballast
ballast = Ballast(folder / "task_queue.db")
ballast.load(10**12, 0)
ballast.drop()
print("done")
"""
)

JOURNAL = (
    FULL
    + """
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.writer import JournalUnavailable
journal = Journal(folder / "task_queue.db", node="n", worker="w", free_floor=1)
try:
    journal.begin("t", "a", "q")
except OSError:
    pass
else:
    raise SystemExit("a run began without a ledger")
try:
    journal.lookup(["t"])
except JournalUnavailable as error:
    assert "cannot be used" in str(error)
else:
    raise SystemExit("it was read")
journal.close()
print("done")
"""
)


@pytest.mark.parametrize(
    "program", [ELECTION, PROCESS_LOCK, BALLAST, JOURNAL], ids=["election", "process lock", "ballast", "journal"]
)
def test_it_goes_on(tmp_path, program):
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, tmp_path / "node"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.stdout, done.stderr) == ("done\n", "")
