"""Debts that are forgotten many at a time."""

import pytest

from growbin_jobs.engine.journal.confirmations import Confirmations
from growbin_jobs.engine.journal.tables import outbox


class Writer:
    """Runs what was submitted when it is told to, as often as it is told to."""

    def __init__(self):
        self.calls = []

    def submit(self, call, then):
        self.calls.append(call)


@pytest.fixture
def writer():
    return Writer()


@pytest.fixture
def confirmations(writer):
    return Confirmations(writer)


@pytest.fixture
def debts(connection, a_message):
    return [outbox.accept(connection, a_message(f"m{n}"), seq=n + 1, now=1.0).seq for n in range(6)]


def left(connection):
    return [seq for (seq,) in connection.execute("SELECT seq FROM outbox ORDER BY seq")]


def test_what_is_paid_until_the_next_transaction_is_one_call(connection, debts, confirmations, writer):
    for seq in debts[:3]:
        confirmations.add([seq])
    assert len(writer.calls) == 1
    writer.calls[0](connection)
    assert left(connection) == debts[3:]


def test_what_is_paid_after_it_is_another_call(connection, debts, confirmations, writer):
    confirmations.add(debts[:1])
    writer.calls[0](connection)
    confirmations.add(debts[1:2])
    writer.calls[1](connection)
    assert left(connection) == debts[2:]


def test_a_call_whose_transaction_failed_pays_the_same_again(connection, debts, confirmations, writer):
    confirmations.add(debts[:2])
    connection.execute("BEGIN")
    writer.calls[0](connection)
    connection.execute("ROLLBACK")
    assert left(connection) == debts
    confirmations.add(debts[2:3])

    for call in writer.calls:
        call(connection)

    assert left(connection) == debts[3:]
