"""A backlog of 200,000 messages at 100 a minute, in virtual time: the gate, and the engine's decision on who must wait.

One message of the simulation stands for ten or fifty that come one after another: 20,000 at 10 a minute last as long.
"""

from collections import deque
from types import SimpleNamespace

from dramatiq import Message
from tests.unit.limits.virtual_time import Cluster
from tests.whole import WHOLE

from growbin_jobs.engine.middleware.retries import Retries
from growbin_jobs.errors import Deferred
from growbin_jobs.limits.asking import Wish

STANDS_FOR, MESSAGES, PER_MINUTE = 10 if WHOLE else 50, 200_000, 100
HOUR = 3_600.0

#: Messages sent until a server asks all to wait, and for how long. Those that wait then go to the end of the queue and
#: meet the second hold, more than a day after the first: no message may be put off as long for an outage.
NUMBER = MESSAGES // STANDS_FOR
HOLDS = {NUMBER // 3: 30 * HOUR, NUMBER - 2: HOUR}


class Delivered(Message):
    """A message that notes when it is given up."""

    dead: list = []  # noqa: RUF012 - each test empties it

    def give_up(self, code, params):
        self.dead.append((code, params))


class Process:
    """A worker process as the engine sees it: its threads take from one queue, which it may pause here."""

    def __init__(self, cluster, gate, queue, retries):
        self.time, self.store, self.sent = cluster.time, cluster.store, cluster.sent
        self.gate, self.queue, self.retries = cluster.gates[gate], queue, retries
        self.deliveries, self.put_off, self.paused_until = 0, 0, 0.0
        self.pauses = self

    def pause(self, queue, why, seconds):
        self.paused_until = max(self.paused_until, self.time.now + seconds)
        return True

    def get_actor(self, name):
        return SimpleNamespace(options={})

    def enqueue(self, message, delay=0):
        self.time.at(self.time.now + delay / 1000, lambda: self.queue.append(message))

    def consume(self):
        """One thread, until all messages are sent."""
        while len(self.sent) + len(Delivered.dead) < NUMBER:
            if self.paused_until > self.time.now:
                self.time.sleep(self.paused_until - self.time.now)
            elif not self.queue:
                self.time.sleep(60.0)
            else:
                self.run(self.queue.popleft())

    def run(self, message):
        self.deliveries += 1
        try:
            self.gate.ticket(Wish({"vision": 1.0}))
        except Deferred as error:
            self.put_off += 1
            self.retries.after_process_message(self, message, exception=error)
        else:
            self.sent.append(self.time.now)
            if len(self.sent) in HOLDS:
                self.store.hold("vision", HOLDS[len(self.sent)])


def test_200_000_messages_end_in_time_each_delivered_once_and_nobody_dies_of_age():
    """A day and a half of work, with a hold of 30 hours in its middle, and one when it is nearly done."""
    Delivered.dead = []
    cluster = Cluster(2, most=PER_MINUTE // STANDS_FOR)
    began = cluster.time.now
    queue = deque(
        Delivered(queue_name="vision", actor_name="look", args=(), kwargs={}, options={}, message_id=str(each))
        for each in range(NUMBER)
    )
    retries = Retries(clock=cluster.time.clock)
    processes = [Process(cluster, gate, queue, retries) for gate in range(2)]
    for process in processes:
        for _ in range(2):
            cluster.time.start(process.consume)

    cluster.time.run()

    assert Delivered.dead == []
    assert len(cluster.sent) == NUMBER
    assert sum(process.put_off for process in processes) >= 5, "or nobody has met a hold twice"
    # Who was put off comes back up to a quarter later, so that not all come at once.
    longest = 30 * HOUR + 1.25 * HOUR
    assert cluster.sent[-1] - began <= longest + 1.03 * NUMBER / (PER_MINUTE / STANDS_FOR) * 60
    assert sum(process.deliveries for process in processes) <= 1.1 * NUMBER
