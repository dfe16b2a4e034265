"""Which dead letters of a broker no worker can have recorded, and what the journal says about them."""

import json
from datetime import UTC, datetime

import pytest
from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.broker.port import DeadLetter
from growbin_jobs.engine.broker.unrecorded import is_unrecorded, record_of
from growbin_jobs.engine.reasons import reason

DIED = datetime(2026, 11, 28, tzinfo=UTC)


def letter(body, why="", **fields):
    values = {"seq": 1, "message_id": "m", "queue": "q", "priority": 0, "deliveries": 0, "died_at": DIED}
    return DeadLetter(**(values | {"reason": why, "body": body} | fields))


def body(**options):
    return Message(queue_name="q", actor_name="act", args=(), kwargs={}, options=options, message_id="id-1").encode()


@pytest.mark.parametrize("why", ["", "rejected"])
def test_what_a_worker_has_given_up_is_recorded_already(why):
    assert not is_unrecorded(letter(body(), why))


@pytest.mark.parametrize("why", ["expired", "delivery_limit", "maxlen"])
def test_what_the_broker_gave_up_is_recorded_under_its_own_id(why):
    record = record_of(letter(body(retries=2, deferrals="odd"), why), "n/keeper/1")

    assert (record.task_id, record.task_name, record.queue_name) == ("id-1", "act", "q")
    assert (record.retry_count, record.deferrals) == (2, 0)
    assert (record.dead.code, record.dead.died_at) == ("broker_gave_up", DIED.timestamp())
    assert why in reason(record.dead.code, "en", json.loads(record.dead.params))


@given(st.binary(max_size=50), st.sampled_from(["", "rejected", "expired", "not a message: x"]))
def test_bytes_that_are_no_message_get_an_id_of_their_own_each_time_the_same(content, why):
    first, again = record_of(letter(content, why), "w"), record_of(letter(content, why, seq=2), "w")
    other = record_of(letter(content + b"!", why), "w")

    assert first.task_id == again.task_id != other.task_id
    assert (first.dead.code, first.dead.body, first.task_name) == ("not_a_message", content, "unknown")
    assert isinstance(json.loads(first.payload), str)
    assert "\0" not in json.loads(first.payload)


def test_a_broker_that_does_not_say_when_it_died():
    assert record_of(letter(b"x", died_at=None), "w").dead.died_at > DIED.timestamp() - 1e9
