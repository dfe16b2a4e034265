"""Servers up and down. Both are idempotent, and safe when several runs do it for the same folder at once."""

import contextlib
import fcntl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from private_services.errors import PortTaken, ServicesError
from private_services.record import Record

START_TIMEOUT = 90.0  # seconds; RabbitMQ takes 6, and 20 on a loaded machine
ATTEMPTS = 4
POLL = 0.1
PORT_TAKEN = ("eaddrinuse", "address already in use", "address in use")


class Server(Protocol):
    """One kind of server."""

    name: str
    packages: tuple[str, ...]  # Debian's
    stop_signal: int

    def missing(self) -> str | None:
        """Return what is not installed, as a sentence, or None."""

    def differs(self, record: Record, /) -> str | None:
        """Return in a sentence how what runs differs from what is asked for, or None."""

    def start(self, record: Record) -> None:
        """Start it: fill ``record.facts``, spawn through the record. Raises PortTaken to be called again."""

    def answers(self, record: Record) -> bool:
        """Return True when it serves a request with our own password: another run's server does not count."""

    def variables(self, record: Record) -> dict[str, str]:
        """Return the environment variables that point the product at it."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one run at a time change what is in the folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(servers: Sequence[Server], folder: Path) -> dict[str, Record]:
    """Bring the servers up side by side; those that answer already stay as they are.

    Raises:
      ServicesError: If one does not start. Those that this call started are ended again.
    """
    fresh: list[Server] = []
    try:
        with ThreadPoolExecutor(len(servers)) as threads:
            return dict(threads.map(lambda server: (server.name, _bring_up(server, folder, fresh)), servers))
    except BaseException:
        down(fresh, folder)
        raise


def down(servers: Sequence[Server], folder: Path) -> list[str]:
    """End what was started in this folder and delete its files. Return the names of what was there."""
    with ThreadPoolExecutor(len(servers) or 1) as threads:
        return [name for name in threads.map(lambda server: _clean(server, folder), servers) if name]


def state(servers: Sequence[Server], folder: Path) -> dict[str, Record]:
    """Return the records of the servers that are up and answer."""
    found = ((server, Record.load(folder / server.name)) for server in servers)
    return {server.name: record for server, record in found if record and _is_up(server, record)}


def _bring_up(server: Server, folder: Path, fresh: list[Server]) -> Record:
    home = folder / server.name
    record = Record.load(home)
    if record and _is_up(server, record):
        if difference := server.differs(record):
            raise ServicesError(f"{difference} End it first (scripts/services down), or take another --dir.")
        return record
    fresh.append(server)
    for _ in range(ATTEMPTS):
        _clean(server, folder)
        record = Record(home)
        record.save()
        try:
            server.start(record)
            _await_answer(server, record)
        except PortTaken:
            continue
        record.ready = True
        record.save()
        return record
    raise ServicesError(f"{server.name} found no free port in {ATTEMPTS} attempts. Try again.")


def _is_up(server: Server, record: Record) -> bool:
    return record.ready and record.alive() and server.answers(record)


def _await_answer(server: Server, record: Record) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not server.answers(record):
        if not record.alive():
            output = record.log.read_text(errors="replace")
            if any(words in output.lower() for words in PORT_TAKEN):
                raise PortTaken
            raise ServicesError(f"{server.name} ended while it started. Its last words:\n{_tail(output)}")
        if time.monotonic() > deadline:
            output = record.log.read_text(errors="replace")
            raise ServicesError(
                f"{server.name} did not answer within {START_TIMEOUT:.0f} s. Its last words:\n{_tail(output)}"
            )
        time.sleep(POLL)


def _clean(server: Server, folder: Path) -> str | None:
    record = Record.load(folder / server.name)
    if record is None:
        Record(folder / server.name).remove()
        return None
    for process in reversed(record.processes):
        process.end(server.stop_signal)
    record.remove()
    return server.name


def _tail(output: str) -> str:
    return "\n".join(f"  {line}" for line in output.splitlines()[-15:]) or "  (it said nothing)"
