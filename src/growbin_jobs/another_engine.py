"""What commands and the monitor need of an engine that is not Growbin's."""

from dataclasses import replace

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.engine import Engine
from growbin_jobs.models import MONITOR_SCHEMA
from growbin_jobs.scheduler.schedule import SCHEMA, schedule_of


def config_of_another(engine: Engine) -> EngineConfig:
    """Return the configuration of an engine of somebody's own, with the tables that commands and the monitor need."""
    scheduled = () if schedule_of(engine) is None else SCHEMA
    schema = (*engine.config.schema, *MONITOR_SCHEMA, *scheduled)
    return replace(engine.config, source=engine.source, groups=engine.groups, schema=schema)
