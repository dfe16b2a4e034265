"""Builds this application's engine and sets Dramatiq's broker, on import; the only module that acts on import.

Actors import it first, since Dramatiq makes a RabbitMQ broker on 127.0.0.1 by itself when an actor is declared and
none is set. Nothing connects here: the first message does.
"""

from dataclasses import replace

from growbin_jobs import settings as _settings
from growbin_jobs.alerting import periodic_alerts
from growbin_jobs.engine.engine import Engine
from growbin_jobs.engine.wrong_worker import ending_a_wrong_worker
from growbin_jobs.observation import observers
from growbin_jobs.wiring import engine_config

with ending_a_wrong_worker():
    settings = _settings.current()
    config = engine_config(settings)
    jobs = (*config.periodic_jobs, periodic_alerts(settings))
    engine = Engine(replace(config, observers=observers(), periodic_jobs=jobs)).install()
    broker = engine.broker
