"""Looks whether a secret was changed after a worker had started: that one goes on with the value before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from growbin_jobs.engine.node.presence import present
from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings

#: Seconds that a start takes until the worker says when it began.
_START: Final = 1.0


def check_changed_secrets(settings: Settings, node_dir: Path) -> Iterator[Finding]:
    """Name files of secrets that are newer than a worker process of this node.

    Parameters:
      settings: Their folder, and what may lie in it.
      node_dir: Where the node's processes are listed.
    """
    if settings.secrets_dir is None:
        return
    workers = sorted((each for each in present(node_dir).values() if each), key=lambda each: each.started_at)
    changed = _changed(settings)
    if workers and (newer := sorted(name for name, at in changed.items() if at > workers[0].started_at + _START)):
        yield Finding(
            "settings", "warning",
            f"{', '.join(newer)} in {settings.secrets_dir} changed after worker process {workers[0].pid} "
            f"({workers[0].group}) had started, which goes on with what was there before. Restart the workers, "
            "schedulers and the monitor.",
        )  # fmt: skip


def _changed(settings: Settings) -> dict[str, float]:
    """Return when each setting's file was written, seconds since 1970, UTC."""
    found = {}
    for name in settings.model_fields_set:
        try:
            variable = settings.variable(name)
            if settings.origin(name) == "secret file":
                found[variable] = (Path(str(settings.secrets_dir)) / variable).stat().st_mtime
        except OSError:  # it came from elsewhere, or goes away in this moment
            continue
    return found
