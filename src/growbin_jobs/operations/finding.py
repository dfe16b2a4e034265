"""What ``growbin-jobs doctor`` found of one thing."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    Attributes:
      what: Such as ``broker``.
      status: ``failed`` means that workers cannot work.
      detail: What was found and, when it is not well, how to mend it.
    """

    what: str
    status: Status
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)
