"""A script that knows only Flower, a monitor that answers it, and the tasks that it is told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from argon2 import PasswordHasher
from tests.monitor.data import letter, put, task, worker
from tests.monitor.serving import serving

from growbin_jobs.engine.central.dead_letters import DeadLetterRow
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.central.worker_actors import WorkerActors
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.metrics.count_files import CountFile, NodeCounts
from growbin_jobs.metrics.counted import TASK_SECONDS, TASKS
from growbin_jobs.metrics.counts import Counts
from growbin_jobs.metrics.telling import TellCounts
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.node_counts import NodeCountsTable
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.people import Grant, Role, User
from growbin_jobs.monitor.services import Services
from growbin_jobs.settings import Settings

NOW = datetime.now(UTC).replace(microsecond=0)
WORKER = "storage@storage-1"
KEYS = [
    "uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked",
    "args", "kwargs", "result", "eta", "expires", "retries", "worker", "exception", "timestamp", "runtime", "traceback",
    "exchange", "routing_key", "clock", "client", "root", "root_id", "parent", "parent_id", "children",
]  # fmt: skip
WORKER_KEYS = {
    "active", "active_queues", "conf", "registered", "reserved", "revoked", "scheduled", "stats", "timestamp",
}  # fmt: skip
ITEM_KEYS = {
    "id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info", "worker_pid",
}  # fmt: skip

PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def user(name: str, role: Role, *, personal: bool = False) -> User:
    return User(name=name, grant=Grant(role, personal), password_hash=HASH)


CONFIG = MonitorConfig(
    users=(user("ada", Role.ADMIN, personal=True), user("otto", Role.OPERATOR), user("vera", Role.VIEWER)),
    language="en",
)


class Script(requests.Session):
    """A script that was written for Flower."""

    def __init__(self, port: int, name: str | None = "ada") -> None:
        super().__init__()
        self.base = f"http://127.0.0.1:{port}"
        self.auth = (name, PASSWORD) if name else None

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, self.base + url, *args, timeout=30, **kwargs)

    def read(self, path: str, **parameters: Any) -> Any:
        answer = self.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return strict(answer)


def strict(answer: requests.Response) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no strict JSON")

    return json.loads(answer.content.decode("utf-8", "strict"), parse_constant=refuse)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def rows() -> list[dict[str, Any]]:
    ran = {"started_at": ago(50), "completed_at": ago(40), "worker": "w/1"}
    whole = json.dumps({"args": ["u1", 12345], "kwargs": {"client_id": 1234}})
    return [
        task("t-done", ago(60), payload=whole, result='{"n": 7}', **ran),
        task("t-child", ago(59), parent_id="t-done", root_id="t-done", **ran),
        task("t-sent", ago(10), status="pending"),
        task("t-taken", ago(11), status="pending", worker="w/1", due_at=NOW + timedelta(hours=1)),
        task("t-runs", ago(30), status="running", worker="w/1", started_at=ago(20)),
        task("t-retry", ago(90), status="failed", error="RateLimited", retry_count=2, **ran),
        task("t-dead", ago(100), status="dead", error="KeyError", task_name="retrieve_rule", **ran),
        task("t-revoked", ago(70), error="revoked", completed_at=ago(65), worker="w/1"),
        task("t-ai", ago(80), task_name="analyze_image", queue_name="vision_analysis", node="ai-1", worker="w/9"),
    ]


def filled(settings: Settings) -> Iterator[Services]:
    services = make_services(settings)
    upgrade(services.database, SCHEMA)
    found = rows()
    put(services.database, TaskRow, found)
    put(services.database, DeadLetterRow, [letter(row) for row in found if row["status"] == "dead"])
    reserved = [{"id": "t-taken", "actor": "upload_image", "queue": "user_input", "pid": 71}]
    group = worker("storage-1", datetime.now(UTC), reserved=1, reserved_tasks=reserved)
    alive = datetime.now(UTC) + timedelta(hours=6)  # however long the tests take
    Workers(services.database).report("storage-1", [group], unsynced=0, owed=0, at=alive)
    _count(services)
    WorkerActors(services.database).report("storage-1", {"storage": ("upload_image",)}, at=NOW)
    gone = worker("storage-9", ago(7200))
    Workers(services.database).report("storage-9", [gone], unsynced=0, owed=0, at=ago(7200))
    Workers(services.database).report("storage-9", [], unsynced=0, owed=0, at=ago(3600))
    yield services
    services.close()


def _count(services: Services) -> None:
    """Let storage-1 tell what its processes have counted, one of which has died."""
    folder = services.settings.node_dir
    for ends, dies in (({"completed": 5, "failed": 2, "dead": 1}, True), ({"completed": 3, "requeued": 1}, False)):
        counts = Counts()
        for outcome, number in ends.items():
            counts.inc(TASKS, "user_input", "upload_image", outcome, by=number)
            counts.observe(TASK_SECONDS, "user_input", "upload_image", value=0.2)
        counts.inc(TASKS, "vision_analysis", "analyze_image", "completed")  # of another group
        file = CountFile(folder, counts)
        file.write()
        if dies:
            file.let_go()
    tell = TellCounts("storage-1", NodeCounts(folder), NodeCountsTable(services.database))
    for _ in range(2):  # again and again, and nothing counts twice
        tell.run_once()


def serve(services: Services, config: MonitorConfig) -> Iterator[int]:
    with serving(make_app(config, services)) as port:
        yield port
