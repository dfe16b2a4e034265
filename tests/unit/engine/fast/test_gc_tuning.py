import gc

import pytest
from dramatiq.brokers.stub import StubBroker

from growbin_jobs.engine.fast.gc_tuning import DEFAULT_THRESHOLDS, THRESHOLDS, GcTuning


@pytest.fixture(autouse=True)
def collector():
    """Leave Python's collector as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_a_worker_process_looks_for_garbage_less_often_and_not_among_what_it_began_with():
    gc.set_threshold(*DEFAULT_THRESHOLDS)

    StubBroker(middleware=[GcTuning()]).emit_after("process_boot")

    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 10_000


def test_who_has_set_other_thresholds_has_them():
    gc.set_threshold(123, 4, 5)

    StubBroker(middleware=[GcTuning()]).emit_after("process_boot")

    assert gc.get_threshold() == (123, 4, 5)


def test_a_worker_inside_another_program_leaves_it_alone():
    gc.set_threshold(*DEFAULT_THRESHOLDS)
    broker = StubBroker(middleware=[GcTuning()])

    broker.emit_before("worker_boot", None)
    broker.emit_after("worker_boot", None)

    assert gc.get_threshold() == DEFAULT_THRESHOLDS
