"""Retention: nothing is deleted before it is counted and archived, and a crash at any step loses nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import S3Server
from tests.killing import killed_at

from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.adapters.objects.s3 import S3Store
from growbin_jobs.errors import Permanent, Transient
from growbin_jobs.platform.retention.archiving import Archiving
from growbin_jobs.platform.retention.cleanup import Cleanup, Policy
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.facts import ApiCall, Log, Session
from growbin_jobs.platform.tables.losses import Losses
from growbin_jobs.platform.tables.partitions import Partitions
from growbin_jobs.platform.tables.retention import RetentionTable
from growbin_jobs.platform.tables.slots import StatisticsSlot
from growbin_jobs.platform.tables.statistics import Statistic

from .conftest import SEOUL, World, seoul

POLICIES = (
    Policy("old_logs", "logs", timedelta(days=30), archive=False),
    Policy("old_logs", "api_calls", timedelta(days=60), archive=True),
    Policy("old_sessions", "sessions", timedelta(days=90), archive=True),
    Policy("compress_statistics", "statistics_slots", timedelta(days=365), archive=True),
    Policy("compress_statistics", "statistics", timedelta(days=365), archive=True, after="statistics_slots"),
)
#: When all facts of the tests are old.
LATER = datetime(2028, 3, 1, tzinfo=UTC)


class Attic:
    """Retention of the world's tables, with archives in a folder."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.objects = world, FolderStore(folder)
        self.archives = Archives(world.database, clock=world.clock)
        self.table = RetentionTable(world.database, zone=SEOUL, clock=world.clock)
        self.partitions = Partitions(world.database)
        self.archiving = Archiving(self.objects, self.archives, self.table, choose=lambda found: found[0])

    def cleanup(self, *, batch: int = 2, budget: float = 60, monotonic=lambda: 0.0) -> Cleanup:
        return Cleanup(
            POLICIES, self.table, self.partitions, self.archiving, budget=budget, batch=batch, monotonic=monotonic
        )

    def count(self, model) -> int:
        return self.world.database.run(lambda connection: model.select().count(connection))

    def sessions(self) -> None:
        for number in range(5):
            self.world.session(f"u{number}", seoul(10, number), ended=seoul(10, number + 1))
        self.world.session("u9", seoul(10, 9))  # has not ended

    def counted(self) -> None:
        """Count the days that tests have facts of, their weeks and their month."""
        self.world.now = LATER
        for kind in ("daily", "weekly", "monthly"):
            list(self.world.statistics.backfill(kind, seoul(10, 0), seoul(12, 0)))


@pytest.fixture
def attic(world: World, tmp_path: Path) -> Attic:
    return Attic(world, tmp_path / "objects")


def test_old_logs_go_and_young_ones_stay(world: World, attic: Attic) -> None:
    for day in (1, 2, 3, 27):
        row = {"id": f"g{day}", "at": seoul(day), "level": "info", "source": "api", "message": "m", "user_id": None}
        world.facts.record(Log, [row])
    due = seoul(2, 12, 1, month=12)

    planned = attic.cleanup().run("old_logs", due, dry_run=True)
    removed = attic.cleanup().run("old_logs", due)

    assert (planned[0].rows, removed[0].rows) == (2, 2)
    assert planned[0].size > 2 * len("info")
    assert attic.count(Log) == 2


def test_nothing_goes_before_it_is_counted(world: World, attic: Attic) -> None:
    attic.sessions()
    world.now = LATER

    [removed] = attic.cleanup().run("old_sessions", LATER)

    assert "Nothing of sessions was deleted" in removed.refused
    assert attic.count(Session) == 6


def test_late_facts_hold_retention_back_until_they_are_counted(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    world.session("u7", seoul(10, 0, 1), ended=seoul(10, 1))

    [refused] = attic.cleanup().run("old_sessions", LATER)
    assert "came late" in refused.refused
    world.statistics.aggregate("daily", LATER - timedelta(days=2))
    [removed] = attic.cleanup().run("old_sessions", LATER)

    assert (removed.rows, removed.refused) == (6, "")
    assert world.row("2026-11-10")["total_sessions"] == 7


def test_sessions_are_archived_verified_and_deleted_and_come_back_byte_for_byte(world: World, attic: Attic) -> None:
    attic.sessions()
    before = world.database.rows(Session.select().order_by(Session.id))
    attic.counted()

    [removed] = attic.cleanup().run("old_sessions", LATER)

    assert removed.rows == 5
    assert attic.count(Session) == 1  # the one that has not ended
    archives = attic.archives.all("sessions")
    assert [(each["row_count"], each["state"]) for each in archives] == [(2, "deleted"), (2, "deleted"), (1, "deleted")]
    planned = [attic.archiving.restore(each["id"], dry_run=True) for each in archives]
    assert ([each.rows for each in planned], attic.count(Session)) == ([2, 2, 1], 1)
    assert all(each.size > 50 for each in planned)
    assert [attic.archiving.restore(each["id"][:12]).rows for each in archives] == [2, 2, 1]
    assert [attic.archiving.restore(each["id"]).rows for each in archives] == [0, 0, 0]
    assert world.database.rows(Session.select().order_by(Session.id)) == before


def test_what_was_counted_from_deleted_facts_is_never_counted_again(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    attic.cleanup().run("old_sessions", LATER)
    before = world.row("2026-11-10")
    late = {"id": "late", "user_id": "u8", "started_at": seoul(10, 0, 5), "ended_at": seoul(10, 1)}
    world.facts.record(Session, [late])

    done = world.statistics.aggregate("daily", LATER - timedelta(days=2))

    assert done.refused_slots == 1
    assert world.row("2026-11-10") == before
    assert all(each.agrees is None for each in world.statistics.explain("2026-11-10"))


def test_retention_goes_on_once_a_loss_is_accepted(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    attic.cleanup().run("old_sessions", LATER)
    world.session("u8", seoul(10, 0, 5), ended=seoul(10, 1))
    [held] = attic.cleanup().run("old_sessions", LATER)
    assert "came late" in held.refused

    Losses(world.database, clock=world.clock).accept(seoul(10, 0), seoul(11, 0), by="ada")
    [removed] = attic.cleanup().run("old_sessions", LATER)

    assert (removed.rows, removed.refused) == (1, "")


def test_late_calls_hold_no_sessions_back(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    world.call(seoul(10, 0, 5))

    [removed] = attic.cleanup().run("old_sessions", LATER)

    assert (removed.rows, removed.refused) == (5, "")


STEPS = ("archive.begun", "archive.body", "archive.put", "archive.verified", "retention.rows", "archive.deleted")


@pytest.mark.parametrize("point", STEPS)
def test_a_process_that_is_killed_at_any_step_loses_nothing_and_the_next_run_ends_it(
    world: World, attic: Attic, point: str
) -> None:
    attic.sessions()
    attic.counted()

    killed_at(point, lambda: attic.cleanup(batch=10).run("old_sessions", LATER))
    attic.cleanup(batch=10).run("old_sessions", LATER)

    archives = [each for each in attic.archives.all("sessions") if each["state"] != "abandoned"]
    assert [(each["row_count"], each["state"]) for each in archives] == [(5, "deleted")]
    assert attic.count(Session) == 1
    assert attic.archiving.restore(archives[0]["id"]).rows == 5


@pytest.mark.parametrize(
    ("point", "changed"),
    [*((point, False) for point in STEPS[:4]), ("archive.put", True), ("archive.verified", True)],
)
def test_what_becomes_old_after_a_crash_hides_no_archive_that_was_begun(
    world: World, attic: Attic, point: str, changed: bool
) -> None:
    """The next run's batch is another one, so its archive is, too; and a row of the first one may have changed."""
    attic.sessions()
    attic.counted()
    killed_at(point, lambda: attic.cleanup(batch=10).run("old_sessions", LATER))
    if changed:
        update = Session.update(user_id="other").where(Session.id == "s1")
        world.database.run(lambda connection: update.execute(connection))
    world.facts.end_session("s6", seoul(10, 9, 30))
    before = world.database.rows(Session.select().order_by(Session.id))

    [removed] = attic.cleanup(batch=10).run("old_sessions", LATER)

    assert (removed.rows, removed.refused, attic.count(Session)) == (len(before), "", 0)
    assert attic.archives.unfinished("sessions") == []
    deleted = [each for each in attic.archives.all("sessions") if each["state"] == "deleted"]
    restored = [attic.archiving.restore(each["id"]).rows for each in deleted]
    assert sum(restored) == 6
    assert {row["id"] for row in before} <= {row["id"] for row in world.database.rows(Session.select())}
    assert [row for row in world.database.rows(Session.select().order_by(Session.id)) if row in before] == before


def test_a_process_that_is_killed_while_it_deletes_logs_leaves_all_of_them(world: World, attic: Attic) -> None:
    row = {"id": "g1", "at": seoul(1), "level": "info", "source": "api", "message": "m", "user_id": None}
    world.facts.record(Log, [row])
    due = seoul(2, month=12)

    killed_at("retention.rows", lambda: attic.cleanup().run("old_logs", due))

    assert attic.count(Log) == 1
    assert attic.cleanup().run("old_logs", due)[0].rows == 1


@pytest.mark.services
def test_in_s3_rows_are_archived_verified_deleted_restored_and_drilled(
    world: World, attic: Attic, s3_server: S3Server
) -> None:
    store = S3Store(s3_server.bucket, endpoint_url=s3_server.endpoint_url, pool_size=2, timeout=10)
    attic.archiving = Archiving(store, attic.archives, attic.table, choose=lambda found: found[0])
    attic.sessions()
    before = world.database.rows(Session.select().order_by(Session.id))
    attic.counted()

    [removed] = attic.cleanup(batch=10).run("old_sessions", LATER)

    [archive] = attic.archives.all()
    assert (removed.rows, archive["state"], attic.count(Session)) == (5, "deleted", 1)
    assert len(store.get(archive["object_key"])) == archive["size"]
    drilled = attic.archiving.drill()
    assert drilled is not None
    assert drilled.ok
    assert attic.archiving.restore(archive["id"]).rows == 5
    assert world.database.rows(Session.select().order_by(Session.id)) == before
    store.put(archive["object_key"], b"damaged", content_type="application/gzip")
    with pytest.raises(Permanent, match="is damaged"):
        attic.archiving.restore(archive["id"])


def test_a_row_that_changes_while_it_is_archived_is_not_deleted(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    read = attic.archiving._read

    def change(key):
        update = Session.update(user_id="other").where(Session.id == "s1")
        world.database.run(lambda connection: update.execute(connection))
        return read(key)

    attic.archiving._read = change
    with pytest.raises(Transient, match="have changed"):
        attic.cleanup(batch=10).run("old_sessions", LATER)

    assert attic.count(Session) == 6


def test_an_object_that_was_damaged_deletes_nothing_and_fails_its_drill(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    attic.cleanup(batch=10).run("old_sessions", LATER)
    good = attic.archiving.drill()
    [archive] = attic.archives.all()
    body = attic.objects.get(archive["object_key"])
    attic.objects.put(archive["object_key"], body[:-9] + bytes(9), content_type="application/gzip")

    bad = attic.archiving.drill(archive["id"])

    assert good is not None
    assert bad is not None
    assert (good.ok, bad.ok) == (True, False)
    assert attic.archives.get(archive["id"])["proven"] == 0
    with pytest.raises(Permanent, match="is damaged"):
        attic.archiving.restore(archive["id"])


def test_statistics_are_compressed_into_months_and_can_be_drilled(world: World, attic: Attic) -> None:
    for day in (10, 11):
        world.call(seoul(day), model="m")
    attic.counted()
    month = world.row("2026-11")

    removed = attic.cleanup(batch=50).run("compress_statistics", LATER)

    assert [(each.source, each.rows, each.refused) for each in removed] == [
        ("statistics_slots", 2, ""),
        ("statistics", 2, ""),
    ]
    assert attic.count(StatisticsSlot) == 0
    kinds = {row["kind"] for row in world.database.rows(Statistic.select())}
    assert kinds == {"weekly", "monthly"}
    assert world.row("2026-11") == month
    drilled = [attic.archiving.drill(each["id"]) for each in attic.archives.all()]
    assert [each and each.ok for each in drilled] == [True, True]
    # The month is never counted again from what is left.
    assert [each.outcome for each in world.statistics.backfill("monthly", seoul(1, 0), seoul(2, 0))] == ["refused"]


def test_days_stay_while_their_slots_do(world: World, attic: Attic) -> None:
    world.call(seoul(10))
    attic.counted()
    world.database.run(lambda connection: Statistic.delete().where(Statistic.kind == "weekly").execute(connection))

    removed = attic.cleanup().run("compress_statistics", LATER)

    assert [(each.rows, "not counted yet" in each.refused) for each in removed] == [(0, True), (0, True)]
    assert attic.count(StatisticsSlot) == 1
    assert world.row("2026-11-10")["total_api_calls"] == 1


def test_a_run_ends_when_its_time_is_up_and_the_next_goes_on(world: World, attic: Attic) -> None:
    attic.sessions()
    attic.counted()
    ticks = iter([0.0, 0.0, 2.0])

    [first] = attic.cleanup(budget=1, monotonic=lambda: next(ticks)).run("old_sessions", LATER)
    [second] = attic.cleanup().run("old_sessions", LATER)

    assert (first.rows, first.more, second.rows, second.more) == (2, True, 3, False)


def test_months_are_made_ahead_and_stray_rows_make_none(world: World, attic: Attic) -> None:
    if world.database.dialect == "sqlite":
        assert attic.partitions.ensure(world.now) == []
        return
    world.call(seoul(27))  # before its month was made
    world.call(datetime(2099, 1, 1, tzinfo=UTC))

    made = attic.partitions.ensure(world.now)

    assert [name for name in made if name.startswith("api")] == [
        "api_calls_2026_11", "api_calls_2026_12", "api_calls_2027_01",
    ]  # fmt: skip
    assert attic.partitions.ensure(world.now) == []
    assert attic.partitions.strays() == {"api_calls": 1}
    assert attic.count(ApiCall) == 2


@pytest.mark.parametrize("point", ["partition.filled", "partition.dropped"])
def test_a_process_that_is_killed_at_a_partition_leaves_no_table_without_a_parent(
    world: World, attic: Attic, point: str
) -> None:
    if world.database.dialect == "sqlite":
        assert attic.partitions.ensure(world.now) == []
        return
    world.call(seoul(27))
    if point == "partition.dropped":
        attic.partitions.ensure(world.now)
    existing = {table: attic.partitions.existing(table) for table in ("logs", "api_calls")}

    if point == "partition.dropped":
        killed_at(point, lambda: attic.partitions.drop("api_calls", LATER, if_empty=False))
    else:
        killed_at(f"{point}:4", lambda: attic.partitions.ensure(world.now))  # that of the calls' first month

    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(logs|api_calls)_[0-9]' ORDER BY 1"
    names = [name for (name,) in world.database.run(lambda one: one.execute_sql(tables).fetchall())]
    with_parent = [name for table in ("api_calls", "logs") for name in attic.partitions.existing(table)]
    assert names == with_parent
    assert attic.partitions.existing("api_calls") == existing["api_calls"]
    assert attic.count(ApiCall) == 1
    attic.partitions.ensure(world.now)
    assert attic.count(ApiCall) == 1


def test_an_archived_month_is_dropped_when_it_is_empty(world: World, attic: Attic) -> None:
    attic.partitions.ensure(world.now)
    world.call(seoul(10))
    attic.counted()

    refused = attic.partitions.drop("api_calls", LATER, if_empty=True)
    removed = attic.cleanup().run("old_logs", LATER)[1]

    assert "api_calls_2026_11" not in refused
    assert (removed.rows, attic.count(ApiCall)) == (1, 0)
    if world.database.dialect == "postgresql":
        assert "api_calls_2026_11" in removed.partitions
