"""The command line, ``growbin-jobs``."""

import sys


def main() -> None:
    """Run the command line; a missing extra is said in one sentence."""
    if sys.argv[1:2] == ["probe"]:  # asked every few seconds: not with a quarter of a second of imports
        from growbin_jobs.cli import probe

        sys.exit(probe.main(sys.argv[2:]))
    try:
        from growbin_jobs.cli.app import run
    except ModuleNotFoundError as error:
        if error.name in ("typer", "rich"):
            sys.exit("The command line needs its extra: pip install 'growbin-jobs[cli]'")
        raise
    run()
