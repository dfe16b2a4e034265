"""``python -m growbin_jobs.engine.supervision.tether PARENT COMMAND…``: become a command that ends with its parent.

When the parent is gone, whatever ended it, the kernel sends the command ``SIGTERM`` (Linux; elsewhere nothing is sent).
That is set up here and not in a ``preexec_fn``, which runs between fork and exec, where a lock that another thread of
the parent held stays locked.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from growbin_jobs.engine.node.parent_death import signal_when_parent_dies

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


def main() -> None:
    """Replace this process with the command. Where the parent is gone already, end instead."""
    parent, *command = sys.argv[1:]
    end_with(int(parent))
    os.execvp(command[0], command)  # noqa: S606 what the supervisor was given


def start(
    command: Sequence[str], passed: Sequence[int], output: int, *, env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    """Start a command that ends with this process.

    Parameters:
      command: Which.
      passed: Descriptors that it inherits.
      output: Descriptor for what it says.
      env: Its environment; None: this process's.
    """
    import subprocess  # this module is loaded by each process that becomes a command

    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, str(os.getpid()), *command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=passed,
        # A session of its own: Ctrl-C in the terminal must reach the workers once, from their supervisor.
        start_new_session=True,
    )


def end_with(parent: int) -> None:
    """Have this process told to stop when its parent ends. Where the parent is gone already, end instead.

    Parameters:
      parent: Process number that it must have.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whoever started the parent may have blocked some
    signal_when_parent_dies(signal.SIGTERM)  # again for each thread of the parent that ends later: Dramatiq hurries
    if os.getppid() != parent:
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
