"""``python -m growbin_jobs.engine.supervision.tether PARENT COMMAND…``: become a command that ends with its parent.

When the parent is gone, whatever ended it, the kernel sends the command ``SIGTERM`` (Linux; elsewhere nothing is sent).
That is set up here and not in a ``preexec_fn``, which runs between fork and exec, where a lock that another thread of
the parent held stays locked.
"""

import os
import signal
import sys

from growbin_jobs.engine.node.parent_death import signal_when_parent_dies


def main() -> None:
    """Replace this process with the command. Where the parent is gone already, end instead."""
    parent, *command = sys.argv[1:]
    signal_when_parent_dies(signal.SIGTERM)  # again for each thread of the parent that ends later: Dramatiq hurries
    if os.getppid() != int(parent):
        sys.exit(128 + signal.SIGTERM)
    os.execvp(command[0], command)  # noqa: S606 what the supervisor was given


if __name__ == "__main__":
    main()
