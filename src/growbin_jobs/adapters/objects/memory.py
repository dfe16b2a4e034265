"""The object store in memory, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from growbin_jobs.adapters.objects.keys import address_of, check_key, check_prefix, key_of
from growbin_jobs.adapters.objects.port import Listed, ObjectInfo, probe
from growbin_jobs.errors import ConfigurationError, NotFound, PictureRefused


@dataclass(frozen=True, slots=True)
class _Object:
    data: bytes
    info: ObjectInfo


class MemoryStore:
    """See :class:`~growbin_jobs.adapters.objects.port.ObjectStore`. Each object is lost with the process.

    Parameters:
      bucket: Name in the addresses.
    """

    def __init__(self, bucket: str = "growbin") -> None:
        self.bucket = bucket
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> str:
        check_key(key)
        info = ObjectInfo(len(data), datetime.now(UTC), content_type, cache_control)
        with self._lock:
            self._objects[key] = _Object(bytes(data), info)
        return self.address(key)

    def get(self, address_or_key: str, *, max_bytes: int | None = None) -> bytes:
        found = self._find(address_or_key)
        if max_bytes is not None and found.info.size > max_bytes:
            raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(max_bytes / 1e6, 1))
        return found.data

    def head(self, address_or_key: str) -> ObjectInfo:
        return self._find(address_or_key).info

    def exists(self, address_or_key: str) -> bool:
        return key_of(address_or_key, self.bucket) in self._objects

    def delete(self, address_or_key: str) -> None:
        key = key_of(address_or_key, self.bucket)
        with self._lock:
            self._objects.pop(key, None)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        check_prefix(prefix)
        with self._lock:
            found = [(key, each.info) for key, each in self._objects.items() if key.startswith(prefix)]
        for key, info in found:
            yield Listed(key, info.size, info.modified)

    def address(self, key: str) -> str:
        return address_of(key, self.bucket)

    def presign(self, address_or_key: str, *, expires: int) -> str:  # noqa: ARG002
        raise ConfigurationError("What is in memory has no such addresses. Set GROWBIN_VISION_TRANSPORT=data_url.")

    def check(self) -> None:
        probe(self)

    def _find(self, address_or_key: str) -> _Object:
        try:
            return self._objects[key_of(address_or_key, self.bucket)]
        except KeyError:
            raise NotFound("There is no such object in memory.") from None
