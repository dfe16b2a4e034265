"""PostgreSQL is restored to an earlier moment: what has been paid for and what was due since then, by real workers."""

import json
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from tests.waiting import until

from growbin_jobs import names
from growbin_jobs.scheduler.jobs import message_id, next_message_id
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.table import ONCE
from growbin_jobs.scheduler.tick import Tick
from growbin_jobs.states import AnalysisStatus

pytestmark = [pytest.mark.timeout(300), pytest.mark.services]

JOB = names.AGGREGATE_DAILY.actor


class Backup:
    """A backup of a stack's database, by PostgreSQL's own programs."""

    def __init__(self, stack, server, file):
        self._stack, self._server, self._file = stack, server, file
        self._programs = Path(server["psql"]).parent
        self._url = stack.env["DATABASE_URL"]
        self.began = datetime.now(UTC)
        subprocess.run([self._programs / "pg_dump", "--format", "custom", "--file", file, self._url], check=True)

    def restore(self):
        """As docs/deploy.md has it; what the test itself has open is no pod that could be stopped."""
        name = self._url.rpartition("/")[2]
        ask(self._stack, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            " AND pid <> pg_backend_pid()")  # fmt: skip
        command = [self._programs / "pg_restore", "--create", "--clean", "--if-exists", "--exit-on-error"]
        subprocess.run([*command, "--dbname", self._server["url"], self._file], check=True)


def ask(stack, query):
    with closing(psycopg2.connect(stack.env["DATABASE_URL"])) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def told(stack, *arguments):
    done = stack.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_after_a_restore_nothing_is_paid_twice_and_what_was_due_is_settled(
    clustered, openai, photos, postgres_server, tmp_path
):
    Tick(ONCE, Ledger(clustered.database, "test"), lambda message: None, ZoneInfo("Asia/Seoul")).run_once()
    ask(clustered, f"UPDATE schedule_state SET planned_until = now() - interval '1 day' WHERE job = '{JOB}'")
    backup = Backup(clustered, postgres_server, tmp_path / "backup")

    clustered.start(threads=4, scheduler=True, greenlets=False)
    [after] = clustered.submit(photos[:1])
    clustered.wait([after], timeout=120)
    sent_as = f"SELECT message_id FROM schedule_ledger WHERE job = '{JOB}' AND state = 'done'"
    done = f"SELECT due FROM schedule_ledger WHERE job = '{JOB}' AND state = 'done'"
    [due] = until(lambda: ask(clustered, done), "what was due is done")
    assert ask(clustered, sent_as) == [(message_id(JOB, due[0]),)]
    assert set(clustered.stop().values()) == {0}
    paid = openai.stats()
    backup.restore()
    assert ask(clustered, "SELECT count(*) FROM waste_analysis") == [(0,)]

    clustered.start(threads=4, scheduler=True, greenlets=False)
    assert until(lambda: ask(clustered, done), "it is done in the restored database, too") == [due]
    assert ask(clustered, sent_as) == [(next_message_id(message_id(JOB, due[0])),)], "the node knows the first one"

    def is_synced():  # workers go on, so a row may come behind it: exit code 75
        done = clustered.run("journal", "sync", "--again-since", backup.began.isoformat(), "--json")
        assert json.loads(done.stdout)["refused"] == 0, done.stderr
        return done.returncode == 0

    until(is_synced, "the journal is copied")
    tasks = f"SELECT task_id FROM tasks WHERE task_name = 'analyze_image' AND payload::text LIKE '%{after}%'"
    [[task]] = until(lambda: ask(clustered, tasks), "the task of the gap is back")
    told(clustered, "tasks", "run-again", task, "--json")
    again = clustered.wait([after], timeout=120)[after]

    assert again.status is AnalysisStatus.COMPLETED
    assert openai.stats()["vision"] == paid["vision"], "the answer was saved"
    assert set(clustered.stop().values()) == {0}
