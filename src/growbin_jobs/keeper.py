"""How this application's keeper is started: dramatiq forks a process that calls :func:`become_keeper`.

The keeper itself is :mod:`growbin_jobs.engine.keeper`.
"""

from typing import Final, NoReturn

#: Where the keeper's process finds its configuration.
CONFIG: Final = "growbin_jobs.wiring:engine_config"


def become_keeper() -> NoReturn:
    """Replace this process with a candidate for the keeper of this node."""
    from growbin_jobs.engine.middleware.ensure_keeper import exec_keeper
    from growbin_jobs.settings import current

    exec_keeper(CONFIG, current().node_dir)
