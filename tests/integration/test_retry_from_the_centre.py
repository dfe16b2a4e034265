"""A node is killed, and what it knew of a message that it gave up is enough to run that elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from growbin_jobs.engine.central.attempts import Attempts
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import WorkerRow
from growbin_jobs.engine.delivery.records import Outcome, TaskState
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Database]:
    with closing(central_database(load(data_dir=tmp_path / "data"))) as database:
        yield database


def kill(product: Any) -> None:
    """Kill a node: master, workers, keeper."""
    processes = [*psutil.Process(product.worker.pid).children(recursive=True), psutil.Process(product.worker.pid)]
    for process in processes:
        process.kill()
    product.worker.wait(30)


def test_a_letter_of_a_killed_node_is_retried_on_another_one(
    start_product: Callable[..., Any], central: Database
) -> None:
    letters, tasks = DeadLetters(central), Tasks(central)
    first = start_product()
    first.broken.touch()
    message_id = first.send("once")
    [letter] = first.until(letters.list, "the dead letter is in the central database")
    kill(first)
    # Nobody waits 45 s in a test.
    silent = WorkerRow.update(seen_at=LONG_AGO).where(WorkerRow.node == "n1")
    central.run(lambda connection: silent.execute(connection))

    [attempt] = Attempts(central).of_task(message_id)
    assert (attempt.outcome, attempt.node, "fragile_app" in attempt.traceback) == (Outcome.DEAD, "n1", True)
    [gone] = Lost(central, embedded=True).nodes(datetime.now(UTC))
    assert (gone.node, gone.dead_letters, gone.stopped) == ("n1", 1, False)

    first.broken.unlink()
    second = start_product(GROWBIN_NODE="n2")
    assert letters.mark(letter.id, Action.RETRY, by="kim", at=datetime.now(UTC))

    def completed() -> bool:
        found = tasks.get(message_id)
        return found is not None and found.status is TaskState.COMPLETED

    second.until(completed, "it ends well on the other node")
    assert tasks.get(message_id).node == "n2"  # type: ignore[union-attr]
    assert second.runs.read_text() == "once\nonce\n"
    assert (letters.get(letter.id).carried_by, letters.list()) == ("n2", [])

    again = start_product()
    again.until(lambda: again.command("dead", "list") == [], "the node that is back has closed its letter")
    assert tasks.get(message_id).status is TaskState.COMPLETED  # type: ignore[union-attr]
    now = datetime.now(UTC)
    Minutes(central).compute_due(now=now + timedelta(minutes=2), kept=timedelta(days=1))
    counted = {each.outcome: each.runs for each in Minutes(central).read(now - timedelta(hours=1), now) if each.runs}
    assert counted.items() >= {"dead": 1, "completed": 1}.items()
