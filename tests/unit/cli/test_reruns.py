"""``growbin-jobs tasks run-again|edit|retry``, ``dead … --cluster`` and ``bulk``, embedded, in both languages."""

import json

import pytest
from tests.contract.test_bulk import letter
from tests.monitor.data import put, task
from tests.upgraded import upgrade

from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.reruns import Reruns
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.audit import Audit


@pytest.fixture
def database(tmp_path):
    opened = open_database(None, default_path=tmp_path / "data" / "central.db", pool_size=2, timeout=10)
    upgrade(opened, SCHEMA)
    rows = [letter(number) for number in range(3)]
    put(opened, DeadLetterRow, rows)
    put(
        opened, TaskRow,
        [
            task(row["task_id"], row["died_at"], task_name="analyze_image", status="dead", payload=row["body"].decode())
            for row in rows
        ],
    )  # fmt: skip
    yield opened
    opened.close()


def refused(result):
    """Return what a command says that has failed."""
    assert result.exit_code == 1
    return f"{result.exception} {result.stderr}"


def test_dead_letters_of_all_nodes_are_listed_by_the_filters_that_retry_and_discard_take(invoke, database):
    put(database, DeadLetterRow, [letter(7) | {"code": "worker_killed", "queue_name": "user_input", "node": "n2"}])

    def listed(*options):
        lines = invoke("dead", "list", "--cluster", *options, "--json").stdout.splitlines()
        return sorted((each["node"], each["task_id"], each["code"]) for each in map(json.loads, lines))

    assert len(listed()) == 4
    only = [("n2", "t7", "worker_killed")]
    assert listed("--code", "worker_killed") == listed("--queue", "user_input") == only
    assert listed("--actor", "nothing") == listed("--hours", "0.0001") == []
    assert len(listed("--limit", "2")) == 2
    assert "가장 최근 2개입니다. 더 있습니다" in invoke("dead", "list", "--cluster", "--limit", "2", "--json").stderr
    assert "there are more" not in invoke("dead", "list", "--cluster", "--limit", "4", "--json").stderr
    shown = invoke("dead", "list", "--cluster", "--code", "worker_killed", GROWBIN_LANGUAGE="en")
    assert {"n2", "t7", "worker_killed"} < set(shown.stdout.split())
    assert "dead retry --cluster ID" in shown.stderr
    letter_7 = json.loads(invoke("dead", "show", "--cluster", "t7", "--json").stdout)
    assert (letter_7["node"], letter_7["message"]["args"]) == ("n2", ["a7", "s3://b/k"])
    assert "dead letter 7 of n2" in invoke("dead", "show", "--cluster", "t7", GROWBIN_LANGUAGE="en").stdout
    assert "no dead letter" in refused(invoke("dead", "show", "--cluster", "nothing"))
    assert "add --cluster" in refused(invoke("dead", "show", "t7"))
    invoke("dead", "discard", "--cluster", "t7")
    assert listed("--code", "worker_killed") == []
    assert listed("--code", "worker_killed", "--dealt-with") == only


def test_dead_letters_of_all_nodes_are_retried_by_their_tasks_ids_once(invoke, database):
    assert json.loads(invoke("dead", "retry", "--cluster", "t0", "letter-00001", "--json").stdout)["retried"] == 2
    again = refused(invoke("dead", "retry", "--cluster", "t0"))
    assert "has let it run again" in again
    assert "1개를 폐기" in invoke("dead", "discard", "--cluster", "--all", "--yes").stdout
    assert "add --cluster" in refused(invoke("dead", "retry", "t0"))
    assert {each.action for each in Audit(database).after(0, limit=50)} == {
        "dead_letter.retried",
        "dead_letter.discarded",
    }


def test_a_task_runs_again_and_is_edited(invoke, database):
    made = json.loads(invoke("tasks", "run-again", "t1", "--why", "doubt", "--json").stdout)
    assert (made["rerun_of"], made["reason"]) == ("t1", "doubt")
    assert made["task_id"] in refused(invoke("tasks", "run-again", "t1"))
    assert "s3_path" in refused(invoke("tasks", "edit", "t2", "--args", '["a", 7]'))
    korean = invoke("tasks", "edit", "t2", "--args", '["a", "s3://b/x"]', GROWBIN_LANGUAGE="ko").stdout
    assert "대신합니다" in korean
    assert "no JSON at line 1" in refused(invoke("tasks", "edit", "t2", "--args", "["))
    assert "runs once more" in invoke("tasks", "retry", "t0", GROWBIN_LANGUAGE="en").stdout
    assert len(Reruns(database).waiting()) == 2


def test_a_bulk_job_is_previewed_started_and_taken_back(invoke, database):
    draft = json.loads(invoke("bulk", "preview", "retry", "--actor", "analyze_image", "--json").stdout)
    assert (draft["state"], draft["preview"]["able"]) == ("draft", 3)
    assert f"bulk start {draft['id']}" in invoke("bulk", "show", draft["id"], GROWBIN_LANGUAGE="en").stderr
    assert "30초 뒤에" in invoke("bulk", "start", draft["id"], "--name", "after", GROWBIN_LANGUAGE="ko").stderr
    assert "is waiting" in refused(invoke("bulk", "stop", draft["id"]))
    assert json.loads(invoke("bulk", "undo", draft["id"], "--json").stdout)["state"] == "undone"
    assert "after" in invoke("bulk", "list", COLUMNS="200").stdout
    assert "is undone" in refused(invoke("bulk", "resume", draft["id"]))
