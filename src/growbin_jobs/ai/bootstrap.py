"""Builds the AI group's services, once a process, when the first message needs them.

Producers import the actors and never come here, so they load neither the SDK nor the classifier.
"""

from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from growbin_jobs import names
from growbin_jobs import settings as _settings
from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.adapters.llm.meter import Meter
from growbin_jobs.adapters.pictures import shrink
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.pictures import Pictures
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import CachedTextModel, OnlineText, TextModel
from growbin_jobs.ai.sentences import RuleSentences
from growbin_jobs.ai.vision import OnlineVision, Vision
from growbin_jobs.app import engine
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.upgrade import require_current
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.paid_calls import Worker, guards
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.messages import Advice, VisionAnswer
from growbin_jobs.model_catalog import effort_for, temperature_for
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import central_database, gate_database, object_store


@dataclass(frozen=True, slots=True)
class Services:
    """What the AI actors use."""

    pictures: Pictures
    responses: TextModel
    analyses: Analyses
    ledger: UsageLedger | None


@once_a_process
def services() -> Services:
    """Return this process's services."""
    settings = _settings.current()
    cache = GptCache(settings.journal_path, settings.answer_ttl)
    database = central_database(settings)
    ledger = usage_ledger(settings, database) if settings.models_online else None
    vision, text = _online(settings, cache, database, ledger) if ledger else _offline(settings, cache)
    return Services(
        pictures=Pictures(
            object_store(settings),
            vision,
            partial(shrink, side=settings.vision_side),
            transport=settings.vision_transport,
        ),
        responses=text,
        analyses=Analyses(database),
        ledger=ledger,
    )


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
        ledger.close()


def usage_ledger(settings: Settings, database: Database) -> UsageLedger:
    """Return the meter that writes what is paid for."""
    return UsageLedger(
        database,
        load_prices(settings.prices_file),
        node=settings.node,
        zone=ZoneInfo(settings.timezone),
        folder=settings.node_dir / "usage",
    )


def model_client(settings: Settings, meter: Meter, worker: Worker | None = None) -> ModelClient:
    """Return the client of the model server, with all that guards and measures its requests.

    Parameters:
      settings: Which server, limits and budgets.
      meter: Gets a record of each request.
      worker: In which it works; None: outside of one.
    """
    key = settings.openai_api_key
    client = ModelClient(
        api_key=key.get_secret_value() if key else None,
        base_url=settings.openai_base_url,
        meter=meter,
        guards=guards(settings, gate_database(settings), worker),
    )
    client.warm_up()
    return client


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
    model = model or settings.vision_model
    look = Call(
        model=model,
        timeout=settings.vision_timeout,
        max_tokens=settings.vision_max_tokens,
        temperature=temperature_for(model, settings.vision_temperature),
        reasoning_effort=effort_for(model, settings.vision_reasoning_effort),
        purpose=purpose,
    )
    return OnlineVision(client, call=look, items=items, detail=settings.vision_detail)


def _online(settings: Settings, cache: GptCache, database: Database, ledger: UsageLedger) -> tuple[Vision, TextModel]:
    from growbin_jobs.adapters.llm.deadline import deadline

    client = model_client(settings, ledger, _worker())
    phrase = Call(
        model=settings.text_model,
        timeout=settings.text_timeout,
        max_tokens=settings.text_max_tokens,
        temperature=temperature_for(settings.text_model, settings.text_temperature),
        reasoning_effort=effort_for(settings.text_model, settings.text_reasoning_effort),
        purpose="text",
    )
    shared = SharedAnswers(database, ttl=settings.answer_ttl)
    seen = Answers(VisionAnswer, cache, patience=settings.vision_timeout, shared=shared, limit=deadline)
    texts = Answers(Advice, cache, patience=settings.text_timeout, shared=shared, limit=deadline)
    text = OnlineText(client, call=phrase)
    advice = CachedTextModel(text, texts, model=phrase.model, fingerprint=text.fingerprint)
    return Vision(online_vision(settings, client), seen), advice


def _worker() -> Worker:
    """Return what the guards use of the worker in which they stand."""
    room = engine.waiting_room
    return Worker(room=room, running=room.running, bulk=names.BULK_QUEUES, write_journal=engine.journal.write)


def _offline(settings: Settings, cache: GptCache) -> tuple[Vision, TextModel]:
    from growbin_jobs.ai.offline.classifier import OfflineClassifier

    vision = OfflineClassifier.load(settings.offline_runtime)
    # It costs nothing, so that no other node need know its answers.
    return Vision(vision, Answers(VisionAnswer, cache, patience=settings.vision_timeout)), RuleSentences()
