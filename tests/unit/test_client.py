"""What a producer may hand in as a picture."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs import client
from growbin_jobs.errors import PictureRefused

LIMIT = 1000


class InPieces(io.RawIOBase):
    """A file that gives as much as has arrived, as a connection does."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece, self._left = self._left[: min(len(buffer), 7)], self._left[min(len(buffer), 7) :]
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO, InPieces])
def test_bytes_are_taken_whole_in_each_form_and_no_more_than_the_limit(kind: Any) -> None:
    for length in (0, 1, LIMIT):
        assert client._read(kind(bytes(length)), LIMIT) == bytes(length)
    with pytest.raises(PictureRefused) as raised:
        client._read(kind(bytes(LIMIT + 1)), LIMIT)
    assert client.http_status(raised.value) == 413


class Awaited:
    async def read(self, size: int = -1) -> bytes:
        raise AssertionError(size)


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("wrong", [None, 5, ["a.jpg"], io.StringIO("a"), io.StringIO(), Awaited()])
def test_what_is_no_picture_is_a_fault_of_the_program(wrong: Any) -> None:
    with pytest.raises(TypeError, match="image must be"):
        client._read(wrong, LIMIT)


def test_a_path_that_leads_to_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """A FIFO that nobody writes to kept who had it for a photo waiting for ever."""
    os.mkfifo(tmp_path / "photo.jpg")
    assert client._read(tmp_path / "photo.jpg", LIMIT) == b""
    reading, writing = os.pipe()  # of a shell: growbin-jobs analyze <(…)
    os.write(writing, b"photo")
    os.close(writing)
    assert client._read(f"/dev/fd/{reading}", LIMIT) == b"photo"
    os.close(reading)


def test_a_path_that_leads_to_no_file_is_a_missing_picture(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"x")
    assert client._read(os.fspath(tmp_path / "file"), LIMIT) == b"x"
    for path in ("", "a\0b", "x" * 5000, tmp_path, tmp_path / "loop", tmp_path / "file" / "below", tmp_path / "none"):
        with pytest.raises(PictureRefused) as raised:
            client._read(path, LIMIT)
        assert (raised.value.code, client.http_status(raised.value)) == ("picture_missing", 400)
    with pytest.raises(PictureRefused) as raised:
        client._read("/dev/zero", LIMIT)
    assert client.http_status(raised.value) == 413
