"""Ends a process without a traceback where it is interrupted while it loads: that of an import tells nobody a thing."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Let an interrupt (Ctrl-C) end the process at once, as it does programs that are not Python's, during imports.

    Who ignores interrupts, or has a handler of its own, keeps it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
