"""What the commands of the schedule stand on: its jobs by name, its tables in the central database."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.days import zone_named

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.scheduler.jobs import ScheduledJob
    from growbin_jobs.scheduler.ledger import Ledger
    from growbin_jobs.scheduler.overview import Overview

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def database() -> "Database":
    """Return the central database."""
    from growbin_jobs.cli import target

    return target.central()


def overview() -> "Overview":
    """Return what shows all jobs, in the zone of the settings."""
    from growbin_jobs.cli import target
    from growbin_jobs.scheduler.overview import Overview

    return Overview(database(), target.jobs(), zone_named(None))


def ledger() -> "Ledger":
    """Return the ledger, for what a person does."""
    from growbin_jobs.scheduler.ledger import Ledger

    return Ledger(database(), "cli")


def known(job: str | None) -> "ScheduledJob | None":
    """Return a job by its name; None without one.

    Raises:
      NotFound: There is no such job.
    """
    from growbin_jobs.cli import target
    from growbin_jobs.errors import NotFound
    from growbin_jobs.scheduler.jobs import named

    found = named(job, target.jobs()) if job is not None else None
    if job is not None and found is None:
        raise NotFound(f"There is no job {job!r}. `growbin-jobs schedule list` shows them.")
    return found


def fired(job: str) -> "ScheduledJob":
    """Return a job that schedulers fire, by its name.

    Raises:
      NotFound: There is no such job, or the keeper of every node does it.
    """
    from growbin_jobs.errors import NotFound

    found = known(job)
    assert found is not None
    if found.every_node:
        raise NotFound(f"{job} is done by the keeper of every node; it cannot be run, paused or resumed from here.")
    return found
