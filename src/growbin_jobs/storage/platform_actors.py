"""Actors of the agent platform in the storage group: health of agents, statistics, retention."""

from typing import Any

from growbin_jobs import names
from growbin_jobs.actors import actor
from growbin_jobs.app import broker
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.errors import NotFound
from growbin_jobs.periodic_actors import periodic
from growbin_jobs.scheduler.table import AGENTS_EVERY


@periodic(names.CHECK_ALL_AGENTS, again=True)
def check_all_agents(due: str, since: str | None = None, until: str | None = None) -> dict[str, int]:  # noqa: ARG001
    """Send one check for each agent, spread over the time until the next due time.

    Parameters:
      due: When the job was due.
      since: The begin of its data interval.
      until: Its end.
    """
    from growbin_jobs.platform import bootstrap

    agents = bootstrap.registry().agent_ids()
    bootstrap.send_checks(names.CHECK_AGENT, "agent", agents, due=due, every=AGENTS_EVERY)
    return {"agents": len(agents)}


@actor(names.CHECK_AGENT)
def check_agent_health(agent_id: str | int, due: str | None = None, expires: str | None = None) -> dict[str, Any]:
    """Check one agent: GET ``{endpoint}/health``, 10 s in all.

    Parameters:
      agent_id: The agent.
      due: When the check was due; it is made once for each due time. None: a person asks, or a recheck.
      expires: When the next check is due: a later start is left out.

    Returns:
      ``agent_id``, ``status`` (healthy, unhealthy, unreachable or misconfigured; unknown: this node is offline),
      ``state`` and ``response_time_ms`` among others.
    """
    from growbin_jobs.platform import bootstrap

    moments = {name: bootstrap.parsed(text) if text else None for name, text in (("due", due), ("expires", expires))}
    try:
        checked = bootstrap.agent_health().check(str(agent_id), **moments)
    except NotFound:
        if expires is None:
            raise
        return {"agent_id": agent_id, "status": "deleted"}  # since the checks were sent
    if checked.recheck_in is not None and expires is not None:
        recheck = message_for(names.CHECK_AGENT, agent_id, expires=expires)
        broker.enqueue(recheck, delay=round(checked.recheck_in * 1000))
    return checked.as_dict("agent_id", agent_id)


@periodic(names.AGGREGATE_DAILY)
def aggregate_daily(due: str, since: str, until: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Count the day that ``since`` lies in, and every counted period that late facts have changed."""
    return _aggregate("daily", since)


@periodic(names.AGGREGATE_WEEKLY)
def aggregate_weekly(due: str, since: str, until: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Count the ISO week that ``since`` lies in."""
    return _aggregate("weekly", since)


@periodic(names.AGGREGATE_MONTHLY)
def aggregate_monthly(due: str, since: str, until: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Count the month that ``since`` lies in."""
    return _aggregate("monthly", since)


@periodic(names.OLD_LOGS)
def old_logs(due: str, since: str | None = None, until: str | None = None) -> list[dict[str, Any]]:  # noqa: ARG001
    """Delete old log rows, and archive old API calls and logins."""
    return _clean_up("old_logs", due)


@periodic(names.OLD_SESSIONS)
def old_sessions(due: str, since: str | None = None, until: str | None = None) -> list[dict[str, Any]]:  # noqa: ARG001
    """Archive sessions that ended long ago."""
    return _clean_up("old_sessions", due)


@periodic(names.COMPRESS_STATISTICS)
def compress_statistics(
    due: str,
    since: str | None = None,  # noqa: ARG001
    until: str | None = None,  # noqa: ARG001
) -> list[dict[str, Any]]:
    """Archive old slots and days, whose months stay; and restore one archive at random for proof."""
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    done = _clean_up("compress_statistics", due)
    drilled = bootstrap.archiving().drill()
    return [*done, {"drill": as_json(drilled)}]


def _aggregate(kind: Any, since: str) -> dict[str, Any]:
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    done: dict[str, Any] = as_json(bootstrap.statistics().aggregate(kind, bootstrap.parsed(since)))
    return done


def _clean_up(job: Any, due: str) -> list[dict[str, Any]]:
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    done: list[dict[str, Any]] = as_json(bootstrap.cleanup().run(job, bootstrap.parsed(due)))
    return done
