"""Where the settings of an engine come from."""

from pydantic_settings import SettingsConfigDict

from growbin_jobs.engine.settings import EngineSettings


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
