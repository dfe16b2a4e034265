"""What Dramatiq logs and should not."""

import logging


def quiet_dramatiq() -> None:
    """Drop Dramatiq's warning that an actor returned a value.

    Our actors return their result for whoever calls them directly.
    """
    logging.getLogger("dramatiq.worker.WorkerThread").addFilter(_not_about_results)


def _not_about_results(record: logging.LogRecord) -> bool:
    return "returned a value that is not None" not in str(record.msg)
