"""Counters of groups in a sandbox: in memory."""

from __future__ import annotations

from dramatiq.rate_limits.backends import StubBackend


class MemoryBackend(StubBackend):
    """Dramatiq's own for tests, and a member that arrives twice counts once."""

    def arrive(self, key: str, member: str, ttl: int) -> bool | None:
        """Count a member of a barrier; see :meth:`growbin_jobs.engine.rate_limits.DatabaseBackend.arrive`."""
        with self.mutex:
            left = self._get(key)  # type: ignore[no-untyped-call]
            if left is None:
                return None
            if self._get(f"{key}@{member}") is None:  # type: ignore[no-untyped-call]
                left -= 1
                self._put(f"{key}@{member}", 1, ttl)  # type: ignore[no-untyped-call]
                self._put(key, left, ttl)  # type: ignore[no-untyped-call]
            return bool(left <= 0)
