"""``python -m growbin_jobs.engine.isolation.child``: the process in which suspects run for a worker.

It is a worker of the same module with the same middleware. Its messages come from the worker that
started it, not from the broker; their ends go to the journal that both share, and that worker publishes and settles.
It has no ledger of running messages: who started it sees how it ends.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from growbin_jobs.engine.greenlet_patches import patch_all
from growbin_jobs.engine.node.parent_death import signal_when_parent_dies
from growbin_jobs.engine.processes import declare_isolated_process

#: Seconds between two looks whether the worker that started this process still lives.
LOOK = 1.0


def main() -> None:
    """Run messages until the worker is gone or says stop."""
    socket_option, width_option, *arguments = sys.argv[1:]
    if arguments[:1] == ["--gevent"]:
        del arguments[0]
        patch_all()
    declare_isolated_process()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    signal_when_parent_dies(signal.SIGKILL)  # also one that is stopped (SIGSTOP); the thread has it on other systems
    threading.Thread(target=_end_with, args=(parent,), daemon=True, name="isolation-watch").start()
    _run(int(socket_option.partition("=")[2]), int(width_option.partition("=")[2]), arguments)


def _run(descriptor: int, width: int, arguments: list[str]) -> None:
    from dramatiq import Worker, cli

    from growbin_jobs.engine.isolation.channel import Closed, ProcessEnd, Word
    from growbin_jobs.engine.isolation.consumer import Feed
    from growbin_jobs.engine.node.output import Output

    given = cli.make_argument_parser().parse_args(arguments)  # type: ignore[no-untyped-call]
    sys.path[:0] = given.path
    sys.argv[1:] = arguments
    cli.setup_worker_logging(given, "isolated", Output(given.log_file))
    end = ProcessEnd(descriptor)
    broker: Any
    _, broker = cli.import_broker(given.broker)  # type: ignore[no-untyped-call]
    broker.emit_after("process_boot")
    for module in given.modules:
        importlib.import_module(module)
    feed = Feed(broker, end)
    broker.consume = feed.consume
    Worker(broker, worker_threads=width).start()
    with suppress(Closed):
        end.say(Word.READY)
        while True:
            feed.hand_out(*end.receive())
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except SystemExit as exit_:
        os._exit(exit_.code if isinstance(exit_.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
