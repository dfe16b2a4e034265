"""Bounded, in the order of asking, and nothing is lost when someone stops waiting."""

import threading
from queue import SimpleQueue

import pytest

from growbin_jobs.engine.central.pool import Pool


def test_it_lends_no_more_than_its_size() -> None:
    pool = Pool[str](2, timeout=0.01)
    assert pool.acquire() is None
    assert pool.acquire() is None
    with pytest.raises(TimeoutError):
        pool.acquire()
    pool.release("one")
    assert pool.acquire() == "one"


def test_the_most_recently_used_goes_out_first() -> None:
    pool = Pool[str](3, timeout=60.0)
    for _ in range(3):
        pool.acquire()
    for name in ("one", "two", "three"):
        pool.release(name)
    assert [pool.acquire() for _ in range(3)] == ["three", "two", "one"]


def test_a_closed_session_leaves_its_place() -> None:
    pool = Pool[str](1, timeout=60.0)
    pool.acquire()
    pool.release(None)
    assert pool.acquire() is None


def test_idle_sessions_can_be_taken_for_closing() -> None:
    pool = Pool[str](2, timeout=0.01)
    pool.acquire()
    pool.acquire()
    pool.release("one")
    assert pool.take_idle() == ["one"]
    assert pool.acquire() is None
    pool.release(None)
    pool.release(None)
    assert pool.take_idle() == []


def waiting(pool: Pool[str], count: int) -> None:
    """Return when so many wait."""
    deadline = threading.Event()
    for _ in range(2000):
        if len(pool._waiting) == count:
            return
        deadline.wait(0.005)
    pytest.fail(f"{len(pool._waiting)} wait, not {count}")


def test_who_asked_first_is_served_first() -> None:
    pool = Pool[str](1, timeout=30)
    pool.acquire()
    served: SimpleQueue[int] = SimpleQueue()
    resume = [threading.Event() for _ in range(4)]

    def user(number: int) -> None:
        session = pool.acquire()
        served.put(number)
        resume[number].wait(30)
        pool.release(session)

    threads = []
    for number in range(4):
        threads.append(threading.Thread(target=user, args=(number,)))
        threads[-1].start()
        waiting(pool, number + 1)
    pool.release("one")
    order = []
    for event in resume:
        order.append(served.get(timeout=30))
        event.set()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]
    assert pool.acquire() == "one"


def test_a_session_that_comes_back_soon_is_waited_for_and_none_opened_beside_it() -> None:
    pool = Pool[str](3, timeout=30)
    pool._grows_after = 30
    pool.acquire()
    got: SimpleQueue[str | None] = SimpleQueue()
    thread = threading.Thread(target=lambda: got.put(pool.acquire()))
    thread.start()
    waiting(pool, 1)
    pool.release("one")
    thread.join()
    assert got.get_nowait() == "one"


def test_one_more_is_opened_where_none_comes_back_and_then_the_next_waits_again() -> None:
    pool = Pool[str](3, timeout=30)
    pool.acquire()
    assert pool.acquire() is None
    pool._grows_after = 30
    thread = threading.Thread(target=pool.acquire)
    thread.start()
    waiting(pool, 1)
    pool.release("one")
    thread.join()
    assert pool._free == 1


class Interruption(BaseException):
    """As dramatiq's TimeLimitExceeded: not an Exception."""


@pytest.mark.parametrize("handed_over", ["nothing", "session", "place", "session that was already taken"])
def test_an_interrupted_waiter_gives_back_what_it_was_handed(handed_over: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool[str](1, timeout=30)
    pool.acquire()

    class Waiter(SimpleQueue):  # type: ignore[type-arg]
        def get(self, *args: object, **kwargs: object) -> str:
            if handed_over != "nothing":
                pool.release(None if handed_over == "place" else "one")
            if handed_over == "session that was already taken":
                super().get()
            raise Interruption

    monkeypatch.setattr("growbin_jobs.engine.central.pool.SimpleQueue", Waiter)
    with pytest.raises(Interruption):
        pool.acquire()
    monkeypatch.undo()
    if handed_over == "nothing":
        pool.release("one")
    expected = None if handed_over in ("place", "session that was already taken") else "one"
    assert pool.acquire() == expected
    assert not pool._waiting


def test_a_pool_that_grows_soon_opens_a_second_session_for_the_first_who_waits() -> None:
    pool = Pool[str](2, timeout=30, grows_after=0.001)
    pool.acquire()
    assert pool.acquire() is None
    pool.release("one")
    pool.release("two")
    assert [pool.acquire(), pool.acquire()] == ["two", "one"], "both are kept"
