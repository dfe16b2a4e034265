"""Builds the AI group's services, once a process, when the first message needs them.

Producers import the actors and never come here, so they load neither the SDK nor the classifier.
"""

from dataclasses import dataclass, replace
from functools import partial

from growbin_jobs import names
from growbin_jobs import settings as _settings
from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.adapters.pictures import shrink
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.pictures import Pictures
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import CachedTextModel, OnlineText, TextModel
from growbin_jobs.ai.sentences import RuleSentences
from growbin_jobs.ai.vision import OnlineVision, Vision, VisionModel
from growbin_jobs.app import engine
from growbin_jobs.engine.central.upgrade import require_current
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.limits.paid_calls import Worker, guards
from growbin_jobs.messages import Advice, VisionAnswer
from growbin_jobs.model_catalog import Purpose, effort_for, temperature_for
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import central_database, gate_database, object_store


@dataclass(frozen=True, slots=True)
class Services:
    """What the AI actors use."""

    pictures: Pictures
    responses: TextModel
    analyses: Analyses


@once_a_process
def services() -> Services:
    """Return this process's services."""
    settings = _settings.current()
    cache = GptCache(settings.journal_path, settings.answer_ttl)
    vision, text = _online(settings, cache) if settings.models_online else _offline(settings)
    return Services(
        pictures=Pictures(
            object_store(settings),
            Vision(vision, Answers(VisionAnswer, cache, patience=settings.vision_timeout)),
            partial(shrink, side=settings.vision_side),
            transport=settings.vision_transport,
        ),
        responses=text,
        analyses=Analyses(central_database(settings)),
    )


def prepare() -> None:
    """Build the services when a worker starts, and check what they stand on.

    Raises:
      ConfigurationError: When a setting, a rule, an extra or the database's schema is wrong.
      Deferred: When the database is away.
    """
    require_current(services().analyses.database, SCHEMA)


def _online(settings: Settings, cache: GptCache) -> tuple[VisionModel, TextModel]:
    key = settings.openai_api_key
    connect = partial(ModelClient, api_key=key.get_secret_value() if key else None, base_url=settings.openai_base_url)
    client = connect(guards=_guards(settings, connect()))
    client.warm_up()
    rules = load_rules(rules_folder(settings.rules_dir))
    items = [KnownItem(rule.item, rule.name.ko, rule.name.en) for rule in rules.values()]
    look, phrase = call_for("vision", settings), call_for("text", settings)
    vision = OnlineVision(client, call=look, items=items, detail=settings.vision_detail)
    texts = Answers(Advice, cache, patience=settings.text_timeout)
    return vision, CachedTextModel(OnlineText(client, call=phrase), texts, model=phrase.model)


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


def _guards(settings: Settings, unguarded: ModelClient) -> list[Guard]:
    room = engine.waiting_room
    worker = Worker(
        room=room,
        running=room.running,
        bulk=names.BULK_QUEUES,
        write_journal=lambda work: engine.journal.write(work),
    )
    return guards(settings, gate_database(settings), worker, look_up=unguarded.look_up)


def _offline(settings: Settings) -> tuple[VisionModel, TextModel]:
    from growbin_jobs.ai.offline.classifier import OfflineClassifier

    return OfflineClassifier.load(settings.offline_runtime), RuleSentences()
