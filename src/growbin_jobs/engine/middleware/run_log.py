"""Writes a line at the end of each run, with how long it took; there only where the log is JSON."""

from __future__ import annotations

import logging
import time
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import is_a

logger = logging.getLogger(__name__)


class RunLog(Middleware):
    """See the module. Inside of ``CurrentMessage``, so that the line says which message ran."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        message.run_log_began = time.monotonic()

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is None:
            outcome = "dead" if message.failed else "completed"
        elif message.failed:
            outcome = "dead"
        else:
            outcome = "deferred" if is_a(exception, (Deferred,)) else "failed"
        self._say(message, outcome)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        self._say(message, "skipped")

    def _say(self, message: Any, outcome: str) -> None:
        began = getattr(message, "run_log_began", None)
        took = 0.0 if began is None else time.monotonic() - began
        fields = {"outcome": outcome, "duration_ms": round(took * 1000, 1)}
        logger.info("message.ended outcome=%(outcome)s duration_ms=%(duration_ms)s", fields)
