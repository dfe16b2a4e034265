"""Builds the AI group's services, once a process, when the first message needs them.

Producers import the actors and never come here, so they load neither the SDK nor the classifier.
"""

from dataclasses import dataclass
from functools import partial

from growbin_jobs import names
from growbin_jobs import settings as _settings
from growbin_jobs.actors import tier_wish
from growbin_jobs.adapters.file_cache import FileCache
from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.ai.batch_desk import BatchDesk
from growbin_jobs.ai.batch_requests import BatchRequests
from growbin_jobs.ai.batch_work import BatchWork, batch_work
from growbin_jobs.ai.model_clients import bare_client, model_client, usage_ledger
from growbin_jobs.ai.pictures import ModelPictures, Pictures
from growbin_jobs.ai.responses import OnlineText, TextModel
from growbin_jobs.ai.stage_models import call_for, offline, online, online_vision
from growbin_jobs.app import engine
from growbin_jobs.engine.central.upgrade import require_current
from growbin_jobs.engine.middleware.waiting_room import Running
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.paid_calls import Worker, offline_share
from growbin_jobs.metrics.pipeline import count_analysis, count_request
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.batch_questions import BatchQuestions
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
    vision, text = online(settings, cache, database, client, share) if client else offline(settings, cache)
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


def _worker() -> Worker:
    """Return what the guards use of the worker in which they stand."""
    room = engine.waiting_room

    def running() -> Running | None:
        found = room.running()
        # What has time has it in each stage, though only stage 2 has a queue for that.
        return found._replace(queue=names.ANALYZE_IMAGE_BULK.queue) if found and tier_wish() is not None else found

    return Worker(room=room, running=running, bulk=names.BULK_QUEUES, write_journal=engine.journal.write)
