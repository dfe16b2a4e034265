"""Checks the chain of the audit: every hash, that no number is missing, and both ends."""

from dataclasses import dataclass
from typing import Final

from growbin_jobs.errors import ConfigurationError
from growbin_jobs.models.audit import PRUNED, Audit, AuditRecord

#: Rows that are read at once.
_BATCH: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """What a check of the chain found.

    Attributes:
      rows: How many were checked.
      wrong: What is wrong, as a sentence; None: nothing.
      head: The last row as ``NUMBER:HASH``, to keep elsewhere; empty in an empty chain.
    """

    rows: int
    wrong: str | None
    head: str


def verify_chain(audit: Audit, head: str | None = None) -> AuditVerdict:
    """Check every hash, that no number is missing, and both ends.

    Parameters:
      audit: The chain.
      head: ``NUMBER:HASH`` that an earlier check returned: that row must still be there unless it was pruned.

    Raises:
      ConfigurationError: ``head`` is no such text.
    """
    known = _parsed_head(head) if head else None
    first, before, last, last_hash = audit.ends()
    wrong = _check_start(audit, first, known)
    number, rows = first, 0
    while wrong is None:
        batch = audit.after(number - 1, limit=_BATCH, until=last)
        for row in batch:
            wrong = _check_row(row, number, before, known)
            if wrong is not None:
                break
            number, before, rows = number + 1, row.hash, rows + 1
        if len(batch) < _BATCH:
            break
    if wrong is None and number - 1 != last:
        wrong = f"Row {number} is missing: the chain must go on to row {last}."
    if wrong is None and last and before != last_hash:
        wrong = f"The end of the chain was changed: row {last} is not the one that it names."
    if wrong is None and audit.has_more_than(last):
        wrong = f"There are rows behind row {last} that do not belong to the chain."
    return AuditVerdict(rows=rows, wrong=wrong, head=f"{last}:{last_hash}" if last else "")


def _check_start(audit: Audit, first: int, known: tuple[int, str] | None) -> str | None:
    if known is not None and known[0] > audit.ends()[2]:
        return f"Row {known[0]} is missing: the chain ends before it."
    if first == 1:
        return None
    said = [row.target for row in audit.find(action=PRUNED, limit=1)]
    return None if said == [str(first)] else f"The chain begins at row {first}, and no row says that it was pruned."


def _check_row(row: AuditRecord, number: int, before: str, known: tuple[int, str] | None) -> str | None:
    if row.number != number:
        return f"Row {number} is missing."
    if row.before != before:
        return f"Row {number} does not follow row {number - 1}: one of them was changed."
    if row.hash != row.expected_hash():
        return f"Row {number} was changed after it was written."
    if known is not None and known[0] == number and known[1] != row.hash:
        return f"Row {number} is another one than at the check before: the chain was written anew."
    return None


def _parsed_head(head: str) -> tuple[int, str]:
    number, _, hashed = head.partition(":")
    if not number.isdecimal() or not hashed:
        raise ConfigurationError("A head is written NUMBER:HASH, as `growbin-jobs audit verify` prints it.")
    return int(number), hashed
