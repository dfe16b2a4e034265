"""What a test itself has logged: a thread that another test of this process has left behind may log at any time."""

from __future__ import annotations

import logging
import threading

import pytest


def own_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the calling thread has logged, the first first."""
    return [record for record in caplog.records if record.thread == threading.get_ident()]
