"""Things that exist once in each process and never cross a fork."""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def once_a_process(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that makes its value at the first call in each process and then always returns that one.

    Connections and HTTP clients must not be carried across a fork: two processes on one socket read each other's
    answers. A call that raises is tried anew at the next call.
    """
    lock = threading.Lock()
    made: dict[int, T] = {}

    def get() -> T:
        pid = os.getpid()
        if pid not in made:
            with lock:
                if pid not in made:
                    made[pid] = make()
        return made[pid]

    def forget_the_lock() -> None:
        # Another thread of the parent may have held it at the fork; nobody in the child would release it.
        nonlocal lock
        lock = threading.Lock()

    os.register_at_fork(after_in_child=forget_the_lock)
    return get
