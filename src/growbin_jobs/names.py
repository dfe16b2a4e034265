"""Wire names: groups, actors, queues, the prefix of spooled pictures.

They are in messages and dashboards, so they never change with a refactor. A stage sends to the next one by
:class:`Route`, which is a name and not an import: the two worker groups never import each other.
"""

from typing import Final

from growbin_jobs.engine.groups import Group, Route, queues_of

#: Keys of the object store that a producer writes before it sends, and that are emptied by the workers.
SPOOL_PREFIX: Final = "spool/"

#: Stands for the user of a message in a spool folder's path: each user's pictures lie in a folder of their own then.
SPOOL_USER: Final = "{user_id}"

UPLOAD_IMAGE: Final = Route("upload_image", "user_input")
ANALYZE_IMAGE: Final = Route("analyze_image", "vision_analysis")
#: The same actor for pictures of users who have many under way: others do not stand behind them.
ANALYZE_IMAGE_BULK: Final = Route("analyze_image", "vision_analysis_bulk")
RETRIEVE_RULE: Final = Route("retrieve_rule", "rule_retrieval")
GENERATE_RESPONSE: Final = Route("generate_response", "response_generation")
RECORD_FAILURE: Final = Route("record_failure", "failure_recording")
TELL_COMPLETION: Final = Route("tell_completion", "completion_hooks")
WEEKLY_REPORT: Final = Route("reports.weekly", "reports")

#: Queues whose messages have time.
BULK_QUEUES: Final = frozenset({ANALYZE_IMAGE_BULK.queue})

CHECK_ALL_AGENTS: Final = Route("health.check_all_agents", "health_checks")
CHECK_AGENT: Final = Route("health.check_agent", "health_checks")
CHECK_ALL_MODELS: Final = Route("llm.check_all_models", "llm_checks")
CHECK_MODEL: Final = Route("llm.check_health", "llm_checks")
CHECK_MODEL_ENDS: Final = Route("llm.check_ends", "llm_checks")
MAKE_BATCHES: Final = Route("llm.make_batches", "llm_checks")
LOOK_AFTER_BATCHES: Final = Route("llm.look_after_batches", "llm_checks")
AGGREGATE_DAILY: Final = Route("statistics.aggregate_daily", "statistics")
AGGREGATE_WEEKLY: Final = Route("statistics.aggregate_weekly", "statistics")
AGGREGATE_MONTHLY: Final = Route("statistics.aggregate_monthly", "statistics")
OLD_LOGS: Final = Route("cleanup.old_logs", "cleanup")
OLD_SESSIONS: Final = Route("cleanup.old_sessions", "cleanup")
COMPRESS_STATISTICS: Final = Route("cleanup.compress_statistics", "cleanup")

STORAGE: Final = Group(
    name="storage",
    module="growbin_jobs.storage",
    queues=queues_of(
        UPLOAD_IMAGE,
        RETRIEVE_RULE,
        RECORD_FAILURE,
        TELL_COMPLETION,
        WEEKLY_REPORT,
        CHECK_AGENT,
        AGGREGATE_DAILY,
        OLD_LOGS,
    ),
    pool="gevent",
    processes=1,
    threads=1000,
    prefetch_factor=2,
)

# 100 pictures/min × 30 s + 200 texts/min × 10 s = 84 calls in flight = 3 processes × 28 threads. Nothing is
# fetched that cannot run at once: a slow call must not hold back messages that another node could take.
AI: Final = Group(
    name="ai",
    module="growbin_jobs.ai",
    queues=queues_of(ANALYZE_IMAGE, ANALYZE_IMAGE_BULK, GENERATE_RESPONSE, CHECK_MODEL),
    pool="threads",
    processes=3,
    threads=28,
    prefetch_factor=1,
)

#: ``growbin-jobs worker``, the docs and the manifests all read this table.
GROUPS: Final[dict[str, Group]] = {group.name: group for group in (STORAGE, AI)}
