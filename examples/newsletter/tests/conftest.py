"""A data folder and a folder of letters of its own."""

import os
import tempfile

import pytest

# Before the package reads its settings.
os.environ["NEWSLETTER_DATA_DIR"] = tempfile.mkdtemp(prefix="newsletter-test-")
os.environ["CELERY_BROKER_URL"] = "memory://"
os.environ["CELERY_RESULT_BACKEND"] = "cache+memory://"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    from newsletter import letters

    monkeypatch.setattr(letters, "FOLDER", tmp_path)
    return tmp_path
