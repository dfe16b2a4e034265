"""Blocking and computing work, kept off gevent's hub.

Under gevent one greenlet that decodes a picture or waits for SQLite's lock stops all others. :func:`offload` runs
such work in gevent's native thread pool; in a threaded worker it just calls it, since each thread blocks only itself.
"""

import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_pools: dict[str, Any] = {}


def gevent_active() -> bool:
    """Return True where the standard library is monkey-patched, without importing gevent for the question."""
    monkey = sys.modules.get("gevent.monkey")
    return bool(monkey and monkey.is_module_patched("threading"))


def offload(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that blocks for a short while (a file, SQLite) and return its result."""
    return offload_to("default", 16, call, *args, **kwargs)


def offload_to(pool: str, size: int, call: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    """Like :func:`offload`, in a pool of its own that runs at most ``size`` calls at the same time.

    Parameters:
      pool: The pool's name; the first call of a process makes it.
      size: Native threads of the pool.
    """
    if not gevent_active():
        return call(*args, **kwargs)
    if pool not in _pools:
        from gevent.threadpool import ThreadPool

        _pools[pool] = ThreadPool(size)
    value, error = _pools[pool].apply(_outcome, (call, args, kwargs))
    if error is not None:
        raise error
    result: R = value
    return result


def _outcome(call: Callable[..., R], args: Any, kwargs: Any) -> tuple[R | None, BaseException | None]:
    """What became of a call, as a value: gevent prints what a pool's thread raises, with all arguments of the call."""
    try:
        return call(*args, **kwargs), None
    except BaseException as error:
        return None, error
