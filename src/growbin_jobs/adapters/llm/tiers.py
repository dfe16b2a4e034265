"""Price tiers: notices that the one asked for has no room now, so that the standard one is asked instead.

"Flex processing" of OpenAI's documentation: without capacity the server answers 429 ``resource_unavailable``, which is
not billed; Groq answers 498 ``capacity_exceeded``. A model that has no such tier refuses the field, which is learnt
(:mod:`growbin_jobs.adapters.llm.refusals`).
"""

from typing import Final

from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.errors import Deferred
from growbin_jobs.model_catalog import Tier

#: The tier that is always to be had.
STANDARD: Final[Tier] = "default"

#: Seconds until a message asks again whose tier and whose standard tier were not to be had; it never comes to that
#: while a client asks the standard tier at once.
_WAIT: Final = 20.0


class TierUnavailable(Deferred):
    """The price tier that was asked for is not to be had now; the server is well.

    Parameters:
      tier: That was asked for.
    """

    def __init__(self, tier: str) -> None:
        super().__init__(f"The model's server has no capacity in the tier {tier}.", wait=_WAIT)


def refused_tier(status: int, body: object, tier: str | None) -> TierUnavailable | None:
    """Return the error for a response that has no room in a price tier; None for any other.

    Parameters:
      status: Of HTTP.
      body: The decoded JSON, or its ``error`` member.
      tier: That was asked for.
    """
    if tier is None or tier == STANDARD:
        return None
    full = status == 498 or (status == 429 and "resource_unavailable" in read_said(body).codes)
    return TierUnavailable(tier) if full else None
