"""A scheduler as a process: ``python -m growbin_jobs.scheduler [ENGINE]``; without one of Growbin's own jobs.

Exit codes: 0 when it was told to stop, 70 when its timer has died, 78 when a setting is wrong.
"""

import os
import sys

from growbin_jobs.engine.quiet_loading import quiet_loading

if __name__ == "__main__":
    with quiet_loading():
        from growbin_jobs.scheduler.process import main
    code = main(*sys.argv[1:2])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread may still wait for a server; nothing that it does needs an end
