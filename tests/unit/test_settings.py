import os
import pwd
from pathlib import Path
from typing import get_args

import pytest

from growbin_jobs import settings as module
from growbin_jobs.engine import data_folder
from growbin_jobs.errors import ConfigurationError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in module.Settings.model_fields:
        monkeypatch.delenv(module.Settings.variable(name), raising=False)


def test_with_nothing_set_everything_is_embedded():
    settings = module.load()

    assert settings.broker_url is None
    assert settings.database_url is None
    assert settings.object_store_url is None
    assert not settings.models_online


def test_what_growbin_says_again_of_the_engine_s_settings_keeps_its_meaning():
    inherited = set().union(
        *(set(each.__annotations__) for each in module.Settings.__mro__ if "engine" in each.__module__)
    )

    # keep_tasks_days was among them: the journals of nodes kept 90 days of tasks, and not 7.
    assert set(module.Settings.__annotations__) & inherited == {
        "worker_type", "keep_dead_letters_days", "timezone", "database_url", "data_dir",
    }  # fmt: skip
    assert module.load().keep_tasks_days == 7


def test_every_setting_has_a_help_text_and_a_variable_of_its_own():
    fields = module.Settings.model_fields
    variables = [module.Settings.variable(name) for name in fields]

    assert all(field.description and field.description.endswith((".", "ai.")) for field in fields.values())
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("DATABASE_URL", "postgresql://db/growbin", "database_url", "postgresql://db/growbin"),
        ("OPENAI_API_KEY", "sk-1", "openai_api_key", "sk-1"),
        ("WORKER_TYPE", "ai", "worker_type", "ai"),
        ("GROWBIN_VISION_MODEL", "gpt-6-luna", "vision_model", "gpt-6-luna"),
        ("GROWBIN_SPOOL_DIRS", "/a:/b", "spool_dirs", [Path("/a"), Path("/b")]),
    ],
)
def test_the_environment_wins_over_the_default(monkeypatch, variable, value, field, expected):
    monkeypatch.setenv(variable, value)

    found = getattr(module.load(), field)

    assert getattr(found, "get_secret_value", lambda: found)() == expected


def test_an_empty_variable_means_unset(monkeypatch):
    monkeypatch.setenv("GROWBIN_PICTURE_SIDE", "")
    monkeypatch.setenv("GROWBIN_VISION_REASONING_EFFORT", "")

    assert module.load().picture_side == 2048
    assert module.load().vision_reasoning_effort is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GROWBIN_LANGUAGE", "fr"),
        ("GROWBIN_BROKER_URL", "redis://localhost"),
        ("DATABASE_URL", "mysql://db/growbin"),
        ("GROWBIN_OBJECT_STORE_URL", "ftp://pictures"),
        ("GROWBIN_VISION_TIMEOUT", "-1"),
        ("GROWBIN_UPLOAD_RETRIES", "many"),
        ("GROWBIN_JOURNAL_FREE_FLOOR", "9999999"),
        ("GROWBIN_JOURNAL_FREE_FLOOR", "1000000000001"),
        ("GROWBIN_JOURNAL_FREE_FLOOR", "256MB"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=variable):
        module.load()


@pytest.mark.parametrize("value", ["inf", "nan", "1e20", "-1", "9" * 400])
def test_no_number_is_without_bounds(value):
    """Neither dates nor a database know such numbers, so they would fail later, and somewhere else."""
    fields = module.Settings.model_fields.items()
    numbers = [name for name, each in fields if {int, float} & {each.annotation, *get_args(each.annotation)}]
    assert len(numbers) > 60
    for name in numbers:
        with pytest.raises(ConfigurationError, match=module.Settings.variable(name)):
            module.load(**{name: value})


def test_a_model_call_must_end_before_its_stage_does(monkeypatch):
    monkeypatch.setenv("GROWBIN_VISION_TIMEOUT", "60")

    with pytest.raises(ConfigurationError, match="shorter than the time limit"):
        module.load()


def test_a_wrong_secret_is_not_quoted(monkeypatch):
    monkeypatch.setenv("GROWBIN_BROKER_URL", "http://user:hunter2@host")

    with pytest.raises(ConfigurationError) as caught:
        module.load()

    assert "hunter2" not in str(caught.value)


def test_a_tilde_is_this_user_s_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home-of-mine")

    settings = module.load(data_dir="~/growbin", rules_dir="~/rules", spool_dirs="~/a:/b", llm_keys_dir="~/keys")

    assert settings.data_dir == Path("/home-of-mine/growbin")
    assert settings.rules_dir == Path("/home-of-mine/rules")
    assert settings.spool_dirs == [Path("/home-of-mine/a"), Path("/b")]
    assert settings.llm_keys_dir == Path("/home-of-mine/keys")


@pytest.mark.parametrize("value", ["growbin", "./growbin", "../growbin", "~no-such-user/growbin"])
def test_a_data_folder_that_depends_on_where_one_stands_is_refused(value):
    with pytest.raises(ConfigurationError, match="GROWBIN_DATA_DIR: "):
        module.load(data_dir=value)
    with pytest.raises(ConfigurationError, match="GROWBIN_SPOOL_DIRS: "):
        module.load(spool_dirs=f"/a:{value}")


def test_a_spool_folder_has_no_other_name_in_braces_than_the_user_s():
    assert module.load(spool_dirs="/a/{user_id}/b").spool_dirs == [Path("/a/{user_id}/b")]
    for odd in ("{user}", "{USER_ID}", "{user_id}/{id}"):
        with pytest.raises(ConfigurationError, match=r"\{(user|USER_ID|id)\} stands for nothing"):
            module.load(spool_dirs=f"/a:/spool/{odd}")


class NoAccount:
    """A user id without an account, in an environment without HOME."""

    def __init__(self, monkeypatch, tmp_path):
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        monkeypatch.setattr(data_folder, "SYSTEM", tmp_path / "none")
        monkeypatch.setattr(data_folder, "HOMELESS", tmp_path)
        monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # KeyError, as the real one
        self.folder = tmp_path / f"growbin-{os.getuid()}"


@pytest.fixture
def no_account(monkeypatch, tmp_path):
    return NoAccount(monkeypatch, tmp_path)


def test_a_user_without_a_home_has_a_data_folder(no_account):
    assert module.load().data_dir == no_account.folder
    no_account.folder.mkdir()
    assert module.load().data_dir == no_account.folder


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_data_folder_that_somebody_else_has_laid_there_is_refused(no_account, tmp_path, kind):
    if kind == "link":
        no_account.folder.symlink_to(tmp_path)
    else:
        no_account.folder.touch()

    with pytest.raises(ConfigurationError, match="Set GROWBIN_DATA_DIR"):
        module.load()


def test_a_relative_data_home_is_ignored(monkeypatch, no_account):
    monkeypatch.setenv("XDG_DATA_HOME", "share")
    assert module.load().data_dir == no_account.folder
    monkeypatch.setenv("XDG_DATA_HOME", "/share")
    assert module.load().data_dir == Path("/share/growbin")


def test_a_letter_too_many_is_found_in_the_name_of_every_setting(monkeypatch):
    meant = {}
    for field in module.Settings.model_fields:
        name = module.Settings.variable(field)
        monkeypatch.delenv(name, raising=False)
        meant[f"{name[:3]}{name[2:]}"] = name
    for slip in meant:
        monkeypatch.setenv(slip, "x")

    assert {name: found for name, found in module.Settings.unknown_variables() if name in meant} == meant


def test_variables_that_are_no_settings_are_found(monkeypatch):
    for name in ("GROWBIN_BROKER_ULR", "growbin_picture_sid", "GROWBIN_WORKER_TYPE", "GROWBIN_TEST_X", "GROWBIN_ZZZ"):
        monkeypatch.setenv(name, "x")

    assert module.Settings.unknown_variables() == [
        ("GROWBIN_BROKER_ULR", "GROWBIN_BROKER_URL"),
        ("GROWBIN_WORKER_TYPE", "WORKER_TYPE"),
        ("GROWBIN_ZZZ", None),
        ("growbin_picture_sid", "GROWBIN_PICTURE_SIDE"),
    ]


def test_secrets_may_lie_in_files_as_kubernetes_mounts_them(tmp_path, monkeypatch):
    mounted = tmp_path / "..2026_11_28"
    mounted.mkdir()
    (tmp_path / "..data").symlink_to(mounted.name)
    for name, value in (("DATABASE_URL", "postgresql://db/growbin\n"), ("GROWBIN_BROKER_URL", "amqp://file/")):
        (mounted / name).write_text(value)
        (tmp_path / name).symlink_to(f"..data/{name}")
    monkeypatch.setenv("GROWBIN_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("GROWBIN_BROKER_URL", "amqp://environment/")

    settings = module.load()

    assert settings.database_url.get_secret_value() == "postgresql://db/growbin"
    assert settings.broker_url.get_secret_value() == "amqp://environment/"
    assert settings.engine_values()["database_url"] == "postgresql://db/growbin"
    assert [settings.origin(name) for name in ("database_url", "broker_url", "timezone")] == [
        "secret file", "environment", "default",
    ]  # fmt: skip


@pytest.mark.parametrize("folder", ["not-absolute", "/nowhere/to/be/found"])
def test_a_folder_of_secrets_that_is_not_there_is_refused(folder, monkeypatch):
    monkeypatch.setenv("GROWBIN_SECRETS_DIR", folder)

    with pytest.raises(ConfigurationError, match=r"GROWBIN_SECRETS_DIR.*absolute path"):
        module.load()


def test_a_webhook_s_secret_is_one_of_its_own_and_no_other(monkeypatch, tmp_path):
    monkeypatch.setenv("WEBHOOK_SECRET_OPS", "s3cret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:password@db/growbin")
    (tmp_path / "money").write_text("from a file\n")
    settings = module.load(webhook_secrets_dir=tmp_path)

    assert settings.webhook_secret("env:WEBHOOK_SECRET_OPS") == "s3cret"
    assert settings.webhook_secret("file:money") == "from a file"
    for other in ("env:DATABASE_URL", "env:WEBHOOK_SECRET", "file:../money", "file:none", "money", ""):
        with pytest.raises(ConfigurationError):
            settings.webhook_secret(other)
