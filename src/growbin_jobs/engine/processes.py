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
    made: list[T] = []
    inherited: list[T] = []

    def get() -> T:
        if not made:
            with lock:
                if not made:
                    made.append(make())
        return made[0]

    def begin_anew() -> None:
        # Another thread of the parent may have held it at the fork; nobody in the child would release it.
        nonlocal lock
        lock = threading.Lock()
        # Kept for ever: what ends with the child's copy may still be the parent's.
        inherited.extend(made)
        made.clear()

    os.register_at_fork(after_in_child=begin_anew)
    return get
