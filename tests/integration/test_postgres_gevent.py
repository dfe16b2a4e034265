"""The central database in a gevent worker. Each script runs in a process of its own, patched from its first line."""

import sys

import pytest
from tests import command_line

pytestmark = pytest.mark.services

PREAMBLE = """
from gevent import monkey; monkey.patch_all()
import sys
from pathlib import Path
import gevent
from gevent.event import Event
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA

def opened(pool_size, timeout):
    return open_database(sys.argv[1], default_path=Path("/nowhere"), pool_size=pool_size, timeout=timeout)

def scalar(database, statement):
    return database.run(lambda connection: connection.execute_sql(statement).fetchone()[0])
"""


def run(script: str, url: str) -> str:
    done = command_line.run_python([sys.executable, "-c", PREAMBLE + script, url], text=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_hundreds_of_greenlets_share_ten_connections(upgraded_postgres_url: str) -> None:
    script = """
database = opened(10, 60)
analyses = Analyses(database)
ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
ours += " AND backend_type = 'client backend'"  # and no autovacuum, which comes now and then
counts = []

def work(number):
    analyses.accept(f"a{number}", "u1")
    counts.append(scalar(database, ours))
    assert analyses.get(f"a{number}").id == f"a{number}"  # nobody reads another one's answer

gevent.joinall([gevent.spawn(work, number) for number in range(200)], raise_error=True)
print(len(counts), max(counts) <= 10, analyses.count_by_status()["pending"])
"""
    assert run(script, upgraded_postgres_url) == "200 True 200"


def test_waiting_for_the_server_does_not_stop_the_hub(postgres_url: str) -> None:
    """One greenlet waits in PostgreSQL for a lock that another one gives back only afterwards."""
    script = """
database = opened(3, 60)
held, requeue_claimed = Event(), Event()

def holder(connection):
    connection.execute_sql("SELECT pg_advisory_xact_lock(1)")
    held.set()
    assert requeue_claimed.wait(60)

def waiter(connection):
    assert held.wait(60)
    connection.execute_sql("SELECT pg_advisory_xact_lock(1)")

both = [gevent.spawn(database.transaction, work) for work in (holder, waiter)]
while not scalar(database, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
    gevent.sleep(0.01)
requeue_claimed.set()
gevent.joinall(both, raise_error=True)
print("done")
"""
    assert run(script, postgres_url) == "done"


def test_an_interrupted_operation_gives_back_its_place_but_not_its_connection(postgres_url: str) -> None:
    script = """
database = opened(2, 60)
before = scalar(database, "SELECT pg_backend_pid()")

def sleep(connection):
    connection.execute_sql("SELECT pg_sleep(60)")

for lend in (database.run, database.transaction) * 3:
    try:
        with gevent.Timeout(0.1):
            lend(sleep)
    except gevent.Timeout:
        continue
    raise AssertionError("the time limit was swallowed")

after = scalar(database, "SELECT pg_backend_pid()")
print(after != before)
"""
    assert run(script, postgres_url) == "True"


def test_an_interrupted_wait_for_a_connection_loses_none(postgres_url: str) -> None:
    script = """
from growbin_jobs.errors import Deferred
database = opened(1, 0.3)
held, requeue_claimed = Event(), Event()

def hold(connection):
    held.set()
    requeue_claimed.wait(60)

holder = gevent.spawn(database.run, hold)
held.wait(60)
killed = [gevent.spawn(database.run, lambda connection: None) for _ in range(5)]
gevent.sleep(0.05)
gevent.killall(killed)
try:
    database.run(lambda connection: None)
except Deferred as error:
    print("stayed in use" in str(error), end=" ")
requeue_claimed.set()
holder.get()
print(scalar(database, "SELECT 1"))
"""
    assert run(script, postgres_url) == "True 1"


def test_a_server_that_says_nothing_defers(postgres_url: str) -> None:
    """Its own statement timeout cannot come through; ours ends the wait."""
    script = """
from growbin_jobs.errors import Deferred
database = opened(1, 0.25)

def freeze(connection):
    connection.execute_sql("SET statement_timeout = 0")
    connection.execute_sql("SELECT pg_sleep(60)")

try:
    database.run(freeze)
except Deferred as error:
    print("was lost" in str(error), end=" ")
print(scalar(database, "SELECT 1"))
"""
    assert run(script, postgres_url) == "True 1"
