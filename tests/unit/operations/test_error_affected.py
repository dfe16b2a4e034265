"""Whom a group of errors has hit."""

import json
from datetime import UTC, datetime, timedelta

from tests.monitor.data import attempt, put, task
from tests.upgraded import upgrade

from growbin_jobs import settings as _settings
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.operations import error_affected
from growbin_jobs.operations.error_affected import Affected, affected_by
from growbin_jobs.operations.error_groups import error_groups, error_groups_with_tasks, tasks_of_group
from growbin_jobs.wiring import central_database

NOW = datetime.now(UTC)


def test_analyses_and_users_count_once_however_often_their_tasks_failed(tmp_path, monkeypatch):
    database = central_database(_settings.load(data_dir=tmp_path))
    upgrade(database, SCHEMA)
    analyses = [
        {"id": f"a{number}", "user_id": f"u{number % 2}", "status": "failed", "created_at": NOW, "updated_at": NOW}
        for number in range(4)
    ]  # fmt: skip
    sent = [{"args": [each["user_id"], "s3://x/y", each["id"]], "kwargs": {}} for each in analyses]
    texts = [json.dumps(message) for message in [*sent, sent[0], {"args": "no list"}, ["no message"]]]
    rows = [
        task(f"t{number}", NOW, status="failed", error="E", completed_at=NOW, payload=text)
        for number, text in enumerate([*texts, "no json"])
    ]  # fmt: skip
    rows.append(rows[0] | {"task_id": "t8", "task_name": "reports.weekly"})
    put(database, WasteAnalysis, analyses)
    put(database, TaskRow, rows)
    put(database, AttemptRow, [attempt(row, number) for row in rows for number in range(2)])
    span = {"since": NOW - timedelta(hours=1), "until": NOW + timedelta(hours=1)}
    [group] = error_groups(database, **span).groups

    groups, tasks = error_groups_with_tasks(database, group.key, **span)
    assert (groups, sorted(tasks)) == (error_groups(database, **span), sorted(f"t{number}" for number in range(9)))
    assert tasks == tasks_of_group(database, group.key, **span)
    assert error_groups_with_tasks(database, "no such group", **span) == (groups, [])
    assert affected_by(database, tasks) == Affected(tasks=9, examined=9, analyses=4, users=2)
    assert affected_by(database, []) == Affected(tasks=0, examined=0, analyses=0, users=0)
    monkeypatch.setattr(error_affected, "MOST", 1)
    assert affected_by(database, tasks).examined == 1
    database.close()
