"""Stage 1: idempotent, bounded, and strict about what it is given."""

import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from growbin_jobs.adapters.file_cache import FileCache
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.errors import Deferred, Permanent, PictureRefused
from growbin_jobs.messages import StoredPicture
from growbin_jobs.picture_keys import kept_picture
from growbin_jobs.storage.sources import PictureSources
from growbin_jobs.storage.uploads import Prepared, Uploads

ORIGINAL, THUMBNAIL = "uploads/u1/a1/original.jpg", "uploads/u1/a1/thumbnail.jpg"
FOR_MODEL = "uploads/u1/a1/model-1024.jpg"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    Image.new("RGB", (600, 400), (10, 200, 90)).save(folder / "photo.png")
    return folder


@pytest.fixture
def objects(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "objects", bucket="growbin")


def service(
    objects: FolderStore, spool: Path, *, prepare: Callable[[bytes], Prepared] = prepare, in_flight: int = 16
) -> Uploads:
    sources = PictureSources([spool], objects, max_bytes=1_000_000)
    return Uploads(objects, sources, prepare, threads=2, in_flight=in_flight)


@pytest.fixture
def uploads(objects: FolderStore, spool: Path) -> Uploads:
    return service(objects, spool)


def test_two_pictures_are_stored_where_everybody_expects_them(
    uploads: Uploads, objects: FolderStore, spool: Path
) -> None:
    stored = uploads.store("u1", f"{spool}/photo.png", "a1")
    assert stored == StoredPicture(s3_path=f"s3://growbin/{ORIGINAL}", thumbnail_path=f"s3://growbin/{THUMBNAIL}")
    for address, size in ((stored.s3_path, (600, 400)), (stored.thumbnail_path, (300, 200))):
        assert Image.open(io.BytesIO(objects.get(address)), formats=("JPEG",)).size == size
        assert objects.head(address).content_type == "image/jpeg"
        assert objects.head(address).cache_control == "max-age=31536000"


def test_a_picture_from_the_object_store(uploads: Uploads, objects: FolderStore, spool: Path) -> None:
    address = objects.put("spool/x", (spool / "photo.png").read_bytes(), content_type="image/png")
    assert uploads.store("u1", address, "a1").s3_path == f"s3://growbin/{ORIGINAL}"


def test_twice_is_like_once(uploads: Uploads, objects: FolderStore, spool: Path) -> None:
    first = uploads.store("u1", f"{spool}/photo.png", "a1")
    content = objects.get(ORIGINAL), objects.get(THUMBNAIL)
    assert uploads.store("u1", f"{spool}/photo.png", "a1") == first
    assert (objects.get(ORIGINAL), objects.get(THUMBNAIL)) == content
    assert sorted(entry.key for entry in objects.list()) == sorted([ORIGINAL, THUMBNAIL, FOR_MODEL])


def test_what_the_model_sees_is_kept_for_stage_2_where_that_runs_on_this_node(
    objects: FolderStore, spool: Path, tmp_path: Path
) -> None:
    kept = FileCache(tmp_path / "task_queue.db", tmp_path / "files", ttl=60, most=10**6)
    uploads = Uploads(objects, PictureSources([spool], objects, max_bytes=1_000_000), prepare, kept=kept)
    key = kept_picture(uploads.store("u1", f"{spool}/photo.png", "a1").s3_path, 1024)
    assert kept.get(key) is None
    assert not (tmp_path / "files").exists(), "nobody reads files here"

    kept.open()  # as stage 2 does when it starts
    uploads.store("u1", f"{spool}/photo.png", "a1")
    assert kept.get(key) == objects.get(FOR_MODEL)

    uploads.discard_stored("u1", "a1")
    assert kept.get(key) is None
    assert list(objects.list()) == [], "all pictures of an analysis that was erased meanwhile"


@pytest.mark.parametrize("where", ["file", "object"])
def test_a_run_after_the_spool_was_emptied_finds_the_stored_pictures(
    uploads: Uploads, objects: FolderStore, spool: Path, where: str
) -> None:
    image_path = f"{spool}/photo.png"
    if where == "object":
        image_path = objects.put("spool/x", (spool / "photo.png").read_bytes(), content_type="image/png")
    stored = uploads.store("u1", image_path, "a1")
    uploads.discard_spooled("u1", image_path)
    assert uploads.store("u1", image_path, "a1") == stored


def test_a_missing_picture_of_which_one_object_is_stored_is_still_missing(
    uploads: Uploads, objects: FolderStore, spool: Path
) -> None:
    for present in (None, ORIGINAL, THUMBNAIL):
        for key in (ORIGINAL, THUMBNAIL):
            objects.delete(key)
        if present:
            objects.put(present, b"x", content_type="image/jpeg")
        with pytest.raises(PictureRefused) as caught:
            uploads.store("u1", f"{spool}/gone.jpg", "a1")
        assert caught.value.code == "picture_missing"


def test_a_refused_picture_stores_nothing(uploads: Uploads, objects: FolderStore, spool: Path) -> None:
    (spool / "page.jpg").write_text("<!doctype html>" + " " * 100)
    with pytest.raises(PictureRefused) as caught:
        uploads.store("u1", f"{spool}/page.jpg", "a1")
    assert caught.value.code == "picture_not_an_image"
    assert list(objects.list()) == []


def test_of_a_refused_picture_only_our_own_copy_is_deleted(uploads: Uploads, objects: FolderStore, spool: Path) -> None:
    for key in ("spool/a1", "spool/a2", "spool/a1.jpg", ORIGINAL):
        objects.put(key, b"x", content_type="image/jpeg")
    for _twice in range(2):
        uploads.discard_refused("a1")
    assert {entry.key for entry in objects.list()} == {"spool/a2", "spool/a1.jpg", ORIGINAL}
    assert (spool / "photo.png").exists()


def test_no_id_deletes_something_else(uploads: Uploads, objects: FolderStore) -> None:
    objects.put(ORIGINAL, b"x", content_type="image/jpeg")
    with pytest.raises(Permanent):
        uploads.discard_refused(f"../{ORIGINAL}")
    assert objects.exists(ORIGINAL)


@pytest.mark.parametrize(
    "bad", ["", "a/b", "..", ".", "a.b", "a b", "a\n", "a\0", "ü", "사용자", "x" * 65, "a%2fb", None, 7, ["a"]]
)
def test_ids_become_keys_and_are_checked(uploads: Uploads, objects: FolderStore, spool: Path, bad: str) -> None:
    for user_id, analysis_id in ((bad, "a1"), ("u1", bad)):
        with pytest.raises(Permanent) as caught:
            uploads.store(user_id, f"{spool}/photo.png", analysis_id)
        assert caught.value.code == "request_invalid"
        assert "id must be" in str(caught.value)
    assert list(objects.list()) == []


def test_a_path_that_is_no_text_is_refused(uploads: Uploads) -> None:
    with pytest.raises(Permanent, match="image_path"):
        uploads.store("u1", 5, "a1")  # type: ignore[arg-type]


def test_a_store_that_is_away_is_waited_for(spool: Path, objects: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> str:
        raise Deferred("the object store is away", wait=5)

    uploads = service(objects, spool)
    with monkeypatch.context() as patch:
        patch.setattr(objects, "put", away)
        with pytest.raises(Deferred):
            uploads.store("u1", f"{spool}/photo.png", "a1")
    assert uploads.store("u1", f"{spool}/photo.png", "a1").s3_path.endswith(ORIGINAL)


def test_only_so_many_pictures_are_held_at_the_same_time(spool: Path, objects: FolderStore) -> None:
    """More than ``in_flight`` callers: the rest wait before they read anything."""
    both_in, go_on = threading.Barrier(3), threading.Event()
    held: list[int] = []
    lock = threading.Lock()

    def slow(data: bytes) -> Prepared:
        with lock:
            held.append(len(data))
            first = len(held) <= 2
        if first:
            both_in.wait(10)
            assert go_on.wait(10)
        return prepare(data)

    uploads = service(objects, spool, prepare=slow, in_flight=2)
    threads = [
        threading.Thread(target=uploads.store, args=("u1", f"{spool}/photo.png", f"a{number}")) for number in range(6)
    ]
    for thread in threads:
        thread.start()
    both_in.wait(10)
    with lock:
        assert len(held) == 2
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert len(list(objects.list())) == 18


GEVENT = """
import gevent.monkey
gevent.monkey.patch_all()
import sys, gevent, threading
from pathlib import Path
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.storage.sources import PictureSources
from growbin_jobs.storage.uploads import Uploads

hub_thread, decoders = gevent.get_hub().thread_ident, set()
native_ident = gevent.monkey.get_original("threading", "get_ident")

def watched(data):
    decoders.add(native_ident())
    return prepare(data)

root = Path(sys.argv[1])
objects = FolderStore(root / "objects")
uploads = Uploads(objects, PictureSources([root / "spool"], objects, max_bytes=10**6), watched, threads=2)
jobs = [gevent.spawn(uploads.store, "u1", f"{root}/spool/photo.png", f"a{n}") for n in range(100)]
gevent.joinall(jobs, raise_error=True)
print(len(list(objects.list())), hub_thread in decoders, len(decoders) <= 2)
"""


def test_under_gevent_pictures_are_decoded_off_the_hub(spool: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", GEVENT, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["300", "False", "True"], done.stderr
