"""What the end of one model request says of the model's server: it answers, it fails, it limits, or nothing."""

from typing import Final, Literal, NamedTuple

from growbin_jobs.adapters.llm.errors import RateLimited
from growbin_jobs.adapters.llm.meter import ModelRequest, Outcome
from growbin_jobs.adapters.llm.refusals import FieldRefused
from growbin_jobs.adapters.llm.tiers import TierUnavailable
from growbin_jobs.errors import Permanent

#: Outcomes of a server that works, whatever becomes of the answer.
_ANSWERS: Final[frozenset[Outcome]] = frozenset({"answered", "unusable", "refused"})

#: Codes that mean the same whatever the outcome is called.
_CODES: Final = frozenset({"model_quota_exhausted", "model_not_offered", "model_lacks_images"})

#: Statuses that concern where a request is sent, or through what, and not what it holds: a redirect, no such page, a
#: proxy that wants a password, another server's name, another protocol.
_OF_THE_ADDRESS: Final = frozenset({*range(300, 400), 404, 405, 407, 410, 421, 426})

#: Codes that say nothing of the server: the request itself asks for too much.
_SILENT: Final = frozenset({"model_request_too_large"})


class Evidence(NamedTuple):
    """What one request says.

    Attributes:
      says: ``answers``, ``nothing``, or ``fails``.
      reason: For ``fails``: a key of :data:`growbin_jobs.limits.breaker_failures.KINDS`.
      asked_wait: Seconds that the server asked to wait; 0: it did not.
    """

    says: Literal["answers", "fails", "nothing"]
    reason: str = ""
    asked_wait: float = 0.0


def evidence(record: ModelRequest, failure: BaseException | None) -> Evidence:
    """Judge one request that has ended.

    Parameters:
      record: The request with its end.
      failure: What it ended with; None for an answer.
    """
    if isinstance(failure, TierUnavailable | FieldRefused):
        return Evidence("nothing")  # the client asks again, in another way
    if isinstance(failure, Permanent) and failure.code in _SILENT:
        return Evidence("nothing")
    if record.outcome in _ANSWERS:
        return Evidence("answers")
    if isinstance(failure, Permanent):
        return Evidence("fails", _refusal(record, failure))
    if record.outcome == "rate_limited":
        return Evidence("fails", "rate_limited", (isinstance(failure, RateLimited) and failure.asked) or 0.0)
    if record.outcome in ("failed", "timeout", "unreachable"):
        return Evidence("fails", record.outcome)
    return Evidence("nothing")


def _refusal(record: ModelRequest, failure: Permanent) -> str:
    if failure.code in _CODES:
        return failure.code
    if failure.code == "model_access_denied":
        # A key that is wrong fails everywhere; a right that is missing, or a firewall, may refuse one request alone.
        return "model_forbidden" if record.status == 403 else "model_access_denied"
    return "model_address_wrong" if record.status in _OF_THE_ADDRESS else "model_rejected_request"
