"""Supervises the processes of ``growbin-jobs worker`` and ``up`` in a small program, into which the command turns.

A command has loaded settings, models and all that it may be asked for, some 25 MB that a supervisor never needs again,
and a supervisor lives for months. So the command says what is to run and becomes this program (``exec``): the same
process with the same id, to whoever started it and to its signals.
"""

import json
import os
import signal
import sys
import tempfile
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from growbin_jobs.cli import streams
from growbin_jobs.cli.ready import ReadyNotice
from growbin_jobs.engine.node.repeated_signals import Once, is_kept_from_hangups
from growbin_jobs.engine.supervision.supervisor import Supervisor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told.

    Attributes:
      begin: What is said first.
      ready: What is said once the workers of all groups are there.
      folder: Of the node.
      groups: Names of the groups.
    """

    begin: str
    ready: str
    folder: str
    groups: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is supervised, and how; it can be written as JSON.

    Attributes:
      commands: By name, as :class:`Supervisor` takes them.
      companions: Names of those that stop nothing, whatever becomes of them.
      grace: Seconds that a stop lets them drain.
      install: What to do where a child cannot import its module.
      folder: Of the node.
      loaded: Modules that its processes share.
      loaded_with_greenlets: Modules that those with greenlets share.
    """

    commands: dict[str, list[str]]
    companions: list[str]
    grace: float
    install: str
    folder: str
    loaded: list[str]
    loaded_with_greenlets: list[str]

    def supervisor(self, log: Path | None = None) -> Supervisor:
        """Return a supervisor of them, not started yet.

        Parameters:
          log: File for what the processes say; None: stderr.
        """
        return Supervisor(
            self.commands,
            grace=self.grace,
            companions=self.companions,
            log=log,
            say=lambda words: _say(words, "yellow"),
            install=self.install,
            folder=Path(self.folder),
            loaded=self.loaded,
            loaded_with_greenlets=self.loaded_with_greenlets,
        )


def become_supervisor(plan: Plan, *, notice: Notice | None = None, hangup_stops: bool = False) -> NoReturn:
    """Turn this process into the supervisor of a plan. Its exit code is the supervisor's.

    SIGTERM and Ctrl-C let running work finish, a second one does not; signals that come meanwhile wait.

    Parameters:
      plan: What is supervised.
      notice: Said meanwhile; then the end is announced, too.
      hangup_stops: SIGHUP stops as SIGTERM does. Else it starts the command of this process anew, with new settings.
    """
    words = {
        "plan": asdict(plan),
        "notice": None if notice is None else asdict(notice),
        "hangup_stops": hangup_stops,
        "again": [sys.executable, *sys.orig_argv[1:]],
    }
    with _memory() as file:
        file.write(json.dumps(words).encode())
        file.flush()
        os.set_inheritable(file.fileno(), True)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        sys.stdout.flush()
        # Nothing of the folder that this runs in is imported (-P). What the person typed stands at the end, for whoever
        # reads a list of processes.
        command = [sys.executable, "-P", "-m", __name__, str(file.fileno()), *sys.argv[1:]]
        os.execv(sys.executable, command)  # noqa: S606 ourselves


def main() -> None:
    """Supervise what the file says whose number is the first argument."""
    streams.prepare()
    with open(int(sys.argv[1]), "rb") as file:
        file.seek(0)
        words = json.load(file)
    notice = None if words["notice"] is None else Notice(**words["notice"])
    sys.exit(_run(Plan(**words["plan"]), notice, hangup_stops=words["hangup_stops"], again=words["again"]))


def _run(plan: Plan, notice: Notice | None, *, hangup_stops: bool, again: list[str]) -> int:
    supervisor = plan.supervisor()
    stops = _Stops(supervisor, hangup_stops=hangup_stops)
    told = nullcontext() if notice is None else _told(notice)
    with supervisor, told:
        code = supervisor.run()
        if notice is not None:
            _say("Stopping: running work may finish…" if code == 0 else "Stopping.")
    if stops.start_anew:
        os.execv(again[0], again)  # noqa: S606 ourselves
    return code


def _told(notice: Notice) -> ReadyNotice:
    _say(notice.begin, "bold")
    return ReadyNotice(Path(notice.folder), notice.groups, lambda: _say(notice.ready, "bold green"))


class _Stops:
    """Signals of a supervisor: the first one lets the workers drain, a second one ends them at once.

    Parameters:
      supervisor: Of the workers.
      hangup_stops: A closed terminal too: the workers have sessions of their own and would go on without us.
    """

    def __init__(self, supervisor: Supervisor, *, hangup_stops: bool) -> None:
        self._supervisor = supervisor
        self._hangup_stops = hangup_stops
        self._signals = 0
        self._once = Once()
        self.start_anew = False
        for signum in _SIGNALS:
            if not (hangup_stops and is_kept_from_hangups(signum)):
                signal.signal(signum, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _stop(self, signum: int, _frame: Any) -> None:
        if signum == signal.SIGTERM and not self._once.counts():
            return
        self._signals += 1
        self.start_anew = signum == signal.SIGHUP and not self._hangup_stops
        self._supervisor.request_stop() if self._signals == 1 else self._supervisor.kill()


def _say(words: str, style: str = "") -> None:
    if not streams.stderr_is_read():  # a stop must not wait for whoever should read that it has begun
        return
    from growbin_jobs.cli.console import say  # rich, in a process that may never say anything

    say(words, style)


def _memory() -> IO[bytes]:
    """Return a file that is nowhere: a container's file system may be read-only."""
    with suppress(AttributeError, OSError):  # another system, an old kernel, a sandbox that refuses it
        return open(os.memfd_create("growbin-plan"), "w+b")
    return tempfile.TemporaryFile()


if __name__ == "__main__":
    main()
