"""What a server has been found to refuse of the requests for a model; features as in ``fitting.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from growbin_jobs.model_catalog import Server

#: Characters of a server's words that are kept with what they taught.
_LONGEST_WORDS = 160


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one model of one server.

    Attributes:
      refused: Features that it refuses or ignores, each with what the server said; empty where the catalogue says so.
      allowed: Features that it has asked for, whatever the catalogue says.
      efforts: Reasoning efforts that it takes; None: not known.
      most_tokens: The largest cap on an answer that it takes; None: not known.
      proven: Features that it has answered.
      said: What it said when it last refused a request for good, such as ``HTTP 401, invalid_api_key: …``; empty after
        the next answer; None: nothing new.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    efforts: tuple[str, ...] | None = None
    most_tokens: int | None = None
    proven: frozenset[str] = frozenset()
    said: str | None = None

    def __or__(self, newer: Facts) -> Facts:
        """Return both together; the newer ones win."""
        refused = {**self.refused, **newer.refused}
        caps = [cap for cap in (self.most_tokens, newer.most_tokens) if cap is not None]
        return Facts(
            refused={name: words for name, words in refused.items() if name not in newer.allowed},
            allowed=(self.allowed | newer.allowed) - newer.refused.keys(),
            efforts=self.efforts if newer.efforts is None else newer.efforts,
            most_tokens=min(caps, default=None),
            proven=(self.proven | newer.proven) - refused.keys(),
            said=self.said if newer.said is None else newer.said,
        )

    @property
    def is_empty(self) -> bool:
        """Whether they say nothing."""
        return self == Facts()

    def to_json(self) -> str:
        """Return them as text."""
        return json.dumps(
            {
                "refused": {name: words[:_LONGEST_WORDS] for name, words in self.refused.items()},
                "allowed": sorted(self.allowed),
                "efforts": self.efforts,
                "most_tokens": self.most_tokens,
                "proven": sorted(self.proven),
                "said": self.said,
            }
        )

    @classmethod
    def from_json(cls, text: str | None) -> Facts:
        """Return the facts of a text; none where it cannot be read (another version of this program wrote it)."""
        try:
            found = json.loads(text or "{}")
            return cls(
                refused={str(name): str(words) for name, words in dict(found.get("refused", {})).items()},
                allowed=frozenset(map(str, found.get("allowed", ()))),
                efforts=None if found.get("efforts") is None else tuple(map(str, found["efforts"])),
                most_tokens=None if found.get("most_tokens") is None else int(found["most_tokens"]),
                proven=frozenset(map(str, found.get("proven", ()))),
                said=None if found.get("said") is None else str(found["said"]),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    @classmethod
    def of_server(cls, server: Server) -> Facts:
        """Return what the catalogue says of all models of a server."""
        return cls(refused=dict.fromkeys(server.refuses, ""), efforts=server.efforts)
