"""Pictures that were handed in and never stored do not stay for ever."""

import os
import time

import pytest

from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.adapters.objects.spool_cleanup import ClearSpool
from growbin_jobs.engine.keeper.service import Keeper
from growbin_jobs.settings import load
from growbin_jobs.wiring import engine_config

DAY = 86_400.0


@pytest.fixture
def objects(tmp_path):
    """Two pictures that nobody came for, two that may still be needed, one that is stored."""
    store = FolderStore(tmp_path, bucket="growbin")
    ages = {"spool/a1": 91, "spool/theirs/b.jpg": 400, "spool/a2": 89, "spool/a3": 0, "uploads/u/a/original.jpg": 400}
    for key, days in ages.items():
        store.put(key, b"x", content_type="image/jpeg")
        then = time.time() - days * DAY
        os.utime(tmp_path / "growbin" / key, (then, then))
    return store


def test_only_old_pictures_of_the_spool_are_deleted(objects):
    job = ClearSpool(lambda: objects, 90 * DAY)

    assert job.run_once() == {"pictures": 2}

    assert {entry.key for entry in objects.list()} == {"spool/a2", "spool/a3", "uploads/u/a/original.jpg"}
    assert not job.run_once()


def test_a_node_whose_clock_is_ahead_deletes_nothing_that_is_needed(objects, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1_000 * DAY)

    assert ClearSpool(lambda: objects, 90 * DAY, lambda: now).run_once() == {"pictures": 2}


def test_what_another_keeper_has_deleted_meanwhile_is_fine(objects):
    listed = list(objects.list("spool/"))
    objects.list = lambda prefix: iter(listed)
    objects.delete("spool/a1")

    assert ClearSpool(lambda: objects, 90 * DAY).run_once() == {"pictures": 2}


@pytest.mark.parametrize(("kept_days", "expected"), [(90, 90 * DAY), (0.5, 3 * DAY)])
def test_the_keeper_leaves_what_a_dead_letter_or_a_message_that_waits_may_need(tmp_path, kept_days, expected):
    settings = load(data_dir=tmp_path, node="n1", keep_dead_letters_days=kept_days, deferral_max_age=2 * DAY)
    keeper = Keeper(engine_config(settings))

    [job] = [duty.job for duty in keeper._jobs if duty.name == "spool"]

    assert job.older_than == expected
    keeper.journal.close()
    keeper.database.close()
