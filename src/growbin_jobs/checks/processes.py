"""Checks of a node's processes, for ``growbin-jobs doctor``: those that are stopped do nothing, and may hold locks."""

from collections.abc import Iterator

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.operations.finding import Finding


def check_processes(config: EngineConfig) -> Iterator[Finding]:
    """Name processes of the node that are stopped (SIGSTOP), and files that nobody else can write because of one."""
    from growbin_jobs.engine.node.election import keeper_pid
    from growbin_jobs.engine.node.presence import present
    from growbin_jobs.engine.node.process_facts import STOPPED, facts_of
    from growbin_jobs.engine.sqlite.lock_holder import holder_of

    named = set()
    files = (config.embedded_database_path, config.embedded_broker_path, config.journal_path)
    for path in (path for path in files if path.is_file()):
        holder = holder_of(path)
        if holder is not None and holder.stopped:
            named.add(holder.pid)
            yield Finding("processes", "failed", f"Nobody can write {path}: its lock is held by {holder}.")
    living = filter(None, present(config.node_dir).values())
    known = {each.pid: f"The worker process {each.pid} ({each.group})" for each in living}
    if (keeper := keeper_pid(config.node_dir)) is not None:
        known[keeper] = f"The keeper (process {keeper})"
    for pid, words in known.items():
        facts = facts_of(pid)
        if facts is not None and facts.state == STOPPED and pid not in named:
            detail = f"{words} is stopped and does nothing. Continue it: kill -CONT {pid}"
            yield Finding("processes", "warning", detail)
