"""Health of agents: GET ``{endpoint}/health``."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from growbin_jobs.adapters.probing.probe import Answer, Failure
from growbin_jobs.errors import NotFound
from growbin_jobs.platform.health.checks import Checked, Checks
from growbin_jobs.platform.health.connectivity import Connectivity
from growbin_jobs.platform.health.words import Finding, Status
from growbin_jobs.platform.tables.registry import CheckedAgent

#: What a failure without an answer means, and how it is told.
FAILURES: Final[dict[Failure, tuple[Status, str]]] = {
    "address": ("misconfigured", "the address cannot be read"),
    "not public": ("misconfigured", "the address is not public; allow its network with GROWBIN_HEALTH_NETWORKS"),
    "not resolved": ("unreachable", "the name has no address"),
    "not connected": ("unreachable", "no connection"),
    "tls": ("unreachable", "the certificate is not valid"),
    "timeout": ("unreachable", "no answer in time"),
    "broken": ("unreachable", "the connection broke"),
}

#: Failures that our own line may be the cause of.
PERHAPS_US: Final = frozenset({"not resolved", "not connected", "timeout"})


class Get(Protocol):
    """Sends one GET request."""

    def __call__(self, url: str, *, seconds: float) -> Answer: ...


class AgentHealth:
    """Checks agents.

    Parameters:
      find: Returns an agent, or None.
      get: Sends the request.
      checks: Decides and stores the state.
      connectivity: Says whether we are offline ourselves.
      seconds: For one request in all.
    """

    def __init__(
        self,
        find: Callable[[str], CheckedAgent | None],
        get: Get,
        checks: Checks,
        connectivity: Connectivity,
        *,
        seconds: float,
    ) -> None:
        self._find = find
        self._get = get
        self._checks = checks
        self._connectivity = connectivity
        self._seconds = seconds

    def check(self, agent_id: str, *, due: datetime | None = None, expires: datetime | None = None) -> Checked:
        """Check one agent.

        Raises:
          NotFound: There is no such agent.
          Deferred: The database is away.
        """
        agent = self._find(agent_id)
        if agent is None:
            raise NotFound(f"There is no agent {agent_id}.")
        return self._checks.run(f"agent:{agent.id}", lambda: self._look(agent), due=due, expires=expires)

    def _look(self, agent: CheckedAgent) -> Finding | None:
        answer = self._get(f"{agent.endpoint.rstrip('/')}/health", seconds=self._seconds)
        if answer.failure in PERHAPS_US and not self._connectivity.online(but=agent.endpoint):
            return None
        status, reason = judged(answer)
        return Finding(
            status,
            reason,
            http_status=answer.http_status,
            latency_ms=answer.latency_ms,
            phases=tuple(answer.phases.items()),
            tls_expires_at=answer.tls_expires_at,
        )


def judged(answer: Answer) -> tuple[Status, str]:
    """Return what an answer says of an agent: 2xx is healthy, any other answer unhealthy, none unreachable."""
    if answer.failure is not None:
        return FAILURES[answer.failure]
    assert answer.http_status is not None
    if 200 <= answer.http_status < 300:
        return "healthy", ""
    if 300 <= answer.http_status < 400:
        return "unhealthy", f"HTTP {answer.http_status}: redirects are not followed"
    return "unhealthy", f"HTTP {answer.http_status}"
