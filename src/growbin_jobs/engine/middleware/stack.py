"""What happens around every message: one class, one concern, one file.

The order matters: ``before_`` hooks run down this list, ``after_`` hooks run up it.

======================  ============================================  ===========================================
middleware              before the actor                              after the actor
======================  ============================================  ===========================================
``EnsureKeeper``             (at boot) sees to it that there is a keeper   (at the end) leaves last of all
``DropStale``           skips what the broker already has back        –
``Journaling``          skips what has ended here; notes the start    writes down the end, last of all
``OptionCheck``         gives up what has options that nobody can obey –
``GiveUpHook``          –                                             sends what the actor's row says
``Retries``             –                                             decides: done, retry, wait or give up
``Prefetch``            (at boot) how far ahead a process fetches     –
``FastWorkQueue``      (at boot) hands messages to the workers       –
``GcTuning``     (at boot) keeps Python from garbage           –
``Boot``                (at boot) builds the group's services         –
``TimeLimit``           sets the limit                                –
``OutboxScope``         opens the outbox, last of all                 empties it if the run has failed, first of all
======================  ============================================  ===========================================

So what the actor has sent counts only if it came to a good end, and what ``Retries`` and ``GiveUpHook`` send
counts always: all of it lies in the outbox when ``Journaling`` closes that. What happens then is no middleware's
business (``delivery/settlement.py``). The clock of ``TimeLimit`` runs inside the actor's own call, so that
it never strikes in any of these.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dramatiq import Middleware

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.fast.gc_tuning import GcTuning
from growbin_jobs.engine.fast.work_queue import FastWorkQueue
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.ensure_keeper import EnsureKeeper
from growbin_jobs.engine.middleware.give_up_hook import GiveUpHook
from growbin_jobs.engine.middleware.lifecycle import Journaling
from growbin_jobs.engine.middleware.options import OptionCheck
from growbin_jobs.engine.middleware.outbox_scope import OutboxScope
from growbin_jobs.engine.middleware.prefetch import Prefetch
from growbin_jobs.engine.middleware.retries import Retries
from growbin_jobs.engine.middleware.stale import DropStale
from growbin_jobs.engine.middleware.time_limit import TimeLimit

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal


def stack(
    config: EngineConfig, boot: Boot, journal: "Callable[[], Journal]", source: "Callable[[], str | None]"
) -> list[Middleware]:
    """Return the ordered middleware of every process, producer or worker.

    Parameters:
      config: For the limits and the groups.
      boot: Where the groups say what they prepare.
      journal: Returns the process's journal; called by workers only.
      source: Returns the engine's import string.
    """
    journaling = Journaling(journal)
    boot.prepare_with(journaling.prepare)
    return [
        EnsureKeeper(config, source),
        DropStale(),
        journaling,
        OptionCheck(),
        GiveUpHook(),
        Retries(max_wait=config.deferral_max_age),
        Prefetch(config.groups),
        FastWorkQueue(),
        GcTuning(),
        boot,
        TimeLimit(),
        OutboxScope(),
    ]
