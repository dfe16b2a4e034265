"""Strikes greenlets, by throwing into them from the hub while they wait."""

from __future__ import annotations

from typing import Any

from dramatiq.middleware import Interrupt

from growbin_jobs.engine.middleware.interrupts import Interrupts


class GreenletInterrupts(Interrupts):
    """Interrupts of greenlets. Made under gevent alone."""

    def __init__(self) -> None:
        from gevent import getcurrent

        super().__init__(getcurrent)

    def stop(self) -> None:
        me = self._me()
        self._deadlines.pop(me, None)
        self._messages.pop(me, None)
        self._notified.discard(me)

    def _strike(self, whom: Any, exception: type[Interrupt]) -> None:
        from gevent import get_hub

        get_hub().loop.run_callback(self._throw, whom, exception)

    def _throw(self, whom: Any, exception: type[Interrupt]) -> None:
        # In the hub: the greenlet waits for something. It may have ended, or run something else by now.
        if self._may_strike(whom, exception):
            del self._deadlines[whom]
            self._notified.discard(whom)
            whom.throw(exception)
