"""The folder in which the values of settings lie as files, as Kubernetes mounts secrets."""

from __future__ import annotations

import os
from pathlib import Path

from growbin_jobs.engine.errors import ConfigurationError


def folder_of_secrets(variable: str, configured: str | Path | None) -> Path | None:
    """Return that folder, or None where there is to be none.

    Parameters:
      variable: Name of the environment variable that names it, for the sentence that says what to do.
      configured: Its value.

    Raises:
      ConfigurationError: When it cannot be read: a worker without its secrets would start embedded.
    """
    if not configured:
        return None
    path = Path(configured)
    if not path.is_absolute() or not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        raise ConfigurationError(
            f"Wrong settings.\n  {variable}: {str(path)!r} must be the absolute path of a folder that this process may "
            "read. Mount the secret there, or unset the variable."
        )
    return path
