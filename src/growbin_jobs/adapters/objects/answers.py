"""Tells answers of S3 from those of whatever else answers with 200: a web page, a sign-in, a proxy."""

import re
from collections.abc import Mapping, MutableMapping
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


#: How an error begins; some servers put its names into a namespace, with a prefix or without.
_ERROR: Final = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]{0,200}\?>)?\s*<(?:[\w.-]{1,40}:)?Error(?:Response)?[\s>]"
)
_PREFIX: Final = re.compile(rb"(</?)[\w.-]{1,40}:")
_NAMESPACE: Final = re.compile(rb"\sxmlns(?::[\w.-]{1,40})?\s*=\s*(?:\"[^\"]*\"|'[^']*')")


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


def is_error(body: bytes) -> bool:
    """Return whether a body is an error of S3's, whatever the status."""
    return bool(_ERROR.match(body[:1000]))


def without_namespaces(body: bytes) -> bytes:
    """Return an error without namespaces, in which botocore finds no code; any other body as it is."""
    return _NAMESPACE.sub(b"", _PREFIX.sub(rb"\1", body)) if is_error(body) else body


def read_errors_plainly(response_dict: MutableMapping[str, Any], **_: Any) -> None:
    """Take the namespaces from an error before botocore reads it, and a 200 for the failure that it is."""
    body = response_dict.get("body")
    if isinstance(body, bytes) and is_error(body):
        response_dict["body"] = without_namespaces(body)
        if response_dict["status_code"] < 300:
            response_dict["status_code"] = 500
