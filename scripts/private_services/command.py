"""The command line of ``scripts/services``."""

import argparse
import contextlib
import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from private_services.errors import ServicesError
from private_services.install import require
from private_services.lifecycle import Server, down, locked, state, up
from private_services.postgresql import PostgreSQL
from private_services.process import Process
from private_services.rabbitmq import RabbitMQ
from private_services.rabbitmq_installation import CHOICE
from private_services.record import Record
from private_services.seaweedfs import PROJECT, SeaweedFS

SERVERS: dict[str, Server] = {server.name: server for server in (RabbitMQ(), PostgreSQL(), SeaweedFS())}

SCRIPT = PROJECT / "scripts" / "services"

EPILOG = """\
examples:
  scripts/services up && eval "$(scripts/services env)"
  scripts/services up --only rabbitmq --dir /tmp/mine --json
  scripts/services up --rabbitmq 4
  scripts/services down
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parse(arguments)
    servers = [SERVERS[name] for name in options.only]
    folder = options.dir.resolve()
    if getattr(options, "rabbitmq", None):
        os.environ[CHOICE] = options.rabbitmq
    try:
        return COMMANDS[options.command](servers, folder, options)
    except ServicesError as error:
        print(f"scripts/services: {error}", file=sys.stderr)
        return 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/services",
        description="Private RabbitMQ, PostgreSQL and S3 servers on free ports of the loopback interface.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    helps = {
        "up": "start what does not run yet and wait until it answers",
        "down": "end what `up` started in this folder and delete its data",
        "env": "print the variables that point growbin-jobs at the servers",
        "status": "say what runs",
        "watch": None,
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text) if text else commands.add_parser(name)
        command.add_argument(
            "--dir", type=Path, default=PROJECT / ".services", help="where their state lies (default: .services)"
        )
        command.add_argument("--only", type=_names, default=list(SERVERS), help=f"some of {','.join(SERVERS)}")
        command.add_argument("--json", action="store_true", help="print JSON")
        if name in ("up", "watch"):
            command.add_argument("--with-pid", type=int, help="also end the servers when this process has ended")
        if name == "up":
            command.add_argument(
                "--rabbitmq",
                choices=("3", "4"),
                help=f"its generation; default: {CHOICE}, else the system's. Debian 13's 4 is fetched where the "
                "system has none",
            )
    return parser.parse_args(arguments)


def _names(value: str) -> list[str]:
    names = value.split(",")
    unknown = [name for name in names if name not in SERVERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(SERVERS)}")
    return names


def _up(servers: list[Server], folder: Path, options: argparse.Namespace) -> int:
    require(servers)
    with locked(folder):
        records = up(servers, folder)
    if options.with_pid:
        _watch_in_background(folder, options.with_pid)
    _show(records, options.json)
    return 0


def _down(servers: list[Server], folder: Path, options: argparse.Namespace) -> int:
    if not folder.is_dir():
        ended: list[str] = []
    else:
        with locked(folder):
            ended = down(servers, folder)
    print(json.dumps(ended) if options.json else f"ended: {', '.join(ended) or 'nothing'}")
    return 0


def _env(servers: list[Server], folder: Path, options: argparse.Namespace) -> int:
    records = state(servers, folder)
    away = [server.name for server in servers if server.name not in records]
    if away:
        raise ServicesError(f"{', '.join(away)} not up. First: scripts/services up")
    variables = {name: value for server in servers for name, value in server.variables(records[server.name]).items()}
    if options.json:
        print(json.dumps(variables))
    else:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
    return 0


def _status(servers: list[Server], folder: Path, options: argparse.Namespace) -> int:
    records = state(servers, folder)
    _show(records, options.json)
    if not options.json:
        for server in servers:
            if server.name not in records:
                print(f"{server.name:10} not up")
    return 0 if len(records) == len(servers) else 3


def _watch(servers: list[Server], folder: Path, options: argparse.Namespace) -> int:
    """Wait without a cost until a process has ended; then nobody needs the servers any more."""
    with _watcher_lock(folder, options.with_pid) as first:
        if not first:
            return 0
        with contextlib.suppress(ProcessLookupError):
            Process.of(options.with_pid).wait(None)
    return _down(servers, folder, options)


def _watch_in_background(folder: Path, pid: int) -> None:
    with _watcher_lock(folder, pid) as first:
        if not first:
            return
    subprocess.Popen(
        [sys.executable, str(SCRIPT), "watch", "--dir", str(folder), "--with-pid", str(pid)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def _watcher_lock(folder: Path, pid: int) -> Iterator[bool]:
    """Hold the right to watch a process for this folder; False when another watcher has it."""
    with (folder / f"watch-{pid}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _show(records: Mapping[str, Record], as_json: bool) -> None:
    if as_json:
        print(json.dumps({name: _facts(record) for name, record in records.items()}))
        return
    for name, record in records.items():
        pids = " ".join(str(process.pid) for process in record.processes)
        print(f"{name:10} port {record.facts['port']}  pid {pids}  {record.folder}")


def _facts(record: Record) -> dict[str, Any]:
    return {**record.facts, "folder": str(record.folder), "pids": [process.pid for process in record.processes]}


COMMANDS = {"up": _up, "down": _down, "env": _env, "status": _status, "watch": _watch}
