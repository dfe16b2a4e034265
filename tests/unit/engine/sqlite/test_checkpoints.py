"""The write-ahead log is copied beside the commits."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.waiting import until

from growbin_jobs.engine.sqlite import checkpoints
from growbin_jobs.engine.sqlite.checkpoints import checkpoint_beside
from growbin_jobs.engine.sqlite.opening import open_sqlite

#: Bytes that are written, and of them those that must be in the file once its log was copied now and then.
WRITTEN, COPIED = 400_000, 40_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    connection = open_sqlite(path)
    connection.execute("CREATE TABLE some (words TEXT)")
    checkpoint_beside(connection, path)
    yield connection
    connection.close()


def write(connection: apsw.Connection) -> None:
    for _ in range(100):
        connection.execute("INSERT INTO some VALUES (?)", ("x" * (WRITTEN // 100),))


def in_the_file(path: Path) -> bool:
    return path.stat().st_size >= COPIED


def test_a_long_log_is_copied_by_the_thread(
    path: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 50)
    write(connection)
    until(lambda: in_the_file(path))


def test_no_commit_copies_the_log_itself_while_the_thread_keeps_up(
    path: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 50)
    monkeypatch.setattr(checkpoints, "_copier", lambda: type("Copier", (), {"ask": staticmethod(asked.append)}))
    write(connection)
    assert set(asked) == {path}
    assert not in_the_file(path)


def test_a_log_that_nobody_copies_is_copied_by_a_commit(
    path: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "TOO_MANY", 50)
    write(connection)
    assert in_the_file(path)


def test_a_file_that_is_gone_ends_nothing(
    tmp_path: Path, path: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 50)
    checkpoints._copier().ask(tmp_path / "gone.db")
    write(connection)
    until(lambda: in_the_file(path))


def _copied_in_a_child(path: Path) -> None:
    checkpoints.LOG_PAGES = 50
    connection = open_sqlite(path)
    connection.execute("CREATE TABLE some (words TEXT)")
    checkpoint_beside(connection, path)
    write(connection)
    until(lambda: in_the_file(path))


def test_a_forked_child_has_a_thread_of_its_own(
    path: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 50)
    checkpoints._copier().ask(path)
    child = multiprocessing.get_context("fork").Process(target=_copied_in_a_child, args=(path.with_name("other.db"),))
    child.start()
    child.join(30)
    assert child.exitcode == 0
