"""The port of the limits' store: what every implementation promises (``tests/contract/test_limit_store.py``)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from growbin_jobs.limits.gcra import Decision, Limit


class Charge(NamedTuple):
    """What a grant changed in one limit; enough to undo it.

    Attributes:
      name: Of the limit.
      before: The TAT before the grant.
      version: Of the limit after it.
    """

    name: str
    before: float
    version: int


class Answer(NamedTuple):
    """A decision, with what it charged: empty for a refusal, the one reserved limit for a reservation."""

    decision: Decision
    charges: tuple[Charge, ...]


class Grants(Protocol):
    """What grants requests."""

    def take(self, costs: Mapping[str, float], *, patience: float = 0.0, reserve: bool = False) -> Answer:
        """Take units of several limits at once, all or nothing.

        Parameters:
          costs: Units by the limit's name.
          patience: Seconds that the caller waits for its start, once granted.
          reserve: When the start is later, take the next place in the line of the limit that decides.

        Raises:
          Permanent: ``model_request_too_large``: a cost is above the burst, so that it can never be granted.
          ConfigurationError: A limit does not exist.
          Deferred: The store is away.
        """
        ...

    def give_back(self, charges: Iterable[Charge]) -> bool:
        """Undo a grant that was not used.

        It is undone in a limit only while nothing was granted after it there: capacity of a moment that has passed
        cannot be used later without breaking the promise.

        Returns:
          True when it was undone in all.
        """
        ...


class LimitStore(Grants, Protocol):
    """Limits of the whole cluster, on one clock."""

    def ensure(self, limits: Iterable[Limit]) -> None:
        """Make limits that are missing, and give those that exist the spacing and burst of these.

        What was granted before stays charged; only what comes after is spaced anew.
        """
        ...

    def hold(self, name: str, seconds: float) -> float:
        """Grant nothing of a limit for so long; a hold only ever grows.

        Returns:
          The seconds that the hold still lasts.
        """
        ...

    def find(self, names: Iterable[str]) -> list[Limit]:
        """Return the limits of some names, as far as they exist, by name."""
        ...

    def limits(self) -> list[Limit]:
        """Return all limits by name."""
        ...
