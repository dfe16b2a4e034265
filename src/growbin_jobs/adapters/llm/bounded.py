"""Bounds what a server may answer: its size after decompression, so that a small body cannot fill the memory."""

import zlib
from collections.abc import Iterator
from typing import Final

import httpx2

#: Bytes of a body, decompressed. An answer has kilobytes; the list of a gateway's models has about one megabyte.
LARGEST: Final = 8_000_000

#: Bytes that are decompressed at once.
_STEP: Final = 262_144


class AnswerTooLarge(httpx2.DecodingError):
    """The body is larger than :data:`LARGEST`."""


class BoundedStream(httpx2.SyncByteStream):
    """The body of a response, decompressed, and no more of it than is allowed.

    Parameters:
      inner: As it comes from the connection.
      encoding: ``content-encoding`` of the response.
    """

    def __init__(self, inner: httpx2.SyncByteStream, encoding: str) -> None:
        self._inner = inner
        self._encoding = encoding

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._chunks():
            size += len(chunk)
            if size > LARGEST:
                raise AnswerTooLarge("the body is too large")
            yield chunk

    def close(self) -> None:
        self._inner.close()

    def _chunks(self) -> Iterator[bytes]:
        if self._encoding not in ("gzip", "x-gzip", "deflate"):
            yield from self._inner
            return
        decompress = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            for chunk in self._inner:
                rest = chunk
                while rest:
                    yield decompress.decompress(rest, _STEP)
                    rest = decompress.unconsumed_tail
            yield decompress.flush()
        except zlib.error as error:
            raise httpx2.DecodingError("the body is not compressed as it says") from error


def bounded(response: httpx2.Response) -> httpx2.Response:
    """Return a response whose body is read no further than is allowed.

    Parameters:
      response: Of a transport; its body has not been read.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    assert isinstance(response.stream, httpx2.SyncByteStream)
    response.stream = BoundedStream(response.stream, encoding)
    if encoding:
        del response.headers["content-encoding"]
        response.headers.pop("content-length", None)
    return response
