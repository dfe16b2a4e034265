"""``python -m growbin_jobs.monitor``: the command ``growbin-jobs monitor``, for who starts it as a process."""

import sys

from growbin_jobs.engine.quiet_loading import quiet_loading

if __name__ == "__main__":
    with quiet_loading():
        from growbin_jobs.cli.app import run
    sys.argv[1:1] = ["monitor"]
    run()
