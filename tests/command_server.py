"""Forks programs for ``command_line.py``: a program of its own, so that nothing of pytest is in what it forks.

A request is one packet: what Python would be started with, folder and environment in JSON, and four open files: stdin,
stdout, stderr, and a pipe for the answers, the pid and the exit code. Between this process and the program stands one
that waits for it.

Arguments: the number of a socket; modules to load beside the usual ones; room for the command lines of programs. With
``--gevent`` the standard library is patched before anything is loaded.
"""

import os
import signal
import socket
import sys

#: Before greenlets take their places.
Socket, fork, waitpid = socket.socket, os.fork, os.waitpid

if "--gevent" in sys.argv:
    from gevent import monkey
    from gevent._hub_local import get_hub_if_exists

    monkey.patch_all()

import gc  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402

from fresh_process import Loaded, stay  # noqa: E402

#: What commands and workers import, without the command line: a module of it looks at the terminal when it is imported.
#: Nothing here reads a setting, and nothing opens anything.
LOADED = (
    "apsw", "dramatiq.cli", "peewee", "pika", "psycopg2", "pydantic_settings", "rich.live", "rich.panel",
    "rich.progress", "rich.table", "typer.rich_utils", "growbin_jobs.alerting", "growbin_jobs.observation",
    "growbin_jobs.wiring", "growbin_jobs.engine.engine", "growbin_jobs.engine.opening",
    "growbin_jobs.engine.keeper.service", "growbin_jobs.scheduler.service", "httpx", "openai", "PIL.Image",
)  # fmt: skip

#: Never loaded here: they read the settings, or the terminal.
ANEW = ("growbin_jobs.app", "growbin_jobs.cli")


def serve(requests: socket.socket) -> dict:
    """Fork for each request; returns in a program what to run, and ends the process at the last.

    The program has its folder and its streams then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for pytest, which ends us
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a program ends unseen
    while True:
        packet, ancillary, _, _ = requests.recvmsg(1 << 20, socket.CMSG_SPACE(16))
        if not packet:
            os._exit(0)
        files = [int.from_bytes(ancillary[0][2][at : at + 4], sys.byteorder) for at in range(0, 16, 4)]
        if fork() == 0 and _is_program(files[3], files[:3]):
            requests.close()
            request = json.loads(packet)
            _become(request, files)
            return request
        for file in files:
            os.close(file)


def _is_program(answers: int, streams: list[int]) -> bool:
    """Fork once more; True in the program. The other one tells how it ends, and ends with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    program = fork()
    if program == 0:
        return True
    for file in streams:
        os.close(file)
    os.write(answers, program.to_bytes(8, "little"))
    _, status = waitpid(program, 0)
    os.write(answers, os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))
    os._exit(0)


def _become(request: dict, files: list[int]) -> None:
    """Have the folder, the session and the streams of a program."""
    if request["session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.chdir(request["folder"])


if __name__ == "__main__":
    for module in (*LOADED, *(each for each in sys.argv[2:] if not each.startswith("-"))):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("growbin_jobs."):  # an older release has other modules
                raise
    assert not set(ANEW) & set(sys.modules)
    assert threading.active_count() == len(os.listdir("/proc/self/task")) == 1
    if "--gevent" in sys.argv:
        assert get_hub_if_exists() is None
    loaded = Loaded()
    gc.freeze()
    request = serve(Socket(fileno=int(sys.argv[1])))

    if "--gevent" not in sys.argv:
        stay(loaded)
    loaded.interpret(request["words"], request["env"])
