"""What people let run once more really runs, by real workers, on both brokers; what is due later does not, now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.reruns import Reruns
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.inspect import Inspector
from growbin_jobs.engine.keeper.send_reruns import SendReruns
from growbin_jobs.engine.keeper.taken_letters import TakenLetters
from growbin_jobs.engine.opening import open_central
from growbin_jobs.operations import letter_verbs, reruns


class Keeper:
    """The keeper's part, step by step."""

    def __init__(self, world):
        self.world, self.database = world, open_central(world.config)
        world.exit.callback(self.database.close)
        lost = Lost(self.database, embedded=world.name == "embedded")
        self.sync = Sync(world.journal, Tasks(self.database))
        self._letters = TakenLetters(world.journal, DeadLetters(self.database), lost, self._send)
        self._reruns = SendReruns(world.journal, Reruns(self.database), lost, self._send)

    def carry_out(self):
        return {**self._letters.run_once(), **self._reruns.run_once()}

    def _send(self):
        from growbin_jobs.engine.keeper.send_outbox import SendOutbox

        SendOutbox(self.world.journal, self.world.broker.forward, 0.0).run_once()


@pytest.fixture
def keeper(real_world):
    return Keeper(real_world)


def test_a_completed_task_runs_again_with_its_options(real_world, keeper):
    ran = []

    @real_world.actor(actor_name="work")
    def work(value):
        from dramatiq.middleware import CurrentMessage

        message = CurrentMessage.get_current_message()
        ran.append((value, message.message_id, message.options.get("language")))

    sent = work.send_with_options(args=(1970670598291982290,), language="ko")
    real_world.until(lambda: len(ran) == 1)
    keeper.sync.run_once()

    made = reruns.run_again(keeper.database, sent.message_id, by="kim")
    assert keeper.carry_out() == {"sent": 1}
    real_world.until(lambda: len(ran) == 2)

    assert ran == [
        (1970670598291982290, sent.message_id, "ko"),
        (1970670598291982290, made.task_id, "ko"),
    ]
    assert real_world.states() == {"completed": 2}


def test_a_dead_task_is_retried_under_its_id(real_world, keeper):
    ran, broken = [], [True]

    @real_world.actor(actor_name="work")
    def work():
        ran.append(1)
        if broken:
            raise Permanent("it is broken")

    sent = work.send()
    real_world.until(real_world.dead)
    keeper.sync.run_once()
    broken.clear()

    letter_verbs.retry_task(keeper.database, sent.message_id, by="kim")
    assert keeper.carry_out() == {"carried_out": 1}
    real_world.until(lambda: real_world.state(sent) == "completed")

    assert len(ran) == 2
    assert real_world.dead() == []


def test_an_edited_task_with_a_time_in_the_future_is_scheduled_and_does_not_run_now(real_world, keeper):
    ran = []
    work = real_world.actor(ran.append, actor_name="work")
    sent = work.send("first")
    real_world.until(lambda: ran == ["first"])
    keeper.sync.run_once()
    due = datetime.now(UTC) + timedelta(hours=9)

    made = reruns.edit_and_run(
        keeper.database, sent.message_id, ["later"], {}, by="kim", function_of=lambda _: _takes_one, due_at=due
    )
    assert keeper.carry_out() == {"sent": 1}
    keeper.sync.run_once()
    work.send("now")
    real_world.until(lambda: "now" in ran, idle=False)

    assert ran == ["first", "now"]
    scheduled = Inspector(real_world.config, real_world.broker, keeper.database).scheduled()
    assert [each.task_id for each in scheduled] == [made.task_id]
    assert scheduled[0].due_at == pytest.approx(due.timestamp(), abs=1)


def _takes_one(value: str) -> None:
    """What the actor takes."""
