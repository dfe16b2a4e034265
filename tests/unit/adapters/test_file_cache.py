"""The node's cache of fetched files: bounded, with a time, whole or not at all."""

import apsw
import pytest

from growbin_jobs.adapters.file_cache import FileCache


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "node" / "task_queue.db"


@pytest.fixture
def folder(journal):
    return journal.parent / "file_cache"


@pytest.fixture
def cache(journal, folder, clock):
    return FileCache(journal, folder, ttl=3600, most=1000, clock=clock)


def test_a_file_is_kept_for_its_time_and_for_other_processes(cache, journal, folder, clock):
    cache.put("s3://b/uploads/u/a/../x", b"picture")
    clock.now += 3599

    assert FileCache(journal, folder, ttl=3600, most=1000, clock=clock).get("s3://b/uploads/u/a/../x") == b"picture"
    assert cache.get("another") is None
    clock.now += 1
    assert cache.get("s3://b/uploads/u/a/../x") is None
    assert cache.run_once() == {"files": 1}
    assert list(folder.iterdir()) == []
    assert cache.run_once() == {}


def test_the_oldest_go_beyond_the_bound_with_their_files(cache, folder, journal, clock):
    for number in range(5):
        clock.now += 1
        cache.put(f"key-{number}", bytes([number]) * 300)

    assert [cache.get(f"key-{number}") is not None for number in range(5)] == [False, False, True, True, True]
    assert len(list(folder.iterdir())) == 3
    with apsw.Connection(str(journal)) as connection:
        assert connection.execute("SELECT count(*), sum(size) FROM file_cache").fetchone() == (3, 900)

    cache.put("large", bytes(1001))
    assert cache.get("large") is None
    assert cache.get("key-4") == b"\x04" * 300


@pytest.mark.parametrize("spoil", [b"", b"\0" * 39, b"pict"])
def test_half_a_file_is_none(cache, folder, spoil):
    cache.put("key", b"picture")
    (file,) = folder.iterdir()
    file.write_bytes(spoil)  # as a power cut may leave it

    assert cache.get("key") is None
    cache.put("key", b"picture")
    assert cache.get("key") == b"picture"


def test_what_a_killed_process_has_left_is_no_file_and_goes(cache, folder, clock):
    cache.put("key", b"picture")
    (folder / "0123.new").write_bytes(b"half")
    clock.now += 10**10

    assert cache.prune() == 2


def test_where_nothing_can_be_kept_nothing_fails(cache, journal):
    journal.parent.mkdir(parents=True)
    (journal.parent / "file_cache").write_text("in the way")
    cache.put("key", b"picture")
    assert cache.get("key") is None

    (journal.parent / "file_cache").unlink()
    journal.write_bytes(b"no database" * 1000)
    cache.put("key", b"picture")
    assert cache.get("key") is None
    assert list((journal.parent / "file_cache").iterdir()) == []
