"""Builds the platform's services, once a process, when the first message or command needs them."""

import atexit
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.adapters.probing.public import networks
from growbin_jobs.app import broker
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.paid_calls import guards
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.metrics.pipeline import count_request
from growbin_jobs.platform.health.agents import AgentHealth
from growbin_jobs.platform.health.checks import Checks
from growbin_jobs.platform.health.connectivity import Connectivity
from growbin_jobs.platform.health.fan_out import check_id, spread
from growbin_jobs.platform.health.models import ModelHealth
from growbin_jobs.platform.health.paid_probes import PaidProbes
from growbin_jobs.platform.health.transitions import Policy as HealthPolicy
from growbin_jobs.platform.retention.archiving import Archiving
from growbin_jobs.platform.retention.cleanup import Cleanup, Policy
from growbin_jobs.platform.statistics.aggregation import Statistics
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.health import HealthTable
from growbin_jobs.platform.tables.losses import Losses
from growbin_jobs.platform.tables.partitions import Partitions
from growbin_jobs.platform.tables.registry import Registry
from growbin_jobs.platform.tables.retention import RetentionTable
from growbin_jobs.platform.tables.slots import Slots
from growbin_jobs.platform.tables.statistics import StatisticsTable
from growbin_jobs.platform.tables.traffic import succeeded_since
from growbin_jobs.scheduler.table import AGENTS_EVERY, MODELS_EVERY
from growbin_jobs.wiring import central_database, gate_database, object_store

#: Seconds of one check in all.
AGENT_SECONDS: Final = 10.0
MODEL_SECONDS: Final = 30.0
CONTROL_SECONDS: Final = 3.0

#: Seconds that one run of a cleanup may take; below its actor's time limit.
CLEANUP_BUDGET: Final = 1800.0


@once_a_process
def database() -> Database:
    """Return the central database."""
    return central_database(_settings.current())


@once_a_process
def registry() -> Registry:
    """Return agents and models."""
    return Registry(database())


@once_a_process
def health_table() -> HealthTable:
    """Return the states of targets."""
    return HealthTable(database())


@once_a_process
def agent_health() -> AgentHealth:
    """Return the checks of agents."""
    prober = _prober()
    return AgentHealth(
        registry().agent,
        partial(prober.send, "GET"),
        Checks(health_table(), HealthPolicy(AGENTS_EVERY), seconds=AGENT_SECONDS),
        _connectivity(prober),
        seconds=AGENT_SECONDS,
    )


@once_a_process
def model_health() -> ModelHealth:
    """Return the checks of models."""
    prober = _prober()
    return ModelHealth(
        registry().model,
        prober.send,
        Checks(health_table(), HealthPolicy(MODELS_EVERY, degraded_ms=15_000), seconds=MODEL_SECONDS),
        _connectivity(prober),
        succeeded_since=partial(succeeded_since, database()),
        key=_settings.current().secret_of,
        paid=paid_probes(),
        every=MODELS_EVERY,
        seconds=MODEL_SECONDS,
    )


@once_a_process
def paid_probes() -> PaidProbes:
    """Return what sends probes that cost money; each server has guards of its own."""
    settings = _settings.current()
    gate = gate_database(settings)

    @cache
    def guards_of(base_url: str) -> list[Guard]:
        its = settings.model_copy(update={"openai_base_url": base_url})
        # The model was asked for free of charge just before.
        return guards(its, gate, look_up=lambda _model: None)

    ledger = UsageLedger(
        database(),
        load_prices(settings.prices_file),
        node=settings.node,
        zone=_zone(),
        folder=settings.node_dir / "usage",
        told=count_request,
    )
    atexit.register(ledger.close)  # a command ends before its thread has written
    return PaidProbes(guards_of, ledger)


@once_a_process
def statistics() -> Statistics:
    """Return the statistics."""
    return Statistics(StatisticsTable(database()), Slots(database()), zone=_zone())


@once_a_process
def losses() -> Losses:
    """Return what is never counted."""
    return Losses(database())


@once_a_process
def archives() -> Archives:
    """Return what is known of archives."""
    return Archives(database())


@once_a_process
def archiving() -> Archiving:
    """Return what writes and restores archives."""
    return Archiving(object_store(_settings.current()), archives(), _retention_table())


@once_a_process
def cleanup() -> Cleanup:
    """Return the retention jobs."""
    settings = _settings.current()
    facts, statistics_age = timedelta(days=settings.keep_api_calls_days), timedelta(days=settings.keep_statistics_days)
    policies = (
        Policy("old_logs", "logs", timedelta(days=settings.keep_logs_days), archive=False),
        Policy("old_logs", "api_calls", facts, archive=True),
        Policy("old_logs", "logins", facts, archive=True),
        Policy("old_logs", "tasks", timedelta(days=settings.keep_central_tasks_days), archive=False),
        Policy("old_logs", "health_events", timedelta(days=settings.keep_health_days), archive=False),
        Policy("old_sessions", "sessions", timedelta(days=settings.keep_sessions_days), archive=True),
        Policy("compress_statistics", "statistics_slots", statistics_age, archive=True),
        # A slot is archived only while its day is there.
        Policy("compress_statistics", "statistics", statistics_age, archive=True, after="statistics_slots"),
    )
    return Cleanup(policies, _retention_table(), Partitions(database()), archiving(), budget=CLEANUP_BUDGET)


def send_checks(
    route: Route, kind: Literal["agent", "model"], ids: Sequence[str], *, due: str, every: timedelta
) -> None:
    """Claim all targets, send one check for each, spread over the time until the next due time; forget other targets.

    Parameters:
      route: Of the check.
      kind: What is checked.
      ids: Of the targets.
      due: When the checks are due.
      every: Time between two due times; a check that starts later than that is left out.
    """
    moment = parsed(due)
    expires = (moment + every).isoformat()
    health_table().keep_only(kind, ids)
    for target, delay in spread(health_table().claim_all([f"{kind}:{each}" for each in ids], due=moment), every):
        message = message_for(route, target.removeprefix(f"{kind}:"), due=due, expires=expires)
        broker.enqueue(replace(message, message_id=check_id(target, moment)), delay=delay or None)


def parsed(moment: str) -> datetime:
    """Return a time that a message carries as text."""
    return datetime.fromisoformat(moment)


def _zone() -> ZoneInfo:
    return ZoneInfo(_settings.current().timezone)


def _retention_table() -> RetentionTable:
    return RetentionTable(database(), zone=_zone())


def _prober() -> Prober:
    settings = _settings.current()
    own = [*settings.health_controls, settings.openai_base_url or ""]
    hosts = [host for host in (urlsplit(url).hostname for url in own) if host]
    return Prober(allowed=networks(settings.health_networks), trusted_hosts=hosts)


def _connectivity(prober: Prober) -> Connectivity:
    def reach(url: str) -> bool:
        return prober.send("GET", url, seconds=CONTROL_SECONDS).http_status is not None

    def peers() -> list[str]:
        well = [row["target"] for row in health_table().states() if row["state"] in ("healthy", "degraded")]
        agents = (registry().agent(name.removeprefix("agent:")) for name in well[:10] if name.startswith("agent:"))
        return [agent.endpoint for agent in agents if agent is not None]

    return Connectivity(_settings.current().health_controls, reach, peers=peers)
