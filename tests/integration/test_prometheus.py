"""A real Prometheus scrapes a running node, and a scheduler's page is read; what is asked of it later is right."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests import command_line
from tests.waiting import until

from growbin_jobs.metrics.catalogue import CATALOGUE, of_source

HERE = Path(__file__).parent
PATIENCE = 45.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Node:
    """Growbin's storage workers, their keeper and a scheduler, and a Prometheus that scrapes both."""

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        self.keeper, self.scheduler, self.prometheus = free_port(), free_port(), free_port()
        self._folder, self._closing = folder, closing
        self.env = os.environ | {
            "GROWBIN_DATA_DIR": str(folder / "data"),
            "GROWBIN_NODE": "n1",
            "GROWBIN_METRICS_PORT": str(self.keeper),
            "GROWBIN_SCHEDULER_METRICS_PORT": str(self.scheduler),
            "GROWBIN_JOURNAL_FREE_FLOOR": "10000000",
        }

    def start(self, *command: str) -> None:
        log = self._closing.enter_context((self._folder / "log").open("ab"))
        start = command_line.start_python if command[0] == sys.executable else subprocess.Popen
        process = start(command, env=self.env, stdout=log, stderr=log, start_new_session=True)
        self._closing.callback(process.wait, PATIENCE)
        self._closing.callback(process.send_signal, signal.SIGTERM)

    def scrape(self) -> None:
        found = shutil.which("prometheus")
        assert found is not None, "prometheus is not installed: apt-get install prometheus"
        jobs = [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for name, port in (("node", self.keeper), ("scheduler", self.scheduler))
        ]
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
        (self._folder / "prometheus.json").write_text(json.dumps(settings))  # JSON is YAML
        self.start(
            found,
            f"--config.file={self._folder / 'prometheus.json'}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.prometheus}",
        )

    def ask(self, query: str) -> dict[str, float]:
        """Value of each series, by its labels as JSON."""
        try:
            url = f"http://127.0.0.1:{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": query})
            with urllib.request.urlopen(url, timeout=5) as response:
                result = json.loads(response.read())["data"]["result"]
        except OSError:
            return {}
        return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in result}

    def page(self, port: int) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            return ""

    def shown(self) -> set[str]:
        """Names of the metrics on both pages."""
        lines = (self.page(self.keeper) + self.page(self.scheduler)).splitlines()
        return {line.split()[2] for line in lines if line.startswith("# TYPE")}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with ExitStack() as closing:
        yield Node(tmp_path, closing)
        print((tmp_path / "log").read_text(errors="replace")[-5000:])


def test_prometheus_scrapes_a_node_and_a_scheduler(node: Node) -> None:
    send = "from growbin_jobs.storage.actors import retrieve_rule, upload_image; "
    send += "[retrieve_rule.send(f'a{n}', 'pet_bottle') for n in range(3)]; upload_image.send('u', '/nowhere', 'a9')"
    command_line.run_python([sys.executable, "-c", send], env=node.env, check=True)
    node.start(*command_line.MAIN, "worker", "storage")
    node.start(sys.executable, "-m", "growbin_jobs.scheduler")
    node.scrape()

    until(lambda: sum(node.ask("up").values()) == 2, "both are up")
    done = 'sum(growbin_tasks_total{task_name="retrieve_rule",status="completed",worker="n1"})'
    until(lambda: node.ask(done).get("{}") == 3, "three runs are counted")
    until(lambda: node.ask('sum(growbin_dead_letters_total{task_name="upload_image"})').get("{}") == 1, "a dead letter")
    until(lambda: node.ask('growbin_analyses_total{status="failed"}'), "its analysis is counted")
    until(lambda: node.ask("growbin_exporter_leader").values() and 1.0 in node.ask("growbin_exporter_leader").values(),
          "the scheduler leads")  # fmt: skip

    for name in ("growbin_cluster_source_up", "growbin_metrics_source_up", "growbin_health_check"):
        until(lambda name=name: set(node.ask(name).values()) == {1.0}, f"{name} is 1 everywhere")  # type: ignore[misc]

    # What waits where nobody takes it grows old; what is taken is not there.
    waiting = 'growbin_queue_messages{queue="response_generation",state="ready"}'
    until(lambda: 3.0 in node.ask(waiting).values(), "the depth of a queue without workers")
    age = 'growbin_queue_oldest_age_seconds{queue="response_generation"}'
    first = until(lambda: max(node.ask(age).values(), default=0.0), "its age")
    until(lambda: max(node.ask(age).values(), default=0.0) > first, "it grows")

    here = {metric.name for source in ("node", "cluster") for metric in of_source(source)}
    here -= {name for name in here if name.startswith(NEEDS_MONEY)}
    until(lambda: node.shown() >= here, "all that can be read here is shown")
    assert node.shown() <= set(CATALOGUE)


#: Shown only where a model server is asked: limits, breakers, budgets, until when its models are offered.
NEEDS_MONEY = (
    "growbin_limit_", "growbin_breaker_", "growbin_budget_", "growbin_llm_", "growbin_model_days_left",
    "growbin_schedule_job_last_run",
)  # fmt: skip
