"""A message may point into the spool and nowhere else."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.errors import GrowbinError, Permanent, PictureRefused, Transient
from growbin_jobs.storage.sources import PictureSources

PICTURE = b"picture"
SECRET = b"secret"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    (folder / "inner").mkdir(parents=True)
    (folder / "photo.jpg").write_bytes(PICTURE)
    (folder / "inner" / "photo.jpg").write_bytes(PICTURE)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "spool-of-others").mkdir()
    (tmp_path / "spool-of-others" / "photo.jpg").write_bytes(SECRET)
    return folder


@pytest.fixture
def objects(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "objects", bucket="growbin")


@pytest.fixture
def sources(spool: Path, objects: FolderStore) -> PictureSources:
    return PictureSources([spool], objects, max_bytes=100)


def refusal(sources: PictureSources, image_path: object) -> str:
    with pytest.raises(PictureRefused) as caught:
        sources.read(str(image_path))
    return caught.value.code


def test_what_holds_pictures_of_all_users_is_closed_though_it_lies_in_the_spool(tmp_path: Path, spool: Path) -> None:
    """``GROWBIN_SPOOL_DIRS`` may be the folder above all: whoever named a stored picture had it, and had it deleted."""
    objects = FolderStore(tmp_path / "objects", bucket="growbin")
    objects.put("uploads/u1/a1/original.jpg", SECRET, content_type="image/jpeg")
    stored = tmp_path / "objects" / "growbin" / "uploads" / "u1" / "a1" / "original.jpg"
    link = spool / "link.jpg"
    link.symlink_to(stored)
    closed = [tmp_path / "objects", tmp_path / "nodes"]
    for folders in ([tmp_path], [Path("/")], [tmp_path, tmp_path / "objects"]):
        sources = PictureSources(folders, objects, max_bytes=100, closed=closed)
        assert {refusal(sources, path) for path in (stored, link)} == {"picture_outside_spool"}
        with pytest.raises(PictureRefused):
            sources.discard(str(stored))
        assert sources.read(str(spool / "inner" / "photo.jpg")) == PICTURE
    inner = PictureSources([spool], objects, max_bytes=100, closed=[tmp_path])
    assert inner.read(str(spool / "photo.jpg")) == PICTURE


def test_a_folder_of_each_user_is_closed_to_the_others(tmp_path: Path, objects: FolderStore) -> None:
    """Whoever named another user's file had what it shows, and had it deleted."""
    for user, picture in (("u1", PICTURE), ("u2", SECRET)):
        (tmp_path / "of" / user / "in").mkdir(parents=True)
        (tmp_path / "of" / user / "in" / "photo.jpg").write_bytes(picture)
    sources = PictureSources([tmp_path / "of" / "{user_id}" / "in"], objects, max_bytes=100)
    own, other = (str(tmp_path / "of" / user / "in" / "photo.jpg") for user in ("u1", "u2"))
    (tmp_path / "of" / "u1" / "in" / "link.jpg").symlink_to(other)
    (tmp_path / "of" / "u3").symlink_to(tmp_path / "of" / "u2")
    assert sources.read(own, "u1") == PICTURE
    ways = [
        (other, "u1"),
        (f"{tmp_path}/of/u1/in/../../u2/in/photo.jpg", "u1"),
        (f"{tmp_path}/of/u1/in/link.jpg", "u1"),
    ]
    ways += [(f"{tmp_path}/of/u3/in/photo.jpg", "u3"), (own, "u"), (own, "u11"), (own, None), (own, "")]
    for path, user in ways:
        for touch in (sources.read, sources.discard):
            with pytest.raises(PictureRefused) as caught:
                touch(path, user)
            assert caught.value.code == "picture_outside_spool", (path, user)
    sources.discard(own, "u1")
    assert [Path(path).exists() for path in (own, other)] == [False, True]


# --- files


def test_files_below_the_spool_are_read(sources: PictureSources, spool: Path) -> None:
    assert sources.read(f"{spool}/photo.jpg") == PICTURE
    assert sources.read(f"{spool}/inner/photo.jpg") == PICTURE
    assert sources.read(f"{spool}/inner/../photo.jpg") == PICTURE
    assert sources.read(f"{spool}//inner/./photo.jpg") == PICTURE


def test_any_of_several_spool_folders_may_be_used(spool: Path, objects: FolderStore, tmp_path: Path) -> None:
    sources = PictureSources([tmp_path / "spool-of-others", spool], objects, max_bytes=100)
    assert sources.read(f"{spool}/photo.jpg") == PICTURE
    assert sources.read(f"{tmp_path}/spool-of-others/photo.jpg") == SECRET


def test_links_are_followed_within_the_spool(sources: PictureSources, spool: Path) -> None:
    (spool / "link.jpg").symlink_to("inner/photo.jpg")
    assert sources.read(f"{spool}/link.jpg") == PICTURE


def test_a_spool_folder_may_be_a_link_itself(spool: Path, objects: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(spool)
    sources = PictureSources([tmp_path / "mounted"], objects, max_bytes=100)
    assert sources.read(f"{tmp_path}/mounted/photo.jpg") == PICTURE


@pytest.mark.parametrize(
    "image_path",
    [
        "{spool}/../secret.txt",
        "{spool}/inner/../../secret.txt",
        "{spool}-of-others/photo.jpg",
        "{spool}",
        "{spool}/",
        "/etc/passwd",
        "/proc/self/environ",
        "/",
        "",
        ".",
        "photo.jpg",
        "../secret.txt",
        "~/photo.jpg",
        "file://{spool}/photo.jpg",
        "http://169.254.169.254/latest/meta-data",
        "{spool}/photo.jpg\0",
        "\0",
        "{spool}/\ud800.jpg",
    ],
)
def test_nothing_else_is_read(sources: PictureSources, spool: Path, image_path: str) -> None:
    assert refusal(sources, image_path.format(spool=spool)) == "picture_outside_spool"


def test_links_out_of_the_spool_are_refused(sources: PictureSources, spool: Path, tmp_path: Path) -> None:
    (spool / "link.txt").symlink_to(tmp_path / "secret.txt")
    (spool / "folder").symlink_to(tmp_path)
    (spool / "loop").symlink_to("loop")
    for name in ("link.txt", "folder/secret.txt", "folder/spool-of-others/photo.jpg"):
        assert refusal(sources, spool / name) == "picture_outside_spool"
    assert refusal(sources, spool / "loop") in ("picture_outside_spool", "picture_missing")


def test_a_link_put_there_after_the_check_is_not_followed(
    sources: PictureSources, spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spool / "swapped").mkdir()
    (spool / "swapped" / "secret.txt").write_bytes(PICTURE)
    resolve = os.path.realpath

    def resolve_then_swap(path: str) -> str:
        resolved = resolve(path)
        (spool / "swapped").rename(spool / "away")
        (spool / "swapped").symlink_to(tmp_path)
        return resolved

    monkeypatch.setattr(os.path, "realpath", resolve_then_swap)
    assert refusal(sources, spool / "swapped" / "secret.txt") in ("picture_outside_spool", "picture_missing")


def test_missing_files(sources: PictureSources, spool: Path) -> None:
    for name in ("gone.jpg", "gone/photo.jpg", "photo.jpg/photo.jpg", "x" * 300):
        assert refusal(sources, spool / name) == "picture_missing"


def test_a_missing_spool_folder_holds_no_pictures(objects: FolderStore, tmp_path: Path) -> None:
    sources = PictureSources([tmp_path / "never-made"], objects, max_bytes=100)
    assert refusal(sources, tmp_path / "never-made" / "photo.jpg") == "picture_missing"


def test_what_is_no_ordinary_file_is_refused_at_once(sources: PictureSources, spool: Path) -> None:
    os.mkfifo(spool / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(spool / "socket"))
        for name in ("fifo", "socket", "inner"):
            assert refusal(sources, spool / name) == "picture_not_an_image"


def test_no_more_than_the_limit_is_read(sources: PictureSources, spool: Path) -> None:
    (spool / "fits.jpg").write_bytes(bytes(100))
    (spool / "large.jpg").write_bytes(bytes(101))
    assert len(sources.read(f"{spool}/fits.jpg")) == 100
    assert refusal(sources, spool / "large.jpg") == "picture_too_many_bytes"


def test_a_file_that_cannot_be_read_now_is_tried_again(
    sources: PictureSources, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> int:
        raise PermissionError(13, "Permission denied", "/spool/of/a/person.jpg")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Transient, match="Permission denied") as caught:
        sources.read(f"{spool}/photo.jpg")
    assert "person" not in str(caught.value)


@given(path=st.text(max_size=80))
def test_any_text_is_read_or_refused(path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("any")
    sources = PictureSources([root / "spool"], FolderStore(root / "objects"), max_bytes=100)
    for image_path in (path, f"{root}/spool/{path}", f"s3://growbin/spool/{path}"):
        with pytest.raises(GrowbinError):
            sources.read(image_path)


def test_discarding_deletes_the_file_and_may_happen_twice(sources: PictureSources, spool: Path, tmp_path: Path) -> None:
    for _ in range(2):
        sources.discard(f"{spool}/inner/photo.jpg")
    assert not (spool / "inner" / "photo.jpg").exists()
    with pytest.raises(PictureRefused):
        sources.discard(f"{spool}/../secret.txt")
    assert (tmp_path / "secret.txt").exists()


# --- objects


def test_objects_below_the_spool_prefix_are_read_and_discarded(sources: PictureSources, objects: FolderStore) -> None:
    address = objects.put("spool/2026/a photo.jpg", PICTURE, content_type="image/jpeg")
    assert sources.read(address) == PICTURE
    for _ in range(2):
        sources.discard(address)
    assert refusal(sources, address) == "picture_missing"


def test_a_large_object_is_not_read(sources: PictureSources, objects: FolderStore) -> None:
    address = objects.put("spool/large.jpg", bytes(101), content_type="image/jpeg")
    assert refusal(sources, address) == "picture_too_many_bytes"


@pytest.mark.parametrize(
    "address",
    [
        "s3://growbin/uploads/somebody/a1/original.jpg",
        "s3://growbin/spoolx/photo.jpg",
        "s3://growbin/spool",
        "s3://growbin/spool/",
        "s3://growbin/spool/../uploads/somebody/a1/original.jpg",
        "s3://growbin/spool//photo.jpg",
        "s3://growbin/",
        "s3://growbin",
        "s3://other/spool/photo.jpg",
        "s3://growbin.evil/spool/photo.jpg",
        "s3://",
        "S3://growbin/spool/photo.jpg",
    ],
)
def test_other_objects_are_not_touched(sources: PictureSources, objects: FolderStore, address: str) -> None:
    objects.put("uploads/somebody/a1/original.jpg", SECRET, content_type="image/jpeg")
    for touch in (sources.read, sources.discard):
        with pytest.raises(Permanent) as caught:
            touch(address)
        assert caught.value.code in ("picture_outside_spool", "request_invalid")
    assert objects.exists("uploads/somebody/a1/original.jpg")
