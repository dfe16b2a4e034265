"""What happens around every message: one class, one concern, one file.

The order matters: ``before_`` hooks run down this list, ``after_`` hooks run up it.

==========================  ========================================  ====================================
middleware                  before the actor                          after the actor
==========================  ========================================  ====================================
``WaitingRoom``             (narrow queues) notes what was let pass   lets another pass if it did not wait
``EnsureKeeper``            (at boot) sees that there is a keeper     (at the end) leaves last of all
``ActorPauses``             puts aside what a paused actor is to do   –
``Lifecycle``               begins a delivery or skips it             notes the end, last of all
``OptionCheck``             gives up what nobody can obey             –
``AgeLimit``                gives up what is too old                  –
``CurrentMessage``          shows the message to the actor            –
``Tracing``                 (traces only) begins a span               ends it
``RunLog``                  (JSON logs only) notes the time           writes a line
``Results``                 –                                         keeps what the actor returned
``GiveUpHook``              –                                         sends what the actor's row says
``GroupCallbacks``          –                                         sends a group's callbacks
``Pipelines``               –                                         sends a pipeline's next message
``MessageIds``              (at declaration) names what actors make   –
``Callbacks``               –                                         sends ``on_success``, ``on_failure``
``Retries``                 –                                         decides: done, retry, wait, give up
``Control``                 drops a revoked message                   drops an aborted message
``Prefetch``                (at boot) how far a process fetches       –
``FastWorkQueue``           (at boot) hands messages to the workers   –
``DebugLines``              (at boot) no debug lines for messages     –
``GcTuning``                (at boot) keeps Python from garbage       –
``OneArena``                (at boot) lets threads share free memory  –
``Boot``                    (at boot) builds the group's services     –
``Watch``                   (at boot) says that the process is well   –
``Observation``             (at boot) starts who observes it          –
``AsyncIO``                 (at boot) starts an event loop            –
``TimeLimit``               sets the limit                            –
``ShutdownNotifications``   notes who is told of a shutdown           –
``Outages``                 notes whether it is the one that tries    pauses its queue while a service is away
``ProgressReports``         (at boot) where actors say how far they are –
``OpenFiles``               (at boot) allows more open files          –
``OutboxScope``             the actor begins to send, last of all     drops that if it has failed, first
==========================  ========================================  ====================================

So what the actor has sent counts only if it came to a good end, and what middleware sends (``Retries``, ``GiveUpHook``,
an application's own) counts always: all of it lies in the outbox when ``Lifecycle`` closes that. What happens then is
no middleware's business (``delivery/settlement.py``). The clock of ``TimeLimit`` runs inside the actor's own call, so
that it never strikes in any of these.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from dramatiq import Middleware

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.obeying import Obeying
from growbin_jobs.engine.delivery.encoders import check_encoder
from growbin_jobs.engine.fast.debug_lines import DebugLines
from growbin_jobs.engine.fast.gc_tuning import GcTuning
from growbin_jobs.engine.fast.held_items import FastWorkQueue
from growbin_jobs.engine.fast.malloc import OneArena
from growbin_jobs.engine.file_limit import require_enough_files
from growbin_jobs.engine.middleware.age_limit import AgeLimit
from growbin_jobs.engine.middleware.async_actors import AsyncIO
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.callbacks import Callbacks
from growbin_jobs.engine.middleware.control import ActorPauses, Control
from growbin_jobs.engine.middleware.current_message import CurrentMessage, MessageIds
from growbin_jobs.engine.middleware.ensure_keeper import EnsureKeeper
from growbin_jobs.engine.middleware.give_up_hook import GiveUpHook
from growbin_jobs.engine.middleware.group_callbacks import GroupCallbacks
from growbin_jobs.engine.middleware.lifecycle import Lifecycle, OutboxScope
from growbin_jobs.engine.middleware.observation import Observation
from growbin_jobs.engine.middleware.open_files import OpenFiles
from growbin_jobs.engine.middleware.options import OptionCheck
from growbin_jobs.engine.middleware.outages import Outages
from growbin_jobs.engine.middleware.pipelines import Pipelines
from growbin_jobs.engine.middleware.prefetch import Prefetch
from growbin_jobs.engine.middleware.progress import ProgressReports
from growbin_jobs.engine.middleware.results import Results
from growbin_jobs.engine.middleware.retries import Retries
from growbin_jobs.engine.middleware.run_log import RunLog
from growbin_jobs.engine.middleware.shutdown_notifications import ShutdownNotifications
from growbin_jobs.engine.middleware.time_limit import TimeLimit
from growbin_jobs.engine.middleware.waiting_room import WaitingRoom
from growbin_jobs.engine.middleware.watch import Watch
from growbin_jobs.engine.opening import open_central, with_tables
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.rate_limits import DatabaseBackend
from growbin_jobs.engine.results import EngineResults

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.journal.journal import Journal


def stack(
    config: EngineConfig,
    boot: Boot,
    journal: "Callable[[], Journal]",
    source: "Callable[[], str | None]",
    central: "Callable[[], Database] | None" = None,
) -> list[Middleware]:
    """Return the ordered middleware of every process, producer or worker.

    Parameters:
      config: For the limits and the groups.
      boot: Where the groups say what they prepare.
      journal: Returns the process's journal; called by workers only.
      source: Returns the engine's import string.
      central: Returns the central database, one for each process; None: as the configuration says.
    """
    lifecycle = Lifecycle(journal, environment=config.environment)
    boot.prepare_with(require_enough_files)
    boot.prepare_with(check_encoder)
    boot.prepare_with(lifecycle.prepare)
    database = central or once_a_process(partial(open_central, config))
    counting = once_a_process(lambda: with_tables(database(), config))
    asyncio, time_limit = AsyncIO(), TimeLimit()
    boot.prepare_with(asyncio.check)
    waiting_room = WaitingRoom(time_limit.interrupts)

    def abort(message_ids: Collection[str]) -> None:
        time_limit.interrupts().abort(message_ids)
        waiting_room.wake(message_ids)

    obeying = Obeying(ControlFile(config.node_dir), abort)
    return [
        EnsureKeeper(config, source),
        ActorPauses(obeying),
        lifecycle,
        OptionCheck(),
        AgeLimit(),
        CurrentMessage(),
        *_tracing(config),
        *([RunLog()] if config.log_format == "json" else []),
        Results(backend=EngineResults(config, database)),
        GiveUpHook(),
        GroupCallbacks(DatabaseBackend(counting)),
        Pipelines(),
        MessageIds(),
        Callbacks(),
        Retries(max_wait=config.deferral_max_age),
        Control(obeying),
        Prefetch(config.groups),
        FastWorkQueue(),
        DebugLines(),
        GcTuning(),
        OneArena(),
        boot,
        Watch(config.node_dir, journal, time_limit.interrupts),
        Observation(config, journal),
        asyncio,
        time_limit,
        ShutdownNotifications(time_limit),
        waiting_room,
        Outages(),
        ProgressReports(config.node_dir),
        OpenFiles(),
        OutboxScope(),
    ]


def _tracing(config: EngineConfig) -> list[Middleware]:
    """Return the middleware of traces, where they are on."""
    if not config.traces:
        return []
    from growbin_jobs.engine.tracing import names
    from growbin_jobs.engine.tracing.tracer import require

    require()
    from growbin_jobs.engine.middleware.tracing import Tracing

    return [Tracing(names.RABBITMQ if config.broker_url else names.EMBEDDED, config.subject)]
