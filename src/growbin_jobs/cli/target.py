"""The engine that a command works for: Growbin's, or the one that ``--engine`` names."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.config import EngineConfig
    from growbin_jobs.engine.engine import Engine
    from growbin_jobs.scheduler.jobs import ScheduledJob

_chosen: str | None = None


def choose(engine: str | None) -> str | None:
    """Let this process's command work for an engine, and return it; None: Growbin's."""
    global _chosen
    _chosen = engine
    return engine


#: The option ``--engine`` of a command.
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Module that has an engine of your own, such as orders.jobs. Default: Growbin's.",
        callback=choose,
    ),
]


def config() -> EngineConfig:
    """Return the configuration of the engine that this command works for.

    Raises:
      ConfigurationError: If a setting is wrong, or there is no such engine.
    """
    if _chosen is not None:
        from growbin_jobs.another_engine import config_of_another

        return config_of_another(engine_of(_chosen))
    from growbin_jobs import settings
    from growbin_jobs.wiring import engine_config

    return engine_config(settings.load())


def option() -> str:
    """Return the option that another command needs for the same engine, for sentences that name one: ``" --engine …"``.

    Returns:
      An empty text for Growbin's.
    """
    return "" if _chosen is None else f" --engine {_chosen}"


def is_growbin() -> bool:
    """Return True unless this command works for another engine."""
    return _chosen is None


def jobs() -> tuple[ScheduledJob, ...]:
    """Return the periodic jobs of the engine that this command works for.

    Raises:
      ConfigurationError: It has no schedule, or there is no such engine.
    """
    if _chosen is None:
        from growbin_jobs.scheduler.table import JOBS

        return JOBS
    from growbin_jobs.engine.errors import ConfigurationError
    from growbin_jobs.scheduler.schedule import schedule_of

    schedule = schedule_of(engine_of(_chosen))
    if schedule is None:
        raise ConfigurationError(f"{_chosen} has no schedule: Schedule(engine) beside its engine makes one.")
    return schedule.jobs


def another() -> Engine | None:
    """Return the engine that ``--engine`` names; None: this command works for Growbin's.

    Raises:
      ConfigurationError: There is none of that name.
    """
    return None if _chosen is None else engine_of(_chosen)


def actors() -> list[str]:
    """Return the names of the engine's actors.

    Raises:
      ConfigurationError: If there is no such engine.
    """
    if _chosen is not None:
        return list(engine_of(_chosen).broker.actors)
    from growbin_jobs import names
    from growbin_jobs.engine.groups import Route

    return [route.actor for route in vars(names).values() if isinstance(route, Route)]


def central(*, upgraded: bool = True) -> Database:
    """Return the central database; a SQLite file is brought to the current schema, since nobody else may have.

    Parameters:
      upgraded: False leaves the schema as it is.

    Raises:
      ConfigurationError, Deferred: When it cannot be opened.
    """
    from growbin_jobs.engine.opening import open_central, open_current

    return open_current(config()) if upgraded else open_central(config())


def engine_of(name: str) -> Engine:
    """Return the engine of a module that is installed or lies in the current folder.

    Raises:
      ConfigurationError: If there is none.
    """
    from growbin_jobs.engine.engine import find_engine

    with suppress(FileNotFoundError):  # somebody has removed the current folder
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
    return find_engine(name)
