"""Refuses to send where the same thread is sending already: in a handler of a signal, or in a finalizer.

Such code runs in the middle of any other, so also in the middle of a ``send`` that holds locks. It would wait for what
it has interrupted itself, for ever, and with it all other threads that send.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class _Here(threading.local):
    sends = False


_here = _Here()


def never_nested(send: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
    """Call what sends, unless this thread is in such a call already.

    Raises:
      RuntimeError: It is. Nothing was sent.
    """
    if _here.sends:
        raise RuntimeError(
            "This thread is sending already: a handler of a signal, or a finalizer, has interrupted it. Nothing was "
            "sent. Send in a thread that the handler starts, or note what is to be sent and send it afterwards."
        )
    _here.sends = True
    try:
        send(*args, **kwargs)
    finally:
        _here.sends = False
