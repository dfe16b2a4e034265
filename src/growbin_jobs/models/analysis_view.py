"""One analysis as people and programs read it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from growbin_jobs.reasons import Language
from growbin_jobs.states import AnalysisStatus


class Asker(NamedTuple):
    """Who asked for an analysis.

    Attributes:
      user_id: Whose picture it is; None where its row does not say yet.
      language: In which the advice was asked for; None: in the workers'.
    """

    user_id: str | None
    language: Language | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is known of one analysis. Times are aware, in UTC.

    Attributes:
      error: The sentence for a person, in the language of the worker that wrote it; ``error_code`` and
        ``error_params`` make it anew in another one (:func:`growbin_jobs.reasons.reason`).
      language: Of ``response`` and ``error``; before there is one, what was asked for, None: the workers'.
      rules: The whole rule that was found, as in ``rules/{item}.json``.
      response_source: ``model`` or ``rule``.
      tier: Price tier in which it is asked: ``batch``, or ``standard`` after that; None: as everything.
      tier_reason: Why it is asked in the standard tier after all (:class:`growbin_jobs.models.batch_life.Why`).
    """

    id: str
    user_id: str | None
    status: AnalysisStatus
    s3_path: str | None
    thumbnail_path: str | None
    category: str | None
    item: str | None
    state: str | None
    confidence: float | None
    vision_model: str | None
    rules: dict[str, Any] | None
    response: str | None
    response_source: str | None
    response_model: str | None
    language: str | None
    failed_stage: str | None
    error_code: str | None
    error_params: dict[str, Any] | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    tier: str | None = None
    tier_reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601, the status as its word."""
        times = {name: value.isoformat() for name, value in asdict(self).items() if isinstance(value, datetime)}
        return asdict(self) | times | {"status": self.status.value}
