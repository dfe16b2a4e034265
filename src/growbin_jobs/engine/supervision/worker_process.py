"""``python -m growbin_jobs.engine.supervision.worker_process MODULE …``: one worker process, without a master.

Understands the options of the ``dramatiq`` command and runs the same code as each of its worker processes. What the
command's master does is left to a supervisor: it ends all its processes when one of them dies.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import threading
from collections.abc import Sequence

from growbin_jobs.engine.greenlet_patches import GEVENT, patch_all
from growbin_jobs.engine.node.output import Output
from growbin_jobs.engine.processes import declare_worker_process

_PREFIX = "--ready-fd="


def worker_process_command(
    module: str,
    *,
    gevent: bool,
    threads: int,
    queues: Sequence[str] = (),
    shutdown_timeout: float = 600.0,
    options: Sequence[str] = (),
) -> list[str]:
    """Return the command of one worker process, for :class:`~growbin_jobs.engine.supervision.supervisor.Supervisor`.

    Parameters:
      module: What is imported: it declares the actors and sets the broker.
      gevent: Greenlets instead of threads.
      threads: How many.
      queues: Queues to consume; none: all that the module declares.
      shutdown_timeout: Seconds that running messages may take when it is told to stop.
      options: More options of ``dramatiq``.
    """
    from growbin_jobs.engine.supervision.supervisor import READY

    return [
        sys.executable, "-m", "growbin_jobs.engine.supervision.worker_process",
        *([GEVENT] if gevent else []), _PREFIX + READY,
        module, "--threads", str(threads), "--worker-shutdown-timeout", str(int(shutdown_timeout * 1000)), *options,
        *(["--queues", *queues] if queues else []),
    ]  # fmt: skip


def main() -> None:
    """Run the worker until it is told to stop, and end the process with the exit code that ``dramatiq`` would have."""
    gc.disable()  # until it has booted: what is imported stays, and to look through it takes a tenth of a start
    arguments = sys.argv[1:]
    if arguments[:1] == [GEVENT]:
        del arguments[0]
        patch_all()
    ready = -1
    if arguments and arguments[0].startswith(_PREFIX):
        ready = int(arguments.pop(0).removeprefix(_PREFIX))
    sys.argv[1:] = arguments  # as dramatiq's own processes see it
    _end(run(arguments, ready))


def run(arguments: Sequence[str], ready: int = -1) -> int:
    """Run the worker and return the exit code.

    Parameters:
      arguments: Options of ``dramatiq``.
      ready: Descriptor that a byte is written to once it takes messages; -1: nobody wants to know.
    """
    from dramatiq import cli

    given: argparse.Namespace = cli.make_argument_parser().parse_args(arguments)  # type: ignore[no-untyped-call]
    sys.path[:0] = given.path
    declare_worker_process()
    try:
        cli.worker_process(given, 0, Output(given.log_file), _ForkNothing, _Booted(ready))  # type: ignore[no-untyped-call]
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        logging.getLogger(__name__).critical("worker.failed", exc_info=True)
        return 1
    return 0


class _ForkNothing:
    """Stands for the memory in which ``dramatiq`` is told what to fork beside its workers: a megabyte of each."""

    initialized = True  # by another worker: this one need not


class _Booted:
    """What ``dramatiq`` calls when the worker has booted or could not; only the first is worth telling."""

    def __init__(self, ready: int) -> None:
        self._ready = ready

    def set(self) -> None:
        gc.enable()
        if self._ready >= 0:
            if sys.exc_info()[0] is None:
                os.write(self._ready, b"1")
            os.close(self._ready)


def _end(code: int) -> None:
    """End as a child of ``multiprocessing`` does: wait for threads that are no daemons, and run no ``atexit``."""
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    os._exit(code)


if __name__ == "__main__":
    main()
