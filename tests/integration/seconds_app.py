"""A worker of the tests of schedulers: notes each second once, in the transaction in which its due time is done."""

import uuid
from datetime import timedelta

from growbin_jobs.engine import Engine
from growbin_jobs.engine.opening import open_central
from growbin_jobs.platform.tables.facts import Log
from growbin_jobs.scheduler import effects
from growbin_jobs.settings import load
from growbin_jobs.wiring import engine_config

effects.LEASE = timedelta(seconds=2)
engine = Engine(engine_config(load())).install()
due_times = effects.DueTimes(open_central(engine.config))


@engine.actor(queue_name="seconds", max_retries=20, min_backoff=200, max_backoff=500)
def note_a_second(due, since, until):
    """Write one line for each due time."""
    with due_times.taking("seconds", due) as run:
        if run is not None:
            line = {"id": uuid.uuid4().hex, "at": run.due, "level": "info", "source": "test", "message": due}
            run.commit(lambda connection: Log.insert(line | {"user_id": None}).execute(connection))
