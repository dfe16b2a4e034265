"""What ``dramatiq`` runs in the fuzz test: one actor that does what its message says, one ordinary one."""

from __future__ import annotations

import os
import threading
from typing import Any

import dramatiq

from fuzz.behaviours import BEHAVIOURS, LOST, MAX_RETRIES, MIN_BACKOFF
from growbin_jobs.engine import Engine, EngineConfig

engine = Engine(EngineConfig.from_env("FUZZ_")).install()

_effects = os.open(engine.config.data_dir / "effects", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)


def _note(word: str, number: Any) -> None:
    os.write(_effects, f"{word} {number!r:.40}\n".encode("utf-8", "replace"))


# A limit that only one that is meant to meets: on a busy machine, a child that is forked and sends takes seconds.
@dramatiq.actor(queue_name="odd", max_retries=MAX_RETRIES, min_backoff=MIN_BACKOFF, time_limit=60_000)
def behave(number: Any, what: Any, odd: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Do what the message says."""
    _note("odd", number)
    return BEHAVIOURS[what](odd)


@dramatiq.actor(queue_name="odd")
def ordinary(number: int) -> None:
    """One that comes behind an odd one in the same queue."""
    _note("ordinary", number)


@dramatiq.actor(queue_name="follow", max_retries=MAX_RETRIES, min_backoff=MIN_BACKOFF)
def follow(*args: Any, **kwargs: Any) -> int:
    """What odd ones send."""
    if LOST in args:
        _note("lost", 0)
    return len(args)


_together = threading.Condition()
_present = 0


@dramatiq.actor(queue_name="meeting", max_retries=0, time_limit=60_000)
def meet(threads: int) -> None:
    """Wait until so many run at the same time: that no thread was lost."""
    global _present
    with _together:
        _present += 1
        _together.notify_all()
        if _together.wait_for(lambda: _present >= threads, timeout=40):
            _note("met", threads)
