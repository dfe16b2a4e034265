from uuid import UUID, uuid4, uuid5

from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.delivery.codec import follow_up_id, is_random, random_id


def message():
    return Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={})


def test_random_ids_are_those_that_dramatiq_makes():
    assert is_random(message().message_id)
    assert is_random(str(uuid4()))
    assert not is_random(follow_up_id(str(uuid4()), "a", 0))


@given(st.uuids(), st.text(), st.integers(0, 10_000))
def test_the_id_of_a_follow_up_is_a_uuid5_of_its_parents(parent, actor, ordinal):
    assert follow_up_id(str(parent), actor, ordinal) == str(uuid5(parent, f"{actor}:{ordinal}"))


@given(st.text())
def test_an_id_that_is_no_uuid_has_follow_ups_too(parent):
    assert UUID(follow_up_id(parent, "a", 0)).version == 5


def test_a_random_id_is_a_uuid4_and_no_two_are_the_same():
    ids = [random_id() for _ in range(1000)]

    assert len(set(ids)) == len(ids)
    assert all(str(UUID(each)) == each and UUID(each).version == 4 and is_random(each) for each in ids)
    assert {UUID(each).variant for each in ids} == {uuid4().variant}
