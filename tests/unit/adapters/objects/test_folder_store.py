"""What is special to the folder: crashes, a full or foreign disk, what people put there."""

import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest
from tests.command_line import run_python, start_python

from growbin_jobs.adapters.objects import open_store
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.errors import ConfigurationError, Deferred, NotFound, Permanent

PUT_FOREVER = """
import itertools, sys
from pathlib import Path
from growbin_jobs.adapters.objects.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
for turn in itertools.count():
    letter = b"AB"[turn % 2 : turn % 2 + 1]
    store.put("uploads/u/a/original.jpg", letter * 3_000_000, content_type=f"image/{letter.decode()}")
"""


def test_kill_9_during_a_put_leaves_a_whole_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    caught_in_the_middle = 0
    for _ in range(8):
        writer = start_python([sys.executable, "-c", PUT_FOREVER, str(tmp_path)])
        try:
            _wait_for_an_unfinished_file(tmp_path / ".incoming")
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
        left = list((tmp_path / ".incoming").iterdir())
        caught_in_the_middle += len(left)
        for file in left:
            file.unlink()
        if store.exists("uploads/u/a/original.jpg"):
            data = store.get("uploads/u/a/original.jpg")
            assert data in (b"A" * 3_000_000, b"B" * 3_000_000)
            assert store.head("uploads/u/a/original.jpg").content_type == f"image/{data[:1].decode()}"
    assert caught_in_the_middle, "no put was killed half way: the test proves nothing"


def _wait_for_an_unfinished_file(incoming: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if incoming.is_dir() and any(incoming.iterdir()):
            return
    pytest.fail("the writer did not start")


def test_what_a_killed_process_left_is_cleared_away_later(tmp_path: Path) -> None:
    FolderStore(tmp_path).put("a", b"x", content_type="image/jpeg")
    old, young = tmp_path / ".incoming" / "old", tmp_path / ".incoming" / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"a neighbour writes this just now")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))

    store = FolderStore(tmp_path)
    store.put("b", b"y", content_type="image/jpeg")

    assert not old.exists()
    assert young.exists()
    assert sorted(entry.key for entry in store.list()) == ["a", "b"]


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "data" / "objects")
    store.put("uploads/u/original.jpg", b"x", content_type="image/jpeg")
    for path in (tmp_path / "data").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_file_starts_with_the_objects_own_bytes(tmp_path: Path) -> None:
    FolderStore(tmp_path).put("u/p.jpg", b"\xff\xd8picture\xff\xd9", content_type="image/jpeg")
    assert (tmp_path / "growbin" / "u" / "p.jpg").read_bytes().startswith(b"\xff\xd8picture\xff\xd9")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"by hand",
        b"ends like ours" + b"\xff\xff\xff\xffgrowbin-object-1",
        b"\0\0\0\x02growbin-object-1",
        b"[]\0\0\0\x02growbin-object-1",
    ],
)
def test_a_file_put_there_by_hand_is_an_object(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "growbin").mkdir()
    (tmp_path / "growbin" / "hand.jpg").write_bytes(content)

    store = FolderStore(tmp_path)

    assert store.get("hand.jpg") == content
    assert store.head("hand.jpg").content_type == "application/octet-stream"
    assert [(entry.key, entry.size) for entry in store.list()] == [("hand.jpg", len(content))]


def test_an_empty_folder_goes_with_its_last_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("u/a/1", b"x", content_type="image/jpeg")
    store.put("u/b/1", b"x", content_type="image/jpeg")
    store.delete("u/a/1")
    assert [path.name for path in (tmp_path / "growbin" / "u").iterdir()] == ["b"]
    store.delete("u/b/1")
    assert list((tmp_path / "growbin").iterdir()) == []


@pytest.mark.parametrize(("first", "second"), [("a/b", "a/b/c"), ("a/b/c", "a/b"), ("a/b/c", "a")])
def test_a_key_cannot_be_the_folder_of_another(tmp_path: Path, first: str, second: str) -> None:
    store = FolderStore(tmp_path)
    store.put(first, b"first", content_type="image/jpeg")
    with pytest.raises(Permanent) as refused:
        store.put(second, b"second", content_type="image/jpeg")
    assert refused.value.code == "request_invalid"
    assert store.get(first) == b"first"
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_a_disk_that_fails_makes_us_wait(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file where the folder should be")
    store = open_store(None, data_dir=tmp_path)
    with pytest.raises(Deferred, match="disk space and write access"):
        store.put("a", b"x", content_type="image/jpeg")
    with pytest.raises(ConfigurationError, match="disk space and write access"):
        store.check()


def test_a_full_disk_makes_us_wait_and_leaves_nothing_behind(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.errors import Deferred
store = FolderStore(Path(sys.argv[1]))
store.put("a", b"before", content_type="image/jpeg")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.put("a", b"x" * 100_000, content_type="image/jpeg")
except Deferred as error:
    print("deferred", error.wait)
"""
    done = run_python([sys.executable, "-c", script, str(tmp_path)], text=True, check=True, timeout=60)
    assert done.stdout.startswith("deferred 30")
    assert FolderStore(tmp_path).get("a") == b"before"
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_two_buckets_in_one_folder_do_not_see_each_other(tmp_path: Path) -> None:
    ours, theirs = FolderStore(tmp_path, bucket="ours"), FolderStore(tmp_path, bucket="theirs")
    address = ours.put("a", b"x", content_type="image/jpeg")
    assert not theirs.exists("a")
    with pytest.raises(Permanent):
        theirs.get(address)
    with pytest.raises(NotFound):
        theirs.get("a")


@pytest.mark.parametrize("below", [".", "pictures", "a/b/c"])
@pytest.mark.parametrize("root", ["link", "loop", "/proc/growbin"])
def test_a_folder_that_can_never_be_made_makes_us_wait(tmp_path: Path, root: str, below: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at all")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    store = FolderStore(tmp_path / root / below)

    with pytest.raises(Deferred, match="cannot be used"):
        store.put("a/b.jpg", b"x", content_type="image/jpeg")
    with pytest.raises(ConfigurationError):
        store.check()


def test_a_deep_folder_is_made(tmp_path: Path) -> None:
    store = FolderStore(tmp_path.joinpath(*"abcdefghij"))

    address = store.put("/".join("klmnopqrst"), b"x", content_type="image/jpeg")

    assert store.get(address) == b"x"
