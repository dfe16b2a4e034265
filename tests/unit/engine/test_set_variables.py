"""What is read of the environment is what pydantic-settings reads, however a field's variables are named."""

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, Field
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from growbin_jobs.engine.set_variables import SetVariables
from growbin_jobs.engine.settings import EngineSettings


class Part(BaseModel):
    first: int = 0


class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")

    plain: str = ""
    other: str = Field(default="", validation_alias="NAMED_SO")
    either: str = Field(default="", validation_alias=AliasChoices("ONE_NAME", "another_name"))
    second: str = Field(default="", validation_alias=AliasPath("IN_A_LIST", 1))
    numbers: list[int] = []
    part: Part = Part()


class Nested(Shop):
    model_config = SettingsConfigDict(env_nested_delimiter="__")


@pytest.mark.parametrize("settings", [Shop, Nested])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SHOP_PLAIN", "x"), ("shop_plain", "x"), ("SHOP_PLAIN", ""), ("NAMED_SO", "x"), ("SHOP_OTHER", "x"),
        ("ONE_NAME", "x"), ("ANOTHER_NAME", "x"), ("IN_A_LIST", '["a", "b"]'), ("SHOP_NUMBERS", "[1, 2]"),
        ("SHOP_PART", '{"first": 2}'), ("SHOP_PART__FIRST", "2"), ("PLAIN", "x"), ("ELSE", "x"),
    ],
)  # fmt: skip
def test_a_variable_is_read_as_the_library_reads_it(monkeypatch, settings, variable, value):
    monkeypatch.setenv(variable, value)

    assert SetVariables(settings)() == EnvSettingsSource(settings)()


def test_the_library_reads_the_variables_of_this_test(monkeypatch):
    monkeypatch.setenv("ANOTHER_NAME", "x")
    monkeypatch.setenv("SHOP_NUMBERS", "[1, 2]")
    monkeypatch.setenv("SHOP_PART__FIRST", "2")

    assert EnvSettingsSource(Nested)() == {"ONE_NAME": "x", "numbers": [1, 2], "part": {"first": "2"}}


def test_what_is_no_json_is_an_error_with_the_field_s_name(monkeypatch):
    monkeypatch.setenv("SHOP_NUMBERS", "1, 2")

    with pytest.raises(SettingsError, match="numbers"):
        SetVariables(Shop)()


def test_a_file_is_read_by_who_has_asked_for_it_and_the_environment_wins(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("SHOP_NODE=of-the-file\nSHOP_TIMEZONE=UTC\n")
    monkeypatch.setenv("SHOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SHOP_NODE", "of-the-environment")

    class Asked(EngineSettings):
        model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=tmp_path / ".env")

    class Silent(EngineSettings):
        model_config = SettingsConfigDict(env_prefix="SHOP_")

    monkeypatch.chdir(tmp_path)
    assert (Asked.load().node, Asked.load().timezone) == ("of-the-environment", "UTC")
    assert Silent.load().model_fields_set == {"data_dir", "node"}
