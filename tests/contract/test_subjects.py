"""All that is held about one person, on both databases: shown, handed out, erased, and it does not come back."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.contract.platform.conftest import SEOUL, World, seoul
from tests.killing import killed_at

from growbin_jobs.adapters.file_cache import FileCache
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.upgrade import tables_of
from growbin_jobs.engine.control.instructions import Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks as journal_tasks
from growbin_jobs.errors import Permanent
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.messages import Advice, StoredPicture, VisionAnswer
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses, WasteAnalysis
from growbin_jobs.models.audit import Audit, AuditEntry
from growbin_jobs.models.erasures import Erasures
from growbin_jobs.operations.subjects.erasing import Erased, Erasing
from growbin_jobs.operations.subjects.here import EraseHere
from growbin_jobs.operations.subjects.person import Person
from growbin_jobs.platform.retention.archiving import Archiving
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.facts import Log, Session
from growbin_jobs.platform.tables.retention import RetentionTable
from growbin_jobs.platform.tables.sources import SOURCES

ALICE, BOB = "alice", "bob"
BOTTLE = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.9)


def first(user: str) -> str:
    """The id of a user's first analysis, which does not name the user."""
    return f"{user[0]}001"


def second(user: str) -> str:
    return f"{user[0]}002"


class House:
    """Two people with everything that can be held about a person; a node with a journal."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.objects = database, FolderStore(folder / "objects")
        self.world = World(database, SEOUL)
        self.analyses = Analyses(database)
        self.journal = Journal(folder / "n1.db", node="n1", worker="test", free_floor=0)
        self.broker = EmbeddedBroker(folder / "broker.db", middleware=[])
        self.sync = Sync(self.journal, Tasks(database))
        self.fetched = folder / "fetched"
        self.files = FileCache(folder / "n1.db", self.fetched, ttl=3600, most=1_000_000)
        self.here = EraseHere(
            self.journal,
            database,
            lambda belong: self.broker.forget_dead_letters([], belong),
            self.files.clear,
        )
        self.archiving = Archiving(self.objects, Archives(database), RetentionTable(database, zone=SEOUL))

    def fill(self, user: str) -> None:
        """Make everything about a user: two analyses, messages, facts, usage, logs, archives, pictures."""
        for name in (first(user), second(user)):
            self.picture(user, name)
            self.analyses.accept(name, user)
            self.analyses.classified(name, BOTTLE, "m")
        self.analyses.completed(first(user), Advice(text=f"Rinse it, {user}.", language="en", source="rule", model="m"))
        self.run("upload_image", [user, "s3://b/spool/x", first(user)])
        self.run("analyze_image", [first(user), f"s3://b/uploads/{user}/{first(user)}/original.jpg"])
        self.run("analyze_image", [second(user), "s3://b/x"], dead=True)
        self.world.user(user, seoul(1))
        self.world.login(user, seoul(27, 9, 3))
        self.world.session(user, seoul(27), ended=seoul(27, 13))
        self.world.session(user, seoul(20), ended=seoul(20, 13))
        self.world.facts.record(Log, [{
            "id": f"g-{user}", "at": seoul(27), "level": "info", "source": "api", "message": user, "user_id": user,
        }])  # fmt: skip
        rows = [
            {"id": f"use-{first(user)}", "user_id": user, "analysis_id": first(user)},
            {"id": f"use-{second(user)}", "user_id": None, "analysis_id": second(user)},
        ]
        common = {"sent_at": seoul(27), "day": "2026-11-27", "node": "n1", "purpose": "vision", "model": "m",
                  "outcome": "answered", "billed": "yes", "latency_ms": 5, "cost": 7}  # fmt: skip
        self.database.run(lambda one: LlmUsage.insert_many([row | common for row in rows]).execute(one))
        self.sql(
            "INSERT INTO llm_usage_sum (day, model, purpose, user_id, requests, unpriced, tokens_in, tokens_cached,"
            f" tokens_reasoning, tokens_out, cost) VALUES ('2026-11-01', 'm', 'vision', '{user}', 2, 0, 1, 0, 0, 1, 9)"
        )
        self.sql(f"INSERT INTO budget (name, cap, changed_at) VALUES ('user:{user}', 5, 0)")

    def picture(self, user: str, analysis: str) -> StoredPicture:
        for name in ("original", "thumbnail"):
            self.objects.put(f"uploads/{user}/{analysis}/{name}.jpg", user.encode(), content_type="image/jpeg")
        self.objects.put(f"spool/{analysis}", user.encode(), content_type="image/jpeg")
        return StoredPicture(s3_path=f"s3://b/uploads/{user}/{analysis}/original.jpg", thumbnail_path="s3://b/t")

    def body(self, actor: str, args: list[Any], task_id: str) -> bytes:
        message = {"queue_name": "q", "actor_name": actor, "args": args, "kwargs": {}, "options": {},
                   "message_id": task_id, "message_timestamp": int(time.time() * 1000) - 1000}  # fmt: skip
        return json.dumps(message).encode()

    def run(self, actor: str, args: list[Any], *, dead: bool = False, state: TaskState | None = None) -> str:
        """End a run in the journal, as a worker does."""
        task_id = hashlib.sha256(f"{actor} {args}".encode()).hexdigest()[:32]
        body, now = self.body(actor, args, task_id), time.time()
        letter = Dead(body=body, code="retries_exhausted", params="{}", error="E", traceback="", died_at=now)
        end = Finish(
            task_id=task_id, task_name=actor, queue_name="q", payload=body.decode(), worker="n1/w/1", started_at=now,
            state=state or (TaskState.DEAD if dead else TaskState.COMPLETED), completed_at=now,
            dead=letter if dead else None,
        )  # fmt: skip
        self.journal.write(lambda connection: journal_tasks.finish(connection, end))
        return task_id

    def archive(self) -> None:
        """Move the older sessions into an archive."""
        for kind in ("daily", "weekly", "monthly"):
            self.world.now = datetime(2027, 1, 5, tzinfo=UTC)
            list(self.world.statistics.backfill(kind, seoul(20, 0), seoul(21, 0)))
        assert self.archiving.move(SOURCES["sessions"], seoul(21), 10) is not None

    def erase(self, user: str = ALICE, seconds: float = 0.0) -> Erased:
        erasing = Erasing(self.database, self.objects, language="en", here=self.look)
        return erasing.erase(user, by="ada", reason="asked", seconds=seconds)

    def look(self) -> None:
        while self.here.run_once().keys() - {"live"}:
            pass

    def sql(self, statement: str) -> None:
        self.database.run(lambda connection: connection.execute_sql(statement))

    def mentions(self, user: str) -> dict[str, int]:
        """Look for a name in every column of every table but the audit, in every file, and in the journal."""
        found = {}
        for table in [name for name in tables_of(SCHEMA) if name not in ("audit", "schema_version")]:
            rows = self.database.run(lambda one, t=table: one.execute_sql(f"SELECT * FROM {t}").fetchall())
            texts = [" ".join(bytes(v).decode() if isinstance(v, bytes | memoryview) else str(v) for v in row)
                     for row in rows]  # fmt: skip
            found[table] = sum(user in text for text in texts)
        for table in ("task_wal", "dead_letter", "attempt", "outbox", "sent", "retry_queue", "sync_log", "file_cache"):
            rows = self.journal.read(lambda one, t=table: list(one.execute(f"SELECT * FROM {t}")))
            found[f"journal {table}"] = sum(user in str(row) for row in rows)
        found["fetched"] = sum(user.encode() in file.read_bytes() for file in self.fetched.glob("*"))
        found["objects"] = sum(user in each.key for each in self.objects.list())
        found["archives"] = sum(1 for _ in Person(self.database, self.objects, user).archives().find(user))
        return {name: count for name, count in found.items() if count}


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    made = House(database, tmp_path)
    for user in (ALICE, BOB):
        made.fill(user)
    made.sync.run_once()
    made.archive()
    with closing(made.journal), closing(made.broker):
        yield made


def test_everything_is_shown_and_handed_out(house: House) -> None:
    Audit(house.database).append(AuditEntry(who="ada", action="photo.seen", whose=ALICE))
    person = Person(house.database, house.objects, ALICE)
    rows: list[tuple[str, dict[str, Any]]] = []
    pictures: dict[str, bytes] = {}

    done = person.export(lambda table, row: rows.append((table, row)), pictures.__setitem__)

    held = person.show()
    assert {name: each.number for name, each in held.items()} == done.rows | {"pictures": 6}
    assert held["pictures"].size == done.size
    assert all(each.size > 2 * each.number for each in held.values())
    assert done.rows == {
        "archived sessions": 1, "audit": 1, "budget": 1, "dead_letters": 1, "llm_usage": 1, "llm_usage_sum": 1,
        "logins": 1, "logs": 1, "sessions": 1, "tasks": 3, "users": 1, "waste_analysis": 2,
    }  # fmt: skip
    assert set(pictures.values()) == {ALICE.encode()}
    assert BOB not in str(rows)


def test_nothing_is_left_of_a_person_and_all_counts_stay(house: House) -> None:
    before, bob = _counts(house), house.mentions(BOB)
    house.files.put(house.picture(ALICE, first(ALICE)).s3_path, ALICE.encode())
    assert {"journal file_cache", "fetched"} < house.mentions(ALICE).keys()
    assert len(house.mentions(ALICE)) > 10

    erased = house.erase()

    assert house.mentions(ALICE) == {}
    assert house.mentions(BOB) == bob
    assert _counts(house) == before
    assert erased.erasure.done_at is not None
    assert (erased.erasure.pseudonym, list(erased.erasure.nodes)) == (None, ["n1"])
    numbers = erased.erasure.erased
    assert [numbers[name] for name in ("waste_analysis", "pictures", "archived sessions", "tasks")] == [2, 6, 1, 3]
    assert [archive["state"] for archive in Archives(house.database).all()] == ["deleted"]
    drilled = house.archiving.drill()
    assert drilled is not None
    assert drilled.ok
    [record] = Erasures(house.database).of_user(ALICE)
    assert ALICE not in str(record)
    assert house.erase().erasure.erased == {}  # once more: another record, nothing left to erase


def _counts(house: House) -> Any:
    """What is counted from rows that name people: statistics of a day, money, analyses."""
    house.world.now = datetime(2027, 1, 5, tzinfo=UTC)
    list(house.world.statistics.backfill("daily", seoul(27, 0), seoul(28, 0)))
    [row] = house.world.statistics.show("daily", 1)
    names = ("total_users", "active_users", "total_sessions", "total_api_calls", "digest", "revision")
    sums = "SELECT (SELECT sum(cost) FROM llm_usage), sum(cost), sum(requests) FROM llm_usage_sum"
    money = house.database.run(lambda one: one.execute_sql(sums).fetchall())
    analyses = house.database.rows(WasteAnalysis.select(WasteAnalysis.category, WasteAnalysis.item))
    return [row[name] for name in names], [tuple(map(int, each)) for each in money], analyses


def test_work_that_runs_is_stopped_and_nothing_of_it_comes_back(house: House) -> None:
    running = house.run("analyze_image", [second(ALICE), "s3://b/late"], state=TaskState.FAILED)
    house.sync.run_once()

    waiting = house.erase()

    assert (waiting.erasure.done_at, waiting.waits.messages) == (None, 1)
    said = Control(house.database).get(Target.MESSAGE, running)
    assert said is not None
    assert said.by == "erasure"
    # The stages that were on their way come to their ends, and write nothing.
    for analysis in (first(ALICE), second(ALICE)):
        house.analyses.classified(analysis, BOTTLE, "m")
        house.analyses.completed(analysis, Advice(text=ALICE, language="en", source="rule", model="m"))
        house.analyses.failed(analysis, stage="vision", code="c", params={"u": ALICE}, sentence=ALICE)
        with pytest.raises(Permanent, match="erased at its user's request"):
            house.analyses.uploaded(analysis, ALICE, house.picture(ALICE, analysis))
    house.run("analyze_image", [second(ALICE), "s3://b/late"])  # it was dropped
    house.run("upload_image", [ALICE, "s3://b/spool/y", "000c"])  # nobody knew of it
    house.sync.run_once()
    assert house.mentions(ALICE)

    done = house.erase()

    assert (done.erasure.id, done.waits.messages) == (waiting.erasure.id, 0)
    assert done.erasure.done_at is not None
    assert house.mentions(ALICE) == {}


def test_a_message_that_names_somebody_else_s_analysis_erases_nothing_of_theirs(house: House) -> None:
    """It was refused when it came; its sender's erasure is not to stop or to delete what it names."""
    house.run("upload_image", [ALICE, "s3://b/spool/x", second(BOB)], dead=True)
    running = house.run("generate_response", [second(BOB), {}], state=TaskState.FAILED)
    house.sync.run_once()
    bob = house.mentions(BOB)

    erased = house.erase()

    assert erased.waits.messages == 0
    assert Control(house.database).get(Target.MESSAGE, running) is None
    assert Tasks(house.database).get(running) is not None
    assert house.mentions(BOB) == bob
    assert house.objects.exists(f"spool/{second(BOB)}")
    assert house.mentions(ALICE) == {}


def test_a_node_that_was_away_erases_when_it_is_back(house: House, tmp_path: Path) -> None:
    house.sql(
        "INSERT INTO workers (node, group_name, version, pids, processes, threads, queues, running, unsynced, owed,"
        " lag, started_at, seen_at) VALUES ('n2', 'storage', '1', '[]', 1, 1, '[]', 0, 0, 0, 0,"
        " '2026-11-27 00:00:00+00:00', '2026-11-27 00:00:00+00:00')"
    )
    assert house.erase().waits.nodes == ("n2",)
    away = Journal(tmp_path / "n2.db", node="n2", worker="test", free_floor=0)
    with closing(away):
        mine, house.journal = house.journal, away
        task = house.run("upload_image", [ALICE, "s3://b/spool/x", first(ALICE)])
        house.journal = mine
        Sync(away, Tasks(house.database)).run_once()
        assert Tasks(house.database).get(task) is not None
        back = EraseHere(away, house.database, lambda _: 0, lambda: 0)

        assert back.run_once() == {"journal": 2, "central": 1}  # the task, and the log of its copy
        assert back.run_once() == {}

    assert house.erase().erasure.done_at is not None
    assert house.mentions(ALICE) == {}


def test_a_person_who_comes_back_is_not_erased_again(house: House) -> None:
    house.erase()
    erasures = Erasures(house.database, clock=lambda: datetime.now(UTC) + timedelta(days=2))
    house.analyses.accept("new", ALICE)
    time.sleep(0.01)
    body = json.loads(house.body("upload_image", [ALICE, "s3://b/z", "new"], "t"))
    body["message_timestamp"] = int(time.time() * 1000)

    due = erasures.due_for("n1")

    assert due  # looked through again after a day
    assert not erasures.refs(list(due)).belong(json.dumps(body))
    assert house.analyses.get("new") is not None


def test_an_erasure_that_is_killed_again_and_again_is_ended_by_the_next_run(house: House) -> None:
    points = ("analyses", "messages", "batch", "batch", "archive", "picture:3")

    def child() -> None:
        erasing = Erasing(house.database, house.objects, language="en")
        erasing.erase(ALICE, by="ada", reason="asked", seconds=0)

    for point in points:
        killed_at(f"erase.{point}", child)
    erased = house.erase()

    assert erased.erasure.done_at is not None
    assert len(Erasures(house.database).of_user(ALICE)) == 1
    assert house.mentions(ALICE) == {}
    assert house.database.rows(Session.select().where(Session.user_id == BOB))
