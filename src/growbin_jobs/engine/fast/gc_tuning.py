"""Let Python look for garbage less often than its default, which is made for small programs."""

import gc

from dramatiq import Middleware
from dramatiq.broker import Broker

#: Python's own. Whoever has set another one knows what he wants.
DEFAULT_THRESHOLDS = (700, 10, 10)

#: Objects that are made, and not freed, before the youngest are looked at; then how often until the older ones are.
THRESHOLDS = (50_000, 10, 10)


class GcTuning(Middleware):
    """Spare a worker most collections of cyclic garbage.

    A worker holds some thousand messages that are on their way, each of many objects, and none of them ends in a cycle.
    They come and go by the hundred, so that lower numbers would be reached all the time. By default they are looked at
    once in some twenty messages, and with them, now and then, all that was imported: together more than a tenth of the
    time that quick tasks take. What was imported stays for ever and is not looked at
    again. Only in processes of the ``dramatiq`` command: what else a process does that runs a worker, is its business.
    """

    def after_process_boot(self, broker: Broker) -> None:
        gc.collect()
        collect_seldom()


def collect_seldom() -> None:
    """Look at what is made from now on only, and seldom; for a process that has loaded what it needs.

    A keeper reads thousands of rows at a time, each a tuple: to look at them took half of its reading thread's time.
    """
    gc.freeze()
    if gc.get_threshold() == DEFAULT_THRESHOLDS:
        gc.set_threshold(*THRESHOLDS)
