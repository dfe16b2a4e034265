"""The command line of the keeper's process. Standard library only, as :mod:`growbin_jobs.engine.node.election`."""

from __future__ import annotations

import sys
from pathlib import Path


def keeper_command(source: str, folder: Path, master: int, *options: str, log_file: str | None = None) -> list[str]:
    """Return the command of a candidate for a node's keeper.

    Parameters:
      source: Import string of the engine.
      folder: The node's folder.
      master: Process number of the supervisor, or the ``dramatiq``, whose workers it outlives.
      options: More options of ``python -m growbin_jobs.engine.keeper``.
      log_file: File that it appends its log to; None: stderr.
    """
    if log_file is not None:
        options = (*options, "--log-file", log_file)
    return [
        sys.executable, "-m", "growbin_jobs.engine.keeper",
        "--engine", source, "--folder", str(folder), "--master", str(master), *options,
    ]  # fmt: skip
