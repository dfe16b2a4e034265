import logging
import multiprocessing
import os
import stat
import subprocess
import sys

import apsw
import pytest
from tests.own_records import own_records

from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.engine.sqlite import opening as sqlite
from growbin_jobs.errors import ConfigurationError


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "node" / "task_queue.db"


@pytest.fixture
def cache(path, clock):
    return GptCache(path, ttl=3600, clock=clock)


def put(cache, key="key", response='{"a": 1}'):
    cache.put(key, prompt="vision-1/abc", response=response, model="gpt-5")


def test_an_answer_is_kept_for_its_time(cache, clock):
    put(cache)

    clock.now += 3599
    assert cache.get("key") == '{"a": 1}'
    clock.now += 1
    assert cache.get("key") is None
    assert cache.get("another") is None


def test_a_newer_answer_replaces_the_older_and_starts_its_time_anew(cache, clock):
    put(cache)
    clock.now += 3000
    put(cache, response="{}")
    clock.now += 3000

    assert cache.get("key") == "{}"


def test_pruning_deletes_what_has_expired(cache, clock):
    put(cache, "old")
    clock.now += 3000
    put(cache, "young")
    clock.now += 1000

    assert cache.prune() == 1
    assert cache.get("young") is not None
    assert cache.prune() == 0


def test_the_table_is_the_one_that_the_spec_names(cache, path):
    put(cache)

    with apsw.Connection(str(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(gpt_cache)")]
        (row,) = connection.execute("SELECT prompt, model, ttl FROM gpt_cache")
        plan = str(list(connection.execute("EXPLAIN QUERY PLAN DELETE FROM gpt_cache WHERE created_at + ttl <= 1")))
        assert connection.pragma("journal_mode") == "wal"
        connection.execute(
            "INSERT INTO gpt_cache (cache_key, prompt, response, model, created_at) VALUES ('k','','','',0)"
        )
        assert connection.execute("SELECT ttl FROM gpt_cache WHERE cache_key = 'k'").fetchone() == (3600,)
    assert columns == ["cache_key", "prompt", "response", "model", "created_at", "ttl"]
    assert row == ("vision-1/abc", "gpt-5", 3600)
    assert "gpt_cache_expiry" in plan


def test_the_files_are_the_owners_alone(cache, path):
    put(cache)

    files = [path, *path.parent.glob("task_queue.db-*")]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# --- several processes


def _use(path, number, gate, results):
    cache = GptCache(path)
    gate.wait()
    for each in range(50):
        put(cache, f"{number}-{each}", str(number))
    results.put((cache.failures, [cache.get(f"{number}-{each}") for each in range(50)]))


def test_processes_that_open_a_new_file_at_once_share_it(path):
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(6), context.SimpleQueue()
    children = [context.Process(target=_use, args=(path, number, gate, results)) for number in range(6)]
    for child in children:
        child.start()

    outcomes = [results.get() for _ in children]
    for child in children:
        child.join()

    assert [failures for failures, _ in outcomes] == [0] * 6
    assert sorted(answers[0] for _, answers in outcomes) == list("012345")
    assert GptCache(path).get("3-49") == "3"


def test_a_child_does_not_use_its_parents_connection(cache):
    put(cache)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=lambda: (put(cache, "child"), results.put(cache.get("key"))))
    child.start()

    assert results.get() == '{"a": 1}'
    child.join()
    assert cache.get("child") == '{"a": 1}'
    assert cache.failures == 0


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from pathlib import Path
from growbin_jobs.adapters.gpt_cache import GptCache
cache = GptCache(Path(sys.argv[1]))
def use(number):
    cache.put(str(number), prompt="p", response=str(number), model="m")
    return cache.get(str(number))
jobs = [gevent.spawn(use, number) for number in range(100)]
gevent.joinall(jobs, raise_error=True)
assert [job.value for job in jobs] == [str(number) for number in range(100)]
assert cache.failures == 0
print("done")
"""


def test_greenlets_share_it(path):
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS, path], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.stdout, done.stderr) == ("done\n", "")


# --- a cache that fails costs money, not answers


def corrupt(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database " * 500)


def in_the_way(path):
    path.mkdir(parents=True)


def parent_is_a_file(path):
    path.parent.write_text("")


@pytest.mark.parametrize("spoil", [corrupt, in_the_way, parent_is_a_file])
def test_a_broken_file_is_reported_once_and_counted(cache, path, spoil, caplog):
    spoil(path)

    put(cache)
    assert cache.get("key") is None
    assert cache.prune() == 0

    assert cache.failures == 3
    assert [record.levelno for record in own_records(caplog)] == [logging.ERROR]
    assert str(path) in caplog.text


def test_it_recovers_by_itself_and_reports_the_next_failure_anew(cache, path, caplog):
    in_the_way(path)
    put(cache)
    path.rmdir()
    put(cache)

    assert cache.get("key") is not None
    assert cache.failures == 1

    with apsw.Connection(str(path)) as other:
        other.execute("DROP TABLE gpt_cache")
    assert cache.get("key") is None
    assert len(own_records(caplog)) == 2


def test_an_sqlite_that_corrupts_is_refused(monkeypatch, path):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")

    with pytest.raises(ConfigurationError, match=r"3\.51\.2"):
        GptCache(path)
    with pytest.raises(ConfigurationError, match="upgrade apsw"):
        sqlite.open_sqlite(path)
    assert not path.exists()


@pytest.mark.parametrize("version", ["3.51.3", "3.52.0", "4.0.0", "3.51.10"])
def test_a_newer_sqlite_is_taken(monkeypatch, version):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)

    sqlite.check_sqlite()


def test_a_folder_that_exists_keeps_its_mode(tmp_path):
    os.chmod(tmp_path, 0o755)

    sqlite.open_sqlite(tmp_path / "x.db").close()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
