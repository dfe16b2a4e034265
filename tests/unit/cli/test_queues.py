"""``growbin-jobs queues`` and ``tasks revoke|abort``, embedded, in both languages."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests import command_line


def test_pause_list_and_resume(invoke):
    assert invoke("queues", "pause", "user_input", "--why", "a test", GROWBIN_LANGUAGE="en").stdout.startswith(
        "The queue user_input pauses within two seconds"
    )
    again = invoke("queues", "pause", "user_input", "--why", "another", "--minutes", "5", GROWBIN_LANGUAGE="en")
    assert "was paused already; it has the new reason until 2" in again.stdout
    invoke("queues", "pause", "--actor", "analyze_image", "--why", "a new prompt")

    rows = [json.loads(line) for line in invoke("queues", "list", "--json").stdout.splitlines()]
    paused = {row["name"]: row["paused"] for row in rows if "paused" in row}
    assert paused["user_input"]["reason"] == "another"
    assert paused["user_input"]["until_at"] > paused["user_input"]["since_at"]
    assert [name for name, pause in paused.items() if pause] == ["user_input"]
    assert (rows[-1]["target"], rows[-1]["name"]) == ("actor", "analyze_image")
    shown = invoke("queues", "list", GROWBIN_LANGUAGE="ko", COLUMNS="200").stdout
    assert "일시 중지" in shown
    assert "a new prompt" in shown

    assert json.loads(invoke("queues", "resume", "user_input", "--json").stdout)["changed"] is True
    assert "일시 중지되어 있지 않습니다" in invoke("queues", "resume", "user_input", GROWBIN_LANGUAGE="ko").stdout


def test_who_holds_the_brokers_file_is_named_in_a_sentence(command, environment):
    command("queues", "list")
    with closing(sqlite3.connect(Path(environment["GROWBIN_DATA_DIR"], "broker.db"), isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = exclusive")
        holder.execute("BEGIN EXCLUSIVE")

        done = command("queues", "list")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"its lock has been held for too long by process {os.getpid()}" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("option", "close"), [((), "user_input"), (("--actor",), "analyze_image")])
def test_a_name_that_is_none_is_refused_with_the_nearest(invoke, option, close):
    done = invoke("queues", "pause", *option, close[:-1], "--why", "a test")
    assert done.exit_code == 1
    assert close in str(done.exception)


def test_revoke_and_withdraw(invoke):
    done = invoke("tasks", "revoke", "some-id", "--why", "sent twice", GROWBIN_LANGUAGE="en")
    assert (done.exit_code, done.stdout) == (0, "some-id will not run: it is dropped when its turn comes.\n")
    assert "Nobody has seen this id" in done.stderr
    told = json.loads(invoke("tasks", "abort", "some-id", "--json").stdout)
    assert (told["action"], told["state"], told["accepted"]) == ("abort", "UNKNOWN", True)
    assert invoke("tasks", "revoke", "--undo", "some-id").exit_code == 0
    assert invoke("tasks", "revoke", "--undo", "some-id").exit_code == 1


def test_what_one_is_told_to_run_next_is_for_the_same_engine(environment, tmp_path):
    (tmp_path / "shop.py").write_text(
        "from growbin_jobs.engine import Engine, EngineConfig\n"
        "engine = Engine(EngineConfig.from_env('SHOP_')).install()\n"
        "engine.actor(lambda: None, actor_name='receipt', queue_name='mail')\n"
    )
    env = environment | {"SHOP_DATA_DIR": str(tmp_path / "shop"), "GROWBIN_LANGUAGE": "en"}
    pause = ("queues", "pause", "--engine", "shop", "mail", "--why", "a test")

    done = command_line.run(*pause, env=env, cwd=tmp_path, text=True, check=True)

    assert done.stdout.endswith("To go on: growbin-jobs queues resume --engine shop mail\n")
