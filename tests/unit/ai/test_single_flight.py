import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from growbin_jobs.ai.single_flight import SingleFlight
from growbin_jobs.errors import Deferred, Permanent, Transient


class Watched(SingleFlight):
    """Tells when a caller has joined another's call, so that no test has to guess."""

    def __init__(self, patience=10.0):
        super().__init__(patience=patience)
        self.joined = threading.Semaphore(0)

    def _join(self, flight):
        self.joined.release()
        return super()._join(flight)


class Slow:
    """A call that tells when it starts and waits until it may end."""

    def __init__(self, result=None, error=None):
        self.started, self.may_end = threading.Event(), threading.Event()
        self.calls = 0
        self._result, self._error = result, error

    def __call__(self):
        self.calls += 1
        self.started.set()
        assert self.may_end.wait(10)
        if self._error is not None:
            raise self._error
        return self._result


def outcomes(flights, slow, followers):
    """Run a call that so many others join; return what the leader and the followers got."""
    with ThreadPoolExecutor(1 + followers) as pool:
        leader = pool.submit(flights.do, "key", slow)
        assert slow.started.wait(10)
        others = [pool.submit(flights.do, "key", slow) for _ in range(followers)]
        for _ in others:
            assert flights.joined.acquire(timeout=10)
        slow.may_end.set()
        return leader.exception() or leader.result(), [other.exception() or other.result() for other in others]


def test_callers_at_the_same_time_share_one_call():
    slow = Slow(result=7)

    led, followed = outcomes(Watched(), slow, followers=9)

    assert led == (7, False)
    assert followed == [(7, True)] * 9
    assert slow.calls == 1


def test_a_later_caller_calls_again():
    flights = Watched()

    assert [flights.do("key", lambda: 1), flights.do("key", lambda: 2)] == [(1, False), (2, False)]


def test_other_keys_do_not_wait():
    flights, slow = Watched(), Slow(result=1)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flights.do, "one", slow)
        assert slow.started.wait(10)

        assert flights.do("other", lambda: 2) == (2, False)

        slow.may_end.set()
        assert leader.result() == (1, False)


@pytest.mark.parametrize("error", [Permanent("model_refused"), Deferred("limit", wait=3), TimeoutError("its own")])
def test_an_error_is_shared_and_forgotten(error):
    flights = Watched()

    led, followed = outcomes(flights, Slow(error=error), followers=2)

    assert led is error
    assert followed == [error, error]
    assert flights.do("key", lambda: 1) == (1, False)


def test_an_interrupt_of_the_leader_is_not_the_followers():
    flights = Watched()

    led, followed = outcomes(flights, Slow(error=KeyboardInterrupt()), followers=1)

    assert isinstance(led, KeyboardInterrupt)
    assert isinstance(followed[0], Transient)
    assert flights.do("key", lambda: 1) == (1, False)


def test_impatience_defers():
    flights, slow = Watched(patience=0.05), Slow(result=1)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flights.do, "key", slow)
        assert slow.started.wait(10)

        with pytest.raises(Deferred):
            flights.do("key", slow)

        slow.may_end.set()
        assert leader.result() == (1, False)
