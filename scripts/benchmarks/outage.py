"""``scripts/bench outage``: how long sending takes while RabbitMQ is away, and how fast it catches up."""

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

#: How many send, and each one message; the first kind sends them in turn.
KINDS = (("in turn", 200), ("threads", 100), ("threads", 1000), ("greenlets", 1000))

WAYS = {"refuses": "connections are refused", "drops": "every packet is dropped"}


def command(
    passes: Annotated[int, typer.Option(help="Rounds; the slowest send of the median round counts.", min=1)] = 3,
    messages: Annotated[int, typer.Option(help="Messages to forward.", min=1)] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Seconds until ``send`` returns while RabbitMQ is away, and messages a second when it is back.

    \b
    Each run is a fresh process with a journal of its own, so that opening it counts. Starts a private RabbitMQ for
    the forwarding.

    \b
    Examples:
      scripts/bench outage
      scripts/bench outage --json --passes 5
    """
    results: dict[str, Any] = {"machine": report.machine(), "sending": [], "forwarding": []}
    for _ in range(passes):
        for way, words in WAYS.items():
            for kind, number in KINDS:
                report.note(f"{number} {kind}, {words}…")
                run = _run(kind, number, way)
                results["sending"].append({"way": way, "kind": kind, "number": number, **run})
    with tempfile.TemporaryDirectory() as folder:
        up = ["up", "--only", "rabbitmq", "--json", "--with-pid", str(os.getpid()), "--dir", folder]
        url = json.loads(_output(str(SERVICES), *up))["rabbitmq"]["url"]
        try:
            for _ in range(passes):
                report.note(f"forwarding {messages} messages…")
                results["forwarding"].append(_run("forward", messages, url))
        finally:
            _output(str(SERVICES), "down", "--dir", folder)
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _run(kind: str, number: int, where: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_output("-m", "benchmarks.outage_run", kind, str(number), where))
    return found


def _output(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(  # noqa: S603
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


def _show(results: dict[str, Any]) -> None:
    rows = []
    for way, words in WAYS.items():
        for kind, number in KINDS:
            same = [
                run for run in results["sending"] if (run["way"], run["kind"], run["number"]) == (way, kind, number)
            ]
            middle = sorted(same, key=lambda run: run["slowest"])[len(same) // 2]
            rows.append([words, f"{number} {kind}", f"{middle['median']:.3f}", f"{middle['slowest']:.2f}"])
    report.show("Sending while RabbitMQ is away", ["RabbitMQ", "sends", "median s", "slowest s"], rows)
    rates = sorted(int(run["per_second"]) for run in results["forwarding"])
    report.show(
        "Forwarding", ["messages/s, median", "slowest", "fastest"], [[rates[len(rates) // 2], rates[0], rates[-1]]]
    )
