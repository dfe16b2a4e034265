"""The statuses of an analysis; the same words in code, database, metrics, monitor and docs.

An analysis walks forward only::

    pending ──> uploaded ──> classified ──> rule_found ──> completed
       └───────────┴─────────────┴──────────────┴──> failed ──┘

``failed`` may still become ``completed``: a dead letter that a person re-runs. Nothing else goes back.
"""

from enum import StrEnum


class AnalysisStatus(StrEnum):
    """How far one analysis has come."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    CLASSIFIED = "classified"
    RULE_FOUND = "rule_found"
    FAILED = "failed"
    COMPLETED = "completed"

    @property
    def rank(self) -> int:
        """Position on the way: a status may only be replaced by one of a higher rank."""
        return list(AnalysisStatus).index(self)

    @property
    def is_final(self) -> bool:
        """True where nothing more will happen by itself."""
        return self in (AnalysisStatus.FAILED, AnalysisStatus.COMPLETED)
