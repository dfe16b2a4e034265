"""What is new, for pages that are open: a numbered sequence of topics, and a stream of it for each browser.

A page asks for its changed parts itself; the stream only says which topics have changed. So it carries no data, and
needs no redaction. Numbers let a browser that was away learn what it missed; when that is forgotten, or the monitor
was started anew, it hears ``reset`` and asks for everything.
"""

import asyncio
import itertools
import json
import random
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.monitor.pace import Pace

#: Seconds of silence until a comment keeps the connection open: proxies close what is silent for a minute.
HEARTBEAT: Final = 15.0

#: Seconds between two looks whether who reads a stream may go on.
CHECK: Final = 5.0

#: Seconds after which a browser connects again.
RETRY: Final = 3.0

#: Changes that are remembered.
_REMEMBERED: Final = 500

#: Streams at once; more get 503 and poll.
MOST_STREAMS: Final = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed.

    Attributes:
      number: Grows by one.
      topics: What, such as ``tasks`` or ``workers``.
    """

    number: int
    topics: tuple[str, ...]


class Live:
    """The sequence of changes and its readers. :meth:`publish` is for any thread, streams are for one event loop.

    Attributes:
      spread: Seconds over which a change is told to the readers, each at a moment of its own.
    """

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED)
        self._last = 0
        self._readers: dict[object, tuple[asyncio.AbstractEventLoop, asyncio.Event, str | None]] = {}
        self._ended: set[str] = set()
        self._closed = False
        self.spread = 0.0

    @property
    def readers(self) -> int:
        """Return how many streams are open."""
        return len(self._readers)

    @property
    def closed(self) -> bool:
        """Return whether the monitor ends."""
        return self._closed

    def publish(self, topics: Iterable[str]) -> None:
        """Tell all readers that topics have changed."""
        chosen = tuple(sorted(set(topics)))
        if not chosen:
            return
        with self._lock:
            self._last = next(self._numbers)
            self._changes.append(Change(self._last, chosen))
        self._wake()

    def close(self) -> None:
        """End all streams, and those to come at once."""
        self._closed = True
        self._wake()

    def end_session(self, session: str) -> None:
        """End the streams of a session."""
        with self._lock:
            self._ended.add(session)
        self._wake()

    def position(self) -> str:
        """Return the id of the last change."""
        return f"{self._run}-{self._last}"

    def since(self, position: str | None) -> tuple[str, list[str] | None]:
        """Return the id of the last change, and the topics that changed behind a position; None: ask for everything.

        Parameters:
          position: An id; None: now.
        """
        with self._lock:
            here = f"{self._run}-{self._last}"
            if position is None:
                return here, []
            run, _, number = position.partition("-")
            if run != self._run or not number.isdecimal():
                return here, None
            missed = self._last - int(number)
            if missed < 0 or missed > len(self._changes):
                return here, None
            newer = list(self._changes)[len(self._changes) - missed :] if missed else []
            return here, sorted({topic for change in newer for topic in change.topics})

    async def stream(
        self, position: str | None, *, session: str | None, may_go_on: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[str]:
        """Yield server-sent events until the monitor ends, or the session or its role does.

        Parameters:
          position: Id of the last event that the browser has had; None: none yet.
          session: Id of the session; its end ends the stream at once.
          may_go_on: Asked every few seconds.
        """
        loop, wake, key = asyncio.get_running_loop(), asyncio.Event(), object()
        self._readers[key] = (loop, wake, session)
        try:
            here, topics = self.since(position)
            yield f"retry: {RETRY * 1000:.0f}\n\n" + event(here, topics)
            silent, checked = 0.0, loop.time()
            while True:
                try:
                    await asyncio.wait_for(wake.wait(), CHECK)
                    told = True
                except TimeoutError:
                    told, silent = False, silent + CHECK
                wake.clear()
                if self.spread and told:
                    await self._wait_its_turn(wake, session)
                if self._closed:
                    return
                due = loop.time() - checked >= CHECK  # also where changes come all the time
                if due:
                    checked = loop.time()
                if (session is not None and session in self._ended) or (due and not await may_go_on()):
                    yield "event: end\ndata: {}\n\n"
                    return
                now, topics = self.since(here)
                if now != here:
                    here, silent = now, 0.0
                    yield event(here, topics)
                elif silent >= HEARTBEAT:
                    silent = 0.0
                    yield ": still here\n\n"
        finally:
            self._readers.pop(key, None)

    async def _wait_its_turn(self, wake: asyncio.Event, session: str | None) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.time() + random.uniform(0.0, self.spread)  # noqa: S311 no secret
        while (left := turn - loop.time()) > 0 and not self._closed and session not in self._ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), left)
            wake.clear()

    def _wake(self) -> None:
        for loop, wake, _ in list(self._readers.values()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake.set)


def event(position: str, topics: list[str] | None) -> str:
    """Return a server-sent event; topics None: ``reset``."""
    name, data = ("reset", []) if topics is None else ("changed", topics)
    return f"id: {position}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


class Watcher:
    """A thread that looks at marks while somebody reads, and publishes the topics whose mark may have changed.

    Parameters:
      live: Where to.
      marks: Of each topic: returns a value that differs when something has changed. Errors count as no change.
      pace: How long to wait between two looks.
    """

    def __init__(self, live: Live, marks: dict[str, Callable[[], Any]], pace: Pace | None = None) -> None:
        self._live = live
        self._marks = marks
        self._pace = pace or Pace()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor-live", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the look that goes on."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(1.0)  # a database that hangs must not hold up the end

    def _run(self) -> None:
        known: dict[str, Any] = {}
        while not self._end.wait(self._pace.pause):
            self._pace.correct()
            self._live.spread = self._pace.spread
            if not self._live.readers:
                continue
            changed = []
            for topic, mark in self._marks.items():
                try:
                    value = mark()
                except Exception:  # noqa: S112 the database is away: the pages say so themselves
                    continue
                # The first look does not know what has changed since the pages were shown that are open already.
                if topic not in known or known[topic] != value:
                    changed.append(topic)
                known[topic] = value
            self._live.publish(changed)
