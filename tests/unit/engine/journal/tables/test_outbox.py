"""Messages for the broker, from the transaction that made them until they are confirmed; one relay at a time."""

from contextlib import closing

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.journal.file.schema import migrate
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


@pytest.mark.parametrize("back", [31, 60, 600, 3540, 86_400, 990_000])
def test_a_lease_from_before_the_clock_was_set_back_does_not_last(connection, accepted, back):
    assert claim(connection, "keeper", now=1_000_000.0)
    assert claim(connection, "producer", now=1_000_000.0 - back) == ["m0", "m1", "m2", "m3", "m4"]


@given(back=st.floats(0, 1e6), first=st.floats(0.1, 30), second=st.floats(0.1, 30))
def test_wherever_the_clock_is_set_a_dead_relays_lease_ends_in_a_minute(back, first, second):
    with closing(apsw.Connection(":memory:")) as connection:
        migrate(connection)
        claim(connection, "dead", now=2e6, lease=first)
        claim(connection, "next", now=2e6 - back, lease=second)
        claim(connection, "next", now=2e6 - back + 61, lease=second)

        assert connection.execute("SELECT claimant FROM relay_lease").get == "next"


@pytest.mark.parametrize("back", [0, 60, 3540, 86_400])
def test_a_dead_tasks_message_does_not_wait_for_the_time_before_the_clock_was_set_back(
    connection, an_end, a_message, back
):
    tasks.finish(connection, an_end(outbox=(a_message("next"),), completed_at=1_000_000.0))

    assert claim(connection, now=1_000_000.0 - back + 31) == ["next"]


@pytest.mark.parametrize("back", [60, 3540])
def test_a_delay_is_not_longer_by_what_the_clock_was_set_back(connection, a_message, back):
    tasks.accept(connection, a_message("m", due_at=1_000_010.0), "[]", now=1_000_000.0)

    now = 1_000_000.0 - back
    [found] = outbox.claim(connection, limit=1, after=0, older_than=30.0, claimant="r", lease=30.0, now=now)

    assert 0 < found.due_at - now <= 15.0


def test_without_a_change_of_the_clock_a_delay_stays_as_it_is(connection, a_message):
    tasks.accept(connection, a_message("m", due_at=1_000_010.0), "[]", now=1_000_000.0)
    tasks.accept(connection, a_message("n"), "[]", now=1_000_000.0)

    found = outbox.claim(connection, limit=9, after=0, older_than=30.0, claimant="r", lease=30.0, now=1_000_003.0)

    assert [each.due_at for each in found] == [1_000_010.0, None]


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
