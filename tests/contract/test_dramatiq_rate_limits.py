"""Rate limiters and barriers of Dramatiq's, on its own backend for tests and on the central database."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dramatiq import RateLimitExceeded
from dramatiq.rate_limits import Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import StubBackend
from tests.upgraded import upgrade

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA
from growbin_jobs.engine.rate_limits import CLEAN_AFTER, DatabaseBackend

OURS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.services))


@pytest.fixture(params=OURS)
def counting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The engine's own."""
    yield from _backend(request, tmp_path)


@pytest.fixture(params=("stub", *OURS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Dramatiq's for tests, too: where it passes, a test says what Dramatiq expects."""
    yield from _backend(request, tmp_path)


def _backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "stub":
        yield StubBackend()
        return
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    with closing(
        open_database(url, default_path=tmp_path / "central.db", pool_size=8, timeout=20.0, deferral_wait=1.0)
    ) as database:
        if url is None:
            upgrade(database, ENGINE_SCHEMA)
        yield DatabaseBackend(lambda: database)


def test_a_mutex_is_had_by_one(backend):
    mutex = ConcurrentRateLimiter(backend, "mutex", limit=1)

    with mutex.acquire():
        with pytest.raises(RateLimitExceeded), mutex.acquire():
            pass
        with mutex.acquire(raise_on_failure=False) as acquired:
            assert not acquired
    with mutex.acquire() as acquired:
        assert acquired


def test_a_limit_is_never_exceeded_by_many_at_once(backend):
    limiter = ConcurrentRateLimiter(backend, "many", limit=3)
    inside, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(8)
    had = []

    def use():
        nonlocal inside, most
        together.wait()
        for _ in range(5):
            with limiter.acquire(raise_on_failure=False) as acquired:
                if acquired:
                    with lock:
                        inside += 1
                        most = max(most, inside)
                    with lock:
                        inside -= 1
                    had.append(1)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert had
    assert most <= 3


def test_a_bucket_and_a_window_let_so_many_pass(backend):
    for limiter in (
        BucketRateLimiter(backend, "bucket", limit=2, bucket=3_600_000),
        WindowRateLimiter(backend, "window", limit=3, window=600),
    ):
        passed = 0
        for _ in range(5):
            with limiter.acquire(raise_on_failure=False) as acquired:
                passed += bool(acquired)
        # Dramatiq's own backend for tests lets as many pass.
        assert passed == {"bucket": 2, "window": 3}[limiter.key]


def test_a_barrier_falls_when_all_have_come(backend):
    barrier = Barrier(backend, "barrier", ttl=30_000)

    assert barrier.create(parties=3)
    assert not barrier.create(parties=3)
    assert [barrier.wait(block=False) for _ in range(3)] == [False, False, True]


def test_one_can_wait_for_a_barrier(backend):
    barrier = Barrier(backend, "waited", ttl=30_000)
    barrier.create(parties=2)
    results = []
    thread = threading.Thread(target=lambda: results.append(barrier.wait(timeout=60_000)))
    thread.start()
    while backend.decr("waited", 0, 2, 30_000):  # until the other one has come
        pass

    results.append(barrier.wait(timeout=60_000))
    thread.join(60)
    assert results == [True, True]


def test_waiting_for_a_barrier_has_an_end(backend):
    barrier = Barrier(backend, "alone", ttl=30_000)
    barrier.create(parties=2)

    assert not barrier.wait(timeout=100)


def test_a_counter_expires(backend):
    assert backend.add("short", 1, 1)
    threading.Event().wait(0.05)
    assert backend.add("short", 1, 30_000)
    assert not backend.add("short", 1, 30_000)


def test_a_member_that_comes_twice_counts_once(counting):
    counting.add("group", 2, 30_000)

    assert counting.arrive("group", "a", 30_000) is False
    assert counting.arrive("group", "a", 30_000) is False
    assert counting.arrive("group", "b", 30_000) is True
    assert counting.arrive("group", "a", 30_000) is True  # it may have to send the callbacks again
    assert counting.arrive("unknown", "a", 30_000) is None


def test_what_has_expired_is_deleted_now_and_then(counting):
    counting.add("old", 1, 1)
    threading.Event().wait(0.05)

    for number in range(CLEAN_AFTER):
        counting.add(f"new-{number % 3}", 1, 30_000)

    rows = counting._database().run(lambda connection: list(connection.execute_sql("SELECT name FROM rate_limits")))
    assert {name for (name,) in rows} == {"new-0", "new-1", "new-2"}
