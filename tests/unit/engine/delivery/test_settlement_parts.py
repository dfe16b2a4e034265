"""Runs that are delivered twice, acks in few words, and messages under suspicion."""

import pytest
from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.broker.rabbitmq.ack_batching import AckBatch
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.runs import Run, Runs

ACK, REJECT, GIVE_BACK = Disposition.ACK, Disposition.DEAD_LETTER, Disposition.REQUEUE


class Consumer:
    closed = False


def delivery(message_id="m", **options):
    message = Message(
        queue_name="q", actor_name="a", args=(), kwargs={}, options=options, message_id=message_id, message_timestamp=0
    )
    return Delivery(message, Consumer())


# --- runs


def test_the_same_run_is_one_and_a_retry_is_another():
    runs = Runs()
    first, again, retry, later = delivery(), delivery(), delivery(retries=1), delivery(deferrals=1)

    kept = [runs.of(each) for each in (first, again, retry, later)]

    assert kept[0] is kept[1]
    assert len({id(run) for run in kept}) == 3


def test_counts_that_are_none_do_no_harm():
    assert Runs().of(delivery(retries="many", deferrals=None)).key == ("m", 0, 0)


def test_a_run_is_forgotten_with_its_last_delivery():
    runs = Runs()
    first = delivery()
    first.run = runs.of(first)
    key = first.run.key

    del first

    assert key not in runs._runs


@pytest.mark.parametrize("disposition", [ACK, REJECT])
def test_who_comes_second_shares_the_fate_of_the_first_before_and_after(disposition):
    run, settled = Run(("m", 0, 0)), []

    def settle(one, fate):
        settled.append((one, fate))

    before, after = delivery(), delivery()
    assert run.take()
    assert not run.take()
    run.wait(before)
    assert settled == []

    run.end(disposition, settle)
    assert not run.take()
    run.wait(after)

    assert [(id(one), fate) for one, fate in settled] == [(id(before), disposition), (id(after), disposition)]


def test_what_is_given_back_may_be_run_again():
    run, settled = Run(("m", 0, 0)), []
    assert run.take()
    run.wait(delivery())

    run.end(GIVE_BACK, lambda _, fate: settled.append(fate))

    assert settled == [GIVE_BACK]
    assert run.take()


# --- acks


class Channel:
    """RabbitMQ's side: what is outstanding, and what became of it."""

    def __init__(self, delivered):
        self.outstanding = set(range(1, delivered + 1))
        self.told = {}

    def hear(self, word):
        tags = {tag for tag in self.outstanding if tag <= word.tag} if word.multiple else {word.tag}
        assert word.tag in self.outstanding, "RabbitMQ closes the channel for an unknown tag"
        for tag in tags:
            self.outstanding.remove(tag)
            self.told[tag] = word.disposition


@given(
    st.lists(st.tuples(st.integers(1, 12), st.sampled_from(list(Disposition)) | st.none()), max_size=40),
)
def test_whatever_order_each_delivery_hears_its_first_verdict_and_no_other_one_any(steps):
    acks, channel, first = AckBatch(), Channel(12), {}
    for tag, disposition in steps:
        if disposition is None:
            for word in acks.take():
                channel.hear(word)
        else:
            acks.add(tag, disposition)
            first.setdefault(tag, disposition)
    for word in acks.take():
        channel.hear(word)

    assert channel.told == first
    assert channel.outstanding == set(range(1, 13)) - set(first)


def test_acknowledgements_in_a_row_are_one_word():
    acks = AckBatch()
    for tag in (3, 1, 2, 5):
        acks.add(tag, ACK)

    assert [(word.tag, word.multiple) for word in acks.take()] == [(3, True), (5, False)]
    acks.add(4, ACK)
    assert [(word.tag, word.multiple) for word in acks.take()] == [(4, False)]
