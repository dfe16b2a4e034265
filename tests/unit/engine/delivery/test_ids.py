import time
from uuid import RFC_4122, UUID, uuid4, uuid5

import dramatiq
import pytest
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.delivery.codec import follow_up_id, is_random, new_id
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.middleware.current_message import MessageIds

HASHED = st.uuids()


def message():
    return Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={})


def test_ids_that_nobody_has_chosen_are_known_as_such():
    assert is_random(message().message_id)
    assert is_random(str(uuid4()))
    assert is_random(new_id())
    assert not is_random(follow_up_id(str(uuid4()), "a", 0))
    assert not is_random(follow_up_id(new_id(), "a", 0))


@given(HASHED.filter(lambda parent: parent.hex[12] not in "78"), st.text(), st.integers(0, 10_000))
def test_the_id_of_a_follow_up_is_a_uuid5_of_its_parents(parent, actor, ordinal):
    assert follow_up_id(str(parent), actor, ordinal) == str(uuid5(parent, f"{actor}:{ordinal}"))


@given(st.text())
def test_an_id_that_is_no_uuid_has_follow_ups_too(parent):
    assert UUID(follow_up_id(parent, "a", 0)).version in (5, 8)


@given(st.lists(st.tuples(st.text(), st.integers(0, 10)), unique=True))
def test_follow_ups_of_an_id_with_a_time_have_the_same_time_for_ever(children):
    parent = new_id()
    ids = [follow_up_id(follow_up_id(parent, actor, ordinal), "next", 0) for actor, ordinal in children]

    assert ids == [follow_up_id(follow_up_id(parent, actor, ordinal), "next", 0) for actor, ordinal in children]
    assert len(set(ids)) == len(ids)
    assert all(each[:14] == parent[:14] for each in ids)
    assert all((UUID(each).version, UUID(each).variant) == (8, RFC_4122) for each in ids)


def test_a_new_id_is_a_uuid7_that_sorts_by_its_time_and_no_two_are_the_same():
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    assert len(set(ids)) == len(ids)
    assert all(str(UUID(each)) == each for each in ids)
    assert {(UUID(each).version, UUID(each).variant) for each in ids} == {(7, RFC_4122)}
    times = [UUID(each).int >> 80 for each in ids]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= after


@pytest.mark.parametrize("make", [lambda actor: actor.message(1), lambda _: message_for(Route("a", "q"), 1)])
def test_messages_that_are_made_outside_of_a_run_have_such_ids(make):
    broker = StubBroker(middleware=[MessageIds()])
    actor = dramatiq.actor(lambda _: None, broker=broker, actor_name="a")

    assert UUID(make(actor).message_id).version == 7
