"""Outages of a quarter or half an hour, of every kind, with hundreds of messages in virtual time, through the guard.

What is promised: all messages are completed afterwards, none spends a retry and none is given up; while the breaker is
open at most one request is sent in a pause, from the whole cluster. Some holders of a probe die with it.
"""

import heapq
import random
from functools import cache
from itertools import count, pairwise

import pytest
from tests.whole import WHOLE

from growbin_jobs.adapters.llm.attribution import Attribution
from growbin_jobs.adapters.llm.errors import BILLED_RETRIES, from_response
from growbin_jobs.adapters.llm.guards import PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.limits.breaker import Breaker
from growbin_jobs.limits.breaker_failures import FIRST_PAUSE, OPERATOR_PAUSE
from growbin_jobs.limits.breaker_guard import BreakerGuard
from growbin_jobs.limits.breaker_store import MemoryBreakers

#: All that wait ask again and again: half of the time costs a quarter.
BEGINS, LASTS = 120.0, 1800.0 if WHOLE else 900.0
ENDS = BEGINS + LASTS

#: Until when new messages come.
COMES = ENDS + 600.0

#: Seconds between two new messages, in a busy hour and in a quiet one.
BUSY, QUIET = 6.0, 60.0


def answer(status, code=None, **headers):
    error = {"code": code, "message": "stub"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, from_response(status, {"error": error}, named, model="m")


#: Kind of outage → status, error, seconds until it is known, and what a look-up of the model answers.
OUTAGES = {
    "errors of 500": (*answer(500), 1.0, None),
    "429 without a word": (*answer(429, retry_after="0"), 0.1, None),
    "429 that asks for a minute": (*answer(429, retry_after="60"), 0.1, None),
    "503 that asks to wait": (*answer(503, "slow_down", retry_after="10"), 0.1, None),
    "hanging": (None, Transient("no answer", max_retries=BILLED_RETRIES), 50.0, None),
    "unreachable": (None, Transient("no connection"), 5.0, None),
    "no quota": (*answer(429, "insufficient_quota"), 0.1, None),
    "no budget": (*answer(403, "project_spend_limit_exceeded"), 0.1, None),
    "key revoked": (*answer(401), 0.1, Permanent("model_access_denied", status=401)),
    "permission taken": (*answer(403), 0.1, None),
    "model retired": (*answer(404, "model_not_found"), 0.1, Permanent("model_not_offered", status=404, model="m")),
    "a proxy's 404 for all": (*answer(404), 0.1, None),
}


class World:
    """Messages, as events on one virtual clock."""

    def __init__(self, kind, *, every=BUSY, poison=(), refused_with=400):
        self.random, self.now = random.Random(kind), 0.0
        self.outage = kind is not None
        self.status, self.failure, self.takes, self.looked_up = OUTAGES[kind] if self.outage else (200, None, 0, None)
        self.breakers = MemoryBreakers(clock=lambda: self.now)
        self.guard = BreakerGuard(
            self.breakers, server="stub", look_up=self.look_up, per_minute={"vision": 100.0}, patience=0.0,
            clock=lambda: self.now, sleep=lambda seconds: pytest.fail("it waits in place"),
        )  # fmt: skip
        self.events, self.order = [], count()
        self.sent, self.free = [], []
        self.retries, self.done, self.dead = {}, set(), {}
        self.messages = [f"message-{number}" for number in range(int(COMES / every))]
        self.poison, self.refused_with = {self.messages[number] for number in poison}, refused_with
        for number, message in enumerate(self.messages):
            self.at(number * every, self.run_message, message)

    def at(self, moment, what, *arguments):
        heapq.heappush(self.events, (moment, next(self.order), what, arguments))

    def run(self):
        while self.events and self.now < COMES + 7200:
            self.now, _, what, arguments = heapq.heappop(self.events)
            what(*arguments)
        return self

    @property
    def broken(self):
        return self.outage and BEGINS <= self.now < ENDS

    def look_up(self, model):
        self.free.append(self.now)
        if self.broken and self.looked_up:
            raise self.looked_up

    def run_message(self, message):
        request = PlannedRequest("m", "vision", 1000, 100, attribution=Attribution(message_id=message))
        try:
            held = self.guard.admit(request)
        except Deferred as error:
            self.at(self.now + error.wait * self.random.uniform(1, 1.25), self.run_message, message)
            return
        self.sent.append(self.now)
        latency = self.takes if self.broken else self.random.uniform(2, 30)
        if self.broken and self.random.random() < 0.05:
            self.at(self.now + 60, self.run_message, message)  # the process dies; the message is delivered again
            return
        self.at(self.now + latency, self.end, message, held, self.now)

    def end(self, message, held, sent_at):
        record = ModelRequest("m", "vision", sent_at=sent_at)
        record.latency = self.now - sent_at
        if self.broken:
            record.status, failure = self.status, self.failure
        elif message in self.poison:
            record.status, failure = answer(self.refused_with)
        else:
            record.status, failure = 200, None
        record.outcome = "answered" if failure is None else record._outcome_of(failure)
        self.settle(message, held.settle(record, failure) or failure)

    def settle(self, message, failure: GrowbinError | None):
        if failure is None:
            self.done.add(message)
        elif isinstance(failure, Deferred):
            self.at(self.now + failure.wait * self.random.uniform(1, 1.25), self.run_message, message)
        elif isinstance(failure, Transient):
            self.retries[message] = self.retries.get(message, 0) + 1
            self.at(self.now + 30, self.run_message, message)
        else:
            self.dead[message] = failure

    def breaker(self) -> Breaker:
        return self.breakers.all()[0][0]


@cache
def ended(kind):
    """The world after an outage, for all tests that look at it."""
    return World(kind).run()


@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_costs_nobody_a_retry_and_the_server_next_to_no_requests(kind):
    world = ended(kind)

    assert world.done == set(world.messages)
    assert (world.retries, world.dead) == ({}, {})
    # Of those that were under way when it began the last has failed after its latency, and the breaker is open.
    opened = BEGINS + world.takes + 60.0
    during = [moment for moment in world.sent if opened < moment < ENDS]
    assert len(during) <= LASTS / OPERATOR_PAUSE + 1
    assert all(later - earlier >= FIRST_PAUSE for earlier, later in pairwise(during))
    assert world.breaker().state == "closed"


@pytest.mark.parametrize("kind", OUTAGES)
def test_so_it_is_where_few_messages_come(kind):
    """Nobody else asks within a minute, so that no other message shows whose fault it is."""
    world = World(kind, every=QUIET).run()

    assert world.done == set(world.messages)
    assert (world.retries, world.dead) == ({}, {})


@pytest.mark.parametrize("every", [BUSY, QUIET])
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_message_that_alone_is_refused_for_ever_is_given_up(every, status, caplog):
    world = World(None, every=every, poison=(1,), refused_with=status).run()

    assert set(world.dead) == world.poison
    assert world.done == set(world.messages) - world.poison
    assert world.retries == {}
    assert caplog.text.count("breaker.needs_operator") <= 2


@pytest.mark.parametrize("kind", ["key revoked", "model retired"])
def test_while_a_free_look_up_fails_no_request_is_sent_at_all(kind):
    world = ended(kind)

    assert [moment for moment in world.sent if BEGINS + 60 < moment < ENDS] == []
    assert len([moment for moment in world.free if moment < ENDS]) <= LASTS / OPERATOR_PAUSE


def test_messages_that_the_server_refuses_are_given_up_and_hold_nobody_up():
    before, during, after = (1,), (60, 61, 200) if WHOLE else (60, 61, 150), (350, 400) if WHOLE else (200, 250)
    world = World("errors of 500", poison=(*before, *during, *after)).run()

    assert set(world.dead) == world.poison
    assert world.done == set(world.messages) - world.poison
    assert world.retries == {}


def test_requests_come_back_slowly_after_it():
    world = ended("errors of 500")
    closed = min(moment for moment in world.sent if moment > ENDS)

    # What waited asks within a minute.
    half_a_minute = [moment for moment in world.sent if closed + 60 <= moment < closed + 90]
    assert 10 <= len(half_a_minute) <= 50, "less than what the limit of 100 in a minute lets pass"
