"""Watches the rules: compares findings with thresholds, remembers what was told, and writes messages into the outbox.

One process of the cluster watches, under a lease; what it remembers and the messages are one transaction, which looks
at the lease once more. So several keepers tell nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.alerts.deliveries import Deliveries, new_id
from growbin_jobs.alerts.findings import Finding
from growbin_jobs.alerts.rules import RULES, Rule
from growbin_jobs.alerts.telling import Sender, message
from growbin_jobs.alerts.webhooks import Webhook, Webhooks
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import CLOCK_VARIES, SqlWords

#: Seconds for which a watcher has the watch.
LEASE: Final = 45.0

#: Seconds for which an error group that is not seen stays known; later it is new.
KNOWN_FOR: Final = 30 * 86_400.0

# States of a subject: to be told, was told, known without telling, over and to be told.
_NEW, _TOLD, _KNOWN, _OVER = "new", "told", "known", "over"


@dataclass(frozen=True, slots=True)
class Watch:
    """The job.

    Attributes:
      database: The central one.
      worker: Name of this process, which no other one has.
      measures: By rule, what reads its findings.
      sender: Who tells.
    """

    database: Database
    worker: str
    measures: Mapping[str, Callable[[], list[Finding]]]
    sender: Sender

    def run_once(self) -> dict[str, int]:
        """Look once, unless nobody wants to be told or another process looks.

        Raises:
          Deferred: The database is away.
        """
        hooks = [each for each in Webhooks(self.database).all() if each.paused_by is None]
        if not hooks or not self._lease():
            return {}
        wanted = {rule for hook in hooks for rule in hook.rules}
        found = {rule: self.measures[rule]() for rule in sorted(wanted & set(self.measures))}
        written = self.database.transaction(lambda connection: self._tell(connection, hooks, found))
        Deliveries(self.database).forget()
        return {"messages": written} if written else {}

    def _lease(self) -> bool:
        sql, first = SqlWords(self.database.dialect), "INSERT INTO webhook_watch (id, leased_until) VALUES (1, 0) "
        take = (
            "UPDATE webhook_watch SET leased_by = ?, leased_until = $now + ? WHERE id = 1 AND "  # noqa: S608 constants only
            f"({sql.ended('leased_until', LEASE)} OR leased_by = ?)"
        )

        def work(connection: Any) -> bool:
            sql.run(connection, f"{first}ON CONFLICT (id) DO NOTHING")
            return bool(sql.run(connection, take, self.worker, LEASE, self.worker))

        return self.database.transaction(work)

    def _tell(self, connection: Any, hooks: Sequence[Webhook], found: Mapping[str, list[Finding]]) -> int:
        sql = SqlWords(self.database.dialect)
        held = "SELECT 1 FROM webhook_watch WHERE id = 1 AND leased_by = ? AND leased_until > $now $lock"
        if not sql.rows(connection, held, self.worker):
            return 0
        return sum(
            _Telling(self, sql, connection, hook, RULES[name], threshold).run(found[name])
            for hook in hooks
            for name, threshold in hook.rules.items()
            if name in found
        )


@dataclass(frozen=True, slots=True)
class _Telling:
    """One rule of one webhook, inside of the transaction."""

    watch: Watch
    sql: SqlWords
    connection: Any
    hook: Webhook
    rule: Rule
    threshold: float | None

    def run(self, findings: Sequence[Finding]) -> int:
        wrong = {each.subject: each for each in findings if self._is_wrong(each)}
        known = self._known()
        for subject, finding in wrong.items():
            state, told = known.get(subject, (None, None))
            self._note(subject, self._next(state, told, finding))
        for subject, (state, told) in known.items():
            if subject not in wrong and self.rule.lasts:
                if told is None:
                    self._forget(subject)  # it was over before anybody was told
                elif state != _OVER:
                    self._note(subject, _OVER)
        if not self.rule.lasts:
            gone = "DELETE FROM webhook_subjects WHERE webhook_id = ? AND rule = ? AND seen_at < $now - ?"
            self.sql.run(self.connection, gone, self.hook.id, self.rule.name, KNOWN_FOR)
        return self._send(wrong)

    def _is_wrong(self, finding: Finding) -> bool:
        return finding.always or self.threshold is None or finding.value >= self.threshold

    def _next(self, state: str | None, told: float | None, finding: Finding) -> str:
        if state is None and not self.rule.lasts:
            return _KNOWN if (finding.since or 0.0) < self.hook.watched_from else _NEW
        if state is None or (self.rule.grows and told is not None and finding.value >= 2 * told):
            return _NEW
        return _TOLD if state == _OVER else state  # it is back before anybody was told that it is over

    def _known(self) -> dict[str, tuple[str, float | None]]:
        sql = "SELECT subject, state, told_value FROM webhook_subjects WHERE webhook_id = ? AND rule = ?"
        rows = self.sql.rows(self.connection, sql, self.hook.id, self.rule.name)
        return {subject: (state, told) for subject, state, told in rows}

    def _note(self, subject: str, state: str, told: float | None = None) -> None:
        sql = (
            "INSERT INTO webhook_subjects (webhook_id, rule, subject, seen_at, told_value, state) "
            "VALUES (?, ?, ?, $now, ?, ?) ON CONFLICT (webhook_id, rule, subject) DO UPDATE SET "
            "seen_at = excluded.seen_at, state = excluded.state, "
            "told_value = coalesce(excluded.told_value, webhook_subjects.told_value)"
        )
        self.sql.run(self.connection, sql, self.hook.id, self.rule.name, subject, told, state)

    def _forget(self, subject: str) -> None:
        sql = "DELETE FROM webhook_subjects WHERE webhook_id = ? AND rule = ? AND subject = ?"
        self.sql.run(self.connection, sql, self.hook.id, self.rule.name, subject)

    def _send(self, wrong: Mapping[str, Finding]) -> int:
        """Write one message of all that is to be told, unless one was written in the quiet time."""
        states = self._known()
        began = [wrong[subject] for subject, (state, _) in states.items() if state == _NEW and subject in wrong]
        ended = sorted(subject for subject, (state, _) in states.items() if state == _OVER)
        if not (began or ended) or self._is_quiet():
            return 0
        began.sort(key=lambda each: (-each.value, each.subject))
        message_id = new_id()
        body = message(
            self.watch.sender, message_id, self.rule.name, threshold=self.threshold, began=began, ended=ended
        )  # fmt: skip
        Deliveries(self.watch.database).add(self.connection, self.hook.id, self.rule.name, body, message_id)
        for finding in began:
            self._note(finding.subject, _TOLD, told=finding.value)
        for subject in ended:
            self._forget(subject)
        return 1

    def _is_quiet(self) -> bool:
        sql = (
            "SELECT 1 FROM webhook_deliveries WHERE webhook_id = ? AND rule = ? AND created_at > $now - ?"
            # Not one of a clock that was ahead.
            " AND created_at <= $now + ? LIMIT 1"
        )
        values = (self.hook.id, self.rule.name, self.hook.quiet, CLOCK_VARIES)
        return bool(self.sql.rows(self.connection, sql, *values))
