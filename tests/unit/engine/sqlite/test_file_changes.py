"""No write is overlooked, and a file that nobody writes to is not asked again."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from growbin_jobs.engine.sqlite.file_changes import COARSE_STEP, REFRESH, STEP, FileChanges
from growbin_jobs.engine.sqlite.opening import open_sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "central.db"


@pytest.fixture
def writer(path: Path) -> Iterator[apsw.Connection]:
    connection = open_sqlite(path)
    connection.execute("CREATE TABLE counted (number INTEGER)")
    yield connection
    connection.close()


def let_time_pass(path: Path, seconds: float = STEP + 1) -> None:
    """Make the last write so many seconds older."""
    for each in path.parent.iterdir():
        times = each.stat()
        os.utime(each, ns=(times.st_atime_ns, times.st_mtime_ns - int(seconds * 1e9)))


def test_a_file_that_nobody_writes_to_is_asked_once(path: Path, writer: apsw.Connection) -> None:
    changes = FileChanges.of_database(path)
    let_time_pass(path)

    assert [changes.any() for _ in range(4)] == [True, False, False, False]
    writer.execute("INSERT INTO counted VALUES (1)")
    assert changes.any()
    changes.forget()
    let_time_pass(path)
    assert changes.any()
    assert not changes.any()
    changes.forget()
    assert changes.any(), "what was asked then has failed"


def test_two_writes_at_the_same_time_by_the_files_clock_are_both_seen(path: Path, writer: apsw.Connection) -> None:
    """The second one leaves the time and the size of the first."""
    changes = FileChanges.of_database(path)
    writer.execute("INSERT INTO counted VALUES (1)")
    assert changes.any()
    assert changes.any(), "a write of this moment may look like the one before"


def test_a_file_system_that_knows_whole_seconds_only_is_asked_for_as_long_as_two_writes_look_alike(path: Path) -> None:
    path.write_bytes(b"one")
    seconds = int(path.stat().st_mtime)
    now = [seconds + COARSE_STEP - 0.1]
    changes = FileChanges(path, clock=lambda: now[0])
    os.utime(path, ns=(0, seconds * 1_000_000_000))
    assert [changes.any(), changes.any()] == [True, True]
    now[0] += 0.2
    assert [changes.any(), changes.any()] == [True, False]


def test_it_asks_now_and_then_all_the_same_also_where_a_clock_was_put_back(path: Path, writer: apsw.Connection) -> None:
    now = [path.stat().st_mtime + 60]
    changes = FileChanges.of_database(path, clock=lambda: now[0])
    assert [changes.any(), changes.any()] == [True, False]
    now[0] += REFRESH
    assert [changes.any(), changes.any()] == [True, False]
    now[0] -= 3600  # the file is from the future now
    assert [changes.any(), changes.any()] == [True, True]


def test_a_file_that_is_not_there_yet_or_another_one_is_a_change(path: Path) -> None:
    changes = FileChanges.of_database(path)
    assert [changes.any(), changes.any()] == [True, False]
    path.write_bytes(b"one")
    let_time_pass(path)
    assert [changes.any(), changes.any()] == [True, False]
    other = path.with_name("restored")
    other.write_bytes(b"two")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)
    assert changes.any()


@pytest.mark.parametrize("seed", range(5))
def test_whoever_asks_as_it_says_knows_the_last_write(path: Path, writer: apsw.Connection, seed: int) -> None:
    """Writes, checkpoints, pauses and looks in any order: after a look, what is known is what is there."""
    chance = random.Random(seed)
    changes, reader = FileChanges.of_database(path), open_sqlite(path)
    known = 0
    for number in range(1, 400):
        match chance.choice(["write", "write", "checkpoint", "pause", "look", "look"]):
            case "write":
                writer.execute("DELETE FROM counted")
                writer.execute("INSERT INTO counted VALUES (?)", (number,))
            case "checkpoint":
                writer.pragma(f"wal_checkpoint({chance.choice(['PASSIVE', 'TRUNCATE'])})")
            case "pause":
                let_time_pass(path, STEP + chance.uniform(1, 2))  # else two may come to the same moment
            case _:
                if changes.any():
                    known = reader.execute("SELECT max(number) FROM counted").fetchone()[0]
                assert known == writer.execute("SELECT max(number) FROM counted").fetchone()[0]
    reader.close()
