"""With a real loader and real processes, killed for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from growbin_jobs.engine.supervision.ready import READY

pytestmark = pytest.mark.parametrize("stage", ["forked"], indirect=True)

DRAINS = """
def drain(*_): say("drained"); sys.exit(0)
signal.signal(signal.SIGTERM, drain)
say(f"here {os.getpid()}")
while True: signal.pause()
"""

#: What a process can tell of itself.
FACTS = """
import gc, json, random, threading, uuid
say(json.dumps({
    "argv": sys.argv[1:], "orig_argv": sys.orig_argv[1:], "name": __name__, "main": __spec__.name,
    "parent": os.getppid(), "leads": os.getsid(0) == os.getpid() == os.getpgrp(), "gc": gc.isenabled(),
    "files": sorted(int(each) for each in os.listdir("/proc/self/fd"))[:-1], "lock": lock.fileno(), "pipe": pipe,
    "threads": threading.active_count(), "drawn": [random.random(), str(uuid.uuid4())],
    "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "here": os.environ["PYTHONPATH"], "stdin": os.readlink("/proc/self/fd/0"), "loaded": "decimal" in sys.modules,
}))
signal.pause()
"""  # noqa: E501


def here(stage, times):
    return [int(stage.hear().split()[1]) for _ in range(times)]


def await_end(pid):
    """Wait for the end of a child of this process, and leave it to whom it belongs."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def replaced(stage, supervisor, number):
    """Kill a child, and return the process that takes its place."""
    before = stage.await_begin(supervisor, number)
    os.kill(before, signal.SIGKILL)
    stage.await_end(supervisor, number)
    supervisor.tend()
    supervisor._children[number].restart_at = 0.0
    supervisor.tend()
    return stage.await_begin(supervisor, number)


def test_a_forked_process_is_as_one_that_was_started_for_itself(stage):
    commands = {"one": [*stage.child(FACTS), "--a", "b"], "two": [*stage.child(FACTS), "--c"]}
    stage.loaded = ("decimal", "random", "uuid")
    with stage.supervisor(commands) as supervisor:
        facts = [json.loads(stage.hear()), json.loads(stage.hear())]
        pids = [stage.await_begin(supervisor, number) for number in (0, 1)]
        shown = [[word for word in psutil.Process(pid).cmdline() if word] for pid in pids]

    facts.sort(key=lambda each: each["argv"])
    assert [each["argv"] for each in facts] == [["--a", "b"], ["--c"]]
    assert [each["orig_argv"] for each in facts] == [command[1:] for command in commands.values()]
    assert shown == list(commands.values())
    for each, command in zip(facts, commands.values(), strict=True):
        assert (each["name"], each["main"]) == ("__main__", command[2])
        assert each["files"] == sorted([0, 1, 2, each["lock"], each["pipe"]])
        assert (each["parent"], each["threads"], each["blocked"]) == (os.getpid(), 1, [])
        assert (each["stdin"], each["here"]) == ("/dev/null", stage.env["PYTHONPATH"])
        assert [each["leads"], each["gc"], each["term"], each["loaded"]] == [True] * 4
    assert facts[0]["drawn"][0] != facts[1]["drawn"][0]
    assert facts[0]["drawn"][1] != facts[1]["drawn"][1]


def test_a_process_says_by_the_descriptor_of_its_command_that_it_works(stage):
    code = "os.write(int(sys.argv[1].partition('=')[2]), b'1'); os.close(int(sys.argv[1][5:]))\n" + DRAINS
    commands = {"one": [*stage.child(code), "--fd=" + READY], "two": stage.child(DRAINS)}
    with stage.supervisor(commands) as supervisor:
        here(stage, 2)
        stage.await_begin(supervisor, 0), stage.await_begin(supervisor, 1)

        assert supervisor.ready


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_ends_with_the_loader_and_the_next_process_has_a_new_one(stage, signum):
    with stage.supervisor({"one": stage.child(DRAINS), "two": stage.child(DRAINS)}) as supervisor:
        first = here(stage, 2)
        loader = supervisor._forking.pid
        os.kill(loader, signum)
        await_end(loader)

        again = replaced(stage, supervisor, 0)

        assert here(stage, 1) == [again]
        assert supervisor._forking.pid != loader
        assert supervisor._children[1].pid in first
        assert supervisor._children[1].process.poll() is None
    assert [stage.hear(), stage.hear()] == ["drained", "drained"]
    stage.await_the_death_of_all()


#: A module that says when it is being loaded, and is never done.
NEVER = "import os, signal\nos.write(os.open({pipe!r}, os.O_WRONLY), b'loading\\n')\nsignal.pause()"


def test_processes_that_a_killed_loader_had_not_forked_are_started_for_themselves(stage):
    stage.module("never", NEVER.format(pipe=stage.pipe))
    commands = {"one": stage.child(DRAINS), "two": stage.child(DRAINS)}
    stage.loaded = ("never",)
    with stage.supervisor(commands) as supervisor:
        assert stage.hear() == "loading"
        os.kill(supervisor._forking.pid, signal.SIGKILL)
        await_end(supervisor._forking.pid)
        supervisor.tend()

        assert len(here(stage, 2)) == 2
    assert [stage.hear(), stage.hear()] == ["drained", "drained"]


def test_a_stop_need_not_wait_for_the_loader_and_nobody_begins_after_it(stage):
    stage.module("never", NEVER.format(pipe=stage.pipe))
    commands = {"one": stage.child(DRAINS), "two": stage.child(DRAINS)}
    stage.loaded = ("never",)
    with stage.supervisor(commands) as supervisor:
        assert stage.hear() == "loading"
        loader = psutil.Process(supervisor._forking.pid)

    assert not loader.is_running()
    assert not os.path.exists(stage.lock)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "1 threads"),
        ("held = open('/dev/null')", "open file"),
    ],
)
def test_what_cannot_be_forked_is_not(stage, tmp_path, code, found):
    stage.module("harmful", code)
    commands = {name: stage.child("say(str('harmful' in sys.modules))\n" + DRAINS) for name in ("one", "two")}
    stage.loaded = ("harmful",)
    with stage.supervisor(commands, log=tmp_path / "log") as supervisor:
        await_end(supervisor._forking.pid)
        supervisor.tend()
        heard = sorted(stage.hear().split()[0] for _ in range(4))

        assert heard == ["False", "False", "here", "here"]
        assert supervisor._forking.pid is None
        replaced(stage, supervisor, 0)
        assert supervisor._forking.pid is None
    assert (tmp_path / "log").read_text().count("each process loads for itself; found here: " + found) == 1


def test_what_cannot_be_loaded_is_left_to_who_needs_it(stage):
    stage.module("broken", "raise RuntimeError('not here')")
    stage.module("well", "")
    commands = {name: stage.child("say(str('well' in sys.modules))\nsignal.pause()") for name in ("one", "two")}
    stage.loaded = ("nowhere", "broken", "well")
    with stage.supervisor(commands):
        assert (stage.hear(), stage.hear()) == ("True", "True")


def test_a_process_runs_what_is_installed_when_it_starts(stage):
    stage.module("words", "WORD = 'old'")
    commands = {name: stage.child("import words; say(words.WORD)\nsignal.pause()") for name in ("one", "two")}
    stage.loaded = ("words",)
    with stage.supervisor(commands) as supervisor:
        assert (stage.hear(), stage.hear()) == ("old", "old")
        stage.module("words", "WORD = 'newer'")

        replaced(stage, supervisor, 0)
        assert stage.hear() == "newer"
        replaced(stage, supervisor, 1)
        assert stage.hear() == "newer"


def test_orphans_of_children_are_reaped(stage):
    """Those whose parent has died become children of the supervisor, since forked processes must."""
    leaves = "orphan = subprocess.Popen(['sleep', '600'], start_new_session=True)\nsay(str(orphan.pid))\nsignal.pause()"
    with stage.supervisor({"one": stage.child(leaves), "two": stage.child(DRAINS)}) as supervisor:
        said = [stage.hear(), stage.hear()]
        orphan = psutil.Process(int(next(words for words in said if not words.startswith("here"))))
        os.kill(stage.await_begin(supervisor), signal.SIGKILL)
        stage.await_end(supervisor)
        orphan.kill()
        await_end(orphan.pid)

        supervisor.tend()

        assert not psutil.pid_exists(orphan.pid)


def test_the_loader_ends_with_its_supervisor(stage):
    commands = {"one": stage.child(DRAINS), "two": stage.child(DRAINS)}
    code = (
        "from growbin_jobs.engine.supervision.supervisor import Supervisor\n"
        f"with Supervisor({commands!r}, grace=30, loaded={stage.loaded!r}) as supervisor:\n"
        "    supervisor.run()"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], env=stage.env)
    here(stage, 2)
    children = psutil.Process(supervisor.pid).children()
    loaders = [each for each in children if "growbin_jobs.engine.supervision.loader" in each.cmdline()]

    supervisor.kill()
    supervisor.wait()

    assert len(children) == 3
    assert len(loaders) == 1
    _, alive = psutil.wait_procs(loaders)
    assert alive == []
    assert [stage.hear(), stage.hear()] == ["drained", "drained"]


def test_a_loader_whose_supervisor_is_gone_before_it_begins_does_not_begin(stage):
    stage.module("marks", f"open({str(stage.folder / 'loaded')!r}, 'w')")
    command = [sys.executable, "-m", "growbin_jobs.engine.supervision.loader", "0", str(os.getppid()), "marks", "-"]

    done = subprocess.run(command, env=stage.env, check=False)

    assert done.returncode == 128 + signal.SIGTERM
    assert not (stage.folder / "loaded").exists()


def test_a_single_process_has_no_loader(stage):
    with stage.supervisor({"one": stage.child(DRAINS), "two": [sys.executable, "-c", "input()"]}) as supervisor:
        here(stage, 1)

        assert supervisor._forking.pid is None


#: What a process with greenlets can do and its loader has not done.
GREENLETS = """
import socket, threading
import gevent.monkey
from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from gevent.threadpool import ThreadPool
facts = {"loaded": "decimal" in sys.modules, "patched": gevent.monkey.is_module_patched("threading"),
    "hub": get_hub_if_exists() is not None, "files": len(os.listdir("/proc/self/fd")) - 1,
    "parent": os.getppid(), "main": threading.current_thread() is threading.main_thread()}
from growbin_jobs.engine.greenlet_patches import patch_all
patch_all()
one, other = socket.socketpair()
waits = gevent.spawn(one.recv, 1)
other.sendall(b"x")
lock = threading.Lock()
with lock:
    blocked = gevent.spawn(lock.acquire)
    gevent.sleep(0)
thread = threading.Thread(target=lambda: None)
thread.start(); thread.join()
facts |= {"heard": waits.get().decode(), "lock": blocked.get(), "thread": thread.is_alive(),
    "pool": ThreadPool(1).apply(os.getpid) == os.getpid(),
    "child": subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout.decode().strip()}
child = os.fork()
if child == 0:
    gevent.sleep(0)
    os._exit(7)
facts["fork"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
say(f"{os.getpid()} {json.dumps(facts)}")
while True: gevent.sleep(60)
"""


@pytest.fixture
def with_greenlets(stage):
    stage.module("hooked", "import gevent, os\nos.register_at_fork(after_in_child=gevent.get_hub)")
    stage.loaded_with_greenlets = ("decimal", "urllib3", "json", "hooked")  # urllib3 makes a socket, and so a hub
    other = "import time\nwhile True: time.sleep(60)"
    return {
        name: [*stage.child(code), "--gevent"]
        for name, code in {"one": "import json\n" + GREENLETS, "two": other}.items()
    }


def test_a_process_with_greenlets_has_them_to_itself(stage, with_greenlets):
    with stage.supervisor(with_greenlets) as supervisor:
        pid, _, said = stage.hear().partition(" ")
        loader = supervisor._forking_greenlets.pid

        assert loader not in (None, int(pid))
        assert supervisor._forking.pid is None
        assert stage.await_begin(supervisor) == int(pid)
    assert json.loads(said) == {
        "loaded": True, "patched": True, "hub": False, "files": 5, "parent": os.getpid(), "main": True,
        "heard": "x", "lock": True, "thread": False, "pool": True, "child": "1", "fork": 7,
    }  # fmt: skip
    stage.await_the_death_of_all()


def test_one_that_was_killed_is_forked_again_and_without_a_loader_from_a_new_one(stage, with_greenlets):
    with stage.supervisor(with_greenlets) as supervisor:
        stage.hear()
        loader = supervisor._forking_greenlets.pid
        again = replaced(stage, supervisor, 0)
        assert int(stage.hear().partition(" ")[0]) == again
        assert supervisor._forking_greenlets.pid == loader
        os.kill(loader, signal.SIGKILL)
        await_end(loader)

        again = replaced(stage, supervisor, 0)

        assert int(stage.hear().partition(" ")[0]) == again
        assert supervisor._forking_greenlets.pid not in (None, loader)
