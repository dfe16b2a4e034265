import os
import re
import shlex
import signal
import subprocess
import sys
from uuid import uuid4

import psutil
import pytest

from growbin_jobs.engine.node.cores import usable_cores
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.names import AI, STORAGE


def options(done):
    """The printed command line: what runs, and its options."""
    program, module, *rest = shlex.split(done.stdout)
    values: dict[str, list[str]] = {}
    for word in rest:
        values.setdefault(word, []) if word.startswith("--") else values[list(values)[-1]].append(word)
    return os.path.basename(program), module, values


def test_storage_runs_under_gevent_with_its_own_queues(invoke):
    program, module, values = options(invoke("worker", "storage", "--print"))

    assert (program, module) == ("dramatiq-gevent", "growbin_jobs.storage")
    assert values["--queues"] == list(STORAGE.queues)
    assert (values["--processes"], values["--threads"]) == (["1"], ["1000"])
    assert values["--worker-shutdown-timeout"] == ["60000"]


@pytest.mark.parametrize("online", [{"OPENAI_API_KEY": "sk-1"}, {"OPENAI_BASE_URL": "http://localhost:1/v1"}])
def test_ai_with_a_model_server_has_threads_for_the_calls_in_flight(invoke, online):
    program, module, values = options(invoke("worker", "ai", "--print", **online))

    assert (program, module) == ("dramatiq", "growbin_jobs.ai")
    assert values["--queues"] == list(AI.queues)
    # 100/min × 30 s + 200/min × 10 s, rounded up for each.
    assert int(values["--processes"][0]) * int(values["--threads"][0]) == 50 + 34
    assert "sk-1" not in invoke("worker", "ai", "--print", **online).output


def test_ai_offline_computes_and_takes_no_more_than_the_cores(invoke):
    _, _, values = options(invoke("worker", "ai", "--print"))

    assert (values["--processes"], values["--threads"]) == (["1"], [str(usable_cores() + 1)])


def test_numbers_of_ones_own(invoke):
    _, _, values = options(invoke("worker", "ai", "--print", "--processes", "4", "--threads", "32"))

    assert (values["--processes"], values["--threads"]) == (["4"], ["32"])


def test_the_group_may_come_from_the_environment(invoke):
    assert options(invoke("worker", "--print", WORKER_TYPE="ai"))[1] == "growbin_jobs.ai"
    assert options(invoke("worker", "storage", "--print", WORKER_TYPE="ai"))[1] == "growbin_jobs.storage"


def test_without_a_group_it_says_how_to_name_one(invoke):
    error = invoke("worker", "--print").exception

    assert isinstance(error, ConfigurationError)
    assert "WORKER_TYPE" in str(error)


ENGINE = """
from pathlib import Path
from growbin_jobs.engine import Engine, EngineConfig, Group
groups = (Group(name="mail", queues=("mail",), threads=4), Group(name="pdf", queues=("pdf", "zip"), processes=2))
mine = Engine(EngineConfig(data_dir=Path("data"), groups=groups, shutdown_timeout=9))
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A module with an engine, in the current folder."""
    name = f"shop_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(ENGINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def test_a_module_s_groups_run_as_its_engine_says(invoke, shop):
    mail, pdf = invoke("worker", shop, "--print").output.splitlines()

    assert f"{shop} --processes 1 --threads 4 --queues mail --worker-shutdown-timeout 9000" in mail
    assert f"{shop} --processes 2 --threads 8 --queues pdf zip " in pdf


def test_one_of_a_module_s_groups_runs_alone(invoke, shop):
    [line] = invoke("worker", shop, "--group", "pdf", "--threads", "3", "--print").output.splitlines()

    assert "--threads 3 --queues pdf zip" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["storag"], "There is no module 'storag'.*Growbin's own groups are: storage, ai"),
        (["SHOP", "--group", "male"], "has no worker group 'male'. It has: mail, pdf"),
    ],
)
def test_what_is_neither_group_nor_engine_is_said(invoke, shop, arguments, words):
    error = invoke("worker", *(shop if each == "SHOP" else each for each in arguments), "--print").exception

    assert isinstance(error, ConfigurationError)
    assert re.search(words, str(error))


def await_words(process, words, times=1):
    """Read what a process says until it has said something so often; return all of it."""
    said = ""
    for line in process.stderr:
        said += line
        times -= words in line
        if times == 0:
            return said
    pytest.fail(f"it ended and never said {words!r}:\n{said}")


def test_up_runs_both_groups_and_leaves_none_behind_when_its_terminal_has_gone(start, processes_of):
    node = uuid4().hex
    process = start("up", GROWBIN_NODE=node)
    beginning = await_words(process, "Ready. Try, in another terminal: growbin-jobs analyze")
    assert "Workers of storage and ai" in beginning
    running = [command_line(one) for one in processes_of(node)]
    groups = {
        word
        for words in running
        if "growbin_jobs.engine.supervision.worker_process" in words
        for word in words
        if word in ("growbin_jobs.storage", "growbin_jobs.ai")
    }

    process.send_signal(signal.SIGHUP)
    said = process.stderr.read()

    assert groups == {"growbin_jobs.storage", "growbin_jobs.ai"}
    assert sum("growbin_jobs.engine.keeper" in words for words in running) == 1
    assert process.wait() == 0
    assert "Stopping: running work may finish" in said
    assert processes_of(node) == []


def test_up_lives_on_when_nohup_says_so_and_stops_whatever_signals_its_parent_had_blocked(start, processes_of):
    def before():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})

    node = uuid4().hex
    process = start("up", before=before, GROWBIN_NODE=node)
    await_words(process, "Workers of storage and ai")
    process.send_signal(signal.SIGHUP)
    await_words(process, "Ready.")

    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 0  # workers that do not hear it are killed after 75 s
    assert processes_of(node) == []


def test_a_supervisor_has_loaded_nothing_that_only_its_command_needs():
    loaded = "import sys, growbin_jobs.cli.supervised; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert {"pydantic", "typer", "rich", "dramatiq", "peewee", "gevent"} & set(done.stdout.split()) == set()


def test_a_stop_that_comes_while_up_turns_into_its_supervisor_is_obeyed(start, processes_of):
    node = uuid4().hex
    process = start("up", GROWBIN_NODE=node)
    await_words(process, "Workers of storage and ai")

    process.send_signal(signal.SIGTERM)
    said = process.stderr.read()

    assert process.wait() == 0
    assert "Stopping: running work may finish" in said
    assert processes_of(node) == []


def test_workers_drain_when_up_itself_is_killed(start, processes_of):
    node = uuid4().hex
    process = start("up", GROWBIN_NODE=node)
    await_words(process, "Worker process is ready for action", times=2)

    process.kill()
    said = process.stderr.read()  # to its end: until all who inherited it are gone

    assert said.count("Stopping worker process...") == 2
    assert processes_of(node) == []


LOADER = "growbin_jobs.engine.supervision.loader"


def named(processes, word):
    """The processes whose command line has a word."""
    return [each for each in processes if word in command_line(each)]


def command_line(process):
    """Of a process that may have ended since it was found."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_up_goes_on_when_what_its_processes_are_forked_from_is_killed(start, processes_of):
    node = uuid4().hex
    process = start("up", "--no-monitor", GROWBIN_NODE=node)
    await_words(process, "Worker process is ready for action", times=2)
    before = processes_of(node)
    [loader] = named(before, LOADER)
    [ai], [storage] = named(before, "growbin_jobs.ai"), named(before, "growbin_jobs.storage")
    parents = {each.ppid() for each in before if each.pid != process.pid}

    loader.kill()
    loader.wait()
    ai.kill()
    storage.kill()
    said = await_words(process, "Worker process is ready for action", times=2)
    after = processes_of(node)
    [new_loader] = named(after, LOADER)
    [new_ai], [new_storage] = named(after, "growbin_jobs.ai"), named(after, "growbin_jobs.storage")
    parents |= {each.ppid() for each in after if each.pid != process.pid}
    process.send_signal(signal.SIGINT)
    said += process.stderr.read()

    assert parents == {process.pid}
    assert not {loader, ai, storage} & {new_loader, new_ai, new_storage}
    kept = {each for each in before if each not in (loader, ai, storage)}
    assert kept < set(after)
    assert process.wait() == 0
    assert "ai was killed by SIGKILL; it starts again" in said
    assert "storage was killed by SIGKILL; it starts again" in said
    assert processes_of(node) == []


def test_up_ends_with_the_workers_words_when_they_cannot_work(start, processes_of, tmp_path):
    node = uuid4().hex
    process = start("up", GROWBIN_NODE=node, GROWBIN_RULES_DIR=str(tmp_path / "none"))

    said = process.stderr.read()

    assert process.wait() == 78
    assert "storage cannot work with this configuration" in said or "ai cannot work with this configuration" in said
    assert str(tmp_path / "none") in said
    assert processes_of(node) == []
