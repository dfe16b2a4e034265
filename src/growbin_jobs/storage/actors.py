"""Actors of the storage group: payload → service → next message."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from growbin_jobs import names
from growbin_jobs.actors import actor, carrying_on, tier_wish
from growbin_jobs.app import broker, engine, settings
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.delivery.reruns import TIER
from growbin_jobs.errors import Permanent, PictureRefused
from growbin_jobs.messages import FAILED_USER, VisionAnswer, parse
from growbin_jobs.periodic_actors import due_times

if TYPE_CHECKING:
    from growbin_jobs.storage.bootstrap import Services

logger = logging.getLogger(__name__)


def services() -> "Services":
    """Return this process's services. Imported here, since producers import the actors and need none of it."""
    from growbin_jobs.storage import bootstrap

    return bootstrap.services()


def prepare() -> None:
    """Build and check the services when a worker starts."""
    from growbin_jobs.storage import bootstrap

    bootstrap.prepare()


engine.prepare_with(prepare)


@actor(names.UPLOAD_IMAGE)
def upload_image(user_id: str, image_path: str, analysis_id: str) -> dict[str, str]:
    """Stage 1: check and shrink the picture, store it with a thumbnail, start stage 2.

    Parameters:
      user_id: Whose picture it is; part of the stored keys.
      image_path: A file below a spool folder, or an ``s3://`` address below ``spool/`` of our bucket.
      analysis_id: Chosen by the producer; sending the same one twice is one analysis.

    Returns:
      ``{"s3_path": "s3://…", "thumbnail_path": "s3://…"}``; ``{"refused": "picture_too_small"}`` where the photo is
      not one that we accept. That is how the message ends, and no dead letter: nobody here can mend a user's photo.
    """
    here = services()
    deletable = here.ownership.check_upload(user_id, image_path, analysis_id)
    try:
        picture = here.uploads.store(user_id, image_path, analysis_id)
    except PictureRefused as refusal:
        if not refusal.is_of_the_photo:
            raise
        return _tell_of(refusal, user_id, analysis_id)
    try:
        here.analyses.uploaded(analysis_id, user_id, picture)
    except Permanent as error:
        if error.code != "analysis_erased":
            raise
        here.uploads.discard_stored(user_id, analysis_id)  # it was erased while its pictures were stored
        return {"refused": error.code}
    is_bulk = here.is_bulk(user_id)
    route = names.ANALYZE_IMAGE_BULK if is_bulk or tier_wish() is not None else names.ANALYZE_IMAGE
    message = carrying_on(message_for(route, analysis_id, picture.s3_path))
    if is_bulk and settings.backfill_tier == "batch":
        message.options.setdefault(TIER, "batch")
    broker.enqueue(message)
    if deletable:
        here.uploads.discard_spooled(user_id, image_path)
    return picture.model_dump()


def _tell_of(refusal: PictureRefused, user_id: str, analysis_id: str) -> dict[str, str]:
    """Let the analysis be marked as failed, as a message that is given up does."""
    logger.info("picture.refused analysis=%s code=%s", analysis_id, refusal.code)
    params = {**refusal.params, FAILED_USER: user_id}
    broker.enqueue(
        message_for(names.RECORD_FAILURE, analysis_id=analysis_id, stage="upload", code=refusal.code, params=params)
    )
    return {"refused": refusal.code}


@actor(names.RETRIEVE_RULE)
def retrieve_rule(analysis_id: str, item: str, vision: dict[str, Any] | None = None) -> dict[str, Any]:
    """Stage 3: look the item up in the rules, start stage 4.

    Parameters:
      analysis_id: The analysis.
      item: The item's name; one that has no rule gets the general one.
      vision: The whole answer of stage 2, passed on to stage 4.

    Returns:
      The rule, as JSON.
    """
    here = services()
    if vision is not None:
        parse(VisionAnswer, vision)
    rule = here.rulebook.lookup(item)
    here.analyses.rule_found(analysis_id, rule)
    content = rule.model_dump()
    broker.enqueue(carrying_on(message_for(names.GENERATE_RESPONSE, analysis_id, content, vision)))
    return content


@actor(names.WEEKLY_REPORT)
def write_weekly_report(due: str, since: str, until: str) -> dict[str, Any] | None:
    """Count the analyses of a week; the schedule sends it each Monday.

    Parameters:
      due: When it was due; one due time has one effect, however often its message comes.
      since, until: The week's beginning and its end, which does not belong to it. All in ISO 8601.

    Returns:
      The report, with the addresses of its pages; None where it was written before.
    """
    here = services()
    beginning, end = datetime.fromisoformat(since), datetime.fromisoformat(until)
    with due_times().taking(names.WEEKLY_REPORT.actor, due) as run:
        if run is None:
            return None
        reports = here.weekly_reports
        report = reports.database.run(lambda connection: reports.count(connection, beginning, end))
        pages = here.report_pages.put(report, reports.before(report.since))
        run.commit(lambda connection: reports.store(connection, report))
        return report.as_dict() | {"pages": pages}


@actor(names.RECORD_FAILURE)
def record_failure(analysis_id: str, stage: str, code: str, params: dict[str, Any]) -> bool:
    """Write down that a stage was given up, and why.

    Parameters:
      analysis_id: The analysis.
      stage: ``upload``, ``vision``, ``rule`` or ``response``.
      code: A key of :data:`growbin_jobs.reasons.REASONS`.
      params: For the sentence's placeholders. ``user_id`` among them is the user whose message was given up: nobody
        else's analysis is touched. It is no argument of its own, since the previous version's workers take none.

    Returns:
      True when the analysis is now failed; False when it had already come to an end, or is another user's.
    """
    recorded = services().failures.record(analysis_id, stage=stage, code=code, params=params)
    if settings.completion_url:  # also where it was recorded before: that run may have died before it could send
        broker.enqueue(message_for(names.TELL_COMPLETION, analysis_id))
    return recorded


@actor(names.TELL_COMPLETION)
def tell_completion(analysis_id: str) -> int | None:
    """Tell the completion hook how an analysis has ended.

    Parameters:
      analysis_id: The analysis. Nothing else travels in the message: what is told is read when it is sent.

    Returns:
      The hook's HTTP status; None where there is nothing to tell.
    """
    return services().completions.tell(analysis_id)
