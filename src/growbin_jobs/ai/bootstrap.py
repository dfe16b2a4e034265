"""Builds the AI group's services, once a process, when the first message needs them.

Producers import the actors and never come here, so they load neither the SDK nor the classifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs import names
from growbin_jobs import settings as _settings
from growbin_jobs.actors import tier_wish
from growbin_jobs.adapters.file_cache import FileCache
from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.adapters.llm.learning import Memory
from growbin_jobs.adapters.llm.meter import Meter
from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.batch_desk import BatchDesk
from growbin_jobs.ai.batch_requests import BatchRequests
from growbin_jobs.ai.batch_work import BatchWork, batch_work
from growbin_jobs.ai.pictures import ModelPictures, Pictures
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import CachedTextModel, OnlineText, TextModel
from growbin_jobs.ai.sentences import RuleSentences
from growbin_jobs.ai.vision import OnlineVision, Vision
from growbin_jobs.app import engine
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.upgrade import require_current
from growbin_jobs.engine.middleware.waiting_room import Running
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.offline_share import OfflineShare
from growbin_jobs.limits.paid_calls import Worker, guards, offline_share
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.messages import Advice, VisionAnswer
from growbin_jobs.metrics.pipeline import count_analysis, count_hit, count_request
from growbin_jobs.model_catalog import Purpose, effort_for, temperature_for
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.batch_questions import BatchQuestions
from growbin_jobs.models.model_ends import ModelEnd
from growbin_jobs.models.server_facts import ServerFacts
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import central_database, fetched_files, gate_database, guarded_object_store


@dataclass(frozen=True, slots=True)
class Services:
    """What the AI actors use."""

    pictures: Pictures
    responses: TextModel
    analyses: Analyses
    ledger: UsageLedger | None
    desk: BatchDesk | None = None


@once_a_process
def services() -> Services:
    """Return this process's services."""
    settings = _settings.current()
    cache = GptCache(settings.journal_path, settings.answer_ttl)
    database = central_database(settings)
    ledger = usage_ledger(settings, database) if settings.models_online else None
    gate = gate_database(settings)
    share = offline_share(settings, gate)
    kept = fetched_files(settings)
    if kept is not None:
        kept.open()  # from now on stage 1 keeps pictures for us
    client = model_client(settings, ledger, _worker(), database=gate, share=share) if ledger else None
    vision, text = _online(settings, cache, database, client, share) if client else _offline(settings, cache)
    return Services(
        pictures=Pictures(
            model_pictures(
                settings,
                guarded_object_store(settings, database, engine.waiting_room.running, alone=share.is_leased),
                kept=kept,
            ),
            vision,
            transport=settings.vision_transport,
        ),
        responses=text,
        analyses=Analyses(database, ended=count_analysis),
        ledger=ledger,
        desk=BatchDesk(BatchQuestions(database), client.in_batches.are_offered) if client else None,
    )


@once_a_process
def batches() -> BatchWork | None:
    """Return what makes batches and looks after them; None without a model server."""
    settings = _settings.current()
    if not settings.models_online:
        return None
    database = central_database(settings)
    client = bare_client(settings, ServerFacts(gate_database(settings)))
    pictures = model_pictures(
        settings, guarded_object_store(settings, database, engine.waiting_room.running), kept=fetched_files(settings)
    )
    text = OnlineText(client, call=call_for("text", settings))
    requests = BatchRequests(online_vision(settings, client), text, pictures.fetch)
    return batch_work(settings, database, client, requests, told=count_request)


def prepare() -> None:
    """Build the services when a worker starts, and check what they stand on.

    Raises:
      ConfigurationError: When a setting, a rule, an extra or the database's schema is wrong.
      Deferred: When the database is away.
    """
    require_current(services().analyses.database, SCHEMA)


def finish() -> None:
    """Write what waits to be written, when a worker has stopped."""
    if (ledger := services().ledger) is not None:
        afterwards.wait()
        ledger.close()


def model_pictures(settings: Settings, objects: ObjectStore, kept: FileCache | None = None) -> ModelPictures:
    """Return what vision models see of pictures in a store."""
    return ModelPictures(objects, partial(_shrunk, settings.vision_side), side=settings.vision_side, kept=kept)


def _shrunk(side: int, data: bytes) -> bytes:
    # Here, since stage 1 has nearly always made what is seen, and the image library takes its memory in each process.
    from growbin_jobs.adapters.pictures import shrink

    return shrink(data, side=side)


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


def look_at_model_ends() -> list[ModelEnd]:
    """Ask the models' server until when it offers those of the settings, and keep and tell that.

    Raises:
      GrowbinError: The server or the database is away, or the server refuses the key.
    """
    from growbin_jobs.operations.model_ends import look_at_ends, models_in_use

    settings = _settings.current()
    if not settings.models_online:
        return []
    key = settings.openai_api_key
    client = ModelClient(
        api_key=key.get_secret_value() if key else None,
        base_url=settings.openai_base_url,
        server=settings.model_server,
    )
    listed, today = client.models(timeout=30.0), datetime.now(ZoneInfo(settings.timezone)).date()
    return look_at_ends(central_database(settings), models_in_use(settings), listed, client.server, today)


def _count_and_trace(row: Mapping[str, Any]) -> None:
    from growbin_jobs.engine.tracing.model_spans import trace_request

    count_request(row)
    trace_request(row)


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
    settings: Settings, memory: Memory, *, meter: Meter | None = None, guards: Sequence[Guard] = ()
) -> ModelClient:
    """Return a client of the model server by the settings.

    Parameters:
      settings: Which server.
      memory: Where is kept what it refuses.
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


def online_vision(
    settings: Settings, client: ModelClient, *, model: str | None = None, purpose: str = "vision"
) -> OnlineVision:
    """Return a vision model behind the server.

    Parameters:
      settings: How to ask.
      client: Whom to ask.
      model: None: the one of the settings.
      purpose: What the answers are for.
    """
    rules = load_rules(rules_folder(settings.rules_dir))
    items = [KnownItem(rule.item, rule.name.ko, rule.name.en) for rule in rules.values()]
    look = call_for("vision", settings) if model is None else _call("vision", settings, model)
    return OnlineVision(client, call=replace(look, purpose=purpose), items=items, detail=settings.vision_detail)


def _online(
    settings: Settings, cache: GptCache, database: Database, client: ModelClient, share: OfflineShare
) -> tuple[Vision, TextModel]:
    from growbin_jobs.adapters.llm.deadline import deadline

    shared = SharedAnswers(database, ttl=settings.answer_ttl)
    ask_alone = share.is_leased
    seen = Answers(
        VisionAnswer, cache, patience=settings.vision_timeout, shared=shared, limit=deadline, hit=count_hit,
        alone=ask_alone,
    )  # fmt: skip
    texts = Answers(
        Advice, cache, patience=settings.text_timeout, shared=shared, limit=deadline, hit=count_hit, alone=ask_alone
    )
    text = OnlineText(client, call=call_for("text", settings))
    advice = CachedTextModel(text, texts, model=settings.text_model, fingerprint=text.fingerprint)
    return Vision(online_vision(settings, client), seen), advice


def call_for(purpose: Purpose, settings: Settings) -> Call:
    """Return how the settings want a model to be asked, and its successors where the server no longer offers it."""
    chosen = partial(_call, purpose, settings)
    model, *others = settings.vision_model, *settings.vision_successors
    if purpose == "text":
        model, *others = settings.text_model, *settings.text_successors
    return replace(chosen(model), successors=tuple(map(chosen, others)))


def _call(purpose: Purpose, settings: Settings, model: str) -> Call:
    vision = purpose == "vision"
    effort = settings.vision_reasoning_effort if vision else settings.text_reasoning_effort
    temperature = settings.vision_temperature if vision else settings.text_temperature
    return Call(
        model=model,
        timeout=settings.vision_timeout if vision else settings.text_timeout,
        max_tokens=settings.vision_max_tokens if vision else settings.text_max_tokens,
        temperature=temperature_for(model, temperature),
        reasoning_effort=effort_for(model, effort),
        purpose=purpose,
        service_tier=settings.vision_service_tier if vision else settings.text_service_tier,
    )


def _worker() -> Worker:
    """Return what the guards use of the worker in which they stand."""
    room = engine.waiting_room

    def running() -> Running | None:
        found = room.running()
        # What has time has it in each stage, though only stage 2 has a queue for that.
        return found._replace(queue=names.ANALYZE_IMAGE_BULK.queue) if found and tier_wish() is not None else found

    return Worker(room=room, running=running, bulk=names.BULK_QUEUES, write_journal=engine.journal.write)


def _offline(settings: Settings, cache: GptCache) -> tuple[Vision, TextModel]:
    from growbin_jobs.ai.offline.classifier import OfflineClassifier

    vision = OfflineClassifier.load(settings.offline_runtime)
    # It costs nothing, so that no other node need know its answers.
    return Vision(
        vision, Answers(VisionAnswer, cache, patience=settings.vision_timeout, hit=count_hit)
    ), RuleSentences()
