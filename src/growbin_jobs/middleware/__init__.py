"""What happens around every message: one class, one concern, one file.

The order matters: ``before_`` hooks run down this list, ``after_`` hooks run up it.

======================  ============================================  ===========================================
middleware              before the actor                              after the actor
======================  ============================================  ===========================================
``DropStale``           skips what the broker already has back        –
``FailureRecording``    –                                             tells the database that a stage was given up
``Retries``             –                                             decides: done, retry, wait or give up
``Prefetch``            (at boot) how far ahead a process fetches     –
``Boot``                (at boot) builds the group's services         –
``TimeLimit``           starts the clock, last of all                 stops the clock, first of all
======================  ============================================  ===========================================

``TimeLimit`` stands last, so that its clock covers the actor and nothing else: a limit that strikes while the retry
is being published would lose the message.
"""

from dramatiq import Middleware
from dramatiq.middleware import TimeLimit

from growbin_jobs.middleware.boot import Boot
from growbin_jobs.middleware.failure_recording import FailureRecording
from growbin_jobs.middleware.prefetch import Prefetch
from growbin_jobs.middleware.retries import Retries
from growbin_jobs.middleware.stale import DropStale
from growbin_jobs.settings import Settings


def stack(settings: Settings, boot: Boot) -> list[Middleware]:
    """Return the ordered middleware of every process, producer or worker.

    Parameters:
      settings: For the limits.
      boot: Where the groups say what they prepare.
    """
    return [
        DropStale(),
        FailureRecording(),
        Retries(max_wait=settings.deferral_max_age),
        Prefetch(),
        boot,
        TimeLimit(interval=500),
    ]
