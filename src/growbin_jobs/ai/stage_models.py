"""Builds the models that the stages ask, by the settings: one that sees and one that writes, online or offline."""

from dataclasses import replace
from functools import partial

from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import CachedTextModel, OnlineText, TextModel
from growbin_jobs.ai.sentences import RuleSentences
from growbin_jobs.ai.vision import OnlineVision, Vision
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.offline_share import OfflineShare
from growbin_jobs.messages import Advice, VisionAnswer
from growbin_jobs.metrics.pipeline import count_hit
from growbin_jobs.model_catalog import Purpose, effort_for, temperature_for
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.settings import Settings


def online(
    settings: Settings, cache: GptCache, database: Database, client: ModelClient, share: OfflineShare
) -> tuple[Vision, TextModel]:
    """Return the models behind the server, one that sees and one that writes, each with its kept answers.

    Parameters:
      settings: How to ask.
      cache: Answers that are kept on the node.
      database: Where they are kept for all nodes.
      client: Whom to ask.
      share: What the node may send while the database is away.
    """
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


def offline(settings: Settings, cache: GptCache) -> tuple[Vision, TextModel]:
    """Return the models that need no server, one that sees and one that writes.

    Parameters:
      settings: How pictures are classified.
      cache: Answers that are kept on the node.
    """
    from growbin_jobs.ai.offline.classifier import OfflineClassifier

    vision = OfflineClassifier.load(settings.offline_runtime)
    # It costs nothing, so that no other node need know its answers.
    return Vision(
        vision, Answers(VisionAnswer, cache, patience=settings.vision_timeout, hit=count_hit)
    ), RuleSentences()


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
