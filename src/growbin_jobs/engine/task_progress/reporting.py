"""The actor's side: a call keeps the latest word, and a thread writes all of them at most twice a second."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from dramatiq.middleware import CurrentMessage

from growbin_jobs.engine.task_progress.files import FOLDER, Progress, write

logger = logging.getLogger(__name__)

#: Seconds between two writes of a process.
INTERVAL = 0.5

#: Characters of a text that are kept.
MOST_TEXT = 200

#: Messages of one process whose words are kept, and the seconds for which they are.
MOST_MESSAGES, KEPT = 1000, 600.0


def progress(fraction: float, text: str = "") -> bool:
    """Say how far the message is that runs here. Cheap: call it as often as you like, in any kind of actor.

    ::

        for number, picture in enumerate(pictures):
            progress(number / len(pictures), f"picture {number} of {len(pictures)}")

    What is said last is seen on this node within half a second and everywhere within two. Other people see the text:
    no secrets and no personal data.

    Parameters:
      fraction: From 0 to 1; what is beyond counts as the nearest of them.
      text: What it does now; the first 200 characters are kept.

    Returns:
      False where no message runs, such as in a test that calls the actor: nothing is kept then.

    Raises:
      TypeError: If the fraction is no number, or the text no text.
      ValueError: If the fraction is NaN.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float):
        raise TypeError(f"progress: the fraction must be a number from 0 to 1, not {type(fraction).__name__}.")
    if not isinstance(text, str):
        raise TypeError(f"progress: the text must be a str, not {type(text).__name__}.")
    if math.isnan(fraction):
        raise ValueError("progress: the fraction is NaN; it must be a number from 0 to 1.")
    message: Any = CurrentMessage.get_current_message()
    life = getattr(message, "life", None)
    reporter = getattr(life.outbox.broker, "reporter", None) if life is not None and life.outbox is not None else None
    if reporter is None:
        return False
    reporter.note(message.message_id, min(max(float(fraction), 0.0), 1.0), text[:MOST_TEXT])
    return True


class Reporter:
    """Writes what the messages of one worker process say. From any thread or greenlet.

    Parameters:
      node_dir: The node's folder.
    """

    def __init__(self, node_dir: Path) -> None:
        self._path = node_dir / FOLDER / f"{os.getpid()}-{uuid4().hex[:8]}.json"
        self._latest: dict[str, tuple[float, str, float]] = {}  # as Progress, which takes longer to make
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, message_id: str, fraction: float, text: str) -> None:
        """Keep a message's latest word, to be written in a moment."""
        self._latest[message_id] = (fraction, text, time.time())
        if not self._changed.is_set():
            self._changed.set()
            if self._thread is None:
                self._start()

    def write(self) -> None:
        """Write what has changed since the last write, if anything has."""
        with self._lock:
            if not self._changed.is_set():
                return
            self._changed.clear()
            self._forget()
            try:
                write(self._path, {message_id: Progress(*each) for message_id, each in dict(self._latest).items()})
            except OSError as error:
                logger.warning("progress.not_written error=%s", error)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, daemon=True, name="progress")
                thread.start()
                self._thread = thread  # where it could not start the next one tries again

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self.write()
            time.sleep(INTERVAL)

    def _forget(self) -> None:
        oldest_kept = time.time() - KEPT
        words = sorted(self._latest.items(), key=lambda item: item[1][2])
        for index, (message_id, (_, _, at)) in enumerate(words):
            if at < oldest_kept or index < len(words) - MOST_MESSAGES:
                self._latest.pop(message_id, None)
