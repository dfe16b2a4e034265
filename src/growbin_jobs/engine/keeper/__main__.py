"""A candidate for the keeper of this node: ``python -m growbin_jobs.engine.keeper --engine MODULE:VARIABLE``.

It loads nothing until it is elected.

Exit codes: 0 when nothing is left behind or another keeper goes on, 75 when rows or messages are left that exist on
this node only, 78 when the settings are wrong.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from growbin_jobs.engine.keeper.lifetime import KeeperLifetime
from growbin_jobs.engine.node.election import Election
from growbin_jobs.engine.node.orphans import Orphans

if TYPE_CHECKING:
    from growbin_jobs.engine.config import EngineConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Stand by, serve, and return the exit code.

    Parameters:
      arguments: None: those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m growbin_jobs.engine.keeper", description=__doc__)
    parser.add_argument("--engine", required=True, help="module:variable that holds the engine")
    parser.add_argument("--folder", type=Path, help="the node's folder; default: that of the configuration")
    parser.add_argument("--master", type=int, help="process number of the dramatiq whose workers it outlives")
    parser.add_argument("--at-once", action="store_true", help="do not stand by: exit where there is a keeper already")
    parser.add_argument("--log-file", help="append the log to this file; default: stderr")
    given = parser.parse_args(arguments)
    folder = given.folder or _config(given.engine).node_dir
    lifetime = KeeperLifetime(folder, given.master)
    lifetime.listen()
    # Also while it stands by: the keeper itself may be such a process.
    threading.Thread(target=Orphans(folder).watch, daemon=True, name="orphans").start()
    election = Election(folder)
    if not _can_work_in(folder):
        return os.EX_CONFIG
    if not _elected(election, lifetime, at_once=given.at_once):
        return 0
    return _serve(lifetime, given.engine, given.log_file)


def _can_work_in(folder: Path) -> bool:
    """Say on stderr why this process could not even be elected; False: it cannot."""
    from growbin_jobs.engine.errors import ConfigurationError
    from growbin_jobs.engine.file_system import require_locks_and_maps

    try:
        require_locks_and_maps(folder)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return False
    return True


def _elected(election: Election, lifetime: KeeperLifetime, *, at_once: bool) -> bool:
    """Wait until this process is the keeper, or its lifetime is over."""
    if election.win_now():
        return True
    if at_once:
        return False
    won = threading.Event()

    def stand_by() -> None:
        election.win()
        won.set()
        lifetime.wake()

    threading.Thread(target=stand_by, daemon=True).start()
    while not won.is_set():
        if lifetime.is_over():
            return False
        lifetime.wait()
    return True


def _serve(lifetime: KeeperLifetime, engine: str, log_file: str | None) -> int:
    import logging

    from growbin_jobs.engine.errors import ConfigurationError

    gc.disable()  # until it serves: what is imported stays, and to look through it takes a tenth of a start
    form = "[%(asctime)s] [PID %(process)d] [keeper] [%(name)s] [%(levelname)s] %(message)s"
    try:
        logging.basicConfig(level=logging.INFO, format=form, filename=log_file, encoding="utf-8")
    except OSError as error:  # a full disk, for instance: the keeper is needed all the more
        logging.basicConfig(level=logging.INFO, format=form)
        logging.getLogger(__name__).warning("keeper.no_log_file file=%s error=%s", log_file, error.strerror)
    # It logs every run of every job, and each time that one is still running when it is due again.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    try:
        from growbin_jobs.engine.fast.gc_tuning import collect_seldom
        from growbin_jobs.engine.keeper.service import Keeper

        config = _config(engine)
        if config.log_format == "json":
            from growbin_jobs.engine.json_logs import install_json_logs

            install_json_logs(config.node)
        keeper = Keeper(config)
        collect_seldom()
        gc.enable()
        return keeper.serve(lifetime)
    except ConfigurationError as error:
        logging.getLogger(__name__).critical("%s", error)
        return os.EX_CONFIG


def _config(engine: str) -> EngineConfig:
    """Return the configuration of the engine that an import string names.

    Raises:
      ConfigurationError: It names none where its module was only imported.
    """
    from importlib import import_module

    from growbin_jobs.engine.errors import ConfigurationError

    module, _, variable = engine.partition(":")
    config: EngineConfig | None = getattr(getattr(import_module(module), variable, None), "config", None)
    if config is None:
        raise ConfigurationError(
            f"{engine} is no engine where its module is only imported, so there is no keeper: nothing is copied "
            "or pruned. Make the engine at the top level of its module, not in a function that dramatiq calls."
        )
    return replace(config, source=config.source or engine)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread may still wait for a server; nothing that it does needs an end
