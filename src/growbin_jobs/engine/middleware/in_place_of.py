"""How the engine's own middleware takes the place of Dramatiq's, when an application adds that."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from dramatiq import Middleware

from growbin_jobs.engine.errors import ConfigurationError

logger = logging.getLogger(__name__)


class InPlaceOf:
    """Does the work of a middleware of Dramatiq's, with the engine's guarantees.

    Adding Dramatiq's own to a broker that has this one adds nothing: this one takes over its settings. A subclass of
    Dramatiq's, which does something of its own, takes this one's place, where that is possible.

    Attributes:
      stock: The middleware of Dramatiq's.
      replaceable: Whether a subclass of it may take this one's place. If not: what to do instead.
    """

    stock: ClassVar[type[Middleware]]
    replaceable: ClassVar[str | None] = None

    def take_over(self, other: Middleware) -> Middleware | None:
        """Return which of the two stays, when another middleware is added; None: both, they have nothing in common.

        Raises:
          ConfigurationError: If the other one would undo what the engine promises.
        """
        if isinstance(other, type(self)) or not isinstance(other, self.stock):
            return None
        if type(other) is self.stock:
            self.adopt(other)
            logger.info("middleware.in_place name=%s its settings were taken over", self.stock.__name__)
            return self  # type: ignore[return-value]
        if self.replaceable is not None:
            name = type(other).__name__
            raise ConfigurationError(
                f"{name} cannot be used instead of the engine's {self.stock.__name__}. {self.replaceable}"
            )
        return other

    def adopt(self, other: Any) -> None:
        """Take over the settings of Dramatiq's own."""
