"""What ``dramatiq`` runs in the upgrade tests, the same for both releases: it uses only what both have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dramatiq

from growbin_jobs.app import broker, settings
from growbin_jobs.errors import Deferred, Permanent, Transient

_effects = os.open(settings.data_dir / "effects", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

#: Made by the test when what has failed for good may succeed.
MENDED = Path(settings.data_dir / "mended")


def _tries(key: str) -> int:
    """Return how often this was called for a key, on this node, by whichever release."""
    path = settings.data_dir / f"tries-{key}"
    with path.open("ab") as file:
        file.write(b".")
    return path.stat().st_size


@dramatiq.actor(queue_name="work", broker=broker, max_retries=5, min_backoff=300)
def work(key: str, kind: str) -> dict[str, Any]:
    """Have one effect, in the way that the kind says."""
    match kind:
        case "retried" if _tries(key) < 3:
            raise Transient("not yet")
        case "deferred" if _tries(key) < 3:
            raise Deferred("away", wait=0.5)
        case "dead" if not MENDED.exists():
            raise Permanent("object_missing")
        case "chain":
            work.send(f"{key}-child", "plain")
    os.write(_effects, f"{key}\n".encode())
    return {"key": key}
