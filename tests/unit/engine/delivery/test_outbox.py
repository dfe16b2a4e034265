"""What a running message sends: which ids it gets, where it goes, and when it counts."""

import json
import threading
from uuid import UUID, uuid4

import dramatiq
import pytest
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.delivery.codec import follow_up_id
from growbin_jobs.engine.delivery.outbox import Outbox, option, outbox_of
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.delivery.runs import key_of


class Consumer:
    closed = False


def message(actor="next", **changes):
    return Message(queue_name="q", actor_name=actor, args=(1,), kwargs={}, options={}, **changes)


@pytest.fixture
def broker():
    return StubBroker(middleware=[])


@pytest.fixture
def run(broker):
    """Begin a run of a message and return its outbox."""
    opened = []

    def run(parent=None):
        parent = parent or message("parent")
        outbox = Outbox(broker, key_of(parent), parent.encode())
        outbox.open()
        outbox.begin_actor()
        opened.append(outbox)
        return outbox

    yield run
    for outbox in opened:
        outbox.close()


@given(sent=st.lists(st.sampled_from(["a", "b", "c"]), max_size=8), parent=st.uuids().map(str) | st.text(max_size=40))
def test_a_second_run_makes_the_same_messages_and_no_two_are_the_same(sent, parent):
    def ids():
        outbox = Outbox(StubBroker(middleware=[]), (parent, 0, 0))
        return [outbox.take(message(actor), None).message_id for actor in sent]

    first = ids()
    assert ids() == first
    assert len(set(first)) == len(first)
    assert all(UUID(each).version in (5, 8) for each in first)


def test_other_actors_in_between_change_no_id(run):
    parent = message("parent")
    plain = [run(parent).take(message("a"), None).message_id for _ in range(1)]
    outbox = run(parent)
    outbox.take(message("b"), None)

    assert [outbox.take(message("a"), None).message_id] == plain == [follow_up_id(parent.message_id, "a", 0)]


def test_a_retry_of_the_message_itself_keeps_its_id(run):
    parent = message("parent")

    retry = run(parent).take(parent.copy(options={"retries": 1}), 5000)

    assert retry.message_id == parent.message_id


@pytest.mark.parametrize("chosen", ["2026-01-01T00:00/weekly", str(UUID("6ba7b810-9dad-51d1-80b4-00c04fd430c8"))])
def test_an_id_that_its_sender_has_chosen_is_kept(run, chosen):
    assert run().take(message(message_id=chosen), None).message_id == chosen


def test_what_is_owed_is_in_order_with_due_times_and_the_bodies_as_sent(run, monkeypatch):
    monkeypatch.setattr("growbin_jobs.engine.delivery.outbox.time.time", lambda: 1000.0)
    outbox = run()
    for delay in (None, 2500):
        outbox.take(message(), delay)

    first, second = outbox.close()

    assert [(each.ordinal, each.due_at) for each in (first, second)] == [(0, None), (1, 1002.5)]
    assert {each.parent_id for each in (first, second)} == {outbox._run[0]}
    assert Message.decode(first.body).message_id == first.message_id
    assert (first.task_name, first.queue_name) == ("next", "q")


def test_what_is_kept_is_filled_in_and_is_what_would_be_constructed(run):
    parent = message("parent")
    outbox = run(parent)
    sent = outbox.take(message(), None)

    [kept] = outbox.close()
    assert kept == OutboxMessage(
        message_id=sent.message_id, task_name="next", queue_name="q", body=sent.encode(), parent_id=parent.message_id
    )


def test_a_failed_run_sends_nothing_but_what_comes_after_it(run):
    outbox = run()
    outbox.take(message("follow_up"), None)
    outbox.forget()
    outbox.take(message("record"), None)

    assert [each.task_name for each in outbox.close()] == ["record"]


def test_an_outbox_belongs_to_its_broker_its_thread_and_its_run(broker, run):
    outbox = run()
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(outbox_of(broker)))
    thread.start()
    thread.join()

    assert outbox_of(broker) is outbox
    assert outbox_of(StubBroker(middleware=[])) is None
    assert elsewhere == [None]
    outbox.close()
    assert outbox_of(broker) is None


def test_the_hooks_of_sending_see_the_message_under_its_own_id(run, broker):
    told = []

    class Listening(dramatiq.Middleware):
        def before_enqueue(self, broker, message, delay):
            told.append(("before", message.message_id, delay))

        def after_enqueue(self, broker, message, delay):
            told.append(("after", message.message_id, delay))

    broker.add_middleware(Listening())
    sent = run().take(message(), 10)

    assert told == [("before", sent.message_id, 10), ("after", sent.message_id, 10)]


def test_an_actor_that_is_called_directly_sends_at_once(tmp_path):
    broker = EmbeddedBroker(tmp_path / "broker.db", middleware=[])

    @dramatiq.actor(broker=broker)
    def second():
        pass

    @dramatiq.actor(broker=broker)
    def first():
        second.send()

    first()

    assert broker.get_queue_message_counts("default")[0] == 1
    broker.close()


def test_an_option_is_found_in_an_encoded_message():
    body = message().copy(options={"broker_priority": 7}).encode()

    assert option(body, "broker_priority") == 7
    assert option(message().encode(), "broker_priority") is None
    assert option(json.dumps({"options": {}, "args": ["broker_priority"]}).encode(), "broker_priority") is None


# --- what is composed of messages


def test_a_message_has_its_id_when_it_is_made(run):
    outbox = run(message("parent"))
    made = message("a")

    outbox.name(made)

    assert outbox.take(made, None).message_id == made.message_id
    assert made.message_id != outbox.take(made, None).message_id  # sent twice, it is two messages


def test_an_id_that_the_running_message_names_is_kept(run):
    following = message("next")
    parent = message("parent").copy(options={"pipe_target": following.asdict()})

    assert run(parent).take(following, None).message_id == following.message_id


def test_what_is_sent_of_a_failed_run_has_ids_of_that_run(broker):
    parent = message("parent")

    def told(retries):
        outbox = Outbox(broker, key_of(parent.copy(options={"retries": retries})))
        outbox.begin_actor()
        outbox.take(message("dropped"), None)
        outbox.forget()
        [sent] = [outbox.take(message("hear"), None).message_id]
        assert [each.message_id for each in outbox.close()] == [sent]
        return sent

    assert told(0) == told(0)
    assert told(0) != told(1)


def test_parts_of_what_is_composed_have_the_same_ids_in_each_run(run):
    parent = message("parent")

    def compose():
        last = message("c").copy(
            options={
                "group_completion_uuid": str(uuid4()),
                "group_completion_callbacks": [message("done").asdict()],
            }
        )
        first = message("a").copy(
            options={"pipe_target": message("b").copy(options={"pipe_target": last.asdict()}).asdict()}
        )
        return run(parent).take(first, None)

    def ids(sent):
        second = sent.options["pipe_target"]
        third = second["options"]["pipe_target"]
        group = third["options"]
        callback = group["group_completion_callbacks"][0]
        return [
            sent.message_id,
            *(each["message_id"] for each in (second, third, callback)),
            group["group_completion_uuid"],
        ]

    one, other = ids(compose()), ids(compose())
    assert one == other
    assert len(set(one)) == 5


def test_a_group_counts_under_the_name_that_its_members_carry(run):
    outbox = run(message("parent"))
    group = str(uuid4())

    counted = outbox.stable(group, "group")
    member = message("a").copy(options={"group_completion_uuid": group})

    assert outbox.take(member, None).options["group_completion_uuid"] == counted
    assert outbox.stable(counted, "group") == counted
