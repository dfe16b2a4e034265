"""What the central database's users see when PostgreSQL, the network or the login is at fault."""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from tests.waiting import freeze

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.silent_servers import patient
from growbin_jobs.engine.central.upgrade import check, upgrade
from growbin_jobs.errors import Away, ConfigurationError, Deferred
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.server_change import HOLD
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.messages import StoredPicture
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses

pytestmark = pytest.mark.services


def opened(url: str, *, pool_size: int = 4, timeout: float = 5) -> Database:
    return open_database(url, default_path=Path("/nowhere"), pool_size=pool_size, timeout=timeout)


@pytest.fixture
def database(upgraded_postgres_url: str) -> Iterator[Database]:
    database = opened(upgraded_postgres_url)
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture
def ask(upgraded_postgres_url: str) -> Iterator[Callable[..., Any]]:
    """Asks the server by another way; returns the first value of the first row."""
    connection = psycopg2.connect(upgraded_postgres_url, application_name="observer")
    connection.autocommit = True

    def ask(statement: str, *parameters: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    yield ask
    connection.close()


OURS = "FROM pg_stat_activity WHERE application_name = 'growbin-jobs' AND datname = current_database()"


def backend(database: Database) -> int:
    pid: int = database.run(lambda connection: connection.execute_sql("SELECT pg_backend_pid()").fetchone()[0])
    return pid


def until(ask: Callable[..., Any], statement: str) -> None:
    """Ask the server until it says yes: it cannot be awaited."""
    pause = threading.Event()
    for _ in range(1000):
        if ask(statement):
            return
        pause.wait(0.01)
    pytest.fail(f"never true: {statement}")


def test_a_session_is_set_up(database: Database) -> None:
    names = ("TimeZone", "statement_timeout", "idle_in_transaction_session_timeout", "client_encoding")
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    assert database.run(lambda connection: connection.execute_sql(query).fetchone()) == ("UTC", "5s", "30s", "UTF8")


def test_the_urls_own_options_win(upgraded_postgres_url: str) -> None:
    database = opened(f"{upgraded_postgres_url}?application_name=mine&options=-c%20statement_timeout%3D7000")
    query = "SELECT current_setting('application_name'), current_setting('statement_timeout')"
    assert database.run(lambda connection: connection.execute_sql(query).fetchone()) == ("mine", "7s")
    database.close()


def test_a_connection_that_is_killed_in_use_defers_and_the_next_operation_works(
    database: Database, ask: Callable[..., Any]
) -> None:
    found: list[BaseException] = []

    def work() -> None:
        try:
            database.transaction(lambda connection: connection.execute_sql("SELECT pg_sleep(60)").fetchall())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(ask, f"SELECT count(*) = 1 {OURS} AND state = 'active'")
    ask(f"SELECT pg_terminate_backend(pid) {OURS} AND state = 'active'")
    thread.join(30)
    assert isinstance(found[0], Deferred)
    Analyses(database).accept("a1", "u1")


def test_connections_that_died_idle_are_noticed_before_they_are_used(
    database: Database, ask: Callable[..., Any]
) -> None:
    first = backend(database)
    ask(f"SELECT count(pg_terminate_backend(pid)) {OURS}")
    until(ask, f"SELECT count(*) = 0 {OURS}")
    assert backend(database) != first


def test_a_statement_that_takes_too_long_defers_and_keeps_the_connection(upgraded_postgres_url: str) -> None:
    database = opened(upgraded_postgres_url, timeout=0.2)
    first = backend(database)
    with pytest.raises(Deferred, match="57014"):
        database.run(lambda connection: connection.execute_sql("SELECT pg_sleep(60)").fetchall())
    assert backend(database) == first
    database.close()


def test_a_deadlock_defers_one_of_the_two(database: Database) -> None:
    analyses = Analyses(database)
    for analysis_id in ("a1", "a2"):
        analyses.accept(analysis_id, "u1")
    both_hold_one = threading.Barrier(2)
    outcomes: list[str] = []

    def work(first: str, second: str) -> None:
        def lock_both(connection: Any) -> None:
            connection.execute_sql("SET LOCAL deadlock_timeout = '10ms'")
            connection.execute_sql("SELECT id FROM waste_analysis WHERE id = %s FOR UPDATE", (first,))
            both_hold_one.wait(30)
            connection.execute_sql("SELECT id FROM waste_analysis WHERE id = %s FOR UPDATE", (second,))

        try:
            database.transaction(lock_both)
            outcomes.append("done")
        except Deferred as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=work, args=order) for order in (("a1", "a2"), ("a2", "a1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted("Deadlock" in outcome for outcome in outcomes) == [False, True]


def test_no_more_connections_than_the_pool_allows(upgraded_postgres_url: str, ask: Callable[..., Any]) -> None:
    database = opened(upgraded_postgres_url, pool_size=3, timeout=30)
    counts: list[int] = []

    def work() -> None:
        counts.append(database.run(lambda c: c.execute_sql(f"SELECT count(*) {OURS}").fetchone()[0]))

    threads = [threading.Thread(target=work) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 40
    assert max(counts) <= 3
    database.close()
    until(ask, f"SELECT count(*) = 0 {OURS}")


# --- a network between us and the server


class Cable:
    """A TCP proxy in front of PostgreSQL.

    It can be cut and mended, fall silent with its connections open, or break at the next answer.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut = False
        self.silent = threading.Event()
        self.break_at_answer = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break what is open, and whatever comes until it is mended."""
        self._cut = True
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):  # closed already
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                client.close()
                continue
            pair = (client, socket.create_connection(self._target))
            self._pairs.append(pair)
            threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data or (source is server and self.break_at_answer.is_set()):
                        self.break_at_answer.clear()
                        return
                    if not self.silent.is_set():
                        (server if source is client else client).sendall(data)


@pytest.fixture
def cable(upgraded_postgres_url: str) -> Iterator[Cable]:
    parts = urlsplit(upgraded_postgres_url)
    assert parts.hostname
    assert parts.port
    cable = Cable((parts.hostname, parts.port))
    yield cable
    cable.close()


@pytest.fixture
def by_cable(upgraded_postgres_url: str, cable: Cable) -> Iterator[Database]:
    port = urlsplit(upgraded_postgres_url).port
    database = opened(upgraded_postgres_url.replace(f":{port}/", f":{cable.port}/"), timeout=2)
    upgrade(database, SCHEMA)
    yield database
    database.close()


def test_an_outage_defers_and_passes(by_cable: Database, cable: Cable) -> None:
    analyses = Analyses(by_cable)
    analyses.accept("a1", "u1")
    cable.cut()
    for _ in range(3):
        with pytest.raises(Deferred, match="does not answer") as caught:
            analyses.accept("a2", "u1")
    assert caught.value.wait == 5.0
    cable.mend()
    analyses.accept("a2", "u1")
    assert len(analyses.recent(10)) == 2


def test_a_commit_whose_answer_is_lost_can_be_repeated(
    by_cable: Database, cable: Cable, ask: Callable[..., Any]
) -> None:
    analyses, picture = Analyses(by_cable), StoredPicture(s3_path="s3://b/k", thumbnail_path="s3://b/t")
    analyses.uploaded("a0", "u1", picture)  # prepares the statement: its own answer is the next one
    analyses.accept("a1", "u1")
    cable.break_at_answer.set()
    with pytest.raises(Deferred, match="was lost"):
        analyses.uploaded("a1", "u1", picture)
    assert ask("SELECT status FROM waste_analysis WHERE id = 'a1'") == "uploaded"  # it was committed all the same
    analyses.uploaded("a1", "u1", picture)
    assert {found.id: found.status.value for found in analyses.recent(10)} == {"a0": "uploaded", "a1": "uploaded"}


def test_a_server_that_says_nothing_defers_a_new_connection(by_cable: Database, cable: Cable) -> None:
    by_cable.close()
    cable.silent.set()
    with pytest.raises(Deferred, match="timeout expired"):
        check(by_cable, SCHEMA)


# --- what doctor says


def test_a_port_where_nobody_listens(upgraded_postgres_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Deferred, match=r"127\.0\.0\.1:\d+/n does not answer \(Connection refused\). Start PostgreSQL"):
        check(opened(f"postgresql://u:s3cr3t@127.0.0.1:{port}/n"), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new", "remedy"),
    [
        ("@", "x@", "Correct user and password"),
        ("//", "//nobody-", "Correct user and password|Create the role"),
        ("/test_", "/nothing_", "Create the database"),
    ],
)
def test_a_login_that_is_refused(upgraded_postgres_url: str, old: str, new: str, remedy: str) -> None:
    wrong = upgraded_postgres_url.replace(old, new, 1)
    password = urlsplit(wrong).password
    assert password
    with pytest.raises(ConfigurationError, match=remedy) as caught:
        check(opened(wrong), SCHEMA)
    assert password not in str(caught.value)
    with pytest.raises(Deferred, match=remedy):  # inside a message it waits until somebody mends it
        Analyses(opened(wrong)).accept("a1", "u1")


def test_a_standby_defers_writes(database: Database) -> None:
    def write(connection: Any) -> None:
        connection.execute_sql("SET LOCAL transaction_read_only = on")
        connection.execute_sql("DELETE FROM waste_analysis")

    with pytest.raises(Deferred, match="25006"):
        database.transaction(write)


def test_a_server_that_could_only_be_read_is_used_by_the_connections_of_then_no_more(
    database: Database, ask: Callable[..., Any]
) -> None:
    name = ask("SELECT current_database()")
    ask(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        analyses, first = Analyses(database), backend(database)
        database.close()
        second = database.run(lambda _: backend(database))  # two at once
        with pytest.raises(Deferred, match="can only be read"):
            analyses.accept("a1", "u1")
    finally:
        ask("SET default_transaction_read_only = off")
        ask(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')

    analyses.accept("a1", "u1")

    assert backend(database) not in (first, second)
    until(ask, f"SELECT count(*) = 1 {OURS}")


def test_a_server_that_freezes_in_a_statement_holds_nobody(upgraded_postgres_url: str) -> None:
    """Its kernel answers TCP; it says nothing, and no timeout of its own comes."""
    database, frozen = opened(upgraded_postgres_url, timeout=0.5), list[int]()

    def stand_still(connection: Any) -> None:
        frozen.append(connection.execute_sql("SELECT pg_backend_pid()").fetchone()[0])
        freeze(frozen[0])  # a process of this test's own server
        connection.execute_sql("SELECT 1")

    try:
        with pytest.raises(Away, match="was lost"):
            database.run(stand_still)
        assert database.run(lambda connection: connection.execute_sql("SELECT 1").fetchone()) == (1,)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        database.close()


def test_nobody_watches_over_a_database_that_is_gone(upgraded_postgres_url: str) -> None:
    before = set(threading.enumerate())
    database = opened(upgraded_postgres_url, timeout=1)
    database.run(lambda connection: connection.execute_sql("SELECT 1"))
    [watch] = [each for each in threading.enumerate() if each.name == "silent-servers" and each not in before]

    database.close()
    del database
    gc.collect()
    watch.join(20)

    assert not watch.is_alive()


def test_an_upgrade_may_wait_longer_than_a_statement(upgraded_postgres_url: str, ask: Callable[..., Any]) -> None:
    database = opened(upgraded_postgres_url, timeout=0.5)
    connection = database._driver.open()
    raw = connection.connection()  # type: ignore[no-untyped-call]
    try:
        with patient(raw, 60.0):
            connection.execute_sql("SET statement_timeout = 0")
            connection.execute_sql("SELECT pg_sleep(2)")  # four times the timeout, twice the silence
        assert raw.silence == 1.0
    finally:
        database._driver.close(connection)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that nobody else uses."""
    services = [sys.executable, str(Path(__file__).parents[2] / "scripts" / "services")]
    place = ["--dir", str(tmp_path / "services")]
    up = [*services, "up", *place, "--only", "postgres", "--with-pid", str(os.getpid()), "--json"]
    yield json.loads(subprocess.run(up, capture_output=True, check=True).stdout)["postgres"]["url"]
    subprocess.run([*services, "down", *place], capture_output=True, check=True)


def test_after_a_crash_of_the_server_nothing_is_granted_for_a_window(own_server: str) -> None:
    """Grants do not wait for the disk, so the last ones may be lost; the server's start time says nothing of it."""
    database = opened(own_server)
    upgrade(database, SCHEMA)
    limits = SqlLimits(database)
    limits.ensure([Limit("vision", 0.001, 1)])
    assert limits.take({"vision": 1}, patience=1).decision.granted
    started = "SELECT pg_postmaster_start_time()"
    before = database.run(lambda connection: connection.execute_sql(started).fetchall())

    os.kill(backend(database), signal.SIGKILL)

    pause = threading.Event()
    for node in (limits, SqlLimits(opened(own_server))):
        for _ in range(1000):
            with suppress(Deferred):  # it recovers
                refused = node.take({"vision": 1}, patience=1)
                break
            pause.wait(0.01)
        assert not refused.decision.granted
        assert refused.decision.wait > HOLD - 10
    assert database.run(lambda connection: connection.execute_sql(started).fetchall()) == before
    database.close()
