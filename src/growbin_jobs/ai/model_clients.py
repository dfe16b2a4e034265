"""Builds clients of the model server by the settings: with all that guards and measures requests, or bare."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.adapters.llm.learning import Memory
from growbin_jobs.adapters.llm.meter import Meter
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.offline_share import OfflineShare
from growbin_jobs.limits.paid_calls import Worker, guards
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.metrics.pipeline import count_request
from growbin_jobs.models.server_facts import ServerFacts
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import gate_database


def model_client(
    settings: Settings,
    meter: Meter,
    worker: Worker | None = None,
    *,
    database: Database | None = None,
    share: OfflineShare | None = None,
) -> ModelClient:
    """Return the client of the model server, with all that guards and measures its requests.

    Parameters:
      settings: Which server, limits and budgets.
      meter: Gets a record of each request.
      worker: In which it works; None: outside of one.
      database: Where limits, breakers, budgets and what servers refuse are kept; None: opened here.
      share: What the node may send while that is away; None: made here.
    """
    database = database or gate_database(settings)
    # On the few connections of the gate: at their first call all threads of a process look there at once.
    memory = ServerFacts(database)
    guarding = guards(settings, database, worker, look_up=bare_client(settings, memory).look_up, share=share)
    client = bare_client(settings, memory, meter=meter, guards=guarding)
    client.warm_up()
    return client


def bare_client(
    settings: Settings, memory: Memory | None = None, *, meter: Meter | None = None, guards: Sequence[Guard] = ()
) -> ModelClient:
    """Return a client of the model server by the settings.

    Parameters:
      settings: Which server.
      memory: Where is kept what it refuses; None: in this process.
      meter: Gets a record of each request; None: nobody does.
      guards: Must agree before one is sent; none: requests that cost nothing, or whose money is reserved otherwise.
    """
    key = settings.openai_api_key
    return ModelClient(
        api_key=key.get_secret_value() if key else None,
        base_url=settings.openai_base_url,
        server=settings.model_server,
        memory=memory,
        meter=meter,
        guards=guards,
    )


def usage_ledger(settings: Settings, database: Database) -> UsageLedger:
    """Return the meter that writes what is paid for."""
    return UsageLedger(
        database,
        load_prices(settings.prices_file),
        node=settings.node,
        zone=ZoneInfo(settings.timezone),
        folder=settings.node_dir / "usage",
        told=_count_and_trace if settings.traces else count_request,
    )


def _count_and_trace(row: Mapping[str, Any]) -> None:
    from growbin_jobs.engine.tracing.model_spans import trace_request

    count_request(row)
    trace_request(row)
