"""Monitor, schedule and commands of an engine that is not Growbin's: real processes, tables of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests import command_line
from tests.waiting import until

SHOP = """
from datetime import timedelta

import dramatiq

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.metrics.observing import Metrics
from growbin_jobs.scheduler.schedule import Schedule

engine = Engine(EngineConfig.from_env("SHOP_", source="shop:engine", observers=(Metrics(),))).install()
schedule = Schedule(engine)


@schedule.job(timedelta(seconds=1))
def tick(due):
    with open("ticks", "a") as file:
        print(due, file=file)


@schedule.job("0 0 1 1 *", max_retries=0)
def year():
    raise RuntimeError


@dramatiq.actor
def add(a: int, b: int):
    return a + b


@dramatiq.actor(max_retries=0)
def pay(order):
    raise RuntimeError(order)
"""

SENT = "from shop import add, pay; print(add.send(2, 3).message_id, pay.send('o-1').message_id)"

#: What an engine of one's own has; everything else is Growbin's.
PAGES = [
    "/", "/tasks", "/errors", "/workers", "/queues", "/dead-letters", "/bulk", "/schedule", "/proof", "/audit",
    "/access",
]  # fmt: skip
OF_GROWBIN = [
    "/analyses", "/money", "/batches", "/health", "/statistics", "/webhooks", "/photos/thumbnail/a-1",
    "/api/v2/analyses", "/api/v2/export/analyses?reason=why", "/api/v2/limits", "/api/v2/usage",
    "/api/v2/webhooks", "/api/v2/batches", "/api/v2/error-groups/e/affected",
]  # fmt: skip

pytestmark = pytest.mark.timeout(200)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Shop:
    """A folder with another team's module, its workers and its monitor."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.log = folder, folder / "up.log"
        (folder / "shop.py").write_text(SHOP)
        others = {name: value for name, value in os.environ.items() if not name.startswith("GROWBIN_")}
        self.node_port, self.cluster_port = free_port(), free_port()
        ports = {
            "SHOP_METRICS_PORT": str(self.node_port),
            "SHOP_SCHEDULER_METRICS_PORT": str(self.cluster_port),
        }
        self.env = others | {"SHOP_DATA_DIR": str(folder / "data"), "SHOP_NODE": "n1"} | ports | env

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return command_line.run(*arguments, "--engine", "shop", env=self.env, cwd=self.folder, text=True)

    def up(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command_line.MAIN, "up", "shop"], env=self.env, cwd=self.folder, stdout=log, stderr=log
            )
        link = r"Sign in, once: (http://[\d.:]+)/sign-in"
        self.address = until(lambda: re.search(link, self.log.read_text()), "the monitor says where it is")[1]

    def send(self) -> list[str]:
        command = [sys.executable, "-c", SENT]
        done = command_line.run_python(command, env=self.env, cwd=self.folder, text=True, check=True)
        return done.stdout.split()

    def metrics(self, port: int) -> str:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()[-4000:]


@pytest.fixture(params=["embedded", pytest.param("servers", marks=[pytest.mark.services, pytest.mark.before_release])])
def shop(tmp_path, request):
    servers = {}
    if request.param == "servers":
        servers = {
            "SHOP_BROKER_URL": request.getfixturevalue("rabbitmq_url"),
            "SHOP_DATABASE_URL": request.getfixturevalue("postgres_url"),
        }
    shop = Shop(tmp_path, **servers)
    if servers:
        refused = shop.command("monitor", "--insecure", "--port", "0")
        assert (refused.returncode, "growbin-jobs db upgrade --engine shop" in refused.stderr) == (78, True)
        assert shop.command("db", "upgrade").returncode == 0
    shop.up()
    yield shop
    if shop.process.poll() is None:
        shop.process.kill()
        shop.process.wait()


def ended(client, task_id, state):
    task = client.get(f"/api/v2/tasks/{task_id}")
    return task.status_code == 200 and task.json()["task"]["status"] == state


def test_its_tasks_are_shown_and_steered_and_nothing_of_growbin_s_is_there(shop):
    made = shop.command("monitor", "token", "create", "script", "--role", "admin+personal")
    client = httpx.Client(base_url=shop.address, headers={"authorization": f"Bearer {made.stdout.strip()}"}, timeout=30)
    with client:
        sum_, payment = shop.send()
        until(lambda: ended(client, sum_, "completed") and ended(client, payment, "dead"), "both have ended")

        answers = {path: client.get(path).status_code for path in [*PAGES, f"/tasks/{sum_}", f"/tasks/{payment}"]}
        assert set(answers.values()) == {200}, answers
        refused = {path: client.get(path).status_code for path in OF_GROWBIN}
        assert set(refused.values()) == {404}, refused
        assert "an engine that has no such thing" in client.get("/analyses").text
        front = client.get("/").text
        assert [path for path in PAGES if f'href="{path}" data-key' not in front] == []
        assert [path for path in OF_GROWBIN if f'href="{path}" data-key' in front] == []
        described = client.get("/api/v2/openapi.json").json()["paths"]
        assert "/api/v2/tasks" in described
        assert [path for path in described if "analys" in path or "limit" in path] == []
        plain = [path for path, its in described.items() if "get" in its and "{" not in path and "export" not in path]
        assert {path: client.get(path).status_code for path in plain} == dict.fromkeys(plain, 200)
        ours = {"workername": "worker@n1", "taskname": "add"}
        assert client.get("/api/tasks", params=ours).json().keys() == {sum_}

        assert client.post("/api/v2/schedule/year/run").status_code == 200
        until(lambda: "failed" in shop.command("schedule", "history", "year").stdout, "the job was run, and has failed")
        assert client.post("/api/v2/schedule/tick/pause", json={"reason": "the night"}).status_code == 200
        [letter] = client.get("/api/v2/dead-letters", params={"actor": "pay"}).json()["letters"]
        assert client.post(f"/api/v2/dead-letters/{letter['id']}/retry").status_code == 200
        wrong = client.post(f"/api/v2/tasks/{sum_}/edit", json={"args": [2, "three"]})
        assert (wrong.status_code, "b" in wrong.json()["detail"]) == (409, True)
        edited = client.post(f"/api/v2/tasks/{sum_}/edit", json={"args": [20, 30]}).json()["task_id"]
        until(lambda: ended(client, edited, "completed"), "the edited task has run")
        pay = {"actor": "pay"}
        second = until(lambda: client.get("/api/v2/dead-letters", params=pay).json()["letters"], "it is given up again")

    assert 'growbin_tasks_total{queue="default",status="completed",task_name="add",worker="n1"}' in shop.metrics(
        shop.node_port
    )
    until(lambda: 'growbin_nodes{group="worker"} 1' in shop.metrics(shop.cluster_port), "the scheduler leads")
    cluster = shop.metrics(shop.cluster_port)
    assert 'growbin_queue_messages{queue="default",state="ready"}' in cluster
    assert 'growbin_schedule_job_last_run_timestamp_seconds{job="tick"}' in cluster
    assert "growbin_budget" not in cluster
    assert 'source="limits"' not in cluster

    previewed = json.loads(shop.command("bulk", "preview", "retry", "--actor", "pay", "--json").stdout)
    assert [each["preview"]["count"] for each in [previewed]] == [len(second)]
    listed = [
        json.loads(line) for line in shop.command("tasks", "list", "state:dead actor:pay", "--json").stdout.splitlines()
    ]
    assert [task["task_id"] for task in listed] == [payment]
    assert shop.command("schedule", "resume", "tick").returncode == 0
    assert shop.command("queues", "pause", "default", "--why", "the night").returncode == 0
    acts = [json.loads(line)["action"] for line in shop.command("audit", "list", "--json").stdout.splitlines()]
    assert {"token.created", "dead_letter.retried", "task.edited_and_run", "schedule.paused"} <= set(acts)
    assert {"schedule.resumed", "queue.paused"} <= set(acts)
    assert shop.command("audit", "verify").returncode == 0
    history = shop.command("schedule", "history", "tick", "--limit", "1000", "--json").stdout.splitlines()
    done = [json.loads(line)["due"] for line in history if json.loads(line)["outcome"] == "done"]
    assert len(done) > 1
    assert sorted((shop.folder / "ticks").read_text().split()) == sorted(done)
    assert "tick" not in shop.command("schedule", "verify").stdout
    proof = json.loads(shop.command("prove", "--json").stdout)["statement"]
    assert [(part["name"], part["counted"]["lost"], part["wrong"]) for part in proof["parts"]] == [("messages", 0, [])]
    assert proof["parts"][0]["counted"]["accepted"] >= 3 + len(done)
    shop.stop()
