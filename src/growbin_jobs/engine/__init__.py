"""Delivery for Dramatiq's actors that loses nothing, for any application.

::

    from growbin_jobs.engine import Engine, EngineConfig

    engine = Engine(EngineConfig.from_env("ORDERS_")).install()

``docs/own-actors.md`` is the way in. Importing a name loads what that name needs and no more.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from growbin_jobs.engine.config import EngineConfig
    from growbin_jobs.engine.engine import Engine
    from growbin_jobs.engine.errors import ConfigurationError, Deferred, Permanent, Transient
    from growbin_jobs.engine.groups import Group
    from growbin_jobs.engine.task_progress.reporting import progress
    from growbin_jobs.engine.task_results import result
    from growbin_jobs.engine.testing import sandbox

__all__ = [
    "ConfigurationError",
    "Deferred",
    "Engine",
    "EngineConfig",
    "Group",
    "Permanent",
    "Transient",
    "progress",
    "result",
    "sandbox",
]

_HOMES = {
    "ConfigurationError": "errors",
    "Deferred": "errors",
    "Engine": "engine",
    "EngineConfig": "config",
    "Group": "groups",
    "Permanent": "errors",
    "Transient": "errors",
    "progress": "task_progress.reporting",
    "result": "task_results",
    "sandbox": "testing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
