"""Collects items until the next transaction, so that many of them cost one request and a few statements."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, Generic, TypeVar

from growbin_jobs.engine.sqlite.committer import Closed
from growbin_jobs.engine.sqlite.errors import FILE_ERRORS
from growbin_jobs.engine.sqlite.transactions import Callback

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741 an item
R = TypeVar("R")


#: Runs a call in a transaction, then calls back in the thread of the transactions; nobody waits.
Submit = Callable[[Callable[[S], Any], Callback[Any]], None]


class Coalescer(Generic[S, I, R]):
    """Writes items soon, many together, and calls back for each. Items may be added on any thread.

    Where the file is to blame, all of a batch fail. Where one of them may be, each is tried in a request of its own:
    one that can never be written takes no other with it.

    Parameters:
      submit: Of whom the transactions are.
      write: Writes items inside a transaction; returns one result for each, or None where there are none. Run again if
        the transaction failed.
      then: Called with an item, the error or None, and its result; in the thread of the transactions, or in the
        adder's if that is closed. It must not block. None: nobody wants to know.
    """

    def __init__(
        self,
        submit: Submit[S],
        write: Callable[[S, Sequence[I]], Sequence[R] | None],
        then: Callable[[I, BaseException | None, R | None], None] | None = None,
    ) -> None:
        self._submit = submit
        self._write = write
        self._then = then
        self._waiting: deque[I] = deque()
        self._submitted = False
        self._batches: set[_Batch[S, I, R]] = set()
        #: Called with the items of each batch that is written, after ``then``; it must not block. None: nobody is.
        self.wrote: Callable[[Sequence[I]], object] | None = None

    def __len__(self) -> int:
        """Return how many items are not settled."""
        return len(self._waiting) + sum(len(batch.items) for batch in tuple(self._batches))

    # Frames are kept few: a callback may add to another coalescer, and its callback to a third one.

    def add(self, item: I) -> None:
        """Write an item soon."""
        self._waiting.append(item)
        if not self._submitted:
            self._submitted = True  # two threads may both come here: then one of two requests finds nothing to do
            batch = _Batch(self, takes=True)
            self._batches.add(batch)
            self._submit(batch.run, batch.finish)

    def add_all(self, items: Iterable[I]) -> None:
        """Write some items soon."""
        self._waiting.extend(items)
        if not self._submitted and self._waiting:
            self._submitted = True
            batch = _Batch(self, takes=True)
            self._batches.add(batch)
            self._submit(batch.run, batch.finish)

    def _take(self) -> list[I]:
        # Before the first is taken: whoever adds one from now on submits again.
        self._submitted = False
        taken = []
        for _ in range(len(self._waiting)):
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                break
        return taken


class _Batch(Generic[S, I, R]):
    """The items of one request, which may be run again when its transaction has failed."""

    def __init__(self, owner: Coalescer[S, I, R], items: Iterable[I] = (), *, takes: bool = False) -> None:
        self._owner = owner
        self._takes = takes
        self.items = list(items)

    def run(self, store: S) -> Sequence[R] | None:
        if self._takes:
            self.items += self._owner._take()
        return self._owner._write(store, self.items)

    def finish(self, error: BaseException | None, results: Sequence[R] | None) -> None:
        owner = self._owner
        owner._batches.discard(self)
        if error is None:
            if (then := owner._then) is not None:
                for item, result in zip(self.items, results or repeat(None), strict=False):
                    then(item, None, result)
            if (wrote := owner.wrote) is not None:
                wrote(self.items)
            return
        if self._takes and not self.items:
            self.items = owner._take()  # of a request that was refused it never took any
        if len(self.items) == 1 or isinstance(error, (Closed, *FILE_ERRORS)):
            self._failed(error)
            return
        for item in self.items:
            alone = _Batch(owner, (item,))
            owner._batches.add(alone)
            owner._submit(alone.run, alone.finish)

    def _failed(self, error: BaseException) -> None:
        then = self._owner._then
        if then is not None:
            for item in self.items:
                then(item, error, None)
