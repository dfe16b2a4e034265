"""What both kinds of central database promise: schema, transactions, errors, and many processes at once."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import peewee
import pytest
from tests import command_line

from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.minutes import TaskMinuteRow
from growbin_jobs.engine.central.minutes_due import MinuteDueRow
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.queue_minutes import QueueMinuteRow
from growbin_jobs.engine.central.rate_limit_rows import RateLimitRow
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.upgrade import SchemaVersion, check, migrations, pending, require_current, upgrade
from growbin_jobs.engine.central.worker_actors import WorkerActorsRow
from growbin_jobs.engine.central.workers import WorkerRow
from growbin_jobs.engine.control.table import ControlRow, ControlVersionRow
from growbin_jobs.engine.task_progress.table import TaskProgressRow
from growbin_jobs.errors import ConfigurationError, Deferred, Permanent, Transient
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses, WasteAnalysis
from growbin_jobs.models.erasure_rows import (
    ErasureCountRow,
    ErasureNodeRow,
    ErasureObjectRow,
    ErasureRefRow,
    ErasureRow,
)
from growbin_jobs.models.monitor_sessions import MonitorSessionRow
from growbin_jobs.models.monitor_tokens import MonitorTokenRow
from growbin_jobs.models.node_counts import NodeCountsRow
from growbin_jobs.models.weekly_report import WeeklyReportRow
from growbin_jobs.platform.tables.archives import Archive
from growbin_jobs.platform.tables.dirty import StatisticsDirty
from growbin_jobs.platform.tables.facts import FACTS
from growbin_jobs.platform.tables.health import HealthEvent, HealthStateRow, MaintenanceWindow
from growbin_jobs.platform.tables.limits import RetentionLimit
from growbin_jobs.platform.tables.losses import StatisticsLoss
from growbin_jobs.platform.tables.registry import Agent, AgentStage, LlmModel
from growbin_jobs.platform.tables.slots import StatisticsSlot
from growbin_jobs.platform.tables.statistics import Statistic
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow, ProcessRow, RevisionRow, StateRow

NAMES = [migration.name for migration in migrations(SCHEMA)]
PLATFORM = [
    *FACTS, Agent, AgentStage, LlmModel, StatisticsDirty, StatisticsLoss, StatisticsSlot, Statistic, RetentionLimit,
    HealthStateRow, HealthEvent, MaintenanceWindow, Archive,
]  # fmt: skip
MODELS = [
    WasteAnalysis, TaskRow, AttemptRow, DeadLetterRow, MinuteDueRow, TaskMinuteRow, QueueMinuteRow,
    WorkerRow, RateLimitRow, SchemaVersion, WeeklyReportRow, ControlRow, ControlVersionRow, TaskProgressRow,
    WorkerActorsRow, NodeCountsRow, StateRow, RevisionRow, LedgerRow, JobRunRow, ProcessRow, *PLATFORM,
    MonitorSessionRow, MonitorTokenRow, ErasureRow, ErasureRefRow, ErasureCountRow, ErasureNodeRow, ErasureObjectRow,
]  # fmt: skip

#: Tables without a model, or with one without indexes: statements of ``limits/`` and ``models/`` write them, and
#: their own contract tests run all of those.
BY_STATEMENTS = {
    "llm_usage", "model_rehearsal",
    "breaker", "breaker_failure", "budget", "budget_day", "budget_entry", "call_limit", "limit_lease", "limit_minute",
    "limit_promise", "limit_reserve", "limit_server", "llm_usage_rolled", "llm_usage_sum", "model_answer", "model_end",
    "budget_cover",
    "server_facts", "audit", "audit_chain", "task_reruns", "bulk_jobs", "bulk_items", "control_history",
    "llm_usage_total", "webhooks", "webhook_subjects", "webhook_deliveries", "webhook_watch",
    "error_causes", "error_minutes", "error_hours", "error_hours_due", "task_spans", "task_spans_due",
    "error_days", "error_days_due",
    "model_batch", "model_batch_question", "model_batch_waiter",
    "llm_usage_tier", "llm_usage_span", "llm_usage_spanned",
}  # fmt: skip

#: Where PostgreSQL puts rows of which there is no month yet.
DEFAULT_PARTITIONS = {"logs_default", "api_calls_default"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> partial[Database]:
    """Opens the same database again and again, as other processes would; empty, unless the test asks for the schema."""
    name = "upgraded_postgres_url" if "database" in request.fixturenames else "postgres_url"
    url = request.getfixturevalue(name) if request.param == "postgresql" else None
    return partial(open_database, url, default_path=tmp_path / "central.db", pool_size=4, timeout=10)


@pytest.fixture
def empty(reopen: Callable[[], Database]) -> Iterator[Database]:
    database = reopen()
    yield database
    database.close()


@pytest.fixture
def database(empty: Database) -> Database:
    upgrade(empty, SCHEMA)
    return empty


FORKING = """
import json, multiprocessing, os, sys, threading
from pathlib import Path
from growbin_jobs.messages import Advice, StoredPicture
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.worker_actors import WorkerActorsRow
from growbin_jobs.engine.control.table import ControlRow, ControlVersionRow
from growbin_jobs.engine.task_progress.table import TaskProgressRow
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA

database = open_database(sys.argv[2] or None, default_path=Path(sys.argv[1]), pool_size=4, timeout=10)
analyses = Analyses(database)

def in_processes(count, work):
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(count), context.SimpleQueue()

    def run(number):
        gate.wait()
        try:
            results.put(work(number))
        except BaseException as error:
            results.put(repr(error))

    processes = [context.Process(target=run, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return found
"""


def forking(reopen: partial[Database], script: str) -> Any:
    """Run a script that has ``database``, ``analyses`` and ``in_processes(count, work)``, and return what it prints.

    ``in_processes`` runs ``work(number)`` in forked processes that start at the same moment and returns the results,
    errors as text. They are forked out of a fresh process: out of this one, with threads of other tests, some hung.
    """
    place = [str(reopen.keywords["default_path"]), reopen.args[0] or ""]
    done = command_line.run_python([sys.executable, "-c", FORKING + script, *place], text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- schema


def test_an_upgrade_makes_the_schema_once(empty: Database) -> None:
    assert pending(empty, SCHEMA) == NAMES
    assert upgrade(empty, SCHEMA) == NAMES
    assert upgrade(empty, SCHEMA) == []
    assert pending(empty, SCHEMA) == []
    check(empty, SCHEMA)


def test_a_database_that_is_behind_is_refused_with_the_remedy(empty: Database, reopen: partial[Database]) -> None:
    with pytest.raises(ConfigurationError, match=r"lacks 0001_waste_analysis.*growbin-jobs db upgrade"):
        require_current(empty, SCHEMA)
    with (
        closing(reopen(upgrade_command="orders upgrade")) as another,
        pytest.raises(Deferred, match=r"orders upgrade$"),
    ):
        Analyses(another).accept("a1", "u1")


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    row = {"version": 9999, "name": "9999_future", "applied_at": datetime.now(UTC), "incompatible_below": 9999}
    database.run(lambda connection: SchemaVersion.insert(row).execute(connection))
    assert upgrade(database, SCHEMA) == []
    with pytest.raises(ConfigurationError, match="has schema 9999, this program knows"):
        require_current(database, SCHEMA)


def test_eight_processes_upgrade_an_empty_database_at_once(reopen: partial[Database]) -> None:
    applied = forking(reopen, "print(json.dumps(in_processes(8, lambda _: upgrade(database, SCHEMA))))")
    assert sorted(name for names in applied for name in names) == NAMES  # each by one of them
    require_current(reopen(), SCHEMA)


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from growbin_jobs.engine.central import upgrade as module

    broken = module.Migration(1, "0001_broken", "CREATE TABLE half (id $text); CREATE TABLE half (id $text);")
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda schema: (broken,))
        with pytest.raises(Transient):
            upgrade(empty, SCHEMA)
    assert empty.run(lambda connection: connection.get_tables()) == []
    assert upgrade(empty, SCHEMA) == NAMES


def test_the_schema_is_the_one_that_the_models_declare(database: Database) -> None:
    def describe(connection: peewee.Database, table: str) -> dict[str, Any]:
        columns = connection.get_columns(table)
        # The indexes of a partitioned table are those of its partitions.
        partition = f"{table}_default"
        indexed = partition if partition in connection.get_tables() else table
        return {
            "columns": [(c.name, c.data_type.upper(), c.null, c.primary_key) for c in columns],
            "indexes": sorted((tuple(i.columns), i.unique) for i in connection.get_indexes(indexed)),
        }

    migrated = database.run(lambda c: {m: describe(c, m._meta.table_name) for m in MODELS})
    tables = database.run(lambda c: set(c.get_tables()))
    assert tables - DEFAULT_PARTITIONS - BY_STATEMENTS == {model._meta.table_name for model in MODELS}

    def declare(connection: peewee.Database) -> dict[Any, Any]:
        for model in MODELS:
            connection.execute_sql(f"DROP TABLE {model._meta.table_name}")
            peewee.SchemaManager(model, connection).create_all(safe=False)
        return {m: describe(connection, m._meta.table_name) for m in MODELS}

    assert migrated == database.run(declare)


# --- operations


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    analyses = Analyses(database)
    analyses.accept("a1", "u1")

    def half(connection: peewee.Database) -> None:
        WasteAnalysis.update(item="can").where(WasteAnalysis.id == "a1").execute(connection)
        raise LookupError("in the middle")

    with pytest.raises(LookupError, match="in the middle"):
        database.transaction(half)
    found = analyses.get("a1")
    assert found is not None
    assert found.item is None


@pytest.mark.parametrize("fails", [False, True])
def test_a_transaction_that_was_left_open_is_not_inherited(database: Database, fails: bool) -> None:
    def leave_open(connection: peewee.Database) -> None:
        connection.execute_sql("BEGIN")
        WasteAnalysis.update(item="can").execute(connection)
        if fails:
            raise LookupError

    Analyses(database).accept("a1", "u1")
    with pytest.raises(LookupError) if fails else nullcontext():
        database.run(leave_open)
    database.transaction(lambda _: None)
    found = Analyses(database).get("a1")
    assert found is not None
    assert found.item is None


def test_errors_carry_no_values(database: Database) -> None:
    secret = "user-4711-secret"

    def conflict(connection: peewee.Database) -> None:
        for _ in range(2):
            row = {"version": 5000, "name": secret, "applied_at": None}
            SchemaVersion.insert(row).execute(connection)

    def nonsense(connection: peewee.Database) -> None:
        connection.execute_sql(f"SELECT nonsense FROM ('{secret}'")

    for work, expected in ((conflict, Permanent), (nonsense, Transient)):
        with pytest.raises(expected) as caught:
            database.run(work)
        assert secret not in str(caught.value)
        assert caught.value.__context__ is None  # a traceback would print the statement's own error
    Analyses(database).accept("a1", "u1")  # the connections are good


def test_statements_are_not_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        Analyses(database).accept("a1", "user-4711-secret")
    assert "4711" not in caplog.text


def test_a_user_waits_for_a_connection_but_not_for_ever(
    reopen: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = reopen()
    monkeypatch.setattr(database._driver, "sessions", 1)
    monkeypatch.setattr(database._driver, "patience", 0.05)
    lent, requeue_claimed = threading.Event(), threading.Event()

    def hold(_: peewee.Database) -> bool:
        lent.set()
        return requeue_claimed.wait(30)

    holder = threading.Thread(target=database.run, args=(hold,))
    holder.start()
    assert lent.wait(30)
    with pytest.raises(Deferred, match="stayed in use") as caught:
        database.run(lambda _: None)
    assert caught.value.wait == 5.0
    requeue_claimed.set()
    holder.join()
    assert database.run(lambda _: "served") == "served"
    database.close()


def test_a_connection_is_used_again_and_by_one_thread_at_a_time(database: Database) -> None:
    used: list[int] = []
    busy: set[int] = set()
    overlaps: list[int] = []

    def work(connection: peewee.Database) -> None:
        raw = id(connection.connection())
        if raw in busy:
            overlaps.append(raw)
        busy.add(raw)
        connection.execute_sql("SELECT 1").fetchall()
        used.append(raw)
        busy.discard(raw)

    threads = [threading.Thread(target=lambda: [database.run(work) for _ in range(20)], daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(used) == 240
    assert len(set(used)) <= 4
    assert overlaps == []


# --- processes


def test_a_forked_child_has_a_connection_of_its_own(database: Database, reopen: partial[Database]) -> None:
    parent, results = forking(
        reopen,
        """
analyses.accept("a1", "u1")  # the parent is connected now

def work(number):
    for round_ in range(20):
        analyses.uploaded("a1", "u1", StoredPicture(s3_path=f"s3://{number}/{round_}", thumbnail_path="t"))
    found = analyses.get("a1")
    return os.getpid(), found.status.value if found else "missing"

results = in_processes(2, work)
for _ in range(20):
    analyses.accept("a1", "u1")
print(json.dumps([os.getpid(), results]))
""",
    )
    assert [status for _, status in results] == ["uploaded"] * 2
    assert len({pid for pid, _ in results} | {parent}) == 3


def test_one_of_eight_processes_completes_an_analysis(database: Database, reopen: partial[Database]) -> None:
    analyses = Analyses(database)
    ids = [f"a{number}" for number in range(10)]
    for analysis_id in ids[::2]:  # the other rows do not exist yet
        analyses.accept(analysis_id, "u1")

    results = forking(
        reopen,
        """
def work(number):
    advice = Advice(text=f"from {number}", language="ko", source="rule", model="offline/rule")
    return [analyses.completed(f"a{each}", advice) for each in range(10)]

print(json.dumps(in_processes(8, work)))
""",
    )
    for column, analysis_id in enumerate(ids):
        winners = [result for result in results if result[column] is True]
        assert len(winners) == 1, results
        assert analyses.get(analysis_id) is not None


def test_four_processes_write_at_once_and_nothing_is_lost(database: Database, reopen: partial[Database]) -> None:
    results = forking(
        reopen,
        """
def work(number):
    def few(thread):
        for row in range(5):
            analysis_id = f"{number}-{thread}-{row}"
            analyses.accept(analysis_id, "u1")
            analyses.completed(analysis_id, Advice(text="ok", language="ko", source="rule", model="m"))

    threads = [threading.Thread(target=few, args=(thread,)) for thread in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "done"

print(json.dumps(in_processes(4, work)))
""",
    )
    assert results == ["done"] * 4
    counts = Analyses(database).count_by_status()
    assert sum(counts.values()) == counts[next(s for s in counts if s == "completed")] == 4 * 3 * 5


@pytest.mark.parametrize("odd", ["a\0b", "\ud83d"])
def test_a_text_that_cannot_be_stored_is_refused_in_our_words(database: Database, odd: str) -> None:
    words, sql = SqlWords(database.dialect), "SELECT task_id FROM tasks WHERE task_id = ?"

    if database.dialect == "sqlite" and "\0" in odd:  # which stores it
        assert database.run(lambda connection: words.rows(connection, sql, odd)) == []
        return
    with pytest.raises(Permanent) as refused:
        database.run(lambda connection: words.rows(connection, sql, odd))
    assert refused.value.code == "request_invalid"
