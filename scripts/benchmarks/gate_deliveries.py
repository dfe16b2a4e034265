"""``scripts/bench gate-deliveries``: how often a message is delivered that waits for its turn at a limit."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from benchmarks import report
from benchmarks.gate_cluster import ROOT, LimitedOpenAI, private_servers

#: Deliveries of a message, and the time of a backlog as a multiple of N / limit, at most.
MOST_DELIVERIES, LONGEST = 1.1, 1.03

#: The actor that waits.
_ACTOR = "analyze_image"


def command(
    messages: Annotated[int, typer.Option(help="Pictures of the backlog.", min=10)] = 1500,
    limit: Annotated[int, typer.Option(help="Vision requests a minute.", min=10)] = 600,
    processes: Annotated[int, typer.Option(help="Of the AI worker.", min=1)] = 2,
    threads: Annotated[int, typer.Option(help="Of each process.", min=2)] = 8,
    broker: Annotated[Literal["embedded", "rabbitmq", "both"], typer.Option(help="Which brokers.")] = "both",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """A backlog of pictures before a worker under a limit: deliveries a message, and the time until all are asked for.

    \b
    The pictures are stored first; then the AI worker starts, beside a model server that answers at once. A delivery is
    each start of the actor and each message that went back unstarted. Exit code 1: more than 1.1 deliveries a message,
    longer than 1.03 × messages / limit from the first request to the last as the server saw them, or an answer of 429.

    \b
    Examples:
      scripts/bench gate-deliveries
      scripts/bench gate-deliveries --broker embedded --messages 300
    """
    results: dict[str, Any] = {"machine": report.machine(), "runs": {}}
    for name in ("embedded", "rabbitmq") if broker == "both" else (broker,):
        report.note(f"{name}, {messages} pictures, about {messages / limit:.1f} min and their storing…")
        results["runs"][name] = _run(name, messages, limit, processes, threads)
    failures = [words for name, found in results["runs"].items() for words in _broken(name, found)]
    if as_json:
        report.dump(results | {"failures": failures})
    else:
        columns = [
            "",
            "messages",
            "deliveries a message",
            "time ÷ (N / limit)",
            "retries",
            "put off",
            "went back",
            "429",
        ]
        names = ("messages", "deliveries", "time", "retries", "deferrals", "returned", "refused")
        rows = [
            [name, *(f"{found[one]:.3f}" if one in ("deliveries", "time") else found[one] for one in names)]
            for name, found in results["runs"].items()
        ]
        report.show("A backlog under a limit", columns, rows)
        print("\n".join(failures) or "Every promise was kept.")
    if failures:
        raise typer.Exit(1)


def _broken(name: str, found: dict[str, Any]) -> list[str]:
    words = []
    if found["deliveries"] > MOST_DELIVERIES:
        words.append(f"{name}: {found['deliveries']:.3f} deliveries a message, {MOST_DELIVERIES} are promised")
    if found["time"] > LONGEST:
        words.append(f"{name}: {found['time']:.3f} × N / limit, {LONGEST} is promised")
    if found["refused"]:
        words.append(f"{name}: {found['refused']} answers of 429")
    return words


def _run(broker: str, messages: int, limit: int, processes: int, threads: int) -> dict[str, Any]:
    server = LimitedOpenAI({"vision": limit, "text": 10**6}, late=0.0, checked=False)
    with tempfile.TemporaryDirectory() as folder, _servers(broker) as addresses, server:
        models = {"OPENAI_BASE_URL": server.url, "GROWBIN_MODEL_SERVER": "openai"}
        stack = _Stack(Path(folder), addresses | models | {"GROWBIN_VISION_LIMIT": str(limit)})
        stack.run("-c", "from growbin_jobs.cli import main; main()", "db", "upgrade")
        stack.run("-m", "benchmarks.gate_backlog", str(messages))
        try:
            stack.start("storage", 1, 50)
            stack.wait_until("SELECT count(*) FROM waste_analysis WHERE status <> 'pending'", messages)
            stack.start("ai", processes, threads)
            stack.wait_until("SELECT count(*) FROM waste_analysis WHERE status = 'completed'", messages)
        finally:
            stack.stop()
        asked = server.counted("vision")
        [(runs, retries, deferrals)] = stack.rows(
            f"SELECT count(*), sum(retry_count), sum(deferrals) FROM tasks WHERE task_name = '{_ACTOR}'"  # noqa: S608
        )
        returned = stack.log("ai").count(f"message.requeued actor={_ACTOR} ")
    return {
        "messages": messages,
        "deliveries": (int(runs) + int(retries) + int(deferrals) + returned) / messages,
        "time": (asked[-1] - asked[0]) / (messages / limit * 60),
        "retries": int(retries),
        "deferrals": int(deferrals),
        "returned": returned,
        "refused": server.refused,
    }


@contextlib.contextmanager
def _servers(broker: str) -> Iterator[dict[str, str]]:
    """Yield the environment of an installation: nothing, or RabbitMQ and PostgreSQL of its own."""
    if broker == "embedded":
        yield {}
        return
    with private_servers("rabbitmq", "postgres") as started:
        yield {"GROWBIN_BROKER_URL": started["rabbitmq"]["url"], "DATABASE_URL": started["postgres"]["url"]}


class _Stack:
    """One installation and its workers."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GROWBIN_", "OPENAI_")) and name != "DATABASE_URL"
        }
        self._environment = (
            own
            | {
                "GROWBIN_DATA_DIR": str(folder / "data"),
                "GROWBIN_TEXT_LIMIT": "0",
                "OPENAI_API_KEY": "key-of-the-benchmark",
                "PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "src")]),
            }
            | environment
        )
        self._workers: list[subprocess.Popen[bytes]] = []

    def run(self, *words: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, *words], env=self._environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def start(self, group: str, processes: int, threads: int) -> None:
        main = "from growbin_jobs.cli import main; main()"
        options = ["worker", group, "--processes", str(processes), "--threads", str(threads)]
        with (self._folder / f"{group}.log").open("ab") as log:
            self._workers.append(
                subprocess.Popen(  # noqa: S603 - our own command
                    [sys.executable, "-c", main, *options], env=self._environment, stdout=log, stderr=log
                )
            )

    def wait_until(self, sql: str, number: int, patience: float = 900.0) -> None:
        """Wait until a count is reached; a database has no signal to await."""
        until = time.monotonic() + patience
        while (found := self.rows(sql)[0][0]) < number:
            if time.monotonic() > until or any(worker.poll() is not None for worker in self._workers):
                raise SystemExit(
                    f"{found} of {number} got there.\n{self.log('ai')[-2000:]}{self.log('storage')[-2000:]}"
                )
            time.sleep(1.0)

    def rows(self, sql: str) -> list[Any]:
        from growbin_jobs.engine.central.opening import open_database

        path = self._folder / "data" / "central.db"
        database = open_database(self._environment.get("DATABASE_URL"), default_path=path, pool_size=1, timeout=30)
        try:
            return database.run(lambda connection: list(connection.execute_sql(sql).fetchall()))
        finally:
            database.close()

    def log(self, group: str) -> str:
        path = self._folder / f"{group}.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            worker.wait()
