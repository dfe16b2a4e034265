"""Debts: from the transaction that made them until they are paid; one relay at a time, in order."""

import pytest

from growbin_jobs.engine.journal.tables import outbox, reader, tasks


def claim(connection, claimant="relay", *, limit=100, after=0, older_than=30.0, lease=30.0, now=1000.0):
    found = outbox.claim(
        connection, limit=limit, after=after, older_than=older_than, claimant=claimant, lease=lease, now=now
    )
    return [each.message_id for each in found]


@pytest.fixture
def accepted(connection, a_message):
    return [tasks.accept(connection, a_message(f"m{n}"), "[]", now=1000.0) for n in range(5)]


def test_accepted_messages_leave_in_order(connection, accepted):
    assert claim(connection) == ["m0", "m1", "m2", "m3", "m4"]
    assert claim(connection, limit=2) == ["m0", "m1"]
    assert claim(connection, limit=2, after=accepted[1].seq) == ["m2", "m3"]
    assert outbox.backlog(connection) == 5


def test_one_relay_at_a_time(connection, accepted):
    assert claim(connection, "keeper", now=1000.0)
    assert claim(connection, "producer", now=1029.0) == []
    assert claim(connection, "keeper", now=1029.0)  # renews
    assert claim(connection, "producer", now=1058.0) == []
    assert claim(connection, "producer", now=1059.0) == ["m0", "m1", "m2", "m3", "m4"]
    assert claim(connection, "keeper", now=1060.0) == []


def test_a_relay_that_gives_up_lets_the_next_go_on_at_once(connection, accepted):
    assert claim(connection, "keeper")
    outbox.release(connection, "producer")  # not its own
    assert claim(connection, "producer") == []
    outbox.release(connection, "keeper")
    assert claim(connection, "producer")


def test_a_lease_from_before_the_clock_was_set_back_does_not_last(connection, accepted):
    assert claim(connection, "keeper", now=1_000_000.0)
    assert claim(connection, "producer", now=1000.0) == ["m0", "m1", "m2", "m3", "m4"]


def test_what_is_paid_is_gone_and_no_longer_pending(connection, accepted):
    outbox.forwarded(connection, [accepted[0].seq, accepted[2].seq])

    assert claim(connection) == ["m1", "m3", "m4"]
    assert reader.task(connection, "m0") is None
    assert reader.task(connection, "m1").status == "pending"
    outbox.forwarded(connection, [accepted[0].seq, 12345])  # twice, or unheard of


def test_a_message_that_ran_here_before_it_was_paid_keeps_its_row(connection, accepted, an_end):
    tasks.finish(connection, an_end("m0"))
    outbox.forwarded(connection, [accepted[0].seq])

    assert reader.task(connection, "m0").status == "completed"


def test_accepting_a_message_again_changes_nothing(connection, accepted, a_message):
    again = tasks.accept(connection, a_message("m3", body=b"other"), "[]", now=1001.0)

    assert again == accepted[3]
    assert claim(connection) == ["m0", "m1", "m2", "m3", "m4"]


def test_a_tasks_messages_are_left_to_its_process_for_a_while(connection, an_end, a_message):
    tasks.finish(connection, an_end(outbox=(a_message("next"),), completed_at=990.0))

    assert claim(connection, now=1019.0) == []
    assert claim(connection, now=1020.0) == ["next"]


def test_paying_an_old_debt_does_not_pay_a_new_one_of_the_same_message(connection, an_end, a_message):
    (old,) = tasks.finish(connection, an_end(state="failed", outbox=(a_message("task"),)))
    (new,) = tasks.finish(connection, an_end(state="failed", outbox=(a_message("task"),), retry_count=1))

    outbox.forwarded(connection, [old.seq])

    assert outbox.of_task(connection, "task") == (new,)


def test_the_same_message_may_be_accepted_and_be_its_own_retry(connection, accepted, an_end, a_message):
    (retry,) = tasks.finish(connection, an_end("m0", state="failed", outbox=(a_message("m0", body=b"retry"),)))

    outbox.forwarded(connection, [accepted[0].seq])

    assert outbox.of_task(connection, "m0") == (retry,)
