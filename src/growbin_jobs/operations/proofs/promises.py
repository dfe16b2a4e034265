"""The proof of the schedule, the limits and what was paid for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limit_names import EACH_USER, TOKENS, USER
from growbin_jobs.limits.audit import Finding
from growbin_jobs.limits.paid_twice import paid_answers
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.usage_days import ENTRIES_KEPT
from growbin_jobs.operations import limit_proof
from growbin_jobs.operations.proofs.parts import Kind, Part, Wrong, part
from growbin_jobs.scheduler.registry import Clock
from growbin_jobs.scheduler.rows import database_time
from growbin_jobs.scheduler.verify import verify

_KINDS: Final = {"hole": Kind.HOLE, "double": Kind.DOUBLE}


def prove_schedule(
    database: Database, since: datetime, until: datetime, gaps: Sequence[str], *, clock: Clock = database_time
) -> Part:
    """Prove: each due time had its effect once.

    Raises:
      Deferred: The database is away.
    """
    verdict = verify(database, since, until, clock=clock)
    unchecked, other_rules = list(gaps), [each for each in verdict.findings if each.kind not in _KINDS]
    if not verdict.checked:
        unchecked.append("No due time of a registered job lies in this span: nothing was there to check.")
    if other_rules:
        unchecked.append(
            f"{len(other_rules)} due times were computed with other rules of the time zones than this machine has."
        )
    return part(
        "schedule",
        "each due time had its effect once, or a recorded reason why not",
        counted={
            "due times": verdict.checked,
            "not run, with a reason": verdict.settled,
            "on their way": verdict.pending,
        },
        wrong=[
            Wrong(_KINDS[each.kind], f"{each.job} {each.due.isoformat(timespec='minutes')}", each.detail)
            for each in verdict.findings
            if each.kind in _KINDS
        ],
        unchecked=unchecked,
        sources=["schedule_revision", "schedule_ledger", "job_run"],
    )


def prove_limits(
    database: Database, since: datetime, until: datetime, now: datetime, gaps: Sequence[str], *, zone: ZoneInfo
) -> Part:
    """Prove: no window of a limit held more than was promised, and the books of the budgets agree.

    Parameters:
      zone: Of the days of the budgets.

    Raises:
      Deferred: The database is away.
    """
    oldest_books = (now - timedelta(days=ENTRIES_KEPT - 1)).astimezone(zone).date()
    books_since = max(since.astimezone(zone).date(), oldest_books)
    proof = limit_proof.judge(database, since, until=until, books_since=books_since)
    broken = [
        Wrong(Kind.BROKEN, _public(each), f"{each.broken} windows held more than {each.most}, the worst {each.worst}")
        for each in proof.broken
    ]
    books = [
        Wrong(
            Kind.BROKEN, f"{_without_user(each.name)} {each.day}", "the totals are not what the reservations add up to"
        )
        for each in proof.books_wrong
    ]
    unchecked = list(gaps)
    if proof.requests and not proof.limits:
        unchecked.append("Requests were sent, and no limit is promised: nothing was there to compare them with.")
    began: dict[str, float] = {}
    for promise in Promises(database).history():
        began.setdefault(_without_user(promise.name), promise.since)
    late = sorted(name for name, first in began.items() if first > since.timestamp())
    if late and proof.requests:
        unchecked.append(f"Before their first promise these limits were not judged: {', '.join(late[:20])}.")
    return part(
        "limits",
        "no window of a limit held more requests or tokens than was promised; the books of the budgets agree",
        counted={"requests": proof.requests, "limits": proof.limits, "answers of 429": proof.told_to_wait},
        wrong=[*broken, *books],
        unchecked=unchecked,
        sources=["llm_usage", "limit_promise", "budget_day", "budget_entry"],
    )


def prove_paid_answers(
    database: Database, since: datetime, until: datetime, gaps: Sequence[str], *, lifetime: timedelta
) -> Part:
    """Prove: no answer was paid for again while the first one was kept.

    Parameters:
      lifetime: How long an answer is kept.

    Raises:
      Deferred: The database is away.
    """
    found = paid_answers(database, since, until, lifetime=lifetime)
    unchecked = list(gaps)
    if found.unknown:
        unchecked.append(f"{found.unknown} requests ended without an answer: nobody knows whether they were billed.")
    if found.nameless:
        unchecked.append(f"{found.nameless} answers belong to no analysis and no message, such as those of rehearsals.")
    return part(
        "paid_answers",
        "each paid answer was paid for once while it was kept",
        counted={
            "paid answers": found.answers, "paid, and not usable": found.without_answer,
            "asked again after their time": found.again, "asked at once beside a batch": found.beside_a_batch,
        },
        wrong=[
            Wrong(
                Kind.DOUBLE, f"{each.second or each.question} {each.purpose}",
                f"{each.model} was paid again at {each.at.isoformat(timespec='seconds')}, "
                f"{each.after.total_seconds():.0f} s after the answer before"
                + (f", of {each.first}" if each.first != each.second else ""),
            )
            for each in found.doubles
        ],
        unchecked=unchecked,
        sources=["llm_usage"],
    )  # fmt: skip


def _public(finding: Finding) -> str:
    return _without_user(finding.name)


def _without_user(name: str) -> str:
    """Return a limit's name; that of one user without the user: who has a proof need not know people."""
    tokens = TOKENS if name.startswith(TOKENS) else ""
    return f"{tokens}{EACH_USER}" if name.removeprefix(TOKENS).startswith(USER) else name
