"""What a fork must not break: a child never touches its parent's connection, and never keeps a dead parent alive."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from growbin_jobs.engine.native import native


class Watched(Protocol):
    """Something that lives in one process."""

    def pause(self) -> None:
        """Before a fork, in the parent: reach a state that may be copied, and stay in it."""

    def resume(self) -> None:
        """After the fork, in the parent."""

    def abandon(self) -> None:
        """After the fork, in the child: let go of what is the parent's, without changing it."""


_watched: weakref.WeakSet[Watched] = weakref.WeakSet()
_paused: list[Watched] = []

#: Held while something to watch is made, and at a fork.
making = native("_thread", "allocate_lock")()


def watch(something: Watched) -> None:
    """Pause, resume or abandon it at every fork; the caller holds :data:`making`."""
    _watched.add(something)


def _before() -> None:
    making.acquire()
    _paused.extend(_watched)
    for something in _paused:
        something.pause()


def _in_parent() -> None:
    for something in _paused:
        something.resume()
    _paused.clear()
    making.release()


def _in_child() -> None:
    for something in _paused:
        something.abandon()
        _watched.discard(something)
    _paused.clear()
    making.release()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
