"""Tells answers of S3 from those of whatever else answers with 200: a web page, a sign-in, a proxy."""

from collections.abc import Mapping
from typing import Any, Final

#: What an answer to each operation always has ("Actions", Amazon S3 API Reference), as botocore names it: one of each
#: group. Servers that speak the protocol differ in what else they send.
_MARKS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "PutObject": (("ETag",),),
    "GetObject": (("ETag",), ("LastModified",)),
    "HeadObject": (("ETag",), ("LastModified",), ("ContentLength",)),
    "ListObjectsV2": (("IsTruncated", "KeyCount", "Name"),),
    "DeleteObject": (),
}

_ENTRY: Final = ("Key", "Size", "LastModified")


class ForeignAnswer(Exception):
    """An answer that no S3 server gives."""


def genuine(operation: str, answer: Mapping[str, Any]) -> Any:
    """Return an answer unless it is not S3's.

    Parameters:
      operation: Its name in the API.
      answer: As botocore has read it.

    Raises:
      ForeignAnswer: Something else has answered.
    """
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    # Nothing of ours is stored as a page, and the API's own answers are XML.
    if str(headers.get("content-type", "")).lower().startswith(("text/html", "application/xhtml")):
        raise ForeignAnswer
    if not all(any(name in answer for name in group) for group in _MARKS[operation]):
        raise ForeignAnswer
    if not all(name in entry for entry in answer.get("Contents", ()) for name in _ENTRY):
        raise ForeignAnswer
    return answer
