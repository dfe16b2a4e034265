"""The page of queues: what RabbitMQ holds that no task is known of."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

from tests.monitor.data import put, task
from tests.upgraded import upgrade

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.app import make_app


def test_messages_of_other_programs_are_told_before_a_worker_takes_them(services, open_monitor, monkeypatch):
    upgrade(services.database, SCHEMA)
    at = datetime.now(UTC)
    rows = [
        task(f"t{number}", at, status=state) for number, state in enumerate(("pending", "failed", "running", "dead"))
    ]
    put(services.database, TaskRow, rows)
    depths = {"user_input": Depth(5, None, None, 0), "vision_analysis": Depth(0, None, None, 0)}
    # RabbitMQ lists no queues: what is not named is not told.
    broker = SimpleNamespace(
        depths=lambda queues: {name: depths[name] for name in queues if name in depths}, close=lambda: None
    )
    by_rabbitmq = replace(
        services, engine=replace(services.engine, broker_url="amqp://127.0.0.1"), open_broker=lambda: broker
    )
    monkeypatch.setattr("tests.unit.monitor.conftest.make_app", lambda config, _: make_app(config, by_rabbitmq))
    client = open_monitor(insecure=True, users=())

    found = {each["name"]: each["unseen"] for each in client.get("/api/v2/queues").json()["queues"]}
    assert (found["user_input"], found["vision_analysis"]) == (3, 0)
    assert "3 not seen yet" in client.get("/queues").text
    assert "has a row among the tasks when a worker takes it" in client.get("/tasks?state=pending").text
    depths.clear()
    assert "not seen yet" not in client.get("/queues").text
