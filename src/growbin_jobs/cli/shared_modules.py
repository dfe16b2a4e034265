"""What processes of Growbin's own groups load in common, so that one of them loads it for all.

Each is free of what a fork breaks, and reads no setting: neither a thread nor an open file nor a connection. Nothing of
``growbin_jobs.ai`` and ``growbin_jobs.storage``: to import these builds the engine.
"""

from growbin_jobs.settings import Settings

#: Of every worker with threads, or of the keeper beside it.
_GROUPS = (
    "growbin_jobs.wiring",
    "growbin_jobs.observation",
    "growbin_jobs.alerting",
    "growbin_jobs.adapters.file_cache",
    "growbin_jobs.adapters.gpt_cache",
    "growbin_jobs.adapters.objects.folder",
    "growbin_jobs.adapters.objects.spool_cleanup",
    "growbin_jobs.adapters.rulefiles",
    "growbin_jobs.alerts.job",
    "growbin_jobs.limits.ledger",
    "growbin_jobs.limits.paid_calls",
    "growbin_jobs.limits.usage_days",
    "growbin_jobs.metrics.page",
    "growbin_jobs.metrics.pipeline",
    "growbin_jobs.metrics.server",
    "growbin_jobs.metrics.telling",
    "growbin_jobs.models.analysis",
    "growbin_jobs.models.answers",
    "growbin_jobs.models.audit_retention",
    "growbin_jobs.models.batch_questions",
    "growbin_jobs.models.batch_settling",
    "growbin_jobs.models.batches",
    "growbin_jobs.models.batches_retention",
    "growbin_jobs.models.node_counts",
    "growbin_jobs.operations.subjects.here",
)

#: Of workers that ask a model server.
_ONLINE = (
    "growbin_jobs.adapters.llm.client",
    "growbin_jobs.adapters.llm.connection",
    "growbin_jobs.limits.batch_money",
    "growbin_jobs.models.model_ends",
    "growbin_jobs.models.server_facts",
)

#: Of a worker of the group storage.
_STORAGE = (
    "growbin_jobs.wiring",
    "growbin_jobs.observation",
    "growbin_jobs.failure_recording",
    "growbin_jobs.adapters.file_cache",
    "growbin_jobs.adapters.pictures",
    "growbin_jobs.adapters.rulefiles",
    "growbin_jobs.limits.breakers",
    "growbin_jobs.limits.object_guard",
    "growbin_jobs.metrics.pipeline",
    "growbin_jobs.metrics.telling",
    "growbin_jobs.models.analysis",
    "growbin_jobs.models.weekly_report",
    "growbin_jobs.operations.reports.pages",
)

#: Of one whose pictures lie in S3, and in a folder.
_S3 = ("growbin_jobs.adapters.objects.s3", "botocore.endpoint", "botocore.response", "botocore.session")
_FOLDER = ("growbin_jobs.adapters.objects.folder",)

#: Of a scheduler.
_SCHEDULER = ("growbin_jobs.scheduler.exporter", "growbin_jobs.scheduler.service")


def modules_of_growbin(settings: Settings, *, scheduler: bool) -> list[str]:
    """Return these modules.

    Parameters:
      settings: Whether models are asked.
      scheduler: There is a scheduler beside the workers.
    """
    return [*_GROUPS, *(_ONLINE if settings.models_online else ()), *(_SCHEDULER if scheduler else ())]


def modules_of_storage(settings: Settings) -> list[str]:
    """Return the modules of processes with greenlets.

    Parameters:
      settings: Where pictures lie.
    """
    in_s3 = (settings.object_store_url or "").startswith("s3:")
    return [*_STORAGE, *(_S3 if in_s3 else _FOLDER)]
