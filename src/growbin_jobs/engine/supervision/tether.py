"""``python -m growbin_jobs.engine.supervision.tether PARENT COMMAND…``: become a command that ends with its parent.

When the parent is gone, whatever ended it, the kernel sends the command ``SIGTERM`` (Linux; elsewhere nothing is sent).
That is set up here and not in a ``preexec_fn``, which runs between fork and exec, where a lock that another thread of
the parent held stays locked.
"""

import ctypes
import os
import signal
import sys

#: From ``linux/prctl.h``. It outlives exec. It strikes when the thread that started this process ends, and again for
#: each other thread of the parent that ends later: then Dramatiq hurries.
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process with the command. Where the parent is gone already, end instead."""
    parent, *command = sys.argv[1:]
    end_with(int(parent))
    os.execvp(command[0], command)  # noqa: S606 what the supervisor was given


def end_with(parent: int) -> None:
    """Have this process told to stop when its parent ends. Where the parent is gone already, end instead.

    Parameters:
      parent: Process number that it must have.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
