"""The command line, as a person runs it and, where that is enough, inside this process."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests import command_line
from tests.command_line import MAIN
from typer.testing import CliRunner

from growbin_jobs import settings as _settings
from growbin_jobs.cli.app import app

VARIABLES = frozenset(_settings.Settings.variable(name) for name in _settings.Settings.model_fields)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Embedded, with nothing set but the data folder."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES} | {
        "GROWBIN_DATA_DIR": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path),
        "COLUMNS": "80",
    }


@pytest.fixture
def command(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``growbin-jobs`` in a process of its own; keywords are variables."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return command_line.run(*arguments, env=environment | variables, text=True)

    return run


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``growbin-jobs`` with its stderr in a pipe; ended after the test if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        *arguments: object, before: Callable[[], object] = lambda: None, **variables: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*MAIN, *map(str, arguments)],
            env=environment | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # What a shell starts in the background ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: (signal.signal(signal.SIGINT, signal.SIG_DFL), before()),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., object]:
    """Run a command in this process; only for those that read the settings anew."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROWBIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, **variables: str) -> object:
        return CliRunner().invoke(app, [*map(str, arguments)], env=variables)

    return run


@pytest.fixture
def processes_of() -> Callable[[str], list[psutil.Process]]:
    """Return the living processes that carry a node's name in their environment."""

    def find(node: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("GROWBIN_NODE") == node and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    return find
