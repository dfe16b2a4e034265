"""A cluster whose callers wait in place, through the gate itself, in virtual time: order, classes, shares, changes."""

import random
from bisect import bisect_right
from collections import Counter, deque

import pytest
from tests.unit.limits.virtual_time import Cluster
from tests.whole import WHOLE

from growbin_jobs.errors import Deferred
from growbin_jobs.limits.asking import Wish
from growbin_jobs.limits.classes import BACKFILL, INTERACTIVE, PROBE, RETRY
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.parameters import spacing
from growbin_jobs.limits.tickets import Gate

COSTS = {"vision": 1.0}

#: How long each is: what waits has been there from the beginning, and nothing new happens later.
TIMES = 3 if WHOLE else 1


def consume(cluster, gate, messages, of=INTERACTIVE):
    """A thread that takes messages, oldest first, until there is none; the answers come later, on other threads."""
    while messages:
        number = messages.popleft()
        came = cluster.time.now
        ticket = cluster.gates[gate].ticket(Wish(COSTS, of))
        assert cluster.gates[gate].begin(ticket)
        cluster.sent.append((cluster.time.now, number, of.name, cluster.time.now - came))


def started(cluster, messages, of=INTERACTIVE, threads=14):
    for gate in range(len(cluster.gates)):
        for _ in range(threads):
            cluster.time.start(consume, cluster, gate, messages, of)


def worst(moments, window=60.0):
    moments = sorted(moments)
    return max(bisect_right(moments, first + window) - index for index, first in enumerate(moments))


def test_a_backlog_ends_in_time_in_order_and_every_message_waits_once():
    """Thousands of messages at 600/min, 9 processes of 16 threads: none is refused a ticket, so that none goes back."""
    cluster, number = Cluster(9, most=600), 2_000 * TIMES
    messages, began = deque(range(number)), cluster.time.now
    started(cluster, messages, threads=16)

    cluster.time.run()

    assert sorted(number for _, number, _, _ in cluster.sent) == list(range(number))
    assert cluster.sent[-1][0] - began <= 1.03 * number / 600 * 60
    latest = 0.0
    for _, moment in sorted((number, moment) for moment, number, _, _ in cluster.sent):
        latest = max(latest, moment)
        assert latest - moment <= 60.0, "nobody is overtaken by more than a minute"
    rng = random.Random(1)
    assert worst(moment + rng.uniform(0, 1) for moment, _, _, _ in cluster.sent) <= 600


def test_a_long_backlog_ages_nobody():
    """More waiting than a ticket is waited for, at 100/min: all wait in place."""
    cluster, number = Cluster(9, most=100), 1_200 * TIMES
    messages = deque(range(number))
    began = cluster.time.now
    started(cluster, messages)

    cluster.time.run()

    assert len(cluster.sent) == number
    assert cluster.sent[-1][0] - began <= 1.03 * number / 100 * 60


def test_one_interactive_message_beside_thousands_of_backfills_starts_within_seconds():
    cluster = Cluster(9)
    backfills = deque(range(5_000))
    started(cluster, backfills, BACKFILL, threads=7)
    for minute in range(10):
        cluster.time.start(consume, cluster, minute % 9, deque([f"one {minute}"]), after=30.0 + 60.0 * minute)

    cluster.time.run(until=cluster.time.now + 660.0)

    waits = [waited for _, _, of, waited in cluster.sent if of == "interactive"]
    assert len(waits) == 10
    assert max(waits) <= 5.0
    assert len(cluster.sent) >= 0.97 * 100 * 11, "and the limit is used"


@pytest.mark.parametrize(("below", "share"), [(BACKFILL, 0.1), (RETRY, 0.2), (PROBE, 0.02)])
def test_a_class_that_waits_gets_its_share_and_no_more(below, share):
    cluster = Cluster(6, patience=1e6)
    started(cluster, deque(range(100_000)))
    started(cluster, deque(range(100_000)), below, threads=4)

    cluster.time.run(until=cluster.time.now + 300.0 * TIMES)

    counts, total = Counter(of for _, _, of, _ in cluster.sent), len(cluster.sent)
    assert counts[below.name] / total >= 0.9 * share
    assert counts["interactive"] / total >= 1 - 1.5 * share - 0.01
    assert total >= 0.97 * 100 * 5 * TIMES
    assert worst(moment for moment, _, _, _ in cluster.sent) <= 100


def test_what_nobody_waits_for_is_used_by_all():
    cluster = Cluster(3)
    started(cluster, deque(range(100)), BACKFILL, threads=4)
    started(cluster, deque(range(3_000)))

    cluster.time.run(until=cluster.time.now + 1_200.0)

    late = [of for moment, _, of, _ in cluster.sent if moment > 1_000.0 + 1_190.0 - 300.0]
    assert set(late) == {"interactive"}
    assert len(late) >= 0.97 * 100 * 5


@pytest.mark.parametrize(("before", "after"), [(5, 1), (1, 60)])
def test_a_limit_that_is_changed_re_plans_what_waits(before, after):
    """All ten are done, and the new limit holds from the change on, whoever waited already."""
    cluster = Cluster(2, most=before, patience=1e6)
    messages = deque(range(10))
    started(cluster, messages, threads=5)
    changed = cluster.time.now + 30.0
    limit = Limit("vision", spacing(after, 60.0), 1)
    cluster.time.start(lambda: cluster.store.ensure([limit]), after=30.0)

    cluster.time.run()

    assert len(cluster.sent) == 10
    later = sorted(moment for moment, *_ in cluster.sent if moment > changed)
    assert worst(later) <= after
    if after > before:
        assert later[-1] <= changed + 61.0 + 10.5, "one slot of the old limit, and ten seconds until somebody asks"


def test_300_that_wait_are_all_done_after_the_limit_went_down_everybody_was_restarted_and_it_went_up_again():
    """Processes that die lose at most what they were granted ahead; their messages come again."""
    cluster, messages, done = Cluster(9, most=100), deque(range(300)), []
    limits = {most: Limit("vision", spacing(most, 60.0), 1) for most in (10, 100)}

    class Dead(BaseException):
        pass

    class MortalStore:
        """The store, as a process sees it that may be killed."""

        killed = False

        def take(self, *arguments, **options):
            if self.killed:
                raise Dead
            return cluster.store.take(*arguments, **options)

        give_back = cluster.store.give_back

    def work(gate, store):
        while messages:
            number = messages.popleft()
            try:
                ticket = gate.ticket(Wish(COSTS))
            except Deferred as later:  # the queue's: it comes back
                messages.append(number)
                cluster.time.sleep(later.wait)
            except Dead:
                messages.appendleft(number)
                return
            else:
                if store.killed:  # between its grant and the sending
                    messages.appendleft(number)
                    return
                assert gate.begin(ticket)
                done.append((cluster.time.now, number))

    def start_all():
        stores = [MortalStore() for _ in range(9)]
        for store in stores:
            gate = Gate(store, cluster.time, patience=600.0, clock=cluster.time.clock, sleep=cluster.time.sleep)
            for _ in range(14):
                cluster.time.start(work, gate, store)
        return stores

    began, first = cluster.time.now, start_all()
    cluster.time.run(until=began + 30.0)
    cluster.store.ensure([limits[10]])
    cluster.time.run(until=began + 150.0)
    slow = [moment for moment, _ in done if moment > began + 32.0]
    for store in first:
        store.killed = True
    start_all()
    cluster.time.run(until=began + 160.0)
    cluster.store.ensure([limits[100]])
    raised = cluster.time.now
    left = 300 - len(done)
    cluster.time.run()

    assert sorted(number for _, number in done) == list(range(300)), "each once"
    assert worst(slow) <= 10
    assert worst(moment for moment, _ in done) <= 100
    assert done[-1][0] - raised <= left * spacing(100, 60.0) + 16.0, "ten seconds until one asks"


def test_a_hold_stops_all_processes_at_once():
    cluster = Cluster(6)
    started(cluster, deque(range(2_000)))
    held = cluster.time.now + 100.0
    cluster.time.start(lambda: cluster.store.hold("vision", 90.0), after=100.0)

    cluster.time.run(until=held + 300.0)

    # Granted before the hold, and waiting for their start: two seconds' worth.
    during = [moment for moment, *_ in cluster.sent if held < moment < held + 90.0]
    assert all(moment <= held + INTERACTIVE.aged_reach for moment in during)
    assert any(moment > held + 90.0 for moment, *_ in cluster.sent)


def test_processes_far_from_the_database_get_as_much_as_near_ones():
    """Everybody is told the same moment; who asks 20 ms later must not lose each time."""
    cluster = Cluster(4)
    take = cluster.store.take
    shares = Counter()

    def far(gate, messages):
        while messages:
            messages.popleft()
            cluster.gates[gate].ticket(Wish(COSTS))
            shares[gate] += 1

    class Slow:
        def __getattr__(self, name):
            return getattr(cluster.store, name)

        def take(self, *arguments, **options):
            cluster.time.sleep(0.02)
            return take(*arguments, **options)

    cluster.gates[0]._store = Slow()
    messages = deque(range(3_000))
    for gate in range(4):
        for _ in range(10):
            cluster.time.start(far, gate, messages)
    cluster.time.run(until=cluster.time.now + 1_200.0)

    assert shares[0] >= 0.6 * sum(shares.values()) / 4
