"""With real processes, each started for itself and forked: what holds for the one holds for the other."""

import os
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.parametrize("stage", ["executed", "forked"], indirect=True)

IGNORES = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
DRAINS = """
def drain(*_): say("drained"); sys.exit(0)
signal.signal(signal.SIGTERM, drain)
say(f"here {os.getpid()}")
while True: signal.pause()
"""
STUBBORN = IGNORES + "say(f'here {os.getpid()}')\nwhile True: signal.pause()"
WITH_A_STUBBORN_CHILD = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its child inherits that
subprocess.Popen([sys.executable, "-c", "import signal\\nwhile True: signal.pause()"], close_fds=False)
say(f"here {os.getpid()}")
while True: signal.pause()
"""
WITH_A_CHILD = """
subprocess.Popen([sys.executable, "-c", "import signal\\nwhile True: signal.pause()"], close_fds=False)
say(f"here {os.getpid()}")
while True: signal.pause()
"""


def test_children_drain_when_it_is_asked_to_stop(stage, watched):
    commands = {"one": stage.child(DRAINS), "two": stage.child(DRAINS)}
    with stage.supervisor(commands) as supervisor:
        assert {stage.hear().split()[0], stage.hear().split()[0]} == {"here"}
        running = watched(supervisor.run)
        supervisor.request_stop()

        assert running.result() == 0

    assert (stage.hear(), stage.hear()) == ("drained", "drained")
    stage.await_the_death_of_all()


def test_a_child_that_dies_is_started_again_and_its_neighbour_is_left_alone(stage, watched):
    said = []
    commands = {"short": stage.child("say('short')"), "long": stage.child(DRAINS.replace("here", "long"))}
    with stage.supervisor(commands, say=said.append) as supervisor:
        running = watched(supervisor.run)
        heard = [stage.hear().split()[0] for _ in range(3)]
        supervisor.request_stop()
        running.result()

    assert sorted(heard) == ["long", "short", "short"]
    assert supervisor.restarts >= 1
    assert said[0] == "short ended with exit code 0; it starts again in 1 s."


def test_pauses_grow_while_a_child_keeps_dying(stage, monkeypatch):
    said = []
    with stage.supervisor({"short": stage.child("sys.exit(3)")}, say=said.append) as supervisor:
        for _ in range(7):
            stage.await_end(supervisor)
            supervisor.tend()
            supervisor._children[0].restart_at = 0.0
            supervisor.tend()

    assert [words.rpartition(" in ")[2] for words in said] == [
        "1 s.",
        "2 s.",
        "4 s.",
        "8 s.",
        "16 s.",
        "30 s.",
        "30 s.",
    ]


def test_a_wrong_configuration_ends_everything(stage):
    said = []
    commands = {"wrong": stage.child("sys.exit(78)"), "well": stage.child(DRAINS)}
    with stage.supervisor(commands, say=said.append) as supervisor:
        assert stage.hear().startswith("here")

        assert supervisor.run() == 78

    assert said == ["wrong cannot work with this configuration (exit code 78)."]
    assert stage.hear() == "drained"
    stage.await_the_death_of_all()


def test_stopping_twice_is_safe(stage):
    with stage.supervisor({"one": stage.child(DRAINS)}) as supervisor:
        stage.hear()
        supervisor.stop()
        supervisor.stop()
        assert supervisor.run() == 0

    assert stage.hear() == "drained"


def test_after_the_grace_time_the_child_and_its_own_children_are_killed(stage):
    supervisor = stage.supervisor({"one": stage.child(WITH_A_STUBBORN_CHILD), "two": stage.child(STUBBORN)}, grace=0.2)
    with supervisor:
        stage.hear(), stage.hear()

    stage.await_the_death_of_all()


def test_a_second_interrupt_while_it_waits_kills_them(stage):
    main = threading.main_thread().ident
    before = signal.signal(signal.SIGUSR1, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        with stage.supervisor({"one": stage.child(STUBBORN)}, grace=3600) as supervisor:
            stage.hear()
            threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGUSR1)).start()
            with pytest.raises(KeyboardInterrupt):
                supervisor.stop()
    finally:
        signal.signal(signal.SIGUSR1, before)

    stage.await_the_death_of_all()


def test_workers_whose_master_was_killed_do_not_go_on_beside_new_ones(stage):
    with stage.supervisor({"one": stage.child(WITH_A_CHILD)}) as supervisor:
        master = int(stage.hear().split()[1])
        os.kill(master, signal.SIGKILL)
        stage.await_end(supervisor)
        supervisor.tend()

        stage.await_the_death_of_all()


def test_children_drain_when_their_supervisor_is_killed(stage):
    commands = {"one": stage.child(DRAINS), "two": stage.child(DRAINS)}
    code = (
        "from growbin_jobs.engine.supervision.supervisor import Supervisor\n"
        f"with Supervisor({commands!r}, grace=30, loaded={stage.loaded!r}) as supervisor:\n"
        "    supervisor.run()"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], env=stage.env)
    assert {stage.hear().split()[0], stage.hear().split()[0]} == {"here"}

    supervisor.kill()
    supervisor.wait()

    assert (stage.hear(), stage.hear()) == ("drained", "drained")
    stage.await_the_death_of_all()


def test_kill_signals_once_more(stage):
    twice = """
def once(*_): signal.signal(signal.SIGTERM, lambda *_: os._exit(3)); say("once")
signal.signal(signal.SIGTERM, once)
say("here")
while True: signal.pause()
"""
    with stage.supervisor({"one": stage.child(twice)}) as supervisor:
        stage.hear()
        stage.await_begin(supervisor)
        supervisor.kill()
        assert stage.hear() == "once"
        supervisor.kill()
        assert stage.await_end(supervisor) == 3


def test_output_goes_to_the_log(stage, tmp_path):
    with stage.supervisor({"one": stage.child("print('words', flush=True)\n" + DRAINS)}, log=tmp_path / "log"):
        stage.hear()

    assert (tmp_path / "log").read_text() == "words\n"
