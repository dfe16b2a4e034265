"""The one module that acts on import: settings → broker → ``dramatiq.set_broker``.

Actors import it first, since Dramatiq makes a RabbitMQ broker on 127.0.0.1 by itself when an actor is declared and
none is set. Nothing connects here: the first message does.
"""

from functools import partial

import dramatiq

from growbin_jobs import settings as _settings
from growbin_jobs.engine.crashpoints import arm
from growbin_jobs.engine.dramatiq_log import quiet_dramatiq
from growbin_jobs.engine.middleware.boot import Boot, ending_a_wrong_worker
from growbin_jobs.engine.middleware.stack import stack
from growbin_jobs.engine.opening import open_broker, open_journal
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.wiring import engine_config

with ending_a_wrong_worker():
    settings = _settings.current()
    config = engine_config(settings)
    boot = Boot()
    journal = once_a_process(partial(open_journal, config))
    broker = open_broker(config, stack(config, boot, journal), journal=journal)
    dramatiq.set_broker(broker)
    quiet_dramatiq()
    arm(config.crashpoint)
