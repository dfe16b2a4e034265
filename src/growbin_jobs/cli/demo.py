"""``growbin-jobs demo``: the whole pipeline on this machine, with real worker processes and nothing to set up."""

import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from growbin_jobs.cli.console import say

#: Seconds in which the monitor starts, on a busy machine too.
_MONITOR_STARTS = 60.0

#: A demo runs on this machine alone, whatever the environment says of servers and of who may sign in.
_SERVERS = (
    "broker_url",
    "database_url",
    "object_store_url",
    "s3_endpoint_url",
    "vision_transport",
    "spool_dirs",
    "data_dir",
    "monitor_users",
    "monitor_users_file",
    "monitor_oidc_issuer",
    "monitor_proxy_header",
)


def demo(
    photos: Annotated[list[Path] | None, typer.Argument(help="Your photos; default: six sample pictures.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a photo, and nothing else, on stdout.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for all of them.", min=1)] = 300.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Then leave everything running, with the monitor, until Ctrl-C.")
    ] = False,
) -> None:
    """Start the real workers of both groups, send photos through all four stages, print the advice, stop everything.

    Needs no server and no key; what it makes lies in a temporary folder and is removed. With OPENAI_API_KEY set the
    models of the settings answer instead of the offline ones. The advice is Korean, or
    with GROWBIN_LANGUAGE=en English.

    \b
    Examples:
      growbin-jobs demo
      growbin-jobs demo --keep
      growbin-jobs demo --json my-photo.jpg | jq .response
    """
    from growbin_jobs.engine.file_limit import require_enough_files
    from growbin_jobs.engine.folder_rights import require_usable
    from growbin_jobs.samples import sample_pictures
    from growbin_jobs.settings import Settings

    chosen = photos or sample_pictures()
    folder = Path(tempfile.mkdtemp(prefix="growbin-demo-"))
    for name in _SERVERS:
        os.environ.pop(Settings.variable(name), None)
    os.environ[Settings.variable("data_dir")] = str(folder)
    try:
        require_usable(folder, "TMPDIR")
        require_enough_files()
        code = _run(chosen, folder, json=json, timeout=timeout, keep=keep)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(code)


def _run(photos: list[Path], folder: Path, *, json: bool, timeout: float, keep: bool) -> int:
    from growbin_jobs import names
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.analyze import finish, hand_in
    from growbin_jobs.cli.command_line import monitor_command, scheduler_command, sized
    from growbin_jobs.cli.workers import plan_of
    from growbin_jobs.engine.folder_rights import require_room
    from growbin_jobs.engine.node.repeated_signals import is_kept_from_hangups
    from growbin_jobs.errors import GrowbinError
    from growbin_jobs.wiring import engine_config

    settings = _settings.current()
    config = engine_config(settings)
    require_room(folder, "TMPDIR", config.journal_free_floor, config.named("journal_free_floor"))
    log = folder / "workers.log"
    models = (
        f"{settings.vision_model} and {settings.text_model}" if settings.models_online else "offline classifier, no key"
    )
    count = "1 photo" if len(photos) == 1 else f"{len(photos)} photos"
    plan = plan_of(
        config,
        [sized(group, settings) for group in names.GROUPS.values()],
        own=True,
        scheduler=scheduler_command() if keep else None,
        monitor=monitor_command(settings) if keep else None,
    )
    supervisor = plan.supervisor(log)
    signals: list[int] = []

    def leave(signum: int, _frame: Any) -> None:
        # No exception: in the middle of a start it would leave a worker that nobody knows.
        supervisor.kill() if signals else signals.append(signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if not is_kept_from_hangups(signum):
            signal.signal(signum, leave)
    say(f"Sending {count} through both worker groups ({models}).")
    with supervisor:
        labels, complete = hand_in(photos, user="demo", json=json)
        if not json:
            labels = {analysis_id: Path(photo).name for analysis_id, photo in labels.items()}
        code = finish(labels, json=json, timeout=timeout, check=lambda: signals[0] if signals else supervisor.tend())
        if keep and not signals:
            _show_monitor(log)
            while not signals and supervisor.tend() is None:
                time.sleep(0.2)
            return 0
    if signals:
        return 128 + signals[0]
    if code == 3:
        raise GrowbinError("The workers did not finish. Their last words:\n" + _tail(log))
    return max(code, 0 if complete else 1)


def _show_monitor(log: Path) -> None:
    """Say where the monitor is, as it has written into the log; it may still be starting."""
    until = time.monotonic() + _MONITOR_STARTS
    while time.monotonic() < until:
        if found := re.search(r"Sign in, once: (\S+)", log.read_text(errors="replace")):
            say(f"All of this in the monitor, until Ctrl-C: {found[1]}", "bold green")
            return
        time.sleep(0.2)
    say(f"The monitor did not start; its words are in {log}. Ctrl-C stops.", "yellow")


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
