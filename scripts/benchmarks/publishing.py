"""``scripts/bench publishing``: confirmed messages to RabbitMQ, against Dramatiq's own broker."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import report

SERVICES = Path(__file__).parents[1] / "services"

WAYS = {
    "ours": "ours, confirmed",
    "dramatiq-confirmed": "dramatiq, confirmed",
    "dramatiq": "dramatiq, not confirmed",
}

#: Greenlets that publish, and messages of one run.
SIZES = ((1, 500), (50, 5000), (1000, 10000))


def command(
    passes: Annotated[int, typer.Option(help="Rounds over all ways and sizes; the best counts.", min=1)] = 3,
    queue_type: Annotated[str, typer.Option(help="quorum or classic")] = "quorum",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Messages per second of 1, 50 and 1000 greenlets, and the connections that they open.

    \b
    Each greenlet sends one message after the other and waits for each. Starts a private RabbitMQ. The passes are
    interleaved; the best of each way counts, since the disk's fsync is shared with whatever else the machine does.

    \b
    Examples:
      scripts/bench publishing
      scripts/bench publishing --queue-type classic --passes 5
    """
    results: dict[str, Any] = {"machine": report.machine(), "queue_type": queue_type, "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        up = ["up", "--only", "rabbitmq", "--json", "--with-pid", str(os.getpid())]
        url = json.loads(_run(sys.executable, str(SERVICES), *up, "--dir", folder))["rabbitmq"]["url"]
        try:
            for _ in range(passes):
                for way in WAYS:
                    for greenlets, messages in SIZES:
                        report.note(f"{WAYS[way]}, {greenlets} greenlets…")
                        run = _publish(way, url, queue_type, greenlets, messages)
                        results["runs"].append({"way": way, "greenlets": greenlets, "messages": messages, **run})
        finally:
            _run(sys.executable, str(SERVICES), "down", "--dir", folder)
    if as_json:
        report.dump(results)
    else:
        _show(results["runs"])


def _publish(way: str, url: str, queue_type: str, greenlets: int, messages: int) -> dict[str, Any]:
    module = [sys.executable, "-m", "benchmarks.publishing_run"]
    found: dict[str, Any] = json.loads(_run(*module, way, url, queue_type, str(greenlets), str(messages)))
    return found


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def _show(runs: list[dict[str, Any]]) -> None:
    rows = []
    for way, words in WAYS.items():
        for greenlets, _ in SIZES:
            same = [run for run in runs if (run["way"], run["greenlets"]) == (way, greenlets)]
            best = max(same, key=lambda run: run["per_second"])
            rows.append([words, greenlets, int(best["per_second"]), best["connections"], best["lag_p99_ms"]])
    report.show("Publishing", ["way", "greenlets", "messages/s", "connections", "hub lag p99 ms"], rows)
