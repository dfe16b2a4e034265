"""``growbin-jobs probe``: a node's health for probes that run a command. It loads nothing but the standard library."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: What may be asked, and the endpoint that answers the same.
QUESTIONS: Final = {"started": "/startupz", "live": "/livez", "ready": "/readyz"}

USAGE: Final = """\
Usage: growbin-jobs probe started|live|ready [--json] [--folder FOLDER]

  Look whether this node's workers have started, live, or take messages. Exit code 0: well; 1: not, with what is wrong.
  It asks no broker, no database and no port: it reads what the workers say of themselves in the node's folder.

Examples:
  growbin-jobs probe live
  growbin-jobs probe ready --json
  growbin-jobs probe live --folder /var/lib/growbin/node-1
"""


def main(arguments: Sequence[str]) -> int:
    """Answer, and return the exit code.

    Parameters:
      arguments: Behind the command's name.
    """
    given = list(arguments)
    if not given or "--help" in given or "-h" in given:
        sys.stdout.write(USAGE)
        return 0 if given else 2
    as_json = "--json" in given
    given = [each for each in given if each != "--json"]
    folder = None
    if "--folder" in given[:-1]:
        at = given.index("--folder")
        folder = Path(given[at + 1])
        del given[at : at + 2]
    if len(given) != 1 or given[0] not in QUESTIONS:
        sys.stderr.write(f"error: Ask one of: {', '.join(QUESTIONS)}.\n{USAGE}")
        return 2
    return _answer(given[0], folder, as_json=as_json)


def _answer(question: str, folder: Path | None, *, as_json: bool) -> int:
    from growbin_jobs.engine.data_folder import node_folder
    from growbin_jobs.engine.node.health import node_checks

    try:
        checks = node_checks(folder or node_folder("GROWBIN_"), question)  # type: ignore[arg-type]
    except OSError as error:
        sys.stderr.write(f"error: {error.filename} cannot be read: {error.strerror}.\n")
        return 1
    well = all(check.ok for check in checks)
    if as_json:
        shown = {"ok": well, "checks": {check.name: check.detail or "ok" for check in checks}}
        sys.stdout.write(json.dumps(shown) + "\n")
    else:
        for check in checks:
            if not check.ok:
                sys.stdout.write(f"{check.name}: {check.detail}\n")
    return 0 if well else 1
