"""The table of a delivery's life: it leads to an end from everywhere, and what it does not allow is refused."""

import pytest
from dramatiq import Message
from tests.own_records import own_records

from growbin_jobs.engine.delivery import lifecycle
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.lifecycle import TABLE, IllegalTransition, Life, State, Step, advance
from growbin_jobs.engine.delivery.runs import Run

EVERYTHING = [(state, step) for state in State for step in Step]
ENDS = {State.SETTLED, State.LEFT}


def delivery_in(state):
    message = Message(queue_name="q", actor_name="a", args=("secret",), kwargs={}, options={}, message_id="m")
    delivery = Delivery(message, None)
    delivery.life = Life(Run(("m", 0, 0)), None)
    delivery.life.state = state
    return delivery


@pytest.mark.parametrize(("state", "step"), EVERYTHING)
def test_a_step_leads_where_the_table_says_or_is_refused(monkeypatch, caplog, state, step):
    monkeypatch.setattr(lifecycle, "strict", False)
    delivery = delivery_in(state)
    move = TABLE[state].get(step)

    assert advance(delivery, step) is (move is not None)

    assert delivery.life.state is (state if move is None else move.to)
    refused = f"message.transition_refused actor=a id=m state={state} event={step}"
    assert ([refused] if move is None else []) == [record.getMessage() for record in own_records(caplog)]


def test_tests_are_told_at_once():
    assert lifecycle.strict
    with pytest.raises(IllegalTransition, match=r"a\[m\] is settled: release"):
        advance(delivery_in(State.SETTLED), Step.RELEASE)


def test_every_state_is_reached_and_every_one_leads_to_an_end():
    reached, todo = {State.RECEIVED}, [State.RECEIVED]
    while todo:
        new = {move.to for move in TABLE[todo.pop()].values()} - reached
        reached |= new
        todo += new
    assert reached == set(State)

    ending = set(ENDS)
    while True:
        more = {state for state in State if {move.to for move in TABLE[state].values()} & ending} - ending
        if not more:
            break
        ending |= more
    assert ending == set(State)


def test_only_what_is_settling_is_settled_and_only_what_is_committed_or_owes_nothing_is_settling():
    assert [state for state in State if Step.SETTLED in TABLE[state]] == [State.SETTLING]
    assert {state for state in State for move in TABLE[state].values() if move.to is State.SETTLING} == {
        State.COMMITTING, State.KNOWN, State.RETURNING, State.WAITING, State.RECEIVED, State.SETTLING,
    }  # fmt: skip
    assert TABLE[State.DECIDED][Step.RELEASE].to is State.COMMITTING


def test_a_delivery_shows_no_arguments():
    delivery = delivery_in(State.RECEIVED)

    assert (str(delivery), repr(delivery)) == ("a[m]", "<Delivery a[m]>")
