"""The service in the sandbox, and with a real worker and a real mail server."""

import os
import signal
import subprocess
import sys
from mailbox import Maildir
from pathlib import Path

import pytest
from orders import jobs

from growbin_jobs.engine import Permanent, sandbox

ROOT = Path(__file__).parents[1]


def test_an_order_is_priced_and_confirmed():
    with sandbox() as box:
        jobs.accept_order.send("1", "ada@example.org", ["tea", "coffee"])
        box.run()

    [mail] = Maildir(jobs.settings.data_dir / "mail")
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "Order 1")
    assert "costs 8" in mail.get_payload()
    assert [sent.actor for sent in box.sent()] == ["accept_order", "confirm_order"]


def test_what_is_not_sold_is_given_up_with_a_reason_of_our_own():
    with sandbox() as box:
        jobs.accept_order.send("2", "ada@example.org", ["moon"])
        box.run(fail_fast=False)

    [letter] = box.dead()
    assert letter.code == "item_unknown"
    assert str(letter.exception) == "We do not sell moon."


@pytest.mark.parametrize(("codes", "deferrals", "dead"), [([450, 450], 2, 0), ([550], 0, 1), ([], 0, 0)])
def test_the_mail_server_decides_whether_to_wait_or_to_give_up(sink, monkeypatch, codes, deferrals, dead):
    sink.refuses[:] = codes
    monkeypatch.setattr(jobs, "settings", jobs.settings.model_copy(update={"mail_url": sink.url}))

    with sandbox() as box:
        jobs.confirm_order.send("3", "ada@example.org", 3)
        box.run(fail_fast=False)

    assert [sent.deferrals for sent in box.sent("confirm_order")] == list(range(deferrals + 1))
    assert len(box.dead()) == dead
    assert len(sink.received) == 1 - dead


def test_a_real_worker_sends_to_a_real_server(sink, tmp_path):
    env = os.environ | {
        "ORDERS_DATA_DIR": str(tmp_path / "data"), "ORDERS_MAIL_URL": sink.url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    with (tmp_path / "worker.log").open("wb") as log:
        command = [str(Path(sys.executable).with_name("dramatiq")), "orders.jobs", "--processes", "1"]
        worker = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        placed = subprocess.run(
            [sys.executable, "-m", "orders.place", "7", "ada@example.org", "tea", "tea"],
            env=env, capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert placed.stdout == "6\n", placed.stderr + (tmp_path / "worker.log").read_text()
        assert sink.news.wait(60)
    finally:
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(60)

    assert "Subject: Order 7" in sink.received[0]
    assert code == 0


def test_an_unknown_item_is_an_error_to_who_calls_the_actor():
    with pytest.raises(Permanent, match="We do not sell moon"):
        jobs.accept_order("4", "ada@example.org", ["moon"])
