"""The message of a webhook: what began and what is over, bounded, in JSON, with a sentence for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from growbin_jobs.alerts.findings import Finding
from growbin_jobs.alerts.rules import RULES, TEST

#: Subjects that a message names; of the others it says how many.
NAMED: Final = 20

_LONGEST: Final = 300

_PAGES: Final = {
    "new_error_group": "/errors", "dead_letters": "/dead-letters", "queue_wait": "/queues", "budget": "/money",
    "late_job": "/schedule", TEST: "/webhooks",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sender:
    """Who tells: the environment's name and the monitor's public address, each perhaps empty."""

    environment: str = ""
    address: str = ""


def message(
    sender: Sender,
    message_id: str,
    rule: str,
    *,
    threshold: float | None = None,
    began: Sequence[Finding] = (),
    ended: Sequence[str] = (),
    now: datetime | None = None,
) -> str:
    """Return the body of a message, as JSON of a few kilobytes at most.

    Parameters:
      sender: Who tells.
      rule: Of what.
      began: What is over the threshold.
      ended: Subjects of which that was told, and that are not any more.
    """
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    told: dict[str, Any] = {
        "id": message_id,
        "type": f"growbin.{rule}",
        "timestamp": at,
        "environment": sender.environment,
        "text": _sentence(sender, rule, began, ended),
        "rule": rule,
        "threshold": threshold,
        "unit": RULES[rule].unit if rule in RULES else "",
        "began": [_told(each) for each in began[:NAMED]],
        "began_more": max(0, len(began) - NAMED),
        "ended": [_short(each) for each in ended[:NAMED]],
        "ended_more": max(0, len(ended) - NAMED),
        "url": f"{sender.address}{_PAGES[rule]}" if sender.address else "",
    }
    return json.dumps(told, ensure_ascii=True, allow_nan=False)


def _told(finding: Finding) -> dict[str, Any]:
    since = None if finding.since is None else datetime.fromtimestamp(finding.since, UTC).isoformat(timespec="seconds")
    details = {name: _short(value) if isinstance(value, str) else value for name, value in finding.details.items()}
    details = {n: [_short(each) for each in v] if isinstance(v, list) else v for n, v in details.items()}
    return {"subject": _short(finding.subject), "value": round(finding.value, 3), "since": since} | details


def _sentence(sender: Sender, rule: str, began: Sequence[Finding], ended: Sequence[str]) -> str:
    where = f"[{sender.environment}] " if sender.environment else ""
    if rule == TEST:
        return f"{where}A test of this webhook."
    parts = []
    if began:
        parts.append(f"{_BEGAN[rule]}: {', '.join(_named(rule, each) for each in began[:5])}{_more(len(began))}")
    if ended:
        parts.append(f"over: {', '.join(_short(each) for each in ended[:5])}{_more(len(ended))}")
    return where + "; ".join(parts)


_BEGAN: Final = {
    "new_error_group": "New errors", "dead_letters": "Dead letters", "queue_wait": "Messages wait too long",
    "budget": "Budget", "late_job": "Periodic job late or failed",
}  # fmt: skip


def _named(rule: str, finding: Finding) -> str:
    if rule == "new_error_group":
        error, place = finding.details.get("error") or finding.details.get("code"), finding.details.get("place")
        return _short(f"{error or finding.subject}{f' at {place}' if place else ''} ({finding.value:.0f})")
    if rule == "dead_letters":
        return f"{finding.value:.0f}"
    if rule == "late_job":
        return _short(finding.subject)
    unit = RULES[rule].unit
    return _short(f"{finding.subject} {finding.value:.0f}{'' if unit == '%' else ' '}{unit}")


def _more(count: int) -> str:
    return f" and {count - 5} more" if count > 5 else ""


def _short(text: str) -> str:
    return text[:_LONGEST]
