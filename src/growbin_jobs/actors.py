"""The table of Growbin's actors, as the settings have it."""

from typing import TYPE_CHECKING, Any

from dramatiq import Message
from dramatiq.middleware import CurrentMessage

from growbin_jobs import names
from growbin_jobs.app import engine, settings
from growbin_jobs.engine.actors import ActorSpec
from growbin_jobs.engine.delivery.reruns import FRESH, TIER
from growbin_jobs.engine.groups import Route
from growbin_jobs.failure_recording import record_failure_of

if TYPE_CHECKING:
    from dramatiq.actor import ActorDecorator

ACTORS: dict[Route, ActorSpec] = {
    spec.route: spec
    for spec in (
        ActorSpec(
            route=names.UPLOAD_IMAGE,
            group=names.STORAGE.name,
            max_retries=settings.upload_retries,
            min_backoff=settings.upload_backoff,
            time_limit=settings.upload_time_limit,
            on_give_up=record_failure_of("upload"),
        ),
        ActorSpec(
            route=names.ANALYZE_IMAGE,
            group=names.AI.name,
            max_retries=settings.vision_retries,
            min_backoff=settings.vision_backoff,
            time_limit=settings.vision_time_limit,
            on_give_up=record_failure_of("vision"),
        ),
        ActorSpec(
            route=names.RETRIEVE_RULE,
            group=names.STORAGE.name,
            max_retries=settings.rule_retries,
            min_backoff=settings.rule_backoff,
            time_limit=settings.rule_time_limit,
            on_give_up=record_failure_of("rule"),
        ),
        ActorSpec(
            route=names.GENERATE_RESPONSE,
            group=names.AI.name,
            max_retries=settings.response_retries,
            min_backoff=settings.response_backoff,
            time_limit=settings.response_time_limit,
            on_give_up=record_failure_of("response"),
        ),
        ActorSpec(
            route=names.RECORD_FAILURE, group=names.STORAGE.name, max_retries=20, min_backoff=5.0, time_limit=60.0
        ),
        # 20 tries within some twelve hours, the last ones an hour apart.
        ActorSpec(
            route=names.TELL_COMPLETION, group=names.STORAGE.name, max_retries=20, min_backoff=5.0, time_limit=60.0
        ),
        ActorSpec(
            route=names.WEEKLY_REPORT, group=names.STORAGE.name, max_retries=10, min_backoff=30.0, time_limit=300.0
        ),
        *(
            ActorSpec(route=route, group=group.name, max_retries=retries, min_backoff=backoff, time_limit=limit)
            for route, group, retries, backoff, limit in (
                (names.CHECK_ALL_AGENTS, names.STORAGE, 3, 5.0, 120.0),
                (names.CHECK_AGENT, names.STORAGE, 3, 5.0, 60.0),
                (names.CHECK_ALL_MODELS, names.AI, 3, 5.0, 60.0),
                (names.CHECK_MODEL, names.AI, 3, 5.0, 120.0),
                (names.CHECK_MODEL_ENDS, names.AI, 10, 60.0, 120.0),
                (names.MAKE_BATCHES, names.AI, 3, 5.0, 3600.0),
                (names.LOOK_AFTER_BATCHES, names.AI, 3, 5.0, 3600.0),
                (names.AGGREGATE_DAILY, names.STORAGE, 5, 30.0, 3600.0),
                (names.AGGREGATE_WEEKLY, names.STORAGE, 5, 30.0, 3600.0),
                (names.AGGREGATE_MONTHLY, names.STORAGE, 5, 30.0, 3600.0),
                (names.OLD_LOGS, names.STORAGE, 5, 60.0, 3600.0),
                (names.OLD_SESSIONS, names.STORAGE, 5, 60.0, 3600.0),
                (names.COMPRESS_STATISTICS, names.STORAGE, 5, 60.0, 3600.0),
            )
        ),
    )
}


def actor(route: Route) -> "ActorDecorator":
    """Return the decorator of the actor of a route, as the table has it."""
    return engine.declare(ACTORS[route])


def fresh_wish() -> str | None:
    """Return the wish for fresh answers that the message which runs here carries, or None."""
    message = CurrentMessage.get_current_message()
    wish = None if message is None else message.options.get(FRESH)
    return wish if isinstance(wish, str) else None


def tier_wish() -> str | None:
    """Return the price tier that the message which runs here wants, or None."""
    message = CurrentMessage.get_current_message()
    wish = None if message is None else message.options.get(TIER)
    return wish if isinstance(wish, str) else None


def carrying_on(message: Message[Any]) -> Message[Any]:
    """Return a message that follows from the one that runs here, with its wishes: for fresh answers, for a tier."""
    for name, wish in ((FRESH, fresh_wish()), (TIER, tier_wish())):
        if wish is not None:
            message.options[name] = wish
    return message
