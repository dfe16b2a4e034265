"""What Dramatiq's worker logs, in words that may be kept.

Dramatiq logs each failed run with its traceback, also where the failure was expected, and with it the text of the
error, which may hold a password or a person's data. The engine writes its own line for each failure
(``message.retry``, ``message.deferred``, ``message.given_up``), so of Dramatiq's only this stays: where in the code an
unexpected error came from, without texts.
"""

import logging

from dramatiq import RateLimitExceeded, Retry
from dramatiq.middleware import Interrupt

from growbin_jobs.engine.errors import GrowbinError
from growbin_jobs.engine.foreign_errors import is_a, name, places

#: Failures that need no traceback: somebody has decided on them.
_EXPECTED = (GrowbinError, Retry, RateLimitExceeded, Interrupt)

_WORKER = "dramatiq.worker.WorkerThread"


def quiet_dramatiq() -> None:
    """Let Dramatiq's worker log neither texts of errors nor that an actor returned a value.

    Our actors return their result for whoever calls them directly. Calling it again is fine.
    """
    logging.getLogger(_WORKER).addFilter(_worth_a_line)


def quiet_consumer(logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
    """Let a consumer's thread log no traceback for each message whose actor nobody knows; calling it again is fine.

    A release without an actor may find thousands of its messages; ``message.given_up`` has a line for each.
    """
    (logger.logger if isinstance(logger, logging.LoggerAdapter) else logger).addFilter(_of_a_known_actor)


def _of_a_known_actor(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Received message for undefined actor")


def _worth_a_line(record: logging.LogRecord) -> bool:
    text = str(record.msg)
    if "returned a value that is not None" in text or "with expected exception" in text:
        return False
    if text.startswith("Message %s was skipped"):
        return False  # the engine's own line says what becomes of it
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    if is_a(error, _EXPECTED):
        return False
    record.exc_info, record.exc_text = None, None
    record.msg, record.args = (
        "message.failed message=%s error=%s\n%s",
        (
            str(record.args[0]) if isinstance(record.args, tuple) and record.args else "?",
            name(error),
            places(error),
        ),
    )
    return True
