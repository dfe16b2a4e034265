"""An installation that is well, copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doctor.stage import Stage

from growbin_jobs import checks
from growbin_jobs import settings as _settings
from growbin_jobs.ai.offline.classifier import OfflineClassifier
from growbin_jobs.engine.broker.rabbitmq import check as rabbitmq


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the first ``doctor`` leaves it: with its databases."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    with pytest.MonkeyPatch.context() as patch:
        _clear(patch)
        patch.setenv("GROWBIN_DATA_DIR", str(folder))
        assert {one.status for one in checks.run_checks()} == {"ok", "warning"}
    return folder


@pytest.fixture(scope="session")
def classifier() -> OfflineClassifier:
    """The offline classifier: to load it takes a third of each ``doctor``."""
    return OfflineClassifier.load()


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    installation: Path,
    classifier: OfflineClassifier,
) -> Iterator[Stage]:
    _clear(monkeypatch)
    if request.getfixturevalue("fault").what != "models":  # those load it themselves
        monkeypatch.setattr(OfflineClassifier, "load", lambda _runtime: classifier)
    monkeypatch.setattr(rabbitmq, "TIMEOUT", 0.4)
    data = tmp_path / "data"
    shutil.copytree(installation, data)
    monkeypatch.setenv("GROWBIN_DATA_DIR", str(data))
    staged = Stage(request, monkeypatch, tmp_path, data)
    with staged.ends:
        yield staged


def _clear(patch: pytest.MonkeyPatch) -> None:
    for name in _settings.Settings.model_fields:
        patch.delenv(_settings.Settings.variable(name), raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        patch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        patch.setenv(name, "/dev/null")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
