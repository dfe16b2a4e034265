"""A service that nearly every message needs goes away and comes back: one message tries, and all of them end well."""

import threading

from growbin_jobs.engine import events
from growbin_jobs.engine.errors import Away
from growbin_jobs.engine.middleware.outages import SUSTAINED

THREADS = 4


def test_the_queue_is_paused_one_message_tries_and_all_go_on(real_world):
    back, done, tries, seen = threading.Event(), [], [], []

    @real_world.actor(max_retries=0)
    def work(number):
        if not back.is_set():
            tries.append(number)
            raise Away("The database is away.", wait=0.2)
        done.append(number)

    def heard(event):
        seen.append(event)
        if seen.count("queue.paused") == 3:
            back.set()

    real_world.exit.callback(events.listen(lambda *_: heard("queue.paused"), events.QUEUE_PAUSED))
    real_world.exit.callback(events.listen(lambda *_: heard("queue.resumed"), events.QUEUE_RESUMED))
    for number in range(30):
        work.send(number)
    real_world.work(threads=THREADS)

    real_world.until(lambda: len(done) == 30)
    assert sorted(done) == list(range(30))
    assert real_world.dead() == []
    assert seen == ["queue.paused"] * 3 + ["queue.resumed"]
    assert len(tries) <= SUSTAINED + THREADS + 2, "those that ran already, and one at the end of each pause"


def test_another_queue_goes_on_meanwhile(real_world):
    back, done = threading.Event(), []

    @real_world.actor(max_retries=0)
    def needs(number):
        if not back.is_set():
            raise Away("The database is away.", wait=0.2)
        done.append(number)

    @real_world.actor(queue_name=f"{real_world.queue}_other")
    def free(number):
        done.append(f"free {number}")

    paused = threading.Event()
    real_world.exit.callback(events.listen(lambda *_: paused.set(), events.QUEUE_PAUSED))
    for number in range(10):
        needs.send(number)
    real_world.work(threads=THREADS)
    assert paused.wait(60)
    for number in range(10):
        free.send(number)
    real_world.until(lambda: len(done) == 10, idle=False)
    assert {str(each).split()[0] for each in done} == {"free"}

    back.set()
    real_world.until(lambda: len(done) == 20)
    assert real_world.dead() == []
