import gzip
import zlib

import httpx2
import pytest

from growbin_jobs.adapters.llm.bounded import LARGEST, AnswerTooLarge, BoundedStream, bounded


def response(body: bytes, encoding: str | None = None) -> httpx2.Response:
    chunks = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    headers = {} if encoding is None else {"content-encoding": encoding}
    return bounded(httpx2.Response(200, headers=headers, stream=Chunks(chunks)))


class Chunks(httpx2.SyncByteStream):
    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self):
        yield from self._chunks


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"plain", None),
        (gzip.compress(b"plain", mtime=0), "gzip"),
        (zlib.compress(b"plain"), "deflate"),
        (b"plain", "identity"),
        (zlib.compress(b"plain", wbits=-15), "deflate"),  # without its head, as some servers understand it
        (gzip.compress(b"pl", mtime=0) + gzip.compress(b"ain", mtime=0), "gzip"),
    ],
)
def test_a_body_is_read_and_decompressed(body, encoding):
    assert response(body, encoding).read() == b"plain"


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"x" * (LARGEST + 1), None), (gzip.compress(b"\0" * (LARGEST * 3), mtime=0), "gzip")]
)
def test_no_more_is_read_than_is_allowed(body, encoding):
    with pytest.raises(AnswerTooLarge):
        response(body, encoding).read()


def test_the_body_of_an_error_ends_where_it_breaks():
    class Cut(httpx2.SyncByteStream):
        def __iter__(self):
            yield b"slow "
            raise httpx2.RemoteProtocolError("peer closed")

    assert b"".join(BoundedStream(Cut(), "", is_error=True)) == b"slow "
    assert b"".join(BoundedStream(httpx2.ByteStream(b"<html>"), "gzip", is_error=True)) == b""
    with pytest.raises(httpx2.RemoteProtocolError):
        list(BoundedStream(Cut(), ""))
    with pytest.raises(AnswerTooLarge):
        list(BoundedStream(httpx2.ByteStream(b"x" * 9), "", 8, is_error=True))


def test_a_body_that_is_not_what_it_says_is_an_error_of_the_client():
    with pytest.raises(httpx2.DecodingError):
        response(b"<html>", "gzip").read()
    for encoding in ("br", "zstd", "gzip, br"):
        with pytest.raises(httpx2.DecodingError):
            response(b"x", encoding).read()
