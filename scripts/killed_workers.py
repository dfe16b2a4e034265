"""What the workers of scripts/kill_while_scraping run: an actor that is quick, and one that fails at times."""

import random

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.errors import Transient
from growbin_jobs.metrics.observing import Metrics

engine = Engine(EngineConfig.from_env("KILLED_", observers=(Metrics(),))).install()


@engine.actor(queue_name="work", max_retries=3, min_backoff=1000)
def quick(_number: int) -> None:
    """Fail one time in ten."""
    if random.random() < 0.1:  # noqa: S311
        raise Transient("by chance")
