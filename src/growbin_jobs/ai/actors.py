"""Actors of the AI group: payload → service → next message."""

from typing import TYPE_CHECKING, Any

from dramatiq.middleware import CurrentMessage

from growbin_jobs import names
from growbin_jobs.actors import actor, carrying_on, fresh_wish
from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.ai.batching import ASKED_IN_BATCH, AskedInBatch, PutDown, putting_down
from growbin_jobs.ai.freshness import fresh_answers
from growbin_jobs.ai.ownership import picture_owner
from growbin_jobs.app import broker, engine, settings
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.messages import Rule, VisionAnswer, parse
from growbin_jobs.model_catalog import Purpose

if TYPE_CHECKING:
    from growbin_jobs.ai.bootstrap import Services


def services() -> "Services":
    """Return this process's services. Imported here, since producers import the actors and need none of it."""
    from growbin_jobs.ai import bootstrap

    return bootstrap.services()


def prepare() -> None:
    """Build and check the services when a worker starts."""
    from growbin_jobs.ai import bootstrap

    bootstrap.prepare()


def finish() -> None:
    """Put away what the services hold, when a worker has stopped."""
    from growbin_jobs.ai import bootstrap

    bootstrap.finish()


engine.prepare_with(prepare)
engine.finish_with(finish)


broker.declare_queue(names.ANALYZE_IMAGE_BULK.queue)


@actor(names.ANALYZE_IMAGE)
def analyze_image(analysis_id: str, s3_path: str) -> dict[str, Any]:
    """Stage 2: let the vision model say what the picture shows, start stage 3.

    Parameters:
      analysis_id: The analysis.
      s3_path: Address of the picture that stage 1 stored.

    Returns:
      ``{"category", "item", "state", "confidence"}``; ``{"asked_in": "batch"}`` where the message has time: it comes
      again with the answer.
    """
    here = services()
    owner = picture_owner(analysis_id, s3_path, lambda analysis: here.analyses.asker(analysis).user_id)
    whom = _on_behalf_of(analysis_id, owner.user_id if owner else None)
    with fresh_answers(fresh_wish()), attributed(whom), putting_down(_desk("vision", {"s3_path": s3_path})):
        try:
            answer, model = here.pictures.classify(s3_path)
        except AskedInBatch:
            return ASKED_IN_BATCH
    here.analyses.classified(analysis_id, answer, model, user_id=owner.user_id if owner else None)
    content = answer.model_dump()
    broker.enqueue(carrying_on(message_for(names.RETRIEVE_RULE, analysis_id, answer.item, content)))
    return content


@actor(names.GENERATE_RESPONSE)
def generate_response(analysis_id: str, rules: dict[str, Any], vision: dict[str, Any] | None = None) -> dict[str, Any]:
    """Stage 4: phrase the advice and save it; the analysis is completed.

    Parameters:
      analysis_id: The analysis.
      rules: The rule that stage 3 found.
      vision: The answer of stage 2.

    Returns:
      The advice: ``{"text", "language", "source", "model"}``; or as in stage 2.
    """
    here = services()
    rule = parse(Rule, rules)
    seen = parse(VisionAnswer, vision) if vision is not None else None
    asker = here.analyses.asker(analysis_id)
    language = asker.language or settings.language
    asks = {"rule": rules, "vision": vision, "language": language}
    whom = _on_behalf_of(analysis_id, asker.user_id)
    with fresh_answers(fresh_wish()), attributed(whom), putting_down(_desk("text", asks)):
        try:
            advice = here.responses.compose(rule, seen, language)
        except AskedInBatch:
            return ASKED_IN_BATCH
    here.analyses.completed(analysis_id, advice)
    if settings.completion_url:  # also where it was completed before: that run may have died before it could send
        broker.enqueue(message_for(names.TELL_COMPLETION, analysis_id))
    return advice.model_dump()


def _desk(purpose: Purpose, asks: dict[str, Any]) -> PutDown | None:
    """Return what puts the question of the message that runs here down; None where it is asked at once."""
    message, desk = CurrentMessage.get_current_message(), services().desk
    return None if message is None or desk is None else desk.for_message(message.asdict(), purpose, asks)


def _on_behalf_of(analysis_id: str, user_id: str | None) -> Attribution:
    """Return whom the model requests of the message that runs here are for."""
    message = CurrentMessage.get_current_message()
    if message is None:  # the actor was called directly
        return Attribution(analysis_id, user_id)
    return Attribution(analysis_id, user_id, message.message_id, int(message.options.get("retries") or 0) + 1)
