"""Everything of one node is killed: what it ran is lost, with what becomes of it, until it runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi.testclient import TestClient

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.workers import WorkerRow
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.settings import load

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

#: What becomes of it.
FATES = {
    "returns": "It runs again when a worker starts on the data folder of that node.",
    "redelivered": "The broker hands it to another worker when the node&#39;s connection ends.",
}


@pytest.fixture(params=["embedded", pytest.param("servers", marks=[pytest.mark.services, pytest.mark.before_release])])
def urls(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "embedded":
        return {}
    broker, database = map(request.getfixturevalue, ("rabbitmq_url", "upgraded_postgres_url"))
    return {"GROWBIN_BROKER_URL": broker, "DATABASE_URL": database}


@pytest.fixture
def monitor(urls: dict[str, str], tmp_path: Path) -> Iterator[tuple[TestClient, Database]]:
    """A monitor of the same cluster, and its database."""
    named = {"broker_url": urls.get("GROWBIN_BROKER_URL"), "database_url": urls.get("DATABASE_URL")}
    with closing(make_services(load(data_dir=tmp_path / "data", language="en", **named))) as services:
        yield (
            TestClient(make_app(MonitorConfig(insecure=True, language="en"), services), "http://localhost:5555"),
            services.database,
        )


def kill(product: Any) -> None:
    """Kill a node: master, workers, keeper."""
    for process in [*psutil.Process(product.worker.pid).children(recursive=True), psutil.Process(product.worker.pid)]:
        process.kill()
    product.worker.wait(30)


def test_what_a_killed_node_ran_is_lost_with_what_becomes_of_it(
    start_product: Callable[..., Any], urls: dict[str, str], monitor: tuple[TestClient, Database]
) -> None:
    client, database = monitor
    first = start_product(GROWBIN_NODE="n1", **urls)
    first.held.touch()
    message_id = first.send("once")

    def shown(state: str) -> bool:
        found = client.get("/api/v2/tasks", params={"state": state}).json()["tasks"]
        return [each["task_id"] for each in found if each["status"] == state] == [message_id]

    first.until(lambda: shown("running"), "the centre knows that it runs")
    first.until(lambda: client.get("/api/v2/workers").json()["present"], "the centre knows who runs it")
    kill(first)
    first.held.unlink()
    assert not shown("lost")  # the node may be back in a moment
    began = TaskRow.update(started_at=LONG_AGO).where(TaskRow.task_id == message_id)
    silent = WorkerRow.update(seen_at=LONG_AGO).where(WorkerRow.node == "n1")
    for query in (began, silent):  # nobody waits 45 s in a test
        database.run(lambda connection, query=query: query.execute(connection))
    assert shown("lost")
    fate = "returns" if not urls else "redelivered"
    told = client.get(f"/api/v2/tasks/{message_id}").json()
    assert (told["task"]["status"], told["waiting"]["reason"]) == ("lost", fate)
    assert told["waiting"]["values"] == {"node": "n1", "at": LONG_AGO.timestamp()}
    assert FATES[fate] in client.get(f"/tasks/{message_id}").text
    [gone] = client.get("/api/v2/workers").json()["present"]
    assert (gone["group"]["node"], gone["presence"]) == ("n1", "silent")

    second = start_product(GROWBIN_NODE="n2", **urls)
    second.until(lambda: shown("completed"), "another node has run it")
    assert client.get(f"/api/v2/tasks/{message_id}").json()["task"]["node"] == "n2"
    assert not shown("lost")
    assert second.runs.read_text() == "once\nonce\n"
