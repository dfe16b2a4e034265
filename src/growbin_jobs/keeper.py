"""``python -m growbin_jobs.keeper``: the keeper of a node as a process of its own, such as a sidecar."""

import os
import sys

from growbin_jobs.engine.quiet_loading import quiet_loading

if __name__ == "__main__":
    with quiet_loading():
        from growbin_jobs.engine.keeper.__main__ import main

    code = main(["--engine", "growbin_jobs.app:engine", *sys.argv[1:]])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
