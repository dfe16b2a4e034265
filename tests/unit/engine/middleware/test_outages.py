"""Queues that are paused while a service is away: growing pauses, one message tries, all go on when it gets through."""

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.whole import examples

from growbin_jobs.engine import events
from growbin_jobs.engine.errors import Away, Deferred, Transient
from growbin_jobs.engine.middleware.outages import JITTER, LONGEST_PAUSE, LONGEST_TRY, SUSTAINED, Outages
from growbin_jobs.engine.pauses import Pauses

FIRST = 5.0


class World:
    """A broker's pauses on a clock of their own, and messages that run."""

    def __init__(self):
        self.now = 1000.0
        self.outages = Outages()
        self.broker = SimpleNamespace(pauses=Pauses(lambda: self.now))
        self._numbers = itertools.count()

    @property
    def pauses(self):
        return self.broker.pauses

    def begin(self, queue="a"):
        """Let a message begin; None where it may not."""
        if not self.pauses.may_begin(queue, begins=True):
            return None
        message = SimpleNamespace(queue_name=queue, message_id=str(next(self._numbers)))
        self.outages.before_process_message(self.broker, message)
        return message

    def end(self, message, exception=None):
        self.outages.after_process_message(self.broker, message, exception=exception)

    def run(self, exception=None, queue="a"):
        message = self.begin(queue)
        assert message is not None
        self.end(message, exception)

    def fall_away(self, queue="a"):
        """Meet the outage until the queue is paused; return the pause."""
        for _ in range(SUSTAINED):
            self.run(away(), queue)
        return self.pauses.left(queue)


def away():
    return Away("The database is away.", wait=FIRST)


@pytest.fixture
def world():
    return World()


def test_what_waits_for_an_outage_is_never_given_up_for_having_waited():
    assert (away().capacity, away().pauses_queue, away().wait) == (True, False, FIRST)


def test_a_message_tries_though_an_operator_pauses_its_queue_as_it_begins(world):
    """Else its end would tell nothing, and its pass would be nobody's."""
    world.now += world.fall_away()
    assert world.pauses.may_begin("a", begins=True)
    world.pauses.pause("a", "operator")
    message = SimpleNamespace(queue_name="a", message_id="tries")
    world.outages.before_process_message(world.broker, message)
    world.end(message, away())
    world.pauses.resume("a", "operator")

    world.now += world.pauses.left("a")
    assert world.begin() is not None


def test_one_accident_pauses_nothing(world):
    for _ in range(5):
        for _ in range(SUSTAINED - 1):
            world.run(away())
        world.run()

    assert not world.pauses.any


def test_pauses_grow_to_the_longest_and_one_message_tries_at_the_end_of_each(world):
    pauses = [world.fall_away()]
    for _ in range(9):
        world.now += world.pauses.left("a")
        tries = world.begin()
        assert world.begin() is None, "the others wait for its end"
        world.end(tries, away())
        pauses.append(world.pauses.left("a"))

    whole = [min(FIRST * 2**number, LONGEST_PAUSE) for number in range(10)]
    assert all(JITTER[0] * most <= pause <= JITTER[1] * most for pause, most in zip(pauses, whole, strict=True))
    assert whole[-1] == LONGEST_PAUSE


def test_all_go_on_at_once_when_it_gets_through_and_the_next_outage_begins_with_the_first_pause(world):
    world.fall_away()
    world.now += FIRST
    world.run(away())
    world.now += 2 * FIRST
    resumed = []
    stop_listening = events.listen(
        lambda _, fields: resumed.append((fields["queue"], fields["pauses"])), events.QUEUE_RESUMED
    )
    world.run()
    stop_listening()

    assert resumed == [("a", 2)]
    assert [world.begin() is not None for _ in range(10)] == [True] * 10
    assert world.fall_away() <= FIRST


def test_another_queue_tries_at_once_when_one_gets_through(world):
    world.fall_away("a")
    world.fall_away("b")
    for _ in range(6):
        world.now += world.pauses.left("b")
        world.run(away(), "b")
    assert world.pauses.left("b") > 10
    assert world.pauses.left("a") == 0
    world.run(queue="a")

    tries = world.begin("b")
    assert tries is not None
    assert world.begin("b") is None
    world.end(tries, away())
    assert world.pauses.left("b") > 10, "it still is away for that one, and its pauses go on growing"


@pytest.mark.parametrize("end", [away(), None, Transient("broken")])
def test_messages_from_before_the_pause_say_nothing(world, end):
    early = world.begin()
    pause = world.fall_away()
    world.end(early, end)

    assert world.pauses.left("a") == pause
    world.now += pause
    assert world.begin() is not None
    assert world.begin() is None


def test_a_message_that_waits_for_something_else_leaves_the_try_to_another_one(world):
    world.now += world.fall_away()
    world.run(Deferred("The limit is used up.", wait=1.0, capacity=True))

    tries = world.begin()
    assert tries is not None
    assert world.begin() is None


def test_a_message_that_is_skipped_leaves_the_try_to_another_one(world):
    world.now += world.fall_away()
    skipped = world.begin()
    world.outages.after_skip_message(world.broker, skipped)

    assert world.begin() is not None


def test_a_message_that_tries_without_an_end_holds_nobody_up_for_ever(world):
    world.now += world.fall_away()
    assert world.begin() is not None
    assert world.begin() is None
    world.now += LONGEST_TRY + 0.001  # sums of floats

    later = world.begin()
    assert later is not None
    world.end(later, away())
    assert world.pauses.left("a") > 0


class AnyOrder(RuleBasedStateMachine):
    """Whatever begins and ends in any order: few try during an outage, and nothing is stuck after it."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.running = []
        self.is_away = False

    @rule(queue=st.sampled_from("ab"))
    def begins(self, queue):
        message = self.world.begin(queue)
        if message is not None:
            self.running.append(message)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["ends", "waits", "skipped"]))
    def ends(self, data, how):
        message = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if how == "skipped":
            self.world.outages.after_skip_message(self.world.broker, message)
        elif how == "waits":
            self.world.end(message, Deferred("used up", wait=1.0, capacity=True))
        else:
            self.world.end(message, away() if self.is_away else None)

    @rule(seconds=st.floats(0.1, 400.0))
    def passes(self, seconds):
        self.world.now += seconds

    @rule()
    def changes(self):
        self.is_away = not self.is_away

    @invariant()
    def no_pause_is_longer_than_the_longest(self):
        assert all(self.world.pauses.left(queue) <= LONGEST_PAUSE for queue in "ab")

    def teardown(self):
        self.is_away = False
        for message in self.running:
            self.world.end(message)
        self.world.now += LONGEST_PAUSE + LONGEST_TRY
        for queue in "ab":
            self.world.run(queue=queue)
            assert [self.world.begin(queue) is not None for _ in range(3)] == [True] * 3


AnyOrder.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
