import json
import shutil
import subprocess

import pytest
from tests import command_line

from growbin_jobs.adapters.rulefiles import rules_folder
from growbin_jobs.errors import ConfigurationError

SECRETS = {
    "GROWBIN_BROKER_URL": "amqp://growbin:hunter2@a:5672/v;amqp://growbin:hunter2@b:5672/v",
    "DATABASE_URL": "postgresql://growbin:hunter2@db:5432/growbin?sslpassword=hunter2",
    "OPENAI_API_KEY": "sk-hunter2",
    "OPENAI_BASE_URL": "https://growbin:hunter2@gateway/v1?key=hunter2",
    "GROWBIN_S3_ENDPOINT_URL": "http://growbin:hunter2@s3:9000",
}


def rows(done):
    return {row["variable"]: row for row in json.loads(done.stdout)}


def test_settings_say_where_each_value_comes_from(invoke):
    shown = rows(invoke("settings", "--json", GROWBIN_LANGUAGE="en", GROWBIN_SPOOL_DIRS="/a:/b"))

    assert (shown["GROWBIN_LANGUAGE"]["value"], shown["GROWBIN_LANGUAGE"]["origin"]) == ("en", "environment")
    assert (shown["GROWBIN_PICTURE_SIDE"]["value"], shown["GROWBIN_PICTURE_SIDE"]["origin"]) == (2048, "default")
    assert shown["GROWBIN_SPOOL_DIRS"]["value"] == ["/a", "/b"]
    assert all(row["help"] for row in shown.values())


def test_settings_mask_every_secret_and_keep_what_tells_servers_apart(invoke):
    shown = rows(invoke("settings", "--json", **SECRETS))

    assert shown["GROWBIN_BROKER_URL"]["value"] == "amqp://growbin:********@a:5672/v;amqp://growbin:********@b:5672/v"
    assert shown["DATABASE_URL"]["value"] == "postgresql://growbin:********@db:5432/growbin?********"
    assert shown["OPENAI_API_KEY"]["value"] == "********"
    for variant in (["settings", "--json"], ["settings"]):
        assert "hunter2" not in invoke(*variant, **SECRETS).output


def test_settings_fit_a_narrow_terminal(invoke):
    done = invoke("settings", GROWBIN_LANGUAGE="en")

    assert "GROWBIN_LANGUAGE = en  (environment)" in done.output
    assert "OPENAI_API_KEY = unset" in done.output
    assert "2 of " in done.output  # the data folder is the other one
    assert max(len(line) for line in done.output.splitlines() if line.startswith("    ")) <= 80


def test_a_wrong_setting_is_a_sentence(command):
    done = command("settings", GROWBIN_LANGUAGE="fr", GROWBIN_VISION_SIDE="1")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "error: Wrong settings."
    assert "  GROWBIN_LANGUAGE: " in done.stderr
    assert "  GROWBIN_VISION_SIDE: " in done.stderr


def test_the_rules_are_fine(invoke):
    shown = json.loads(invoke("rules", "check", "--json").stdout)

    assert len(shown) >= 40
    assert {"general", "pet_bottle"} <= {rule["item"] for rule in shown}
    assert "deposit_bottle" in invoke("rules", "check").output


@pytest.fixture
def own_rules(tmp_path):
    folder = tmp_path / "rules"
    shutil.copytree(rules_folder(None), folder)
    return folder


@pytest.mark.parametrize("missing", ["general.json", "pet_bottle.json"])
def test_a_rule_that_something_needs_is_missing(invoke, own_rules, missing):
    (own_rules / missing).unlink()

    error = invoke("rules", "check", GROWBIN_RULES_DIR=str(own_rules)).exception

    assert isinstance(error, ConfigurationError)
    assert missing.removesuffix(".json") in str(error)


def test_a_broken_rule_is_named(command, own_rules):
    (own_rules / "newspaper.json").write_text('{"item": "newspaper"}')

    done = command("rules", "check", GROWBIN_RULES_DIR=str(own_rules))

    assert (done.returncode, done.stdout) == (1, "")
    assert "newspaper.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_database_is_upgraded_once(command):
    first, second = (command("db", "upgrade", GROWBIN_LANGUAGE="en") for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.splitlines()[0] == "applied 0001_waste_analysis"
    assert (second.stdout, second.stderr) == ("", "The database is up to date.\n")


def test_the_settings_of_an_engine_of_one_s_own_have_its_names_and_no_secret(tmp_path, environment):
    (tmp_path / "shop.py").write_text(
        "from growbin_jobs.engine import Engine, EngineConfig\n"
        'engine = Engine(EngineConfig.from_env("SHOP_", source="shop:engine", node="n7"))\n'
    )
    env = environment | {
        "SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_BROKER_URL": "amqp://kim:hush@rabbit:5672/", "SHOP_NODE": "n1",
    }  # fmt: skip
    done = command_line.run("settings", "--engine", "shop", "--json", env=env, cwd=tmp_path, text=True, check=True)
    rows = {row["variable"]: row for row in json.loads(done.stdout)}
    assert all(name.startswith("SHOP_") for name in rows)
    assert (rows["SHOP_NODE"]["value"], rows["SHOP_TIMEZONE"]["origin"]) == ("n7", "default")
    assert (rows["SHOP_DATA_DIR"]["value"], rows["SHOP_DATA_DIR"]["origin"]) == (str(tmp_path / "data"), "environment")
    assert "rabbit:5672" in rows["SHOP_BROKER_URL"]["value"]
    assert "hush" not in done.stdout
    assert all(row["help"] for row in rows.values())


def test_in_a_folder_that_was_removed_commands_say_what_is_missing(tmp_path, environment):
    gone = tmp_path / "gone"
    for words, env in (("tasks list --engine shop", {}), ("doctor", {"GROWBIN_DATA_DIR": "data"})):
        gone.mkdir()
        done = subprocess.run(
            ["bash", "-c", 'rmdir "$PWD" && exec "$@"', "-", *command_line.MAIN, *words.split()],
            cwd=gone, env=environment | env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
        assert "no module 'shop'" in done.stderr or "must be an absolute path" in " ".join(done.stdout.split())
