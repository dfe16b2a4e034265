"""The record of a good end, which is filled in, is the one that is constructed."""

from dataclasses import asdict, fields

import pytest
from dramatiq import Message

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.endings import LATEST, completion, ending
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState

OWED = (OutboxMessage(message_id="f", task_name="b", queue_name="q", body=b"{}", due_at=7.0),)


@pytest.mark.parametrize("options", [{}, {"retries": 2, "deferrals": 3}, {"retries": "many"}])
@pytest.mark.parametrize("result", [None, {"a": [1, "ü\ud800"]}, object(), "x" * 70_000])
@pytest.mark.parametrize("outbox", [(), OWED])
@pytest.mark.parametrize("changes", [{}, {"kept_result": '"kept"', "tag": 9}, {"message_timestamp": LATEST + 1}])
def test_a_completion_is_the_ending_of_a_run_that_completed(options, result, outbox, changes):
    message = Message(queue_name="q", actor_name="a", args=(1,), kwargs={}, options=options, message_id="m")
    delivery = Delivery(message, None, b"\xffbody")
    vars(delivery).update(changes)

    found = completion(delivery, worker="n/w/1", started_at=5.0, result=result, outbox=outbox)

    expected = ending(delivery, TaskState.COMPLETED, worker="n/w/1", started_at=5.0, result=result, outbox=outbox)
    assert asdict(found) | {"completed_at": 0} == asdict(expected) | {"completed_at": 0}
    assert 0 <= expected.completed_at - found.completed_at < 60
    assert {each.name for each in fields(Finish)} == set(asdict(found))
