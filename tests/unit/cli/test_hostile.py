"""Every command that shows something, over hostile data, on a narrow terminal: nothing in it commands the terminal."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len
from tests.monitor.data import attempt, fill, letter, put, task, worker
from typer.testing import CliRunner

from growbin_jobs import checks
from growbin_jobs.cli import console
from growbin_jobs.cli.app import app
from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks
from growbin_jobs.errors import GrowbinError
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.settings import load

from .conftest import VARIABLES

BAD = "a[/b][red]\x1b[31m\x9b2J\x07\r\t\u202egpj\u2066\u2028:smile:\n2nd 한글[link=x]"
TASK = "0f8a1c52-7d3b-4b2e-9a61-3c5d7e9f1b24"
ANALYSIS = "9e107d9d372bb6826bd81d3542a419d6"

#: Attributes of rich's consoles: a terminal without colours.
TERMINAL = {"_force_terminal": True, "_color_system": None, "_height": 25}

#: What shows something of what is stored; ``{task}``, ``{letter}`` and ``{analysis}`` are put in.
SHOWN = [
    "status {analysis}", "doctor", "usage --by user", "usage --by model", "models servers",
    "budgets list", "journal status", "journal tail --no-follow", "journal verify", "dead list", "dead show {task}",
    "bulk list", "tasks show {task}", "tasks tree {analysis}", "tasks tree {task}", "queues list",
    "queues history", "breakers list", "limits list", "limits verify --last 1h", "schedule list",
    "schedule history", "schedule preview", "schedule verify", "health list", "health events", "stats show",
    "archive list", "reports list", "subject show user-1", "subject erasures", "monitor token list", "audit list",
    "audit verify", "webhooks list", "settings",
]  # fmt: skip


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A data folder in which every text that others write is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        patch.setenv("GROWBIN_DATA_DIR", str(folder))
        checks.run_checks()
        settings, now = load(), datetime.now(UTC)
        with closing(open_database(None, default_path=folder / "central.db", pool_size=1, timeout=5)) as database:
            fill(database, analyses=5)
            row = task(
                TASK, now, task_name=BAD, queue_name=BAD, node=BAD, worker=BAD, error=BAD, status="dead",
                payload='{"args": ["\\u001b[31m"], "kwargs": {}}', result='"\\u001b[2J"', root_id=ANALYSIS,
                started_at=now, completed_at=now,
            )  # fmt: skip
            put(database, TaskRow, [row, task(ANALYSIS, now, task_name=BAD, error=BAD)])
            put(database, AttemptRow, [attempt(row, 2)])
            put(database, DeadLetterRow, [letter(row)])
            Workers(database).report(BAD, [worker(BAD, now, group_name=BAD, queues=[BAD])], unsynced=0, owed=0, at=now)
            Analyses(database).accept(ANALYSIS, "u[/b]:smile:[red]한글")
        _journal(settings)
        with closing(EmbeddedBroker(folder / "broker.db", middleware=[])) as broker:
            broker.declare_queue("user_input")
        run = CliRunner()
        for words in (
            ["queues", "pause", "user_input", "--why", BAD], ["schedule", "pause", "cleanup.sessions", "--why", BAD],
            ["budgets", "set", f"user:{BAD}", "1.5"], ["monitor", "token", "create", BAD],
        ):  # fmt: skip
            done = run.invoke(app, words)
            assert done.exception is None or words, done.output
    return folder


def _journal(settings):
    journal, now = Journal(settings.journal_path, node=BAD, worker=BAD, free_floor=1), time.time()
    dead = Dead(
        body=b"{", code="retries_exhausted", params='{"detail": "\\u001b"}', error=BAD, traceback=BAD, died_at=now
    )
    for task_id, state in ((TASK, "dead"), (ANALYSIS, "failed")):
        record = Finish(
            task_id=task_id, task_name=BAD, queue_name=BAD, state=TaskState(state), worker=BAD, started_at=now - 1,
            completed_at=now, dead=dead if state == "dead" else None, payload=BAD, error=BAD,
        )  # fmt: skip
        journal.write(lambda connection, record=record: tasks.finish(connection, record))
    journal.close()


def is_harmless(text):
    return all(sign == "\n" or (sign.isprintable() and sign not in "\u202e\u2066\u2028") for sign in text)


@pytest.mark.parametrize("words", SHOWN)
def test_what_is_shown_is_harmless_and_fits(kept, monkeypatch, words):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROWBIN_DATA_DIR", str(kept))
    command = words.format(task=TASK, analysis=ANALYSIS, letter=f"letter-{TASK}").split()
    as_json = CliRunner().invoke(app, [*command, "--json"])
    for line in as_json.stdout.splitlines():
        json.loads(line)
        assert is_harmless(line)

    monkeypatch.setenv("TERM", "dumb")
    for width in (40, 80):
        for one in (console.out, console.err):
            for name, value in TERMINAL.items():
                monkeypatch.setattr(one, name, value)
            monkeypatch.setattr(one, "_width", width)
        done = CliRunner().invoke(app, command)

        assert isinstance(done.exception, (type(None), SystemExit, GrowbinError)), done.exception
        assert is_harmless(done.output), done.output
        lines = [line.rstrip() for line in done.stdout.splitlines()]
        # A single long word, such as a path, is left whole for whoever copies it.
        assert not [line for line in lines if cell_len(line) > width and " " in line.strip()]
        for identity in (TASK,) if "{task}" in words else (TASK, ANALYSIS):
            assert identity in done.stdout or identity not in as_json.stdout
