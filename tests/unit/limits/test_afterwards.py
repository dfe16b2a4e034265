"""What a paid call leaves behind is written in order, by another thread."""

import threading

import pytest

from growbin_jobs.limits import afterwards


def test_work_is_done_in_order_by_another_thread() -> None:
    done: list[object] = []
    for number in range(20):
        afterwards.do(lambda number=number: done.append((number, threading.get_ident())))
    assert afterwards.wait(30)
    assert [number for number, _ in done] == list(range(20))
    assert threading.get_ident() not in {thread for _, thread in done}


def test_nobody_waits_for_work_and_who_wants_to_can() -> None:
    go = threading.Event()
    afterwards.do(go.wait)
    assert not afterwards.wait(0.01)
    go.set()
    assert afterwards.wait(30)


def test_a_piece_of_work_that_fails_is_told_of_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    afterwards.do(lambda: 1 / 0)
    afterwards.do(lambda: done.append(1))
    assert afterwards.wait_if_busy() or done
    assert afterwards.wait(30)
    assert done == [1]
    assert "limits.not_written" in caplog.text
