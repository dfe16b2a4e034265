"""A node that is cut off from the database uses its offline share while the others go on, as the server counts."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stubs"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from limited_openai import LimitedOpenAI, largest
from tcp_gate import Gate
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import GrowbinError
from growbin_jobs.limits import offline_share
from growbin_jobs.limits.named import named_limits
from growbin_jobs.limits.offline_reserve import Reserves
from growbin_jobs.limits.paid_calls import guards
from growbin_jobs.limits.paid_calls import offline_share as share_of
from growbin_jobs.limits.provision import provision_of
from growbin_jobs.models import SCHEMA
from growbin_jobs.rates import Rate
from growbin_jobs.settings import load
from waiting import until

#: As the server counts; a window short enough that the test sees several of them.
MOST, WINDOW = 32, 2.0

SAY = [{"role": "user", "content": "?"}]


class Node:
    """A node with one process, whose threads ask as often as they may."""

    def __init__(self, name: str, database_url: str, server: str, data: Path) -> None:
        rates = {"text": Rate(MOST, WINDOW)}
        settings = load(
            node=name, data_dir=data / name, openai_base_url=server, limits=rates, vision_limit=0, text_limit=0
        )
        self.database = open_database(database_url, default_path=data, pool_size=4, timeout=1.0)
        self.limits = named_limits(settings)
        self.share = share_of(settings, self.database)
        self.sent: list[float] = []
        self.client = ModelClient(
            api_key=None,
            base_url=server,
            meter=self,
            guards=guards(settings, self.database, look_up=lambda _: None, share=self.share),
        )

    def record(self, request: ModelRequest) -> None:
        self.sent.append(request.sent_at)

    def ask(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                self.client.ask_text(Call("m", 10.0, 100, purpose="text"), SAY)
            except GrowbinError:
                over.wait(0.1)


@contextmanager
def asking(*nodes: Node) -> Iterator[None]:
    over = threading.Event()
    threads = [threading.Thread(target=node.ask, args=(over,)) for node in nodes for _ in range(5)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


@pytest.mark.services
def test_a_node_that_is_cut_off_goes_on_with_its_share_and_the_server_never_counts_more_than_the_limit(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline_share, "RENEWAL", 0.3)
    address = urlsplit(postgres_url)
    door = Gate(str(address.hostname), int(address.port or 0))
    through = address._replace(netloc=address.netloc.replace(str(address.port), str(door.port))).geturl()
    with LimitedOpenAI({"vision": MOST, "text": MOST}, window=WINDOW, late=0.9, checked=False) as server:
        near, far = (Node(name, url, server.url, tmp_path) for name, url in (("near", postgres_url), ("far", through)))
        upgrade(near.database, SCHEMA)
        provision_of(near.database, near.limits).make_configured()
        Reserves(near.database, near.limits).set("text", 0.25)
        with asking(near, far):
            until(lambda: near.share.is_leased() and far.share.is_leased())
            cut_at = time.time()
            door.shut()
            until(lambda: all(sum(moment > cut_at for moment in node.sent) >= 5 for node in (near, far)))
            door.open()
            back_at = time.time()
            until(lambda: sum(moment > back_at for moment in far.sent) >= 5)
        counted = server.counted("text")

    cut = Counter(name for name, node in (("near", near), ("far", far)) for at in node.sent if cut_at < at < back_at)
    assert min(cut["near"], cut["far"]) >= 5, "the others go on, too"
    assert server.refused == 0
    assert largest(counted, WINDOW) <= MOST
    for node in (near, far):
        node.database.close()
    door.shut()
