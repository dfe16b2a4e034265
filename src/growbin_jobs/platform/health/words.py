"""The words of health checks: what one check found, and the states of a target."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

#: What one check found. ``misconfigured``: only a person can mend it, such as a key that is denied or an address that
#: is not public.
Status = Literal["healthy", "unhealthy", "unreachable", "misconfigured"]

#: The state of a target. ``unknown``: nobody looked, or the checker itself was offline; ``degraded``: it answers, but
#: slowly; ``flapping``: it goes up and down.
State = Literal["unknown", "healthy", "degraded", "unhealthy", "unreachable", "misconfigured", "flapping"]

#: States that people are told about.
BAD: Final[frozenset[State]] = frozenset({"degraded", "unhealthy", "unreachable", "misconfigured", "flapping"})

#: How a state was found: by a probe, or from real traffic.
Source = Literal["probe", "traffic", "paid probe"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
      reason: One word or sentence, without anything that the target said.
      http_status: Of the answer; None where none came.
      latency_ms: Milliseconds until the whole answer was here, or the check was given up.
      phases: Milliseconds of each phase: ``resolve``, ``connect``, ``tls``, ``first_byte``, ``body``.
      tls_expires_at: End of the certificate's validity.
      source: How it was found.
    """

    status: Status
    reason: str = ""
    http_status: int | None = None
    latency_ms: int = 0
    phases: tuple[tuple[str, int], ...] = ()
    tls_expires_at: datetime | None = None
    source: Source = "probe"
