"""Builds the storage group's services, once a process, when the first message needs them.

Producers import the actors and never come here, so they load neither Pillow nor boto3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.pictures import Limits
from growbin_jobs.adapters.pictures import prepare as prepare_picture
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.app import engine
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.upgrade import require_current
from growbin_jobs.engine.fast.malloc import FreeMemory
from growbin_jobs.engine.node.cores import usable_cores
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.metrics.pipeline import count_analysis
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.weekly_report import WeeklyReports
from growbin_jobs.operations.reports.pages import ReportPages
from growbin_jobs.settings import Settings
from growbin_jobs.storage.completions import Completions
from growbin_jobs.storage.failures import Failures
from growbin_jobs.storage.ownership import Ownership
from growbin_jobs.storage.rulebook import Rulebook
from growbin_jobs.storage.sources import PictureSources
from growbin_jobs.storage.uploads import Uploads
from growbin_jobs.wiring import central_database, fetched_files, guarded_object_store

if TYPE_CHECKING:
    from growbin_jobs.adapters.webhooks.posting import Posted


@dataclass(frozen=True, slots=True)
class Services:
    """What the storage actors use."""

    uploads: Uploads
    rulebook: Rulebook
    failures: Failures
    analyses: Analyses
    completions: Completions
    ownership: Ownership
    bulk_after: int
    weekly_reports: WeeklyReports
    report_pages: ReportPages

    def is_bulk(self, user_id: str) -> bool:
        """Whether a user has so many analyses under way that the next one waits behind those of others."""
        return self.analyses.unfinished(user_id, most=self.bulk_after + 1) > self.bulk_after


@once_a_process
def services() -> Services:
    """Return this process's services."""
    settings = _settings.current()
    database = central_database(settings)
    analyses = Analyses(database, ended=count_analysis)
    uploads = _uploads(settings, database)
    ownership = Ownership(analyses.owners)
    return Services(
        uploads=uploads,
        rulebook=Rulebook(load_rules(rules_folder(settings.rules_dir))),
        failures=Failures(
            analyses,
            language=settings.language,
            discard=uploads.discard_refused,
            may_fail=ownership.may_fail,
            asked_language=lambda analysis_id: analyses.asker(analysis_id).language,
        ),
        analyses=analyses,
        completions=Completions(analyses.get, _hook(settings, database)),
        ownership=ownership,
        bulk_after=settings.bulk_after,
        weekly_reports=WeeklyReports(database, ZoneInfo(settings.timezone)),
        report_pages=ReportPages(guarded_object_store(settings, database, engine.waiting_room.running)),
    )


def prepare() -> None:
    """Build the services when a worker starts, and check what they stand on.

    Raises:
      ConfigurationError: When a setting, a rule or the database's schema is wrong.
      Deferred: When the database is away.
    """
    require_current(services().analyses.database, SCHEMA)


def _hook(settings: Settings, database: Database) -> "Callable[[str, bytes], Posted] | None":
    """Return what posts to the completion hook; None where there is none.

    Raises:
      ConfigurationError: Its secret is missing or too short.
    """
    if settings.completion_url is None:
        return None
    # Here, since few have a hook, and an HTTP client takes its memory in each process.
    from growbin_jobs.adapters.probing.probe import Prober
    from growbin_jobs.adapters.probing.public import networks
    from growbin_jobs.adapters.webhooks.posting import post
    from growbin_jobs.adapters.webhooks.signing import key_of
    from growbin_jobs.limits.breakers import Breakers
    from growbin_jobs.limits.hook_guard import HookGuard

    url, name = settings.completion_url.get_secret_value(), settings.completion_secret
    try:
        secret = settings.webhook_secret(name)
        key_of(secret)
    except (ConfigurationError, ValueError) as error:
        raise ConfigurationError(f"GROWBIN_COMPLETION_SECRET is {name}: {error}") from None
    prober = Prober(allowed=networks(settings.webhook_networks))
    breaker = f"completion@{urlsplit(url).hostname}"
    return HookGuard(Breakers(database), breaker, lambda name, body: post(prober, url, name, body, secret)).post


def _uploads(settings: Settings, database: Database) -> Uploads:
    objects = guarded_object_store(settings, database, engine.waiting_room.running)
    limits = Limits(
        max_bytes=settings.upload_max_bytes,
        max_pixels=settings.upload_max_pixels,
        max_pixels_lossless=settings.upload_max_pixels_lossless,
    )
    return Uploads(
        objects,
        PictureSources(
            settings.spool_folders,
            objects,
            max_bytes=settings.upload_max_bytes,
            closed=settings.folders_of_all_users,
        ),
        partial(
            prepare_picture,
            side=settings.picture_side,
            thumbnail_side=settings.thumbnail_side,
            model_side=settings.vision_side,
            quality=settings.picture_quality,
            limits=limits,
        ),
        model_side=settings.vision_side,
        # More at once than there are cores would finish no sooner, and each holds its pictures.
        threads=min(settings.picture_threads, usable_cores()),
        kept=fetched_files(settings),
        made=FreeMemory().used,
    )
