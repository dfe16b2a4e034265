"""Django's connections are looked at around each message, whatever becomes of it."""

import sys
from contextlib import nullcontext
from types import ModuleType

import dramatiq
import pytest

from growbin_jobs.engine import Engine, EngineConfig, sandbox
from growbin_jobs.engine.middleware.django_connections import DjangoConnections


@pytest.mark.parametrize("fails", [False, True])
def test_old_connections_are_closed_before_and_after_each_message(tmp_path, monkeypatch, fails):
    seen = []
    django = ModuleType("django.db")
    django.close_old_connections = lambda: seen.append("closed")
    monkeypatch.setitem(sys.modules, "django", ModuleType("django"))
    monkeypatch.setitem(sys.modules, "django.db", django)
    engine = Engine(EngineConfig(data_dir=tmp_path))
    engine.add_middleware(DjangoConnections())

    @dramatiq.actor(broker=engine.broker, max_retries=0)
    def work():
        seen.append("ran")
        if fails:
            raise LookupError

    with sandbox(engine.broker) as box:
        work.send()
        with pytest.raises(LookupError) if fails else nullcontext():
            box.run()

    assert seen == ["closed", "ran", "closed"]
