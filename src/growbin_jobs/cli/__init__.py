"""The command line, ``growbin-jobs``."""

import sys


def main() -> None:
    """Run the command line; a missing extra is said in one sentence."""
    try:
        from growbin_jobs.cli.app import run
    except ModuleNotFoundError as error:
        if error.name in ("typer", "rich"):
            sys.exit("The command line needs its extra: pip install 'growbin-jobs[cli]'")
        raise
    run()
