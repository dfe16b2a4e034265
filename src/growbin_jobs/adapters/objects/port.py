"""The port of an object store: what every store does."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol
from uuid import uuid4

from growbin_jobs.errors import ConfigurationError, Deferred, NotFound, Transient

PROBE: Final = "growbin-doctor/"

#: What a store's fault says of it: it cannot be reached; it fails; a person must mend the configuration; it refuses
#: this request, which may be the fault of one object or of a right that is missing.
Reason = Literal["unreachable", "failed", "misconfigured", "refused"]


class StoreFault(Deferred):
    """The store, and not its caller, is at fault.

    Parameters:
      message: What happened and what to mend, for logs; no key of an object.
      wait: Seconds until the next try.
      reason: What the fault says of the store.
    """

    def __init__(self, message: str, *, wait: float, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(message, wait=wait)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is stored beside an object's bytes.

    Attributes:
      size: In bytes.
      modified: When it was put, UTC.
      content_type: As it was put.
      cache_control: As it was put, or None.
    """

    size: int
    modified: datetime
    content_type: str
    cache_control: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing.

    Attributes:
      key: Its key.
      size: In bytes.
      modified: When it was put, UTC.
    """

    key: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Whole objects under keys.

    An object is there completely or not at all; of two that are put under one key the last one stays. Where an
    ``address_or_key`` is taken, ``s3://bucket/key`` with this store's own bucket and the plain key mean the same.

    Every method may raise:
      Permanent: ``request_invalid`` for a key that no store takes, or another bucket's address.
      StoreFault, Deferred: The store is away, overloaded, full, or refuses us. Also for what an operator must mend (no
        permission, no such bucket, no credentials): people's analyses wait for that, they do not fail of it.
      Transient: Anything else went wrong.
    """

    bucket: str

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> str:
        """Store an object, durable on return, and return its address."""
        ...

    def get(self, address_or_key: str, *, max_bytes: int | None = None) -> bytes:
        """Return an object's bytes.

        Raises:
          NotFound: There is no such object.
          PictureRefused: It has more than ``max_bytes``; they were not read.
        """
        ...

    def head(self, address_or_key: str) -> ObjectInfo:
        """Return what is known of an object. Raises NotFound."""
        ...

    def exists(self, address_or_key: str) -> bool:
        """Return True when there is such an object."""
        ...

    def delete(self, address_or_key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        ...

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, in no order to rely on: S3-compatible servers differ.

        What is put or deleted meanwhile may be in the listing or not.
        """
        ...

    def address(self, key: str) -> str:
        """Return the ``s3://`` address of a key or of a prefix, which is not looked at."""
        ...

    def presign(self, address_or_key: str, *, expires: int) -> str:
        """Return an https address that anybody may read the object at for ``expires`` seconds.

        Raises:
          ConfigurationError: This store has no such addresses.
        """
        ...

    def check(self) -> None:
        """Write, list, read and delete a small object.

        Raises:
          ConfigurationError: That did not work; the message says what to mend.
        """
        ...


def probe(store: ObjectStore) -> None:
    """Do what :meth:`ObjectStore.check` promises, on any store."""
    try:
        try_out(store)
    except (Deferred, Transient) as error:
        raise ConfigurationError(str(error)) from error


def try_out(store: ObjectStore) -> None:
    """Write, list, read and delete a small object.

    Raises:
      ConfigurationError: The store does not give back what it was given.
      Deferred, Transient: See :class:`ObjectStore`.
    """
    key = f"{PROBE}{uuid4().hex}"
    try:
        store.put(key, b"doctor", content_type="text/plain")
        try:
            if store.get(key) != b"doctor" or key not in [entry.key for entry in store.list(key)]:
                raise ConfigurationError(
                    "The object store does not give back what it was given. Check what is behind its URL."
                )
        finally:
            store.delete(key)
    except NotFound:
        raise ConfigurationError("The object store lost an object at once. Check what is behind its URL.") from None
