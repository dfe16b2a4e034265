"""What exists once in each process, and what a fork must not break.

Two mechanisms, and no other in the engine. :func:`once_a_process` makes a value at its first use in each process.
:func:`watch_forks` is for objects with threads, files or locks of their own: they are paused before a fork, resumed in
the parent, and abandoned in the child, which never touches its parent's connections and never keeps a dead parent's
locks. A child also gets back what signals do to any program.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.threads import gevent_active, native, refuse_late_patch

T = TypeVar("T")

_is_worker_process = False
_is_isolated_process = False

#: What makes the functions of :func:`once_a_process` begin anew in a child, as long as somebody has them.
_beginnings: weakref.WeakKeyDictionary[Callable[[], Any], Callable[[], None]] = weakref.WeakKeyDictionary()

#: What they had made in the parents, kept for ever: what ends with the child's copy may still be the parent's.
_inherited: list[object] = []


def declare_worker_process() -> None:
    """Say that this process was started to be a worker: nobody else uses the modules that it loads."""
    global _is_worker_process
    _is_worker_process = True


def is_worker_process() -> bool:
    """Return True in a worker process of ``dramatiq`` or of our supervisor, and not in a program that has a worker."""
    # Of dramatiq's command only workers load modules of the application; they are children of its process.
    return _is_worker_process or ("dramatiq.cli" in sys.modules and multiprocessing.parent_process() is not None)


def once_a_process(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that makes its value at the first call in each process and then always returns that one.

    Connections and HTTP clients must not be carried across a fork: two processes on one socket read each other's
    answers. A call that raises is tried anew at the next call.

    Raises:
      ConfigurationError: From that function, where gevent has patched the process too late, or nobody has told Python
        of its fork.
    """
    lock = threading.Lock()
    made: list[T] = []
    greenlets = gevent_active()

    def get() -> T:
        refuse_unseen_fork()
        if not made:
            refuse_late_patch(greenlets)
            with lock:
                if not made:
                    made.append(make())
        return made[0]

    def begin_anew() -> None:
        # Another thread of the parent may have held it at the fork; nobody in the child would release it.
        nonlocal lock
        lock = threading.Lock()
        _inherited.extend(made)
        made.clear()

    # No hook of its own: those of a process are never given back, and would keep what was made.
    _beginnings[get] = begin_anew
    return get


#: The process that has used what is made once a process; None: nobody yet, or not since a fork that was told of.
_user: int | None = None


def refuse_unseen_fork() -> None:
    """Refuse a child of whose fork nobody has told Python, where its parent has used what it has made: uWSGI's.

    The parent's threads do not exist here, and what comes over its connections might be the answer for the parent.

    Raises:
      ConfigurationError: The sentence says what to do.
    """
    global _user
    process = os.getpid()
    if _user is None:
        _user = process
    elif _user != process:
        raise ConfigurationError(
            "This process was forked from one that had used growbin_jobs already, and nobody told Python of it. For "
            "uWSGI set py-call-uwsgi-fork-hooks=true or lazy-apps=true."
        )


def declare_isolated_process() -> None:
    """Say that this process runs messages alone for a worker (:mod:`growbin_jobs.engine.isolation`)."""
    global _is_isolated_process
    _is_isolated_process = True
    declare_worker_process()


def is_isolated_process() -> bool:
    """Return True in a process that runs messages alone for a worker."""
    return _is_isolated_process


class ForkAware(Protocol):
    """Something that lives in one process."""

    def pause(self) -> None:
        """Before a fork, in the parent: reach a state that may be copied, and stay in it."""

    def resume(self) -> None:
        """After the fork, in the parent."""

    def abandon(self) -> None:
        """After the fork, in the child: let go of what is the parent's, without changing it."""


_watched: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_paused: list[ForkAware] = []

#: Counts the forks between this process and the one that imported this: another number in each child.
generation = 0

#: Held while something fork-aware is made, and at a fork.
fork_lock = native("_thread", "allocate_lock")()


def watch_forks(something: ForkAware) -> None:
    """Pause, resume or abandon it at every fork; the caller holds :data:`fork_lock`."""
    _watched.add(something)


#: Signals that were blocked in the forking thread before the fork; None: nobody has told of the fork before it.
_blocked: set[int] | None = None

_STOPS = (signal.SIGTERM, signal.SIGHUP)


def _before_fork() -> None:
    global _blocked
    fork_lock.acquire()
    # Until the child has other handlers: who forks may end it at once.
    _blocked = set(signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS))
    _paused.extend(_watched)
    for something in _paused:
        something.pause()


def _in_parent() -> None:
    for something in _paused:
        _despite_errors(something.resume)
    _paused.clear()
    _unblock()
    fork_lock.release()


def _unblock() -> None:
    global _blocked
    if _blocked is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _blocked)
        _blocked = None


#: Where the handlers of signals come from that stop a worker.
_HANDLERS_OF_WORKERS = ("dramatiq.cli", "growbin_jobs.engine.node.repeated_signals")


def _let_signals_end_it() -> None:
    """Let SIGTERM and SIGHUP end a child that an actor has forked, as they end any program.

    Its parent's handlers would only tell a worker to stop that does not exist in it: ``multiprocessing.Pool``, which
    ends its processes by SIGTERM, would wait for them for ever.
    """
    for signum in _STOPS:
        if getattr(signal.getsignal(signum), "__module__", "") in _HANDLERS_OF_WORKERS:
            signal.signal(signum, signal.SIG_DFL)


def _in_child() -> None:
    global generation, _user
    generation, _user = generation + 1, None
    _despite_errors(_let_signals_end_it)
    for something in _paused:
        _watched.discard(something)  # unless it goes on in the child, and watches again
        _despite_errors(something.abandon)
    _paused.clear()
    for begin_anew in list(_beginnings.values()):
        begin_anew()
    if fork_lock.locked():  # uWSGI's py-call-osafterfork tells of the fork in the child only
        fork_lock.release()
    _unblock()


def _despite_errors(call: Callable[[], None]) -> None:
    """Call a hook; one that fails must not keep the locks of all others held."""
    try:
        call()
    except Exception:
        sys.excepthook(*sys.exc_info())  # as Python does for hooks of a fork; logging may be locked here


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
