"""What every object store does, checked on each of them."""

import threading
import urllib.request
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples as some

from growbin_jobs.adapters.objects import ObjectStore, open_store
from growbin_jobs.adapters.objects.memory import MemoryStore
from growbin_jobs.errors import ConfigurationError, NotFound, Permanent, PictureRefused

JPEG = "image/jpeg"

# The store of a test serves all examples of a property: each writes below a name of its own.
examples = count()
same_store = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        return open_store(None, data_dir=tmp_path)
    server = request.getfixturevalue("s3_server")
    return open_store(server.url, data_dir=tmp_path, endpoint_url=server.endpoint_url, pool_size=16, timeout=10)


def test_gives_back_what_was_put_by_key_and_by_address(store: ObjectStore) -> None:
    address = store.put("uploads/u1/a1/original.jpg", b"picture", content_type=JPEG, cache_control="max-age=31536000")

    assert address == store.address("uploads/u1/a1/original.jpg") == f"s3://{store.bucket}/uploads/u1/a1/original.jpg"
    assert store.get("uploads/u1/a1/original.jpg") == store.get(address) == b"picture"
    assert store.exists("uploads/u1/a1/original.jpg")
    assert store.exists(address)
    info = store.head(address)
    assert (info.size, info.content_type, info.cache_control) == (7, JPEG, "max-age=31536000")
    assert info.modified.utcoffset() is not None


def test_a_second_put_replaces_bytes_and_metadata(store: ObjectStore) -> None:
    store.put("a/b", b"the first", content_type=JPEG, cache_control="no-store")
    store.put("a/b", b"2nd", content_type="image/png")

    assert store.get("a/b") == b"2nd"
    info = store.head("a/b")
    assert (info.size, info.content_type, info.cache_control) == (3, "image/png", None)


@pytest.mark.parametrize("data", [b"", b"\0", b"growbin-object-1" * 3, bytes(range(256)) * 20_000])
def test_keeps_any_bytes(store: ObjectStore, data: bytes) -> None:
    store.put("data", data, content_type=JPEG)
    assert store.get("data") == data
    assert store.head("data").size == len(data)


def test_what_is_missing_is_not_found(store: ObjectStore) -> None:
    store.put("folder/there", b"x", content_type=JPEG)
    for key in ("nowhere", "folder", "folder/ther", "folder/there/below", store.address("folder/nowhere")):
        with pytest.raises(NotFound):
            store.get(key)
        with pytest.raises(NotFound):
            store.head(key)
        assert not store.exists(key)


def test_deleting_twice_is_fine(store: ObjectStore) -> None:
    address = store.put("a/b/c", b"x", content_type=JPEG)
    store.put("a/d", b"y", content_type=JPEG)

    store.delete(address)
    store.delete("a/b/c")

    assert not store.exists("a/b/c")
    assert store.get("a/d") == b"y"
    store.put("a/b", b"where a folder was", content_type=JPEG)
    assert store.get("a/b") == b"where a folder was"


def test_reads_no_more_than_is_allowed(store: ObjectStore) -> None:
    store.put("k", b"12345", content_type=JPEG)

    assert store.get("k", max_bytes=5) == b"12345"
    with pytest.raises(PictureRefused) as refused:
        store.get("k", max_bytes=4)
    assert refused.value.code == "picture_too_many_bytes"
    assert store.get("k") == b"12345"


def test_lists_what_begins_with_a_prefix(store: ObjectStore) -> None:
    keys = ["a.jpg", "a/b/c", "a/b.jpg", "a/b0", "a0", "b", "가/나", "ab/x"]
    for key in keys:
        store.put(key, key.encode(), content_type=JPEG)

    for prefix in ("", "a", "a/", "a/b", "a/b/", "a/b/c", "가", "nothing", "b/"):
        listed = sorted((entry.key, entry.size) for entry in store.list(prefix))
        assert listed == sorted((key, len(key.encode())) for key in keys if key.startswith(prefix)), prefix
    assert all(entry.modified.utcoffset() is not None for entry in store.list())


LEGAL_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\")
LEGAL_PARTS = st.text(LEGAL_CHARACTERS, min_size=1, max_size=60).filter(lambda part: part not in (".", ".."))
LEGAL_KEYS = st.lists(LEGAL_PARTS, min_size=1, max_size=4).map("/".join)


@settings(max_examples=some(25), deadline=None, suppress_health_check=same_store)
@given(key=LEGAL_KEYS, data=st.binary(max_size=200))
def test_takes_any_legal_key(store: ObjectStore, key: str, data: bytes) -> None:
    key = f"{next(examples)}/{key}"
    address = store.put(key, data, content_type=JPEG)

    assert store.get(key) == store.get(address) == data
    assert [entry.key for entry in store.list(key)] == [key]
    store.delete(address)
    assert not store.exists(key)


def test_takes_the_longest_keys(store: ObjectStore) -> None:
    longest = "/".join(["가" * 85] * 4)  # 4 × 255 bytes and 3 slashes
    assert len(longest.encode()) == 1023
    store.put(longest, b"x", content_type=JPEG)
    assert store.get(longest) == b"x"


def _between(before: str, illegal: str, after: str) -> str:
    return f"{before}/{illegal}/{after}"


ILLEGAL_KEYS = st.one_of(
    st.sampled_from(
        ["", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../../etc/passwd", "a/./b", "a/..", "s3://", "a\\..\\b"]
    ),
    st.builds(_between, LEGAL_PARTS, st.sampled_from(["", ".", ".."]), LEGAL_PARTS),
    st.builds("{}{}{}".format, LEGAL_KEYS, st.sampled_from("\0\n\r\x1f\x7f\\"), LEGAL_KEYS),
    st.builds("{}\ud800{}".format, LEGAL_KEYS, LEGAL_KEYS),
    st.integers(256, 2000).map(lambda size: "k" * size),
    st.integers(5, 9).map(lambda parts: "/".join(["k" * 250] * parts)),
    LEGAL_KEYS.map(lambda key: f"s3://another-bucket/{key}"),
)


@settings(max_examples=some(60), deadline=None, suppress_health_check=same_store)
@given(key=ILLEGAL_KEYS)
def test_refuses_illegal_keys_for_good(store: ObjectStore, key: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: store.put(key, b"x", content_type=JPEG),
        lambda: store.get(key),
        lambda: store.get(f"s3://{store.bucket}/{key}"),
        lambda: store.head(key),
        lambda: store.exists(key),
        lambda: store.delete(key),
    ]
    for call in calls:
        with pytest.raises(Permanent) as refused:
            call()
        assert refused.value.code == "request_invalid"
        assert len(key) < 8 or key not in str(refused.value)


@pytest.mark.parametrize("prefix", ["../", "/", "a//", "./a", "a/../b/", "\0"])
def test_refuses_prefixes_that_no_key_has(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(Permanent):
        list(store.list(prefix))


def test_concurrent_puts_leave_one_whole_object(store: ObjectStore) -> None:
    versions = [(bytes([number]) * (50_000 + number), f"image/v{number}") for number in range(8)]
    store.put("contested", versions[0][0], content_type=versions[0][1])
    seen: list[bytes] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(store.get("contested"))

    def write(version: tuple[bytes, str]) -> None:
        for _ in range(5):
            store.put("contested", version[0], content_type=version[1])

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(version,)) for version in versions]
    for thread in (reader, *writers):
        thread.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()

    assert set(seen) <= {data for data, _ in versions}
    assert seen
    assert (store.get("contested"), store.head("contested").content_type) in versions


def test_puts_and_deletes_side_by_side_lose_nothing(store: ObjectStore) -> None:
    """A delete that clears away an empty folder must not take the place of an object that comes into it."""

    def come_and_go(name: str) -> None:
        for _ in range(15):
            store.put(f"shared/folder/{name}", b"x", content_type=JPEG)
            store.delete(f"shared/folder/{name}")
        store.put(f"shared/folder/{name}", b"last", content_type=JPEG)

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.get(entry.key) for entry in store.list("shared/")] == [b"last"] * 6


def test_check_passes_and_leaves_nothing_behind(store: ObjectStore) -> None:
    store.check()
    assert list(store.list()) == []


def test_a_presigned_address_is_readable_by_anybody_or_refused(store: ObjectStore) -> None:
    store.put("a b/가.jpg", b"picture", content_type=JPEG)
    if store.bucket == "growbin":
        with pytest.raises(ConfigurationError, match="GROWBIN_VISION_TRANSPORT"):
            store.presign("a b/가.jpg", expires=60)
        return
    with urllib.request.urlopen(store.presign("a b/가.jpg", expires=60), timeout=10) as answer:
        assert answer.read() == b"picture"
        assert answer.headers["Content-Type"] == JPEG
    for expires in (0, -1, 8 * 24 * 3600):
        with pytest.raises(ConfigurationError):
            store.presign("a b/가.jpg", expires=expires)
