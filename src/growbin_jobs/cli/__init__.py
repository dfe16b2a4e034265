"""The command line, ``growbin-jobs``."""

import atexit
import gc
import sys

from growbin_jobs.engine.quiet_loading import quiet_loading

#: Objects that are made, and not freed, before Python looks for garbage, and how often until older ones are looked at.
_THRESHOLDS = (50_000, 10, 10)


def main() -> None:
    """Run the command line; a missing extra is said in one sentence."""
    _look_for_garbage_seldom()
    if sys.argv[1:2] == ["probe"]:  # asked every few seconds: not with a quarter of a second of imports
        from growbin_jobs.cli import probe

        sys.exit(probe.main(sys.argv[2:]))
    try:
        with quiet_loading():
            from growbin_jobs.cli.app import run
    except ModuleNotFoundError as error:
        if error.name in ("typer", "rich"):
            sys.exit("The command line needs its extra: pip install 'growbin-jobs[cli]'")
        raise
    run()


def _look_for_garbage_seldom() -> None:
    """Spare a command a fifth of its time: what it imports stays to its end, and goes with the process."""
    gc.set_threshold(*_THRESHOLDS)
    atexit.register(gc.freeze)
