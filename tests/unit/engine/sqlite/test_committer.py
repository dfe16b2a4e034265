"""One thread, many callers: shared commits, errors of one that are not those of others, and no caller left waiting."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from growbin_jobs.engine.sqlite.committer import Closed, Committer

PATIENCE = 20.0


class Numbers:
    """A store of numbers that can be told to be gone."""

    def __init__(self, path: Path) -> None:
        self.connection = apsw.Connection(str(path))
        self.connection.execute("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY)")
        self.commits = 0
        self.gone = False

    def check(self) -> None:
        if self.gone:
            raise Closed("it is gone")

    def committed(self) -> None:
        self.commits += 1

    def add(self, n: int) -> int:
        self.connection.execute("INSERT INTO number VALUES (?)", (n,))
        return n

    def all(self) -> list[int]:
        return [n for (n,) in self.connection.execute("SELECT n FROM number ORDER BY n")]


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[Committer[Numbers]]:
    committer = Committer(lambda: Numbers(tmp_path / "numbers.db"))
    yield committer
    committer.close()


def together(committer: Committer[Numbers], calls: list[Callable[[Numbers], Any]]) -> list[Any]:
    """Let calls wait behind one that does not end until all of them do; return their results or errors."""
    outcomes: dict[int, Any] = {}
    began, may_end = threading.Event(), threading.Event()

    def block(_: Numbers) -> None:
        began.set()
        may_end.wait(PATIENCE)

    def run(index: int, call: Callable[[Numbers], Any]) -> None:
        try:
            outcomes[index] = committer.write(call)
        except BaseException as error:
            outcomes[index] = error

    blocker = threading.Thread(target=committer.read, args=(block,))
    blocker.start()
    assert began.wait(PATIENCE)
    threads = [threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    while committer._requests.qsize() < len(calls):
        pass
    may_end.set()
    for thread in (blocker, *threads):
        thread.join(PATIENCE)
    return [outcomes[index] for index in range(len(calls))]


def test_what_waits_together_shares_a_commit(committer: Committer[Numbers]) -> None:
    assert together(committer, [lambda store, n=n: store.add(n) for n in range(50)]) == list(range(50))
    assert committer.read(lambda store: store.commits) == 1
    assert committer.read(Numbers.all) == list(range(50))


def test_an_error_undoes_its_own_call_only(committer: Committer[Numbers]) -> None:
    def fails_half_way(store: Numbers) -> None:
        store.add(100)
        raise UnicodeError("not storable")

    results = together(committer, [lambda store: store.add(1), fails_half_way, lambda store: store.add(2)])
    assert results[0] == 1
    assert isinstance(results[1], UnicodeError)
    assert results[2] == 2
    assert committer.read(Numbers.all) == [1, 2]


def test_the_others_are_run_again_and_the_one_that_fails_no_oftener_than_they(committer: Committer[Numbers]) -> None:
    runs: Counter[int] = Counter()

    def counted(n: int, store: Numbers) -> int:
        runs[n] += 1
        return store.add(n)

    results = together(committer, [partial(counted, n) for n in (1, 2, 2, 3)])
    assert results[0] == 1
    assert sum(isinstance(result, apsw.ConstraintError) for result in results) == 1
    assert all(runs[n] <= limit for n, limit in {1: 2, 2: 4, 3: 2}.items())
    assert committer.read(Numbers.all) == [1, 2, 3]


def test_one_that_fails_alone_is_run_once(committer: Committer[Numbers]) -> None:
    runs: list[int] = []

    def fails(store: Numbers) -> None:
        runs.append(store.add(1))
        raise UnicodeError("not storable")

    with pytest.raises(UnicodeError):
        committer.write(fails)
    assert runs == [1]
    assert committer.read(Numbers.all) == []


def test_a_failed_transaction_fails_all_its_calls_and_no_later_one(committer: Committer[Numbers]) -> None:
    def gives_up_the_transaction(store: Numbers) -> None:
        store.connection.execute("ROLLBACK")
        raise apsw.FullError("as SQLite may do when the disk is full")

    results = together(committer, [lambda store: store.add(1), gives_up_the_transaction, lambda store: store.add(2)])
    assert all(isinstance(result, apsw.Error) for result in results)
    assert committer.read(Numbers.all) == []
    assert committer.write(lambda store: store.add(3)) == 3
    assert committer.read(Numbers.all) == [3]


def test_only_what_asks_for_it_waits_for_the_disk(committer: Committer[Numbers]) -> None:
    def synchronous(store: Numbers) -> int:
        level: int = store.connection.pragma("synchronous")
        return level

    assert committer.write(synchronous, durable=True) == 2
    assert committer.write(synchronous) == 1


def test_a_store_that_cannot_be_opened_fails_every_call_with_the_reason() -> None:
    def cannot() -> Numbers:
        raise PermissionError("no")

    committer = Committer(cannot)
    for _ in range(2):
        with pytest.raises(PermissionError):
            committer.read(lambda store: store.commits)
    assert committer.closed
    committer.close()


def test_a_store_that_is_gone_ends_it(committer: Committer[Numbers]) -> None:
    def lose(store: Numbers) -> None:
        store.gone = True

    committer.read(lose)
    for _ in range(2):
        with pytest.raises(Closed, match="it is gone"):
            committer.write(lambda store: store.add(1))
    assert committer.closed


def test_closing_finishes_what_waits_and_refuses_the_rest(committer: Committer[Numbers]) -> None:
    closers: list[threading.Thread] = []

    def close_behind_me(store: Numbers) -> int:
        closers.append(threading.Thread(target=committer.close))
        closers[0].start()
        while committer._requests.empty():
            pass
        return store.add(1)

    assert committer.write(close_behind_me) == 1
    closers[0].join(PATIENCE)
    with pytest.raises(Closed):
        committer.read(Numbers.all)
    committer.close()
    assert committer.closed


def test_nobody_waits_for_ever_when_it_closes(committer: Committer[Numbers]) -> None:
    refused = threading.Semaphore(0)

    def write_until_refused(start: int) -> None:
        try:
            for n in range(start, start + 1_000_000):
                committer.write(lambda store, n=n: store.add(n))
        except Closed:
            refused.release()

    threads = [threading.Thread(target=write_until_refused, args=(k * 1_000_000,), daemon=True) for k in range(8)]
    for thread in threads:
        thread.start()
    while not committer.read(Numbers.all):
        pass
    committer.close()
    for _ in threads:
        assert refused.acquire(timeout=PATIENCE)


# --- what nobody waits for


def test_what_is_submitted_is_told_after_the_commit(committer: Committer[Numbers]) -> None:
    told: list[tuple[Any, Any, int]] = []
    done = threading.Event()

    def then(error: BaseException | None, result: int | None) -> None:
        assert committer._store is not None
        told.append((error, result, committer._store.commits))
        done.set()

    committer.submit(lambda store: store.add(7), then)

    assert done.wait(PATIENCE)
    assert told == [(None, 7, 1)]


def test_an_error_is_told_to_its_own_call_only(committer: Committer[Numbers]) -> None:
    told: list[tuple[Any, Any]] = []
    done = threading.Semaphore(0)

    def then(error: BaseException | None, result: int | None) -> None:
        told.append((type(error), result))
        done.release()

    for n in (1, 1, 2):
        committer.submit(lambda store, n=n: store.add(n), then)
    for _ in range(3):
        assert done.acquire(timeout=PATIENCE)

    assert told == [(type(None), 1), (apsw.ConstraintError, None), (type(None), 2)]
    assert committer.read(Numbers.all) == [1, 2]


def test_a_callback_that_raises_harms_nobody(committer: Committer[Numbers], caplog: pytest.LogCaptureFixture) -> None:
    def then(error: BaseException | None, result: int | None) -> None:
        raise RuntimeError("mine")

    committer.submit(lambda store: store.add(1), then)

    assert committer.write(lambda store: store.add(2)) == 2
    assert committer.read(Numbers.all) == [1, 2]
    assert "committer.callback_failed" in caplog.text


def test_a_closed_committer_tells_at_once(committer: Committer[Numbers]) -> None:
    told: list[BaseException | None] = []
    committer.close()
    committer.submit(lambda store: store.add(1), lambda error, _: told.append(error))
    assert [type(error) for error in told] == [Closed]


def test_lingering_shares_commits_and_ends_when_somebody_waits(tmp_path: Path) -> None:
    committer = Committer(lambda: Numbers(tmp_path / "numbers.db"), linger=3600.0)
    told: list[int | None] = []
    for n in range(3):
        committer.submit(lambda store, n=n: store.add(n), lambda _, result: told.append(result))
    assert committer.write(lambda store: store.add(3)) == 3
    assert told == [0, 1, 2]
    assert committer.read(lambda store: store.commits) == 1
    committer.close()


def test_closing_ends_lingering(tmp_path: Path) -> None:
    committer = Committer(lambda: Numbers(tmp_path / "numbers.db"), linger=3600.0)
    told: list[int | None] = []
    committer.submit(lambda store: store.add(1), lambda _, result: told.append(result))
    committer.close()
    assert told == [1]


def test_it_looks_now_and_then_with_requests_and_without(committer: Committer[Numbers]) -> None:
    looked = threading.Semaphore(0)
    committer.look_every(0.01, lambda _: looked.release())
    for n in range(3):
        assert looked.acquire(timeout=PATIENCE)
        assert committer.write(lambda numbers, n=n: numbers.add(n)) == n
        assert looked.acquire(timeout=PATIENCE)


def test_a_look_that_fails_closes_it(committer: Committer[Numbers]) -> None:
    looked = threading.Event()

    def fail(_: Numbers) -> None:
        looked.set()
        raise Closed("its file is gone")

    committer.look_every(3600.0, fail)
    assert looked.wait(PATIENCE)
    with pytest.raises(Closed, match="gone"):
        committer.read(lambda numbers: numbers.all())
