import subprocess
import sys

import pytest
from tests.command_line import run_python

from growbin_jobs.engine.threads import gevent_active, offload

GEVENT = """
from gevent import monkey; monkey.patch_all()
import threading, gevent
from growbin_jobs.engine.threads import gevent_active, offload, offload_to
from gevent.monkey import get_original
native = get_original("threading", "get_ident")
assert gevent_active()
assert offload(native) != native()

beats = []
def beat():
    while True:
        beats.append(1); gevent.sleep(0)
heart = gevent.spawn(beat)
started, release = get_original("threading", "Event")(), get_original("threading", "Event")()
def block():
    started.set(); release.wait(10)
work = gevent.spawn(offload, block)
while not started.is_set(): gevent.sleep(0)
before = len(beats)
while len(beats) < before + 100: gevent.sleep(0)
release.set(); work.join()

def fail(data): raise ValueError("odd")
try: offload_to("pictures", 1, fail, b"private picture")
except ValueError as error: print("raised", error)
"""


def test_without_gevent_it_is_a_plain_call():
    assert not gevent_active()
    assert offload(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        offload(divmod, 7, 0)


def test_under_gevent_the_hub_runs_on_and_nothing_of_the_call_is_printed():
    done = subprocess.run([sys.executable, "-c", GEVENT], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "raised odd\n"
    assert done.stderr == ""


LATE = """
import sys
from pathlib import Path
from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.errors import ConfigurationError
engines = [Engine(EngineConfig(data_dir=Path(sys.argv[1]), node="n", broker_url=url)) for url in (None, "amqp://127.0.0.1:1/")]
from gevent import monkey; monkey.patch_all()
for engine in engines:
    actor = engine.actor(lambda: None, actor_name="one")
    for use in (actor.send, engine.central):
        try: use()
        except ConfigurationError as error: print(error)
"""


def test_a_process_that_gevent_patches_after_the_import_is_told_so_before_it_can_stand_still(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.count("Call gevent.monkey.patch_all() before") == 4, done
    assert list(tmp_path.iterdir()) == []


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
        except RuntimeError as error: print(error, flush=True)
        other = threading.Thread(target=actor.send)
        other.start()
        threads.append(other)
threads = []
sys.setprofile(interrupt)
actor.send()
sys.setprofile(None)
threads[0].join(30)
print("sent by the other:", not threads[0].is_alive(), flush=True)
import os; os._exit(0)
"""


@pytest.mark.parametrize(("url", "function"), [("", "_submit"), ("amqp://127.0.0.1:1/", "accept")])
def test_a_handler_that_interrupts_a_send_is_told_so_and_may_start_a_thread(url, function, tmp_path):
    done = run_python([sys.executable, "-c", NESTED, str(tmp_path), url, function], text=True, check=True, timeout=60)

    told, other = done.stdout.splitlines()
    assert told.startswith("This thread is sending already")
    assert other == "sent by the other: True"


#: Greenlets that an actor starts in a worker, which imports some of the engine before it lets gevent patch.
GREENLETS = """
import sys
from pathlib import Path
from growbin_jobs.engine.supervision import worker_process
worker_process.patch_all()
import gevent
from growbin_jobs.engine import Engine, EngineConfig

engine = Engine(EngineConfig(data_dir=Path(sys.argv[1]), node="n"))
actor = engine.actor(lambda: None, actor_name="one")
sends = [gevent.spawn(actor.send) for _ in range(20)]
gevent.joinall(sends, raise_error=True)
print(len({each.value.message_id for each in sends}))
import os; sys.stdout.flush(); os._exit(0)
"""


def test_greenlets_of_a_worker_send_at_the_same_time(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.stdout == "20\n", done.stderr
