import subprocess
import sys

import pytest

#: A handler that interrupts a send while its locks are held: at the transaction's thread, at the connection's, in the
#: journal. It runs in the same thread, as Python's handlers do.
NESTED = """
import sys, threading
from pathlib import Path
from growbin_jobs.engine import Engine, EngineConfig

folder, url, lock = Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3]
engine = Engine(EngineConfig(data_dir=folder, node="n", broker_url=url, send_patience=0.05))
actor = engine.actor(lambda: None, actor_name="one")
actor.send()

seen = []
def interrupt(frame, event, _):
    if event == "call" and frame.f_code.co_name == lock and not seen:
        sys.setprofile(None)
        seen.append(lock)
        try: actor.send()
        except RuntimeError as error: print(error)
        other = threading.Thread(target=actor.send)
        other.start()
        threads.append(other)
threads = []
sys.setprofile(interrupt)
actor.send()
sys.setprofile(None)
threads[0].join(30)
print("sent by the other:", not threads[0].is_alive())
import os; os._exit(0)
"""


@pytest.mark.parametrize(("url", "function"), [("", "_submit"), ("amqp://127.0.0.1:1/", "accept")])
def test_a_handler_that_interrupts_a_send_is_told_so_and_may_start_a_thread(url, function, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", NESTED, str(tmp_path), url, function],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    told, other = done.stdout.splitlines()
    assert told.startswith("This thread is sending already")
    assert other == "sent by the other: True"
