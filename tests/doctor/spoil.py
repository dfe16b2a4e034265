"""Spoils one thing of an installation that takes more than a setting; each returns the settings that it needs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.waiting import freeze

from growbin_jobs.ai.offline import weights
from growbin_jobs.alerts.sending import RECEIVER_GONE
from growbin_jobs.alerts.webhooks import Webhooks
from growbin_jobs.checks import engine as engine_checks
from growbin_jobs.checks import places
from growbin_jobs.engine import data_folder, folder_rights
from growbin_jobs.engine.broker.embedded.queue import EmbeddedStore
from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.control.instructions import Action, Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.file.quarantine import put_aside
from growbin_jobs.engine.node.presence import Presence, WorkerProcess
from growbin_jobs.limits.breaker_failures import Failure
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.budgets import Budgets
from growbin_jobs.models.batch_questions import BatchQuestion, BatchQuestions, Waiter
from growbin_jobs.models.batches import Batches
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

if TYPE_CHECKING:
    from tests.doctor.stage import Stage

Env = dict[str, str]
_Usage = namedtuple("_Usage", "total used free")


def not_writable(stage: Stage) -> Env:
    # Not by the folder's mode: root may write anywhere.
    real = os.access
    stage.patch.setattr(os, "access", lambda path, mode: Path(path) != stage.data and real(path, mode))
    return {}


def another_s(stage: Stage, name: str) -> Env:
    """A file of the data folder that root has made, say, before the service's own user came."""
    real, file = os.access, stage.data / name
    file.touch()
    stage.patch.setattr(os, "access", lambda path, mode: Path(path) != file and real(path, mode))
    return {}


def homeless(stage: Stage) -> Env:
    def nobody(_: Any = None) -> Path:
        raise RuntimeError("no home")

    stage.patch.setattr(Path, "home", nobody)
    for name in ("GROWBIN_DATA_DIR", "XDG_DATA_HOME"):
        stage.patch.delenv(name, raising=False)
    for module in (data_folder, engine_checks):
        stage.patch.setattr(module, "HOMELESS", stage.folder)
    return {}


def little_disk(stage: Stage) -> Env:
    stage.patch.setattr(folder_rights.shutil, "disk_usage", lambda _: _Usage(10**12, 10**12, 500_000_000))
    return {}


def _journal(stage: Stage) -> Path:
    path: Path = load(data_dir=stage.data).journal_path
    path.parent.mkdir(exist_ok=True)
    return path


def damaged_journal(stage: Stage) -> Env:
    path = _journal(stage)
    open_journal_file(path).close()
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * 8192 + data[16384:])
    return {}


def no_journal(stage: Stage) -> Env:
    _journal(stage).write_bytes(stage.junk.read_bytes())
    return {}


def journal_aside(stage: Stage) -> Env:
    path = _journal(stage)
    path.write_bytes(stage.junk.read_bytes())
    put_aside(path, ValueError("x"))
    open_journal_file(path).close()
    return {}


def journal_of_another_name(stage: Stage) -> Env:
    path = stage.data / "old-host" / "task_queue.db"
    path.parent.mkdir()
    journal = open_journal_file(path)
    journal.execute("INSERT INTO outbox VALUES (1, 'm', NULL, 'upload_image', 'user_input', x'7b7d', NULL, 0, 1.0)")
    journal.close()
    for each in path.parent.iterdir():
        os.utime(each, (1.0, 1.0))
    return {}


def restored(stage: Stage) -> Env:
    """The journal says that a task is in the central database, which was restored to a moment before."""
    journal = open_journal_file(_journal(stage))
    journal.execute(
        "INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, created_at, synced_at, seq)"
        " VALUES ('t', 'upload_image', 'user_input', '{}', 'completed', ?1, ?1, 1)",
        (time.time(),),
    )
    journal.close()
    return {}


def no_weights(stage: Stage) -> Env:
    stage.patch.setattr(weights, "DISTRIBUTION", "no-such-weights")
    return {}


def one_group(stage: Stage) -> Env:
    process = WorkerProcess(
        pid=os.getpid(), master=1, group="storage", threads=1, queues=(), version="1", started_at=time.time()
    )
    stage.ends.callback(Presence(stage.data / socket.gethostname(), process).leave)
    return {}


#: What PostgreSQL says of a full disk, here instead of each new table.
DISK_FULL = """
CREATE FUNCTION disk_full() RETURNS event_trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$
"""


def changed_secret(stage: Stage) -> Env:
    one_group(stage)
    secrets = stage.folder / "secrets"
    secrets.mkdir()
    for name, ahead in {"GROWBIN_LANGUAGE": -60, "OPENAI_ADMIN_KEY": 60}.items():
        (secrets / name).write_text("ko")
        os.utime(secrets / name, (time.time() + ahead,) * 2)
    return {"GROWBIN_SECRETS_DIR": str(secrets)}


def _settings(stage: Stage) -> Any:
    return load(data_dir=stage.data)


def overdue(stage: Stage) -> Env:
    from growbin_jobs.scheduler import presence

    stage.patch.setattr(presence, "overdue_seconds", lambda *_, **__: 500.0)
    return {}


def paused(stage: Stage) -> Env:
    with closing(central_database(_settings(stage))) as database:
        Control(database).give(Action.PAUSE, Target.QUEUE, "vision_analysis", by="kim", reason="a test")
    return {}


def breaker(stage: Stage) -> Env:
    with closing(central_database(_settings(stage))) as database:
        Breakers(database).failed("model:gpt-6-luna@api.openai.com", Failure("model_quota_exhausted"))
    return {}


def webhook_gone(stage: Stage) -> Env:
    with closing(central_database(_settings(stage))) as database:
        hooks = Webhooks(database)
        hook = hooks.add(
            "ops", "https://h.example/x", secret_ref="env:WEBHOOK_SECRET", rules={"budget": None}, by="kim"
        )
        hooks.pause(hook, by=RECEIVER_GONE)
    return {}


def nearly_spent(stage: Stage) -> Env:
    settings = _settings(stage)
    database = central_database(settings)
    budgets = Budgets(database, zone=ZoneInfo(settings.timezone), defaults={"total": 1_000_000})
    budgets.reserve("r", ["total"], 900_000)
    database.close()
    return {}


def wrong_books(stage: Stage) -> Env:
    nearly_spent(stage)
    with closing(central_database(_settings(stage))) as database:
        database.run(lambda one: one.execute_sql("UPDATE budget_day SET unknown = 1"))
    return {}


def stuck_batch(stage: Stage) -> Env:
    with closing(central_database(_settings(stage))) as database:
        batches = Batches(database)
        batch = database.transaction(lambda connection: batches.begin(connection, "b1", "gpt-6-luna"))
        batches.rest(batch, 300.0, problem="The model's server refuses the key.")
    return {}


def forgotten_questions(stage: Stage) -> Env:
    with closing(central_database(_settings(stage))) as database:
        questions = BatchQuestions(database)
        waiter = Waiter(message_id="m", analysis_id=None, user_id=None, attempt=1, body="{}")
        questions.put_down(BatchQuestion("key", "q1", "vision", "gpt-6-luna", "p", {}), waiter)
        database.run(lambda one: one.execute_sql("UPDATE model_batch_question SET put_at = 0"))
    return {}


def shifted(seconds: float) -> type[datetime]:
    """Return a clock that is so much ahead."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

    return Shifted


def clock(stage: Stage) -> Env:
    stage.patch.setattr(places, "datetime", shifted(65))
    return {}


_STOPPED = """
import sys
from pathlib import Path
folder, data = Path(sys.argv[1]), Path(sys.argv[2])
{does}
print("ready", flush=True)
sys.stdin.read()
"""

_WRITES = """
import apsw
connection = apsw.Connection(str(data / "{file}"))
connection.execute("BEGIN IMMEDIATE")
"""

_SCHEDULES = """
import os
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.scheduler.presence import Presence
database = open_database(None, default_path=data / "central.db", pool_size=1, timeout=5)
Presence(database, f"{folder.name}/{os.getpid()}/1", folder.name, "1").run_once()
"""

_WORKS = """
import os, time
from growbin_jobs.engine.node.presence import Presence, WorkerProcess
process = WorkerProcess(
    pid=os.getpid(), master=1, group="ai", threads=1, queues=("vision_analysis",), version="1", started_at=time.time()
)
presence = Presence(folder, process)
"""


def stopped_writer(file: str) -> Callable[[Stage], Env]:
    def staged(stage: Stage) -> Env:
        EmbeddedStore(stage.data / "broker.db", stage.data / "wakeups").connection.close()
        return _stopped(stage, _WRITES.format(file=file))

    return staged


def stopped_worker(stage: Stage) -> Env:
    return _stopped(stage, _WORKS)


def stopped_scheduler(stage: Stage) -> Env:
    with closing(central_database(_settings(stage))) as database:
        clock_of(database)
    return _stopped(stage, _SCHEDULES)


def _stopped(stage: Stage, does: str) -> Env:
    command = [sys.executable, "-c", _STOPPED.format(does=does), str(load().node_dir), str(stage.data)]
    process = stage.ends.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    stage.ends.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    freeze(process.pid)
    return {}
