"""``python -m growbin_jobs.monitor``: the command ``growbin-jobs monitor``, for who starts it as a process."""

import sys

from growbin_jobs.cli.app import run

if __name__ == "__main__":
    sys.argv[1:1] = ["monitor"]
    run()
