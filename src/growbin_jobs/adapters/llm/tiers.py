"""Price tiers: notices that the one asked for is not to be had, so that the standard one is asked instead.

"Flex processing" of OpenAI's documentation: without capacity the server answers 429 ``resource_unavailable``, which is
not billed; a model that has no such tier refuses the request with 400.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from growbin_jobs.errors import Deferred
from growbin_jobs.model_catalog import Tier

#: The tier that is always to be had.
STANDARD: Final[Tier] = "default"

_NAMED: Final = re.compile(r"service[_ ]?tier|\bflex\b", re.IGNORECASE)

#: Seconds until a message asks again whose tier and whose standard tier were not to be had; it never comes to that
#: while a client asks the standard tier at once.
_WAIT: Final = 20.0


class TierUnavailable(Deferred):
    """The price tier that was asked for is not to be had; the server is well.

    Parameters:
      tier: That was asked for.
      known: The model does not have it at all, so that nobody need ask again.
    """

    def __init__(self, tier: str, *, known: bool) -> None:
        self.known = known
        super().__init__(f"The model's server has no capacity in the tier {tier}.", wait=_WAIT)


def refused_tier(status: int, body: object, tier: str | None) -> TierUnavailable | None:
    """Return the error for a response that refuses a price tier; None for any other.

    Parameters:
      status: Of HTTP.
      body: The decoded JSON, or its ``error`` member.
      tier: That was asked for.
    """
    if tier in (None, STANDARD):
        return None
    assert tier is not None
    error: Any = body.get("error") or body if isinstance(body, Mapping) else {}
    words = {error.get("code"), error.get("type")} if isinstance(error, Mapping) else set()
    if status == 429 and "resource_unavailable" in words:
        return TierUnavailable(tier, known=False)
    if status in (400, 422) and _NAMED.search(str(body)):
        return TierUnavailable(tier, known=True)
    return None
