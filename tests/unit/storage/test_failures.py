"""Recording a failure, and deleting the picture that was refused."""

import subprocess
import sys

import pytest

from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.errors import Deferred
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.states import AnalysisStatus
from growbin_jobs.storage.failures import Failures


class Store:
    def __init__(self):
        self.calls = []

    def failed(self, analysis_id, **values):
        self.calls.append((analysis_id, values))
        return True


def failures(store, discarded=None, language="en"):
    return Failures(store, language=language, discard=[].append if discarded is None else discarded.append)


def test_the_sentence_is_in_the_configured_language():
    store = Store()

    failures(store, language="ko").record("a1", stage="upload", code="picture_missing", params={})

    assert "사진 파일을 찾을 수 없습니다" in store.calls[0][1]["sentence"]
    assert store.calls[0][1]["code"] == "picture_missing"


def test_a_code_of_a_newer_version_still_gets_a_sentence():
    store = Store()

    failures(store).record("a1", stage="upload", code="invented_tomorrow", params={})

    assert store.calls[0][1]["sentence"]
    assert store.calls[0][1]["code"] == "invented_tomorrow"


@pytest.mark.parametrize(
    ("stage", "code", "expected"),
    [
        ("upload", "picture_truncated", ["a1"]),
        ("upload", "retries_exhausted", []),  # the dead letter needs it when it is sent again
        ("upload", "worker_killed", []),
        ("vision", "picture_truncated", []),  # the stored one; the spool may hold the next picture of this id
    ],
)
def test_only_a_refused_picture_is_deleted(stage, code, expected):
    discarded = []

    assert failures(Store(), discarded).record("a1", stage=stage, code=code, params={}) is True

    assert discarded == expected


def test_it_is_deleted_before_anybody_can_see_that_it_failed():
    order = []
    store = Store()
    store.failed = lambda *_, **__: order.append("row")

    Failures(store, language="en", discard=order.append).record(
        "a1", stage="upload", code="picture_too_small", params={}
    )

    assert order == ["a1", "row"]


def test_an_object_store_that_is_away_hides_no_failure():
    def away(analysis_id):
        raise Deferred("the object store is away", wait=5)

    store = Store()

    with pytest.raises(Deferred):
        Failures(store, language="en", discard=away).record("a1", stage="upload", code="picture_too_small", params={})

    assert [analysis_id for analysis_id, _ in store.calls] == ["a1"]


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.storage.failures import Failures

folder = Path(sys.argv[1])
objects = FolderStore(folder)
analyses = Analyses(open_database(None, default_path=folder / "central.db", pool_size=1, timeout=10))

def discard(analysis_id):
    objects.delete(f"spool/{analysis_id}")
    os.kill(os.getpid(), signal.SIGKILL)

Failures(analyses, language="en", discard=discard).record("a1", stage="upload", code="picture_truncated", params={})
"""


def test_killed_between_the_two_it_ends_well_when_the_message_comes_again(tmp_path):
    objects = FolderStore(tmp_path)
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=1, timeout=10)
    upgrade(database, SCHEMA)
    analyses = Analyses(database)
    analyses.accept("a1", "u1")
    objects.put("spool/a1", b"half a pict", content_type="image/jpeg")

    killed = subprocess.run([sys.executable, "-c", KILLED_BETWEEN, tmp_path], check=False)

    assert (killed.returncode, analyses.get("a1").status) == (-9, AnalysisStatus.PENDING)
    again = Failures(analyses, language="en", discard=lambda one: objects.delete(f"spool/{one}"))
    assert again.record("a1", stage="upload", code="picture_truncated", params={}) is True
    assert analyses.get("a1").error_code == "picture_truncated"
    assert list(objects.list("spool/")) == []
    database.close()
