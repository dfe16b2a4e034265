"""A power cut undoes reservations that did not wait for the disk; nothing is spent above a cap all the same."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.budget_cover import Covers
from growbin_jobs.limits.budget_report import budget_days, imbalances
from growbin_jobs.limits.budgets import EACH_USER, TOTAL, Budgets

TODAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 28, 3, tzinfo=UTC).timestamp()
CAPS = {TOTAL: 1000, "user:u1": 300, "user:u2": 300}
TABLES = ("budget_day", "budget_entry", "budget_cover")


class _WatchedCovers(Covers):
    """Remembers the tables as they are whenever something has waited for the disk."""

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine.database, lambda _connection: f"start {machine.starts}")
        self._machine = machine

    def raise_to(self, name: str, day: str, covered: int) -> None:
        super().raise_to(name, day, covered)
        self._machine.reached_the_disk()

    def account(self, name: str, day: str) -> int:
        lost = super().account(name, day)
        self._machine.reached_the_disk()
        return lost


class Machine:
    """A database whose power cuts undo all that did not wait for the disk."""

    def __init__(self, database: Database) -> None:
        self.database, self.starts, self.waits = database, 0, 0
        for table in TABLES:
            self._run(f"DELETE FROM {table}")
        self._on_disk: dict[str, list[Any]] = {table: [] for table in TABLES}
        self.budgets = Budgets(
            database,
            zone=ZoneInfo("Asia/Seoul"),
            clock=lambda: NOON,
            defaults={TOTAL: 1000, EACH_USER: 300},
            covers=_WatchedCovers(self),
        )

    def reached_the_disk(self) -> None:
        self.waits += 1
        self._on_disk = {table: self._run(f"SELECT * FROM {table}") for table in TABLES}

    def cut_the_power(self) -> None:
        self.starts += 1
        for table, rows in self._on_disk.items():
            self._run(f"DELETE FROM {table}")
            for row in rows:
                marks = ", ".join(["?" if self.database.dialect == "sqlite" else "%s"] * len(row))
                self._run(f"INSERT INTO {table} VALUES ({marks})", row)

    def reserve(self, amount: int, *names: str) -> str | None:
        reservation = uuid4().hex
        reserved = self.budgets.reserve(reservation, names, amount)
        self.budgets.cover(reserved)
        return None if reserved.refused_by else reservation

    def _run(self, sql: str, values: Any = ()) -> list[Any]:
        def work(connection: Any) -> list[Any]:
            cursor = connection.execute_sql(sql, values)
            return list(cursor.fetchall()) if sql.startswith("SELECT") else []

        return self.database.run(work)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(1, 150), st.sampled_from(["u1", "u2", None])),
        st.tuples(st.just("reserve"), st.integers(100, 300), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("settle"), st.integers(0, 20), st.floats(0, 1)),
        st.tuples(st.just("release"), st.integers(0, 20), st.none()),
        st.tuples(st.just("cut"), st.none(), st.none()),
    ),
    min_size=8,
    max_size=30,
)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_nothing_is_spent_above_a_cap_however_often_the_power_is_cut(database: Database, todo: list) -> None:
    machine = Machine(database)
    really: list[tuple[str, list[str], int, int]] = []  # reservation, budgets, reserved, spent at most

    for what, number, detail in todo:
        if what == "cut":
            machine.cut_the_power()
        elif what == "reserve":
            names = [TOTAL, *([f"user:{detail}"] if detail else [])]
            if reservation := machine.reserve(number, *names):
                really.append((reservation, names, number, number))
        elif number < len(really):
            reservation, names, amount, spent = really[number]
            cost = int(detail * amount) if what == "settle" else 0
            machine.budgets.settle(reservation, cost) if what == "settle" else machine.budgets.release(reservation)
            really[number] = (reservation, names, amount, min(spent, cost) if spent == amount else spent)
        for name, cap in CAPS.items():
            assert sum(spent for _, names, _, spent in really if name in names) <= cap
    assert imbalances(database, TODAY) == []


def test_what_a_power_cut_has_undone_counts_as_unknown(database: Database) -> None:
    machine = Machine(database)
    for _ in range(10):
        machine.reserve(2, TOTAL)
    covered = 2 + 20 * 2
    machine.cut_the_power()
    assert sum(one.spent for one in budget_days(database, TODAY)) == 0

    machine.reserve(2, TOTAL)

    [day] = budget_days(database, TODAY)
    assert (day.unknown, day.spent) == (covered, covered + 2)
    assert imbalances(database, TODAY) == []


def test_one_wait_for_the_disk_is_enough_for_many_reservations(database: Database) -> None:
    machine = Machine(database)
    for _ in range(100):
        machine.reserve(1, TOTAL)
    assert machine.waits <= 100 / 9


def test_where_no_cap_is_set_nothing_waits_for_the_disk(database: Database) -> None:
    machine = Machine(database)
    machine.budgets = Budgets(
        database, zone=ZoneInfo("UTC"), clock=lambda: NOON, defaults={}, covers=_WatchedCovers(machine)
    )
    for _ in range(5):
        machine.reserve(1000, TOTAL, "user:u1")
    assert machine.waits == 0


def test_a_request_that_needs_all_that_is_left_is_reserved(database: Database) -> None:
    machine = Machine(database)
    assert machine.reserve(1000, TOTAL)
    assert machine.reserve(1, TOTAL) is None
    machine.cut_the_power()
    assert machine.reserve(1, TOTAL) is None
